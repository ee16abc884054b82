/* lint_rules_checkpoint.c - checkpoints on paths of a container: what is mounted there decides. */
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

/* The path in the container, if it is one; NULL = another filesystem. */
static const char *local_path(const struct lint_launch *launch, const char *value)
{
	const char *default_fs = lint_setting_value(launch, "spark.hadoop.fs.defaultFS");

	if (str_starts(value, "file:")) {
		value += strlen("file:");
		while (*value == '/' && value[1] == '/')
			value++;
		return value;
	}
	if (*value != '/')
		return NULL;
	return *default_fs && !str_starts(default_fs, "file:") ? NULL : value;
}

/* The innermost mount that holds the path. */
static const struct lint_mount *covering(const struct lint_pod *pod, const char *path)
{
	const struct lint_mount *found = NULL;

	for (const struct lint_mount *m = pod->mounts; m; m = m->next) {
		const size_t n = strlen(m->path);
		if (!*m->container && strncmp(path, m->path, n) == 0 && (path[n] == '/' || path[n] == '\0' || n == 1) && (!found || n > strlen(found->path)))
			found = m;
	}
	return found;
}

/* stoker.dev/checkpoint: "NAME:PATH" */
static bool is_asked_of_stoker(const struct lint_pod *pod, const char *path)
{
	const char *colon = strchr(pod->checkpoint, ':');
	const size_t n = colon ? strlen(colon + 1) : 0;

	return n > 1 && strncmp(path, colon + 1, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static const char *mounted_instead(struct lint *lint, const struct lint_launch *launch, enum lint_role role, const char *path)
{
	char key[128] = "", value[256] = "";

	str_append(key, sizeof(key), "spark.kubernetes.%s.annotation.stoker.dev/checkpoint", lint_role_name(role));
	str_append(value, sizeof(value), "NAME:%s", lint_shown(lint, "", path));
	const char *text = lint_arena_print(&lint->arena, "s3a://, hdfs:// or gs://, or a volume that all pods share at '%s' (nfs, ReadWriteMany); with Stoker:\n%s", lint_shown(lint, "", path),
					    lint_write_setting(lint, launch->style, key, value));
	return text ? text : "";
}

/* A template that is named and not among the files may mount anything. */
static bool is_seen_whole(const struct lint_launch *launch, enum lint_role role)
{
	char key[64] = "";

	str_append(key, sizeof(key), "spark.kubernetes.%s.podTemplateFile", lint_role_name(role));
	return launch->pods[role].template_place.file || !*lint_setting_value(launch, key);
}

/* Of settings alone nobody knows where the driver runs, unless they say so. */
static bool has_driver(const struct lint_launch *launch)
{
	if (!launch->part)
		return strcmp(lint_setting_value(launch, "spark.submit.deployMode"), "cluster") == 0;
	return !launch->is_client || launch->has_driver_pod;
}

static void check_role(struct lint *lint, const struct lint_launch *launch, enum lint_role role, const struct lint_setting *s, const char *path)
{
	const struct lint_pod *pod = &launch->pods[role];
	const struct lint_mount *m = covering(pod, path);
	const struct lint_volume *v = m ? lint_pod_volume(pod, m->volume) : NULL;
	const bool is_local_volume = m && (m->is_local_dir || (v && (v->kind == LINT_VOLUME_EMPTY_DIR || v->kind == LINT_VOLUME_HOST_PATH)));

	if (is_asked_of_stoker(pod, path) || (m ? !is_local_volume : !is_seen_whole(launch, role)))
		return;
	const char *shown = lint_shown(lint, s->key, s->value), *instead = mounted_instead(lint, launch, role, path);
	if (!m)
		lint_report(lint, LINT_CHECKPOINT_NOT_MOUNTED, s->place, instead, "%s is '%s', and nothing is mounted there in the %s: every pod writes to its own container, and loses it",
			    s->key, shown, lint_role_name(role));
	else
		lint_report(lint, LINT_CHECKPOINT_ON_LOCAL_PATH, s->place, instead, "%s is '%s', in the %s on %s (%s): %s", s->key, shown, lint_role_name(role),
			    v && v->kind == LINT_VOLUME_HOST_PATH ? "a hostPath" : "an emptyDir", lint_where(lint, m->place),
			    v && v->kind == LINT_VOLUME_HOST_PATH ? "every node has another one" : "it goes with the pod");
}

void lint_check_checkpoint(struct lint *lint, const struct lint_launch *launch)
{
	static const char *const keys[] = {"spark.checkpoint.dir", "spark.sql.streaming.checkpointLocation"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct lint_setting *s = lint_setting_find(launch, keys[i]);
		const char *path = s ? local_path(launch, s->value) : NULL;
		if (!path || !*path)
			continue;
		if (has_driver(launch))
			check_role(lint, launch, LINT_DRIVER, s, path);
		check_role(lint, launch, LINT_EXECUTOR, s, path);
	}
}
