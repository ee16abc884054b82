/* Recognising and deciding against any bytes: labels, annotations, environment, arguments, names, command lines. Whatever comes, every
 * string is ended and clean, every number in its range, and the plan within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/plan.h"
#include "shim/recognise.h"
#include "shim/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "K\x01V" is a pair; a line's first byte says what it is. */
static struct text_pair pair_of(struct text text)
{
	struct text rest = text, key = {.bytes = ""};

	text_next(&rest, '\x01', &key);
	return (struct text_pair){key, rest};
}

static void take(struct pod_view *pod, struct container_view *container, char kind, struct text line)
{
	struct text *const names[] = {&pod->name, &pod->uid, &pod->name_space, &pod->cgroup_parent, &container->id, &container->name, &container->image, &container->cgroups_path};

	if (kind >= '0' && kind <= '7')
		*names[kind - '0'] = line;
	else if (kind == 'l' && pod->label_count < VIEW_LABELS_MAX)
		pod->labels[pod->label_count++] = pair_of(line);
	else if (kind == 'a' && pod->annotation_count < VIEW_ANNOTATIONS_MAX)
		pod->annotations[pod->annotation_count++] = pair_of(line);
	else if (kind == 'A' && container->annotation_count < VIEW_ANNOTATIONS_MAX)
		container->annotations[container->annotation_count++] = pair_of(line);
	else if (kind == 'e' && container->env_count < VIEW_ENV_MAX)
		container->env[container->env_count++] = line;
	else if (kind == 'r' && container->arg_count < VIEW_ARGS_MAX)
		container->args[container->arg_count++] = line;
	else if (kind == 'u' && container->unified_count < ARRAY_SIZE(container->unified))
		container->unified[container->unified_count++] = pair_of(line);
	else if (kind == 'm' && container->mount_count < VIEW_MOUNTS_MAX)
		container->mounts[container->mount_count++] = (struct mount_view){pair_of(line).key, text_of("tmpfs"), pair_of(line).value};
}

static void check(const char *text, size_t size)
{
	if (!str_is_ended(text, size))
		abort();
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f || str_utf8_length((const char *)p) == 0)
			abort();
		else
			p += str_utf8_length((const char *)p) - 1;
}

#define CHECK(field) check(field, sizeof(field))

static void check_executor(const struct executor *e)
{
	CHECK(e->container_id);
	CHECK(e->pod_uid);
	CHECK(e->name_space);
	CHECK(e->pod);
	CHECK(e->container);
	CHECK(e->app_id);
	CHECK(e->app_name);
	CHECK(e->executor_id);
	CHECK(e->spark_version);
	CHECK(e->queue);
	CHECK(e->connect_name);
	CHECK(e->driver_url);
	CHECK(e->cgroup_parent);
	CHECK(e->cgroups_path);
	if (e->role >= EXECUTOR_ROLE_MAX_ || e->language > EXECUTOR_LANGUAGE_R || e->qos > EXECUTOR_QOS_BEST_EFFORT || e->sidecar > 1 ||
	    e->local_dir_count > EXECUTOR_LOCAL_DIRS_MAX)
		abort();
	for (uint32_t i = 0; i < EXECUTOR_LOCAL_DIRS_MAX; i++)
		CHECK(e->local_dirs[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_executors config = {.annotations = 1, .python_oom_group = CONFIG_OOM_GROUP_SINGLE, .oom_score_adj = CONFIG_OOM_SCORE_DRIVERS_LAST};
	static const struct plan_limits limits = {.unified = true, .oom_score_adj = true};
	static struct pod_view pod;
	static struct container_view container;
	static struct executor executor;
	static struct plan plan;
	char complaint[PLAN_COMPLAINT_BYTES], directory[512];
	struct text rest = {(const char *)data, (uint32_t)(size < 65536 ? size : 65536)}, line;

	memset(&pod, 0, sizeof(pod));
	memset(&container, 0, sizeof(container));
	container.has_memory_limit = container.has_oom_score_adj = true;
	container.memory_limit_bytes = container.oom_score_adj = 1000;
	while (text_next(&rest, '\n', &line))
		if (line.length > 0)
			take(&pod, &container, line.bytes[0], text_from(line, 1));
	recognise(&pod, &container, &executor);
	check_executor(&executor);
	plan_decide(&config, &limits, &executor, &pod, &container, &plan, complaint);
	CHECK(complaint);
	if (plan.unified_count > 1 || plan.env_count > 0)
		abort();

	memset(&executor, 0, sizeof(executor));
	recognise_from_process((const char *)data, size, &executor);
	check_executor(&executor);
	memset(&executor, 0, sizeof(executor));
	memset(directory, 0, sizeof(directory));
	memcpy(directory, data, size < sizeof(directory) - 1 ? size : sizeof(directory) - 1);
	recognise_log_directory(directory, &executor);
	check_executor(&executor);
	return 0;
}
