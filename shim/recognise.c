#include "shim/recognise.h"

#include <limits.h>
#include <string.h>

#include "base/scoped.h"
#include "shim/command.h"
#include "shim/environment.h"
#include "shim/marks.h"
#include "shim/plan.h"
#include "shim/pod_names.h"
#include "shim/text.h"

#define LOCAL_DIRS_MAX 16
#define ROLE(role)     (1U << EXECUTOR_ROLE_##role)

/* What Spark, its operators, JupyterHub and Zeppelin call the container that matters. Under any other name (pod templates choose
 * it) environment or command line must tell. */
static const struct {
	const char *name;
	unsigned roles;
} main_names[] = {
	{"spark-kubernetes-executor", ROLE(EXECUTOR)},
	{"spark-kubernetes-driver", ROLE(DRIVER) | ROLE(CONNECT_SERVER)},
	{"master", ROLE(STANDALONE_MASTER)},
	{"worker", ROLE(STANDALONE_WORKER)},
	{"notebook", ROLE(CLIENT_DRIVER)},
};

/* The runtime does not say the class, but the kubelet makes its cgroups by it. */
static enum executor_qos qos_of(struct text cgroup_parent)
{
	if (!text_has(cgroup_parent, "kubepods"))
		return EXECUTOR_QOS_UNKNOWN;
	if (text_has(cgroup_parent, "kubepods-besteffort") || text_has(cgroup_parent, "kubepods/besteffort"))
		return EXECUTOR_QOS_BEST_EFFORT;
	if (text_has(cgroup_parent, "kubepods-burstable") || text_has(cgroup_parent, "kubepods/burstable"))
		return EXECUTOR_QOS_BURSTABLE;
	return EXECUTOR_QOS_GUARANTEED;
}

static void copy_identity(const struct pod_view *pod, const struct container_view *container, struct executor *ret)
{
	memset(ret, 0, sizeof(*ret));
	text_copy_whole(ret->container_id, sizeof(ret->container_id), container->id);
	text_copy(ret->container, sizeof(ret->container), container->name);
	text_copy_whole(ret->cgroups_path, sizeof(ret->cgroups_path), container->cgroups_path);
	text_copy_whole(ret->pod_uid, sizeof(ret->pod_uid), pod->uid);
	text_copy(ret->name_space, sizeof(ret->name_space), pod->name_space);
	text_copy(ret->pod, sizeof(ret->pod), pod->name);
	text_copy_whole(ret->cgroup_parent, sizeof(ret->cgroup_parent), pod->cgroup_parent);
	ret->source = EXECUTOR_FROM_NRI;
	ret->pid = container->pid;
	ret->uid = container->has_user ? container->uid : UINT32_MAX;
	ret->gid = container->has_user ? container->gid : UINT32_MAX;
	bool fits = container->has_oom_score_adj && container->oom_score_adj >= -1000 && container->oom_score_adj <= 1000;
	ret->oom_score_adj = fits ? (int32_t)container->oom_score_adj : INT32_MIN;
	ret->limit_bytes = container->has_memory_limit && container->memory_limit_bytes > 0 ? (uint64_t)container->memory_limit_bytes : 0;
	ret->pod_limit_bytes = pod->memory_limit_bytes > 0 ? (uint64_t)pod->memory_limit_bytes : 0;
	ret->created_wall_us = container->created_at_ns > 0 ? (uint64_t)container->created_at_ns / 1000 : 0;
	ret->qos = qos_of(pod->cgroup_parent);
}

static void read_command(const struct container_view *container, struct executor *executor, struct command *command)
{
	for (uint32_t i = 0; i < container->arg_count; i++)
		command_take(command, container->args[i], executor);
	environment_override(container, executor);
	if (command->language != EXECUTOR_LANGUAGE_UNKNOWN)
		executor->language = command->language;
}

/* Labels are Spark's and its operators' word; a driver that was told to be a Connect server is one. */
static enum executor_role role_of(const struct pod_view *pod, const struct container_view *container, const struct environment_signs *signs,
				  enum executor_role command)
{
	enum executor_role role = marks_role(pod);
	struct text setting;

	if (role == EXECUTOR_ROLE_DRIVER && command == EXECUTOR_ROLE_CONNECT_SERVER)
		return command;
	if (role != EXECUTOR_ROLE_NONE)
		return role;
	if (command != EXECUTOR_ROLE_NONE)
		return command;
	if (signs->executor || signs->driver)
		return signs->executor ? EXECUTOR_ROLE_EXECUTOR : EXECUTOR_ROLE_DRIVER;
	/* A notebook without Spark is none of ours. */
	if (marks_is_jupyter(pod) && (signs->spark || text_has(container->image, "spark")))
		return EXECUTOR_ROLE_CLIENT_DRIVER;
	if (marks_is_zeppelin(pod, &setting) && (signs->spark || text_has(setting, "spark")))
		return EXECUTOR_ROLE_CLIENT_DRIVER;
	return EXECUTOR_ROLE_NONE;
}

static bool runs_interpreter(const struct container_view *container)
{
	for (uint32_t i = 0; i < container->arg_count; i++)
		if (text_has(container->args[i], "/interpreter.sh"))
			return true;
	return false;
}

/* Is this container the one that the pod is for, or a neighbour in it? */
static bool is_main(const struct pod_view *pod, const struct container_view *container, enum executor_role role, const struct environment_signs *signs,
		    enum executor_role command)
{
	struct text setting;

	for (size_t i = 0; i < ARRAY_SIZE(main_names); i++)
		if (main_names[i].roles & 1U << role && text_is(container->name, main_names[i].name))
			return true;
	if (command != EXECUTOR_ROLE_NONE)
		return true;
	if (role == EXECUTOR_ROLE_EXECUTOR)
		return signs->executor;
	if (role == EXECUTOR_ROLE_DRIVER)
		return signs->driver;
	if (marks_is_zeppelin(pod, &setting))
		return text_is(container->name, "spark") || runs_interpreter(container);
	return false;
}

/* The kubelet's annotation of a container with a preStop hook. Spark adds one that runs decom.sh when spark.decommission.enabled is set,
 * and tells the executor in no other way that can be seen from here. containerd does not pass it on, CRI-O does. */
static bool has_decommission_hook(const struct container_view *container)
{
	for (uint32_t i = 0; i < container->annotation_count; i++)
		if (text_is(container->annotations[i].key, "io.kubernetes.container.preStopHandler") && text_has(container->annotations[i].value, "decom"))
			return true;
	return false;
}

/* An emptyDir in memory comes as a bind mount of the kubelet's tmpfs and does not show that here: it is an emptyDir, as one on a disk. */
static uint32_t flags_of_mount(const struct mount_view *mount)
{
	if (text_is(mount->type, "tmpfs") || text_starts(mount->source, "/dev/shm"))
		return EXECUTOR_TMPFS_LOCAL_DIRS;
	return text_has(mount->source, "/volumes/kubernetes.io~empty-dir/") ? EXECUTOR_EMPTY_DIRS : 0;
}

static struct text without_slashes(struct text path)
{
	while (path.length > 1 && path.bytes[path.length - 1] == '/')
		path.length--;
	return path;
}

/* Is the directory what is mounted there, or beneath it? The length of the mount's path; 0 = not, or a path that says less than it seems. */
static uint32_t depth_at(struct text dir, struct text mount)
{
	dir = without_slashes(dir);
	mount = without_slashes(mount);
	if (mount.length < 2 || dir.length < mount.length || memcmp(dir.bytes, mount.bytes, mount.length) != 0)
		return 0;
	if (dir.length > mount.length && (dir.bytes[mount.length] != '/' || text_has(dir, "/../") || text_ends(dir, "/..")))
		return 0;
	return mount.length;
}

static uint32_t flags_of_dir(struct text dir, const struct container_view *container, const struct plan *plan)
{
	uint32_t flags = 0, deepest = 0;

	/* What is mounted deepest counts; of what is mounted at the same place what is given. */
	for (uint32_t i = 0; i < container->mount_count; i++) {
		const uint32_t depth = depth_at(dir, container->mounts[i].destination);
		if (depth > 0 && depth >= deepest)
			deepest = depth, flags = flags_of_mount(&container->mounts[i]);
	}
	for (uint32_t i = 0; plan && i < plan->mount_count; i++) {
		const uint32_t depth = depth_at(dir, text_of(plan->mounts[i].destination));
		if (depth > 0 && depth >= deepest)
			deepest = depth, flags = plan->mounts[i].type == PLAN_MOUNT_TMPFS ? EXECUTOR_TMPFS_LOCAL_DIRS : 0;
	}
	return flags;
}

/* All of them in memory, or one of them an emptyDir. Of more than are looked at nobody knows where the rest are. `plan` NULL: not at its creation. */
static uint32_t flags_of_local_dirs(const struct container_view *container, const struct plan *plan)
{
	struct text rest = environment_local_dirs(container, plan ? plan_env(plan, "SPARK_LOCAL_DIRS") : NULL), dir;
	uint32_t flags = 0, count = 0, in_memory = 0;

	for (; count < LOCAL_DIRS_MAX && text_next(&rest, ',', &dir); count++) {
		const uint32_t flag = flags_of_dir(dir, container, plan);
		flags |= flag;
		in_memory += flag == EXECUTOR_TMPFS_LOCAL_DIRS;
	}
	return count > 0 && in_memory == count && rest.length == 0 ? EXECUTOR_TMPFS_LOCAL_DIRS : flags & EXECUTOR_EMPTY_DIRS;
}

/* What an earlier creation has put there (shim/plan_mount.h): told again with a container that lives. */
static uint64_t injected_bytes(const struct container_view *container)
{
	uint64_t sum = 0, size;

	for (uint32_t i = 0; i < container->mount_count; i++) {
		const struct mount_view *m = &container->mounts[i];
		if (text_is(m->type, "tmpfs") && text_is(m->source, PLAN_SCRATCH_SOURCE) && text_number(m->size, &size) && size <= INT64_MAX - sum)
			sum += size;
	}
	return sum;
}

/* A neighbour keeps what is the pod's: app, queue, operator. What its own environment says is not Spark's. */
static void forget_own(struct executor *executor)
{
	executor->sidecar = true;
	executor->language = EXECUTOR_LANGUAGE_UNKNOWN;
	executor->flags = 0;
	executor->heap_bytes = executor->off_heap_bytes = executor->python_worker_bytes = 0;
	executor->cores = 0;
}

void recognise(const struct redactor *redactor, const struct pod_view *pod, const struct container_view *container, struct executor *ret)
{
	struct environment_signs signs;
	struct command command = {.option = text_of(""), .redactor = redactor};

	copy_identity(pod, container, ret);
	marks_read(redactor, pod, ret);
	environment_read(redactor, container, ret, &signs);
	read_command(container, ret, &command);
	ret->role = role_of(pod, container, &signs, command_role(&command));
	if (ret->role == EXECUTOR_ROLE_NONE) {
		copy_identity(pod, container, ret);
		return;
	}
	if (!is_main(pod, container, ret->role, &signs, command_role(&command)))
		forget_own(ret);
	else if (has_decommission_hook(container))
		ret->flags |= EXECUTOR_DECOMMISSION;
	if (!ret->sidecar) {
		ret->flags |= flags_of_local_dirs(container, NULL);
		ret->injected_bytes = injected_bytes(container);
	}
	if (ret->role == EXECUTOR_ROLE_EXECUTOR && pod_names_client_driver(ret))
		ret->flags |= EXECUTOR_CLIENT_MODE;
	if (!ret->spark_version[0])
		pod_names_version(container->image, ret);
	if (!ret->app_name[0])
		pod_names_app(ret);
}

void recognise_given(const struct container_view *container, const struct plan *plan, struct executor *executor)
{
	executor->injected_bytes = plan_scratch_bytes(plan);
	if (executor->injected_bytes == 0)
		return;
	executor->flags &= ~(EXECUTOR_TMPFS_LOCAL_DIRS | EXECUTOR_EMPTY_DIRS);
	executor->flags |= flags_of_local_dirs(container, plan);
}
