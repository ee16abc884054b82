/* lint_launch.c - which applications the parts describe, and which settings and templates each of them has. */
#include <errno.h>
#include <string.h>

#include "base/names.h"
#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_launch.h"

struct lint_launch *lint_launch_add(struct lint *l, const struct lint_part *part, enum lint_style style)
{
	struct lint_launch *launch = l->launch_count < LINT_LAUNCHES_MAX ? lint_arena_take(&l->arena, sizeof(*launch)) : NULL;

	if (!launch)
		return NULL;
	*launch = (struct lint_launch){.part = part, .name = "", .name_space = "", .style = style};
	for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++)
		launch->pods[role].image = launch->pods[role].checkpoint = "";
	if (part) {
		launch->name = lint_text(part->node, "metadata/name");
		launch->name_space = part->name_space;
		launch->place = lint_place_of(part->file, part->node);
	}
	if (l->last_launch)
		l->last_launch->next = launch;
	else
		l->launches = launch;
	l->last_launch = launch;
	l->launch_count++;
	return launch;
}

/* spark-defaults.conf is read by every spark-submit; what the application says itself comes after it. */
int lint_launch_put_defaults(struct lint *l, struct lint_launch *launch)
{
	int r = 0;

	for (struct lint_part *part = l->parts; part && r == 0; part = part->next)
		if (part->kind == LINT_PART_SETTINGS)
			r = lint_setting_put_all(l, launch, part->file, part->node, "");
	return r;
}

/* Which role a file's template is for: its container's name, its label, else its own name. Both bits if nothing tells. */
static unsigned template_roles(const struct lint_part *part)
{
	const char *const words[] = {lint_text(lint_pod_main(part->node), "name"), lint_text(lint_get(lint_at(part->node, "metadata"), "labels"), "spark-role"), part->label};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const bool driver = strstr(words[i], "driver") != NULL, executor = strstr(words[i], "exec") != NULL;
		if (driver != executor)
			return 1U << (driver ? LINT_DRIVER : LINT_EXECUTOR);
	}
	return 1U << LINT_DRIVER | 1U << LINT_EXECUTOR;
}

static bool reads_templates(const struct lint_launch *launch, enum lint_role role)
{
	char key[64] = "";

	if (role == LINT_DRIVER && launch->is_client)
		return false;
	str_append(key, sizeof(key), "spark.kubernetes.%s.podTemplateFile", lint_role_name(role));
	if (*lint_setting_value(launch, key))
		return true;
	return !launch->part || launch->part->kind == LINT_PART_ZEPPELIN || launch->part->kind == LINT_PART_POD;
}

/* Of several templates for a role the one that the setting names; if that names none of them, all. */
static bool is_chosen(const struct lint *l, const struct lint_launch *launch, enum lint_role role, const struct lint_part *part)
{
	char key[64] = "";

	str_append(key, sizeof(key), "spark.kubernetes.%s.podTemplateFile", lint_role_name(role));
	const char *path = lint_setting_value(launch, key), *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	bool named = false;
	for (const struct lint_part *p = l->parts; *name && p; p = p->next) {
		const char *end = strrchr(p->label, '/');
		const bool is_it = p->kind == LINT_PART_POD && strcmp(end ? end + 1 : p->label, name) == 0;
		if (is_it && p == part)
			return true;
		named |= is_it;
	}
	return !named && template_roles(part) & 1U << role;
}

static int take_templates(struct lint *l, struct lint_launch *launch)
{
	int r = 0;

	for (struct lint_part *part = l->parts; part && r == 0; part = part->next) {
		if (part->kind != LINT_PART_POD || part->is_workload)
			continue;
		for (enum lint_role role = 0; role < LINT_ROLE_MAX_ && r == 0; role++) {
			if (part == launch->part || !reads_templates(launch, role) || !is_chosen(l, launch, role, part))
				continue;
			part->is_used = true;
			r = lint_pod_take(l, &launch->pods[role], part->file, part->node, "the pod template");
		}
	}
	return r;
}

/* An annotation that Spark itself puts on its pods. */
static void take_annotations(struct lint_launch *launch)
{
	char key[128];

	for (enum lint_role role = 0; role < LINT_ROLE_MAX_; role++) {
		key[0] = '\0';
		str_append(key, sizeof(key), "spark.kubernetes.%s.annotation." STOKER_PREFIX "checkpoint", lint_role_name(role));
		if (*lint_setting_value(launch, key))
			launch->pods[role].checkpoint = lint_setting_value(launch, key);
	}
}

static void judge_language(struct lint_launch *launch)
{
	static const char *const python[] = {"spark.pyspark.python", "spark.pyspark.driver.python", "spark.submit.pyFiles", "spark.executor.pyspark.memory",
					     "spark.executorEnv.PYSPARK_PYTHON", "spark.kubernetes.driverEnv.PYSPARK_PYTHON", "spark.kubernetes.pyspark.pythonVersion"};

	launch->is_python |= lint_setting_any(launch, python, ARRAY_SIZE(python)) != NULL;
	const char *mode = lint_setting_value(launch, "spark.submit.deployMode");
	/* In cluster mode Spark sets it itself, and refuses it from anybody else. */
	if (strcmp(mode, "client") == 0 || (!*mode && !launch->part && *lint_setting_value(launch, "spark.driver.host")))
		launch->is_client = true;
	if (strcmp(mode, "cluster") == 0 && (!launch->part || launch->part->kind == LINT_PART_ZEPPELIN || launch->part->kind == LINT_PART_POD))
		launch->is_client = false;
}

int lint_launch_end(struct lint *l, struct lint_launch *launch)
{
	judge_language(launch);
	if (!*launch->name_space)
		launch->name_space = lint_setting_value(launch, "spark.kubernetes.namespace");
	take_annotations(launch);
	int r = take_templates(l, launch);
	return r == 0 ? lint_setting_make_mounts(l, launch) : r;
}

/* Settings that nothing reads, templates that nothing names: then somebody's spark-submit does. */
static int imply(struct lint *l)
{
	const struct lint_part *first = NULL;

	for (const struct lint_part *part = l->parts; part; part = part->next)
		if ((part->kind == LINT_PART_SETTINGS && !l->launches && part->node->first) || (part->kind == LINT_PART_POD && !part->is_workload && !part->is_used)) {
			first = part;
			break;
		}
	if (!first)
		return 0;
	struct lint_launch *launch = lint_launch_add(l, NULL, LINT_STYLE_PROPERTIES);
	if (!launch)
		return -ENOMEM;
	launch->place = lint_place_of(first->file, first->node);
	int r = lint_launch_put_defaults(l, launch);
	return r == 0 ? lint_launch_end(l, launch) : r;
}

int lint_launch_gather(struct lint *lint, struct err *e)
{
	int r = 0;

	for (struct lint_part *part = lint->parts; part && r == 0; part = part->next) {
		if (lint->launch_count >= LINT_LAUNCHES_MAX - 1) {
			lint->cut = "there are more than 255 applications: the rest is not judged";
			break;
		}
		r = lint_launch_of(lint, part);
	}
	if (r == 0)
		r = imply(lint);
	return r < 0 ? err_set(e, ENOMEM, "cannot judge") : 0;
}
