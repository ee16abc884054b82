#include "health/executor_view.h"

#include "base/scoped.h"

#define AT(member) offsetof(struct executor_view, member), sizeof(((struct executor_view *)0)->member)
static const struct view_field fields[] = {
	{"namespace", VIEW_TEXT, AT(name_space)},
	{"pod", VIEW_TEXT, AT(pod)},
	{"podUID", VIEW_TEXT, AT(pod_uid)},
	{"container", VIEW_TEXT, AT(container)},
	{"containerID", VIEW_TEXT, AT(container_id)},
	{"role", VIEW_TEXT, AT(role)},
	{"sidecar", VIEW_BOOL, AT(sidecar)},
	{"appID", VIEW_TEXT, AT(app_id)},
	{"appName", VIEW_TEXT, AT(app_name)},
	{"executorID", VIEW_TEXT, AT(executor_id)},
	{"sparkVersion", VIEW_TEXT, AT(spark_version)},
	{"language", VIEW_TEXT, AT(language)},
	{"qosClass", VIEW_TEXT, AT(qos)},
	{"queue", VIEW_TEXT, AT(queue)},
	{"watched", VIEW_BOOL, AT(watched)},
	{"startTime", VIEW_TIME, AT(started_wall_us)},
	{"usedBytes", VIEW_NUMBER, AT(used_bytes)},
	{"workingSetBytes", VIEW_NUMBER, AT(working_set_bytes)},
	{"limitBytes", VIEW_NUMBER, AT(limit_bytes)},
	{"peakBytes", VIEW_NUMBER, AT(peak_bytes)},
	{"anonBytes", VIEW_NUMBER, AT(anon_bytes)},
	{"shmemBytes", VIEW_NUMBER, AT(shmem_bytes)},
	{"cacheBytes", VIEW_NUMBER, AT(cache_bytes)},
	{"kernelBytes", VIEW_NUMBER, AT(kernel_bytes)},
	{"heapBytes", VIEW_NUMBER, AT(heap_bytes)},
	{"jvmBytes", VIEW_NUMBER, AT(jvm_bytes)},
	{"pythonBytes", VIEW_NUMBER, AT(python_bytes)},
	{"rBytes", VIEW_NUMBER, AT(r_bytes)},
	{"otherBytes", VIEW_NUMBER, AT(other_bytes)},
	{"oomKills", VIEW_NUMBER, AT(oom_kills)},
};

const struct view_list executor_list = {"ExecutorList", "items", fields, ARRAY_SIZE(fields), sizeof(struct executor_view), EXECUTOR_VIEWS_MAX};

int executor_views_to_json(const struct executor_view *views, size_t count, const char *node, uint64_t wall_us, char **ret_text, struct err *e)
{
	return view_list_to_json(&(const struct view_part){&executor_list, views, count}, 1, node, wall_us, ret_text, e);
}
