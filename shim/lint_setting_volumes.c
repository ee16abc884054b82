/* lint_setting_volumes.c - the volumes that settings of Spark ask for: spark.kubernetes.ROLE.volumes.TYPE.NAME.…, spark.local.dir. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

#define OPTIONS_MAX 3

static const struct {
	const char *type;
	enum lint_volume_kind kind;
	const char *needs[OPTIONS_MAX];
} types[] = {
	{"emptyDir", LINT_VOLUME_EMPTY_DIR, {NULL}},
	{"hostPath", LINT_VOLUME_HOST_PATH, {"options.path"}},
	{"nfs", LINT_VOLUME_NFS, {"options.path", "options.server"}},
	{"persistentVolumeClaim", LINT_VOLUME_CLAIM, {"options.claimName"}},
};

/* The parts of spark.kubernetes.ROLE.volumes.TYPE.NAME.REST */
struct volume_key {
	char type[64], name[128];
	const char *rest;
};

static bool split_key(enum lint_role role, const char *key, struct volume_key *ret)
{
	char prefix[64] = "";

	str_append(prefix, sizeof(prefix), "spark.kubernetes.%s.volumes.", lint_role_name(role));
	if (!str_starts(key, prefix))
		return false;
	key += strlen(prefix);
	const char *dot = strchr(key, '.'), *second = dot ? strchr(dot + 1, '.') : NULL;
	if (!second || (size_t)(dot - key) >= sizeof(ret->type) || (size_t)(second - dot - 1) >= sizeof(ret->name))
		return false;
	*ret = (struct volume_key){.rest = second + 1};
	memcpy(ret->type, key, (size_t)(dot - key));
	memcpy(ret->name, dot + 1, (size_t)(second - dot - 1));
	return true;
}

static const char *sibling(const struct lint_launch *launch, enum lint_role role, const struct volume_key *k, const char *rest)
{
	char key[512] = "";

	str_append(key, sizeof(key), "spark.kubernetes.%s.volumes.%s.%s.%s", lint_role_name(role), k->type, k->name, rest);
	return lint_setting_value(launch, key);
}

static int make_mount(struct lint *lint, struct lint_launch *launch, enum lint_role role, const struct lint_setting *s, const struct volume_key *k)
{
	const char *name = lint_arena_copy(&lint->arena, k->name, strlen(k->name));
	struct lint_volume *v = name ? lint_pod_add_volume(lint, &launch->pods[role], name, s->place) : NULL;
	struct lint_mount *m = v && *s->value ? lint_pod_add_mount(lint, &launch->pods[role], s->value, name, s->place) : NULL;

	if (!v || (!m && *s->value))
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].type, k->type) == 0)
			v->kind = types[i].kind;
	v->in_settings = true;
	v->is_memory = v->kind == LINT_VOLUME_EMPTY_DIR && strcmp(sibling(launch, role, k, "options.medium"), "Memory") == 0;
	v->size = sibling(launch, role, k, "options.sizeLimit");
	if (!m)
		return 0;
	m->origin = "Spark's settings";
	m->read_only = strcmp(sibling(launch, role, k, "mount.readOnly"), "true") == 0;
	m->has_sub_path = *sibling(launch, role, k, "mount.subPath") != '\0';
	return 0;
}

/* Spark makes an emptyDir of each local directory, unless a volume is called spark-local-dir-N. */
static int make_local_dirs(struct lint *lint, struct lint_launch *launch, enum lint_role role)
{
	static const char *const driver_keys[] = {"spark.kubernetes.driverEnv.SPARK_LOCAL_DIRS", "spark.local.dir"}, *const executor_keys[] = {"spark.executorEnv.SPARK_LOCAL_DIRS", "spark.local.dir"};
	const struct lint_setting *s = lint_setting_any(launch, role == LINT_DRIVER ? driver_keys : executor_keys, 2);
	struct lint_pod *pod = &launch->pods[role];

	/* A driver that Spark does not start has what its own pod says. */
	if (!s || (role == LINT_DRIVER && launch->is_client))
		return 0;
	for (const struct lint_mount *m = pod->mounts; m; m = m->next)
		if (str_starts(m->volume, "spark-local-dir-"))
			return 0;
	for (const char *at = s->value; *at;) {
		const size_t length = strcspn(at, ",");
		const char *path = lint_arena_copy(&lint->arena, at, length);
		struct lint_mount *m = path && *path == '/' ? lint_pod_add_mount(lint, pod, path, "spark-local-dir-", s->place) : NULL;
		if (!path || (*path == '/' && !m))
			return -ENOMEM;
		if (m) {
			m->origin = s->key;
			m->is_local_dir = true;
		}
		at += length + (at[length] == ',');
	}
	return 0;
}

int lint_setting_make_mounts(struct lint *lint, struct lint_launch *launch)
{
	struct volume_key k;
	int r = 0;

	for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++) {
		if (role == LINT_DRIVER && launch->is_client)
			continue; /* Spark makes no pod for it */
		for (const struct lint_setting *s = launch->settings; s && r == 0; s = s->next)
			if (split_key(role, s->key, &k) && strcmp(k.rest, "mount.path") == 0)
				r = make_mount(lint, launch, role, s, &k);
		if (r == 0)
			r = make_local_dirs(lint, launch, role);
	}
	return r;
}

/* The type as Spark has it. */
static bool find_type(const char *type, size_t *ret_index)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].type, type) == 0) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static void report_type(struct lint *lint, const struct lint_launch *launch, const struct lint_setting *s, enum lint_role role, const struct volume_key *k)
{
	const char *right = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcasecmp(types[i].type, k->type) == 0)
			right = types[i].type;
	const char *instead = lint_arena_print(&lint->arena, "spark.kubernetes.%s.volumes.%s.%s.%s", lint_role_name(role), right ? right : "hostPath|emptyDir|nfs|persistentVolumeClaim",
					       lint_shown(lint, "", k->name), k->rest);
	lint_report(lint, LINT_VOLUME_INCOMPLETE, s->place, instead ? lint_write_setting(lint, launch->style, instead, lint_shown(lint, s->key, s->value)) : "",
		    "Spark knows no volumes of type '%s': the application does not start", lint_shown(lint, "", k->type));
}

/* Spark ends with an exception when a volume lacks what its type needs. Reported at the mount.path, or at the first option if that is missing. */
static void check_setting(struct lint *lint, const struct lint_launch *launch, const struct lint_setting *s, enum lint_role role, const struct volume_key *k)
{
	size_t type = 0;
	const char *missing[OPTIONS_MAX + 1] = {NULL};
	size_t count = 0;

	if (!find_type(k->type, &type)) {
		report_type(lint, launch, s, role, k);
		return;
	}
	if (strcmp(k->rest, "mount.path") != 0 && *sibling(launch, role, k, "mount.path"))
		return; /* said there */
	if (!*sibling(launch, role, k, "mount.path"))
		missing[count++] = "mount.path";
	for (size_t i = 0; i < OPTIONS_MAX && types[type].needs[i]; i++)
		if (!*sibling(launch, role, k, types[type].needs[i]))
			missing[count++] = types[type].needs[i];
	for (size_t i = 0; i < count; i++) {
		const char *key = lint_arena_print(&lint->arena, "spark.kubernetes.%s.volumes.%s.%s.%s", lint_role_name(role), k->type, lint_shown(lint, "", k->name), missing[i]);
		lint_report(lint, LINT_VOLUME_INCOMPLETE, s->place, key ? lint_write_setting(lint, launch->style, key, "…") : "",
			    "volume '%s' of type %s has no %s: the application does not start", lint_shown(lint, "", k->name), k->type, missing[i]);
	}
}

void lint_check_setting_volumes(struct lint *lint, const struct lint_launch *launch)
{
	struct volume_key k;

	for (const struct lint_setting *s = launch->settings; s; s = s->next)
		for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++)
			if (split_key(role, s->key, &k))
				check_setting(lint, launch, s, role, &k);
}
