/* lint_rules_launch.c - rules about one application: what its operator, its mode, its quota and its images make of it. */
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

/* --- the operator's webhook --- */

/* Fields that kubeflow's operator applies by its webhook; everything else of a pod it hands to spark-submit as settings. */
static const struct {
	const char *path;
	const char *instead; /* what works without the webhook (operator 2.x: the template) */
} webhook_fields[] = {
	{"volumes", "driver.template and executor.template: spec.volumes"},
	{"driver/volumeMounts", "driver:\n  template:\n    spec:\n      containers:\n        - name: spark-kubernetes-driver\n          volumeMounts: …"},
	{"driver/podSecurityContext", "driver:\n  template:\n    spec:\n      securityContext: …"},
	{"driver/securityContext", "driver:\n  template:\n    spec:\n      containers:\n        - name: spark-kubernetes-driver\n          securityContext: …"},
	{"driver/tolerations", "driver:\n  template:\n    spec:\n      tolerations: …"},
	{"driver/affinity", "driver:\n  template:\n    spec:\n      affinity: …"},
	{"driver/sidecars", "driver:\n  template:\n    spec:\n      containers: …"},
	{"driver/initContainers", "driver:\n  template:\n    spec:\n      initContainers: …"},
	{"executor/volumeMounts", "executor:\n  template:\n    spec:\n      containers:\n        - name: spark-kubernetes-executor\n          volumeMounts: …"},
	{"executor/podSecurityContext", "executor:\n  template:\n    spec:\n      securityContext: …"},
	{"executor/securityContext", "executor:\n  template:\n    spec:\n      containers:\n        - name: spark-kubernetes-executor\n          securityContext: …"},
	{"executor/tolerations", "executor:\n  template:\n    spec:\n      tolerations: …"},
	{"executor/affinity", "executor:\n  template:\n    spec:\n      affinity: …"},
	{"executor/sidecars", "executor:\n  template:\n    spec:\n      containers: …"},
	{"executor/initContainers", "executor:\n  template:\n    spec:\n      initContainers: …"},
};

/* spark-local-dir-N reaches Spark by settings. */
static bool has_other_than_local_dirs(const struct lint_node *list)
{
	if (list->kind != LINT_SEQUENCE)
		return true;
	for (const struct lint_node *item = list->first; item; item = item->next)
		if (!str_starts(lint_text(item, "name"), "spark-local-dir-"))
			return true;
	return false;
}

void lint_check_webhook(struct lint *lint, const struct lint_launch *launch)
{
	if (lint->webhook != LINT_WEBHOOK_OFF || !launch->part || launch->part->kind != LINT_PART_KUBEFLOW_APP)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(webhook_fields); i++) {
		const struct lint_node *node = lint_at(launch->part->spec, webhook_fields[i].path);
		if (!node || (!node->first && !*node->text) || !has_other_than_local_dirs(node))
			continue;
		lint_report(lint, LINT_NEEDS_WEBHOOK, lint_place_of(launch->part->file, node), webhook_fields[i].instead,
			    "spec.%s is applied by the operator's webhook, which is off: it is lost in silence", webhook_fields[i].path);
	}
}

/* --- client mode and Python --- */

void lint_check_overhead(struct lint *lint, const struct lint_launch *launch)
{
	static const char *const said[] = {"spark.executor.memoryOverhead", "spark.executor.memoryOverheadFactor", "spark.kubernetes.memoryOverheadFactor"};
	const struct lint_setting *memory = lint_setting_find(launch, "spark.executor.memory");
	const uint64_t heap = lint_heap_mib(launch, LINT_EXECUTOR);
	char value[32] = "";

	if (!launch->is_client || !launch->is_python || lint_setting_any(launch, said, ARRAY_SIZE(said)))
		return;
	const uint64_t wanted = heap * 2 / 5 > 384 ? heap * 2 / 5 : 384;
	if (wanted == lint_overhead_mib(launch, LINT_EXECUTOR))
		return; /* the least there is, either way */
	str_append(value, sizeof(value), "%llum", (unsigned long long)wanted);
	lint_report(lint, LINT_CLIENT_PYTHON_OVERHEAD, memory ? memory->place : launch->place, lint_write_setting(lint, launch->style, "spark.executor.memoryOverhead", value),
		    "in client mode Spark does not know that this is Python: %llu MiB beside a heap of %llu MiB (10 %%, at least 384), not 40 %%, and spark.executor.pyspark.memory is ignored",
		    (unsigned long long)lint_overhead_mib(launch, LINT_EXECUTOR), (unsigned long long)heap);
}

/* --- quotas --- */

static bool is_of_namespace(const struct lint_part *part, const struct lint_launch *launch)
{
	return !*part->name_space || !*launch->name_space || strcmp(part->name_space, launch->name_space) == 0;
}

static const struct lint_node *cpu_quota(const struct lint *lint, const struct lint_launch *launch, const struct lint_part **ret)
{
	for (const struct lint_part *part = lint->parts; part; part = part->next) {
		const struct lint_node *limit = part->kind == LINT_PART_QUOTA ? lint_get(lint_at(part->node, "spec/hard"), "limits.cpu") : NULL;
		if (!limit || !is_of_namespace(part, launch))
			continue;
		*ret = part;
		return limit;
	}
	return NULL;
}

/* A LimitRange gives containers a limit that have none. */
static bool has_default_limit(const struct lint *lint, const struct lint_launch *launch)
{
	for (const struct lint_part *part = lint->parts; part; part = part->next) {
		const struct lint_node *limits = part->kind == LINT_PART_LIMIT_RANGE && is_of_namespace(part, launch) ? lint_at(part->node, "spec/limits") : NULL;
		for (const struct lint_node *one = limits ? limits->first : NULL; one; one = one->next)
			if (lint_at(one, "default/cpu") || lint_at(one, "max/cpu"))
				return true;
	}
	return false;
}

static void check_role_limit(struct lint *lint, const struct lint_launch *launch, enum lint_role role, const char *where)
{
	const bool by_field = launch->part && launch->part->kind == LINT_PART_KUBEFLOW_APP;
	const struct lint_node *field = by_field ? lint_get(launch->part->spec, lint_role_name(role)) : NULL;
	char key[64] = "";

	str_append(key, sizeof(key), "spark.kubernetes.%s.limit.cores", lint_role_name(role));
	if (*lint_setting_value(launch, key) || launch->pods[role].has_cpu_limit)
		return;
	const char *cores = lint_text(field, "cores");
	const char *instead = field ? lint_arena_print(&lint->arena, "%s:\n  coreLimit: \"%s\"", lint_role_name(role), *cores ? lint_shown(lint, "", cores) : "1")
				    : lint_write_setting(lint, launch->style, key, "1");
	lint_report(lint, LINT_CORE_LIMIT_MISSING, field ? lint_place_of(launch->part->file, field) : launch->place, instead ? instead : "",
		    "the quota at %s counts limits.cpu, and %s pods of this application have none: the API server refuses them (\"must specify limits.cpu\")", where,
		    lint_role_name(role));
}

void lint_check_core_limit(struct lint *lint, const struct lint_launch *launch)
{
	const struct lint_part *part = NULL;
	const struct lint_node *quota = cpu_quota(lint, launch, &part);

	if (!quota || has_default_limit(lint, launch) || (launch->part && launch->part->kind == LINT_PART_APACHE_CLUSTER))
		return;
	const char *where = lint_where(lint, lint_place_of(part->file, quota));
	for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++)
		if (role == LINT_EXECUTOR || !launch->is_client || launch->has_driver_pod)
			check_role_limit(lint, launch, role, where);
}

/* --- images --- */

/* The part before tag and digest. */
static size_t repository_length(const char *image)
{
	const char *slash = strrchr(image, '/'), *at = strchr(image, '@'), *colon = strchr(slash ? slash : image, ':');
	const char *end = at && (!colon || at < colon) ? at : colon;

	return end ? (size_t)(end - image) : strlen(image);
}

/* A notebook's image is never its executors'; of one repository, though, they are meant to be the same. */
static bool are_comparable(const struct lint_launch *launch, const char *driver, const char *executor)
{
	const size_t n = repository_length(driver);

	return !*launch->pods[LINT_DRIVER].image || (n == repository_length(executor) && strncmp(driver, executor, n) == 0);
}

void lint_check_images(struct lint *lint, const struct lint_launch *launch)
{
	static const char *const keys[LINT_ROLE_MAX_][2] = {{"spark.kubernetes.driver.container.image", "spark.kubernetes.container.image"},
							    {"spark.kubernetes.executor.container.image", "spark.kubernetes.container.image"}};
	const struct lint_setting *driver = lint_setting_any(launch, keys[LINT_DRIVER], 2), *executor = lint_setting_any(launch, keys[LINT_EXECUTOR], 2);
	const char *own = launch->pods[LINT_DRIVER].image;

	if (!executor || (!*own && (!driver || launch->is_client)))
		return;
	const char *image = *own ? own : driver->value;
	const struct lint_place place = *own ? launch->pods[LINT_DRIVER].image_place : driver->place;
	if (strcmp(image, executor->value) == 0 || !are_comparable(launch, image, executor->value))
		return;
	lint_report(lint, LINT_IMAGES_DIFFER, executor->place, lint_write_setting(lint, launch->style, keys[LINT_EXECUTOR][0], lint_shown(lint, "", image)),
		    "executors have the image '%s', the driver '%s' (%s): Spark, Python and their packages must be the same in both", lint_shown(lint, "", executor->value),
		    lint_shown(lint, "", image), lint_where(lint, place));
}
