#include "shim/plan_mount.h"

#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/text.h"

#ifdef STOKER_SABOTAGE_OWN_MOUNT_IGNORED
#define OWN_MOUNTS(container) ((container)->mount_count & 0U)
#else
#define OWN_MOUNTS(container) ((container)->mount_count)
#endif

#define PAGE_BYTES     4096ULL
#define SCRATCH_WHO    "annotation " PLAN_SCRATCH_ANNOTATION
#define CHECKPOINT_WHO "annotation " PLAN_CHECKPOINT_ANNOTATION

/* One wish, of an annotation or of the policy. */
struct wish {
	const char *who; /* in words: "annotation …", "volumes.inject" */
	struct text path;
	struct text checkpoint; /* its name; empty = scratch */
	uint64_t size_bytes;	/* 0 = what there is room for */
	bool local_dirs;
};

/* What is decided upon. */
struct deciding {
	const struct plan_volumes *volumes;
	const struct executor *executor;
	const struct container_view *container;
	struct plan *plan;
	char *complaint;
	uint64_t room_bytes; /* for scratch, less what was given */
};

/* The first one is told; an Event has room for one. */
static void complain(const struct deciding *d, const char *who, struct text value, const char *what)
{
	char cut[64], shown[128];

	if (d->complaint[0])
		return;
	text_copy_redacted(d->volumes->redactor, cut, sizeof(cut), value);
	str_escape(shown, sizeof(shown), cut);
	str_append(d->complaint, PLAN_COMPLAINT_BYTES, "%s: '%s' %s", who, shown, what);
}

uint64_t plan_scratch_bytes(const struct plan *plan)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < plan->mount_count; i++)
		sum += plan->mounts[i].type == PLAN_MOUNT_TMPFS ? plan->mounts[i].size_bytes : 0;
	return sum;
}

uint64_t plan_scratch_room(const struct wire_nri_volumes *policy, const struct executor *executor, uint32_t others)
{
	uint64_t room = executor_memory_left(executor, policy->scratch_reserve_bytes);

	if (room == UINT64_MAX)
		room = policy->scratch_no_limit_bytes;
	else
		room /= (uint64_t)others + 1;
	if (room > policy->scratch_max_bytes)
		room = policy->scratch_max_bytes;
	return room / PAGE_BYTES * PAGE_BYTES;
}

/* --- paths --- */

/* Absolute, of plain parts, and none of what the runtime itself mounts. */
static bool is_good_path(struct text path)
{
	static const char *const taken[] = {"proc", "sys", "dev"};
	struct text rest = text_from(path, 1), part;
	bool first = true;

	if (!text_starts(path, "/") || path.length < 2 || path.length >= CONFIG_VOLUME_PATH_BYTES || path.bytes[path.length - 1] == '/')
		return false;
	for (uint32_t i = 0; i < path.length; i++)
		if ((unsigned char)path.bytes[i] <= ' ' || (unsigned char)path.bytes[i] >= 0x7f || path.bytes[i] == '\\' || path.bytes[i] == ',')
			return false;
	for (; text_next(&rest, '/', &part); first = false) {
		if (part.length == 0 || text_is(part, ".") || text_is(part, ".."))
			return false;
		for (size_t i = 0; first && i < ARRAY_SIZE(taken); i++)
			if (text_is(part, taken[i]))
				return false;
	}
	return true;
}

/* The same path, or one within the other. "/a/" and "/a" are the same: runtimes clean them. */
static bool overlap(struct text a, struct text b)
{
	while (a.length > 1 && a.bytes[a.length - 1] == '/')
		a.length--;
	while (b.length > 1 && b.bytes[b.length - 1] == '/')
		b.length--;
	const struct text shorter = a.length <= b.length ? a : b, longer = a.length <= b.length ? b : a;
	return memcmp(shorter.bytes, longer.bytes, shorter.length) == 0 && (longer.length == shorter.length || longer.bytes[shorter.length] == '/' || shorter.length == 1);
}

static bool is_free(const struct deciding *d, const struct wish *wish)
{
	/* Of more mounts than are read nobody knows where the rest are. */
	if (d->container->mount_count >= VIEW_MOUNTS_MAX) {
		complain(d, wish->who, wish->path, "is not mounted: the container has more mounts than are read");
		return false;
	}
	for (uint32_t i = 0; i < OWN_MOUNTS(d->container); i++) {
		if (d->container->mounts[i].destination.length == 0 || !overlap(d->container->mounts[i].destination, wish->path))
			continue;
		complain(d, wish->who, wish->path, "is not mounted: the container has a mount of its own there, which stays");
		return false;
	}
	for (uint32_t i = 0; i < d->plan->mount_count; i++)
		if (overlap(text_of(d->plan->mounts[i].destination), wish->path))
			return false; /* an annotation before the policy: the pod has chosen */
	if (d->plan->mount_count == PLAN_MOUNTS_MAX) {
		complain(d, wish->who, wish->path, "is not mounted: one container gets four at most");
		return false;
	}
	return true;
}

/* --- scratch --- */

static void set_local_dirs(struct plan *plan, const char *path)
{
	if (plan->env_count == PLAN_ENV_MAX)
		return;
	struct plan_pair *pair = &plan->env[plan->env_count++];
	str_copy(pair->key, sizeof(pair->key), "SPARK_LOCAL_DIRS");
	str_copy(pair->value, sizeof(pair->value), path);
}

static void add_scratch(struct deciding *d, const struct wish *wish)
{
	const uint64_t asked = wish->size_bytes / PAGE_BYTES * PAGE_BYTES;
	const uint64_t size = asked && asked < d->room_bytes ? asked : d->room_bytes;

	if (size < PLAN_SCRATCH_LEAST_BYTES) {
		complain(d, wish->who, wish->path, asked && asked < PLAN_SCRATCH_LEAST_BYTES ? "is not mounted: its size must be at least 16Mi" : "is not mounted: the memory limit leaves no room for it beside heap and reserve");
		return;
	}
	if (asked > size) {
		char rule[96] = "";
		str_append(rule, sizeof(rule), "has %lluMi instead of %lluMi: there is no room for more", (unsigned long long)(size >> 20), (unsigned long long)(asked >> 20));
		complain(d, wish->who, wish->path, rule);
	}
	struct plan_mount *m = &d->plan->mounts[d->plan->mount_count++];
	*m = (struct plan_mount){.type = PLAN_MOUNT_TMPFS, .size_bytes = size, .inodes = d->volumes->policy->scratch_inodes};
	text_copy_whole(m->destination, sizeof(m->destination), wish->path);
	m->has_owner = d->container->has_user;
	if (m->has_owner) {
		m->uid = d->container->uid;
		m->gid = d->container->gid;
	}
	d->room_bytes -= size;
	if (wish->local_dirs && d->executor->role == EXECUTOR_ROLE_EXECUTOR)
		set_local_dirs(d->plan, m->destination);
}

/* --- checkpoints --- */

static void add_checkpoint(struct deciding *d, const struct wish *wish)
{
	const struct wire_nri_volumes *policy = d->volumes->policy;
	uint32_t n = 0;

	while (n < policy->checkpoint_count && !text_is(wish->checkpoint, policy->checkpoints[n].name))
		n++;
	/* Who may not have it is not told that it exists. */
	if (n == policy->checkpoint_count || !config_namespaces_allow(&policy->checkpoints[n].namespaces, d->executor->name_space)) {
		complain(d, wish->who, wish->checkpoint, "is no checkpoint that this namespace may have (volumes.checkpoints)");
		return;
	}
	if (!(d->volumes->ready & 1U << n)) {
		complain(d, wish->who, wish->checkpoint, "is not mounted: its server does not answer (yet); the container starts without it");
		return;
	}
	struct plan_mount *m = &d->plan->mounts[d->plan->mount_count++];
	*m = (struct plan_mount){.type = PLAN_MOUNT_BIND, .read_only = policy->checkpoints[n].read_only};
	text_copy_whole(m->destination, sizeof(m->destination), wish->path);
	str_append(m->source, sizeof(m->source), "%s/%s", policy->checkpoints_dir, policy->checkpoints[n].name);
}

static void grant(struct deciding *d, const struct wish *wish)
{
	if (!is_good_path(wish->path)) {
		complain(d, wish->who, wish->path, "must be an absolute, plain path, and not in /proc, /sys or /dev");
		return;
	}
	if (!is_free(d, wish))
		return;
	if (wish->checkpoint.length > 0)
		add_checkpoint(d, wish);
	else
		add_scratch(d, wish);
}

/* --- what is wished --- */

/* "512Mi", "2Gi" */
static bool read_size(struct text text, uint64_t *ret)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = {{"Mi", 20}, {"Gi", 30}, {"Ti", 40}};
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!text_ends(text, units[i].unit))
			continue;
		text.length -= 2;
		if (!text_number(text, &number) || number == 0 || number > 1ULL << (50 - units[i].shift))
			return false;
		*ret = number << units[i].shift;
		return true;
	}
	return false;
}

/* stoker.dev/scratch: "PATH[,size=SIZE][,localDirs]" */
static bool read_scratch(struct text value, struct wish *ret)
{
	static const char size[] = "size=";
	struct text rest = value, part;

	*ret = (struct wish){.who = SCRATCH_WHO};
	if (!text_next(&rest, ',', &ret->path))
		return false;
	while (text_next(&rest, ',', &part)) {
		if (text_is(part, "localDirs"))
			ret->local_dirs = true;
		else if (!text_starts(part, size) || !read_size(text_from(part, sizeof(size) - 1), &ret->size_bytes))
			return false;
	}
	return true;
}

/* stoker.dev/checkpoint: "NAME:PATH" */
static bool read_checkpoint(struct text value, struct wish *ret)
{
	struct text rest = value;

	*ret = (struct wish){.who = CHECKPOINT_WHO};
	if (!text_next(&rest, ':', &ret->checkpoint) || ret->checkpoint.length == 0 || rest.length == 0)
		return false;
	ret->path = rest;
	return !text_has(ret->checkpoint, "/");
}

static void take_annotation(struct deciding *d, const struct pod_view *pod, const char *key, const char *who, bool (*read)(struct text value, struct wish *ret), const char *rule)
{
	const struct text *value = plan_annotation(pod, key);
	struct wish wish;

	if (!value)
		return;
	if (!d->volumes->policy->annotations)
		complain(d, who, *value, "is not allowed on this node (volumes.annotations)");
	else if (!read(*value, &wish))
		complain(d, who, *value, rule);
	else
		grant(d, &wish);
}

static void take_policy(struct deciding *d, const struct config_inject *inject)
{
	const struct wish wish = {.who = "volumes.inject", .path = text_of(inject->path), .checkpoint = text_of(inject->checkpoint), .size_bytes = inject->size_bytes};

	if (!config_namespaces_allow(&inject->namespaces, d->executor->name_space) || (executor_is_driver(d->executor) && !inject->drivers))
		return;
	grant(d, &wish);
}

void plan_add_mounts(const struct plan_volumes *volumes, const struct executor *executor, const struct pod_view *pod, const struct container_view *container,
		     struct plan *plan, char complaint[PLAN_COMPLAINT_BYTES])
{
	struct deciding d = {.volumes = volumes, .executor = executor, .container = container, .plan = plan, .complaint = complaint};

	if (executor->sidecar || (executor->role != EXECUTOR_ROLE_EXECUTOR && !executor_is_driver(executor)))
		return;
	d.room_bytes = plan_scratch_room(volumes->policy, executor, volumes->others);
	take_annotation(&d, pod, PLAN_CHECKPOINT_ANNOTATION, CHECKPOINT_WHO, read_checkpoint, "must be NAME:PATH");
	take_annotation(&d, pod, PLAN_SCRATCH_ANNOTATION, SCRATCH_WHO, read_scratch, "must be PATH[,size=SIZE][,localDirs], SIZE like 512Mi or 2Gi");
	for (uint32_t i = 0; i < volumes->policy->inject_count && i < CONFIG_INJECT_MAX; i++)
		take_policy(&d, &volumes->policy->injects[i]);
	if (volumes->dry_run)
		plan_make_dry(plan);
}
