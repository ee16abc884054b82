/* lint_rules_volume.c - rules about mounts and volumes of a pod, wherever they are written. */
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

/* "/a" holds "/a/b", not "/ab". */
static bool is_within(const char *inner, const char *outer)
{
	const size_t n = strlen(outer);

	return strncmp(inner, outer, n) == 0 && (inner[n] == '/' || (n == 1 && inner[n]));
}

static void report_twice(struct lint *lint, const struct lint_mount *first, const struct lint_mount *second)
{
	const char *where = lint_where(lint, first->place);
	const char *instead = lint_arena_print(&lint->arena, "(nothing: take it out, %s stays; or another path)", where);

	lint_report(lint, LINT_MOUNT_TWICE, second->place, instead ? instead : "", "'%s' is mounted twice in one container: by %s here and by %s at %s (\"mountPath must be unique\")",
		    lint_shown(lint, "", second->path), second->origin, first->origin, where);
}

static void report_overlap(struct lint *lint, const struct lint_mount *inner, const struct lint_mount *outer)
{
	const char *shown = lint_shown(lint, "", outer->path), *instead = lint_arena_print(&lint->arena, "a path of its own, outside '%s'", shown);

	lint_report(lint, LINT_MOUNTS_OVERLAP, inner->place, instead ? instead : "", "the mount at '%s' lies within the one at '%s' (%s): what that has there is hidden%s",
		    lint_shown(lint, "", inner->path), shown, lint_where(lint, outer->place),
		    outer->read_only ? ", and without that directory in it the container does not start, since it is read-only" : "");
}

static void compare_mounts(struct lint *lint, const struct lint_mount *first, const struct lint_mount *second)
{
	/* One file laid over a directory is meant so. */
	if (strcmp(first->path, second->path) == 0)
		report_twice(lint, first, second);
	else if (is_within(second->path, first->path) && !second->has_sub_path)
		report_overlap(lint, second, first);
	else if (is_within(first->path, second->path) && !first->has_sub_path)
		report_overlap(lint, first, second);
}

void lint_check_mounts(struct lint *lint, const struct lint_launch *launch)
{
	for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++)
		for (const struct lint_mount *first = launch->pods[role].mounts; first; first = first->next)
			for (const struct lint_mount *second = first->next; second; second = second->next)
				if (strcmp(first->container, second->container) == 0)
					compare_mounts(lint, first, second);
}

void lint_check_volumes(struct lint *lint, const struct lint_launch *launch)
{
	for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++) {
		const struct lint_pod *pod = &launch->pods[role];
		for (const struct lint_mount *m = pod->mounts; m; m = m->next) {
			if (m->is_local_dir || lint_pod_volume(pod, m->volume))
				continue;
			const char *shown = lint_shown(lint, "", m->volume);
			const char *instead = lint_arena_print(&lint->arena, "volumes:\n  - name: %s\n    …", shown);
			lint_report(lint, LINT_VOLUME_UNDEFINED, m->place, instead ? instead : "", "the mount at '%s' names the volume '%s', which nothing defines for the %s",
				    lint_shown(lint, "", m->path), shown, lint_role_name(role));
		}
	}
}

/* --- files in memory --- */

/* Half of what is beside the heap: the other half is for what the overhead is for. */
static uint64_t good_size_mib(const struct lint_launch *launch, enum lint_role role)
{
	return lint_overhead_mib(launch, role) / 2;
}

static const char *sized_volume(struct lint *lint, const struct lint_launch *launch, enum lint_role role, const struct lint_volume *v)
{
	char key[512] = "", size[32] = "";

	str_append(size, sizeof(size), "%lluMi", (unsigned long long)good_size_mib(launch, role));
	str_append(key, sizeof(key), "spark.kubernetes.%s.volumes.emptyDir.%s.options.sizeLimit", lint_role_name(role), lint_shown(lint, "", v->name));
	if (v->in_settings)
		return lint_write_setting(lint, launch->style, key, size);
	const char *text = lint_arena_print(&lint->arena, "emptyDir:\n  medium: Memory\n  sizeLimit: %s", size);
	return text ? text : "";
}

static void check_local_dirs(struct lint *lint, const struct lint_launch *launch)
{
	const struct lint_setting *s = lint_setting_find(launch, "spark.kubernetes.local.dirs.tmpfs");
	char text[1024] = "", size[32] = "";

	if (!s || strcmp(s->value, "true") != 0)
		return;
	for (const struct lint_mount *m = launch->pods[LINT_EXECUTOR].mounts; m; m = m->next)
		if (str_starts(m->volume, "spark-local-dir-") && !m->is_local_dir)
			return; /* then Spark makes none */
	str_append(size, sizeof(size), "%lluMi", (unsigned long long)good_size_mib(launch, LINT_EXECUTOR));
	const char *const pairs[][2] = {{"mount.path", "/var/data/spark-local-1"}, {"options.medium", "Memory"}, {"options.sizeLimit", size}};
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		char key[128] = "spark.kubernetes.executor.volumes.emptyDir.spark-local-dir-1.";
		str_append(key, sizeof(key), "%s", pairs[i][0]);
		str_append(text, sizeof(text), "%s%s", i ? "\n" : "", lint_write_setting(lint, launch->style, key, pairs[i][1]));
	}
	lint_report(lint, LINT_TMPFS_WITHOUT_SIZE, s->place, text,
		    "local directories in memory have no size: shuffle files count against the memory limit, of which %llu MiB are beside the heap, and end in a killed executor",
		    (unsigned long long)lint_overhead_mib(launch, LINT_EXECUTOR));
}

void lint_check_tmpfs(struct lint *lint, const struct lint_launch *launch)
{
	for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++) {
		const struct lint_pod *pod = &launch->pods[role];
		for (const struct lint_volume *v = pod->volumes; v; v = v->next)
			if (v->is_memory && !*v->size)
				lint_report(lint, LINT_TMPFS_WITHOUT_SIZE, v->place, sized_volume(lint, launch, role, v),
					    "the volume '%s' is in memory and has no sizeLimit: it counts against the memory limit and ends in a killed container",
					    lint_shown(lint, "", v->name));
	}
	check_local_dirs(lint, launch);
}

/* --- caches --- */

static bool is_cache(const struct lint_launch *launch, const char *path)
{
	static const char *const words[] = {".ivy", "/ivy", ".m2", ".cache"};
	const char *ivy = lint_setting_value(launch, "spark.jars.ivy");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(path, words[i]))
			return true;
	return *ivy && (strcmp(ivy, path) == 0 || is_within(ivy, path));
}

void lint_check_caches(struct lint *lint, const struct lint_launch *launch)
{
	for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++) {
		const struct lint_pod *pod = &launch->pods[role];
		if (pod->has_fs_group || pod->is_root)
			continue;
		for (const struct lint_mount *m = pod->mounts; m; m = m->next) {
			const struct lint_volume *v = lint_pod_volume(pod, m->volume);
			if (!v || (v->kind != LINT_VOLUME_EMPTY_DIR && v->kind != LINT_VOLUME_CLAIM) || *m->container || m->read_only || !is_cache(launch, m->path))
				continue;
			lint_report(lint, LINT_CACHE_WITHOUT_FSGROUP, m->place, "securityContext:\n  runAsUser: 185\n  fsGroup: 185",
				    "the cache at '%s' belongs to root: without fsGroup Spark's user (185) may not write to it, or not to what another container put there",
				    lint_shown(lint, "", m->path));
		}
	}
}
