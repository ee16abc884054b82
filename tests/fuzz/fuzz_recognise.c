/* Recognising and deciding against any bytes: labels, annotations, environment, arguments, names, command lines. Whatever comes, every
 * string is ended and clean, every number in its range, and the plan within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/nri_reply.h"
#include "shim/plan_mount.h"
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
	if (e->role >= EXECUTOR_ROLE_MAX_ || e->language > EXECUTOR_LANGUAGE_R || e->qos > EXECUTOR_QOS_BEST_EFFORT || e->sidecar > 1)
		abort();
}

static bool holds(const char *outer, size_t length, const char *inner, size_t inner_length)
{
	return inner_length >= length && memcmp(outer, inner, length) == 0 && (inner_length == length || inner[length] == '/');
}

/* Whatever was asked: few mounts, none over one of the container's own, no more memory than there is room for, and it fits a reply. */
static void check_mounts(const struct plan *plan, const struct container_view *container, uint64_t room_bytes)
{
	static unsigned char bytes[NRI_REPLY_BYTES];
	struct proto_writer w = {.bytes = bytes, .size = sizeof(bytes)};

	for (uint32_t i = 0; i < plan->mount_count; i++) {
		const struct plan_mount *m = &plan->mounts[i];
		const size_t length = strlen(m->destination);
		CHECK(m->destination);
		if (m->destination[0] != '/' || strstr(m->destination, "/../") || (m->type == PLAN_MOUNT_BIND && strcmp(m->source, "/run/c/streams") != 0))
			abort();
		for (uint32_t n = 0; n < container->mount_count; n++) {
			const struct text own = container->mounts[n].destination;
			if (own.length > 1 && own.bytes[own.length - 1] != '/' && (holds(own.bytes, own.length, m->destination, length) || holds(m->destination, length, own.bytes, own.length)))
				abort();
		}
		room_bytes -= m->type == PLAN_MOUNT_TMPFS ? m->size_bytes : 0;
	}
	nri_write_created(&w, plan);
	if (plan->mount_count > PLAN_MOUNTS_MAX || room_bytes > UINT64_MAX / 2 || w.overflow)
		abort();
}

static void check_injected(const struct executor *executor, const struct pod_view *pod, const struct container_view *container, struct plan *plan)
{
	static const struct wire_nri_volumes policy = {.scratch_max_bytes = 1ULL << 33, .scratch_no_limit_bytes = 1ULL << 30, .scratch_reserve_bytes = 1ULL << 28, .annotations = 1,
						       .inject_count = 1, .injects = {{.namespaces = {1, {"*"}}, .path = "/scratch", .size_bytes = 1ULL << 25, .drivers = 1}},
						       .checkpoint_count = 1, .checkpoints = {{.name = "streams", .namespaces = {1, {"*"}}}}, .checkpoints_dir = "/run/c"};
	static const struct plan_volumes volumes = {.policy = &policy, .ready = 1};
	char complaint[PLAN_COMPLAINT_BYTES] = "";

	plan_add_mounts(&volumes, executor, pod, container, plan, complaint);
	CHECK(complaint);
	check_mounts(plan, container, plan_scratch_room(&policy, executor, 0));
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
	container.memory_limit_bytes = 1LL << 32;
	container.oom_score_adj = 1000;
	while (text_next(&rest, '\n', &line))
		if (line.length > 0)
			take(&pod, &container, line.bytes[0], text_from(line, 1));
	recognise(NULL, &pod, &container, &executor);
	check_executor(&executor);
	plan_decide(&config, &limits, &executor, &pod, &container, &plan, complaint);
	CHECK(complaint);
	if (plan.unified_count > 1 || plan.env_count > 0)
		abort();
	check_injected(&executor, &pod, &container, &plan);

	memset(&executor, 0, sizeof(executor));
	recognise_from_process(NULL, (const char *)data, size, &executor);
	check_executor(&executor);
	memset(&executor, 0, sizeof(executor));
	memset(directory, 0, sizeof(directory));
	memcpy(directory, data, size < sizeof(directory) - 1 ? size : sizeof(directory) - 1);
	recognise_log_directory(directory, &executor);
	check_executor(&executor);
	return 0;
}
