#include "shim/lint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"
#include "base/scoped.h"
#include "shim/lint_model.h"

static const struct {
	const char *id, *summary;
	enum lint_severity severity;
} rules[LINT_RULE_MAX_] = {
	[LINT_MOUNT_TWICE] = {"mount-twice", "one path is mounted twice in a container: the API server refuses the pod (\"must be unique\")", LINT_ERROR},
	[LINT_MOUNTS_OVERLAP] = {"mounts-overlap", "a mount lies within another one and hides what that has there", LINT_WARNING},
	[LINT_VOLUME_UNDEFINED] = {"volume-undefined", "a mount names a volume that nothing defines: the API server refuses the pod", LINT_ERROR},
	[LINT_VOLUME_INCOMPLETE] = {"volume-incomplete", "a volume of Spark's settings has an unknown type, or lacks what its type needs", LINT_ERROR},
	[LINT_NEEDS_WEBHOOK] = {"needs-webhook", "a field of kubeflow's SparkApplication that is lost in silence while the operator's webhook is off", LINT_ERROR},
	[LINT_CLIENT_PYTHON_OVERHEAD] = {"client-python-overhead", "client mode gives Python executors 10 % overhead, not 40 %", LINT_WARNING},
	[LINT_TMPFS_WITHOUT_SIZE] = {"tmpfs-without-size", "files in memory without a bound are charged to the container until the kernel kills it", LINT_WARNING},
	[LINT_MEMORY_IN_MILLIBYTES] = {"memory-in-millibytes", "a quantity of Kubernetes with 'm' is thousandths of a byte", LINT_ERROR},
	[LINT_CACHE_WITHOUT_FSGROUP] = {"cache-without-fsgroup", "a cache volume that Spark's user may not be able to write to", LINT_WARNING},
	[LINT_CORE_LIMIT_MISSING] = {"core-limit-missing", "a quota for limits.cpu refuses pods without a CPU limit", LINT_ERROR},
	[LINT_CHECKPOINT_ON_LOCAL_PATH] = {"checkpoint-on-local-path", "a checkpoint on a volume that goes with the pod, or that only one node has", LINT_ERROR},
	[LINT_CHECKPOINT_NOT_MOUNTED] = {"checkpoint-not-mounted", "a checkpoint on a path of the container at which nothing is mounted", LINT_WARNING},
	[LINT_IMAGES_DIFFER] = {"images-differ", "driver and executors have different images", LINT_WARNING},
	[LINT_DUPLICATE_KEY] = {"duplicate-key", "a key stands twice in one mapping: one of them is lost, or the object refused", LINT_ERROR},
	[LINT_DUPLICATE_SETTING] = {"duplicate-setting", "a setting stands twice in a file: the last one wins", LINT_WARNING},
	[LINT_UNKNOWN_FIELD] = {"unknown-field", "a field that differs by a letter from one that is known: refused, or lost in silence", LINT_ERROR},
};

static void (*const launch_checks[])(struct lint *lint, const struct lint_launch *launch) = {
	lint_check_mounts, lint_check_volumes, lint_check_setting_volumes, lint_check_webhook, lint_check_overhead,
	lint_check_tmpfs,  lint_check_caches,  lint_check_core_limit,	   lint_check_checkpoint, lint_check_images,
};

static void (*const tree_checks[])(struct lint *lint, const struct lint_tree *tree) = {lint_check_twins, lint_check_quantities};

const char *lint_rule_id(enum lint_rule rule)
{
	return rules[rule].id;
}

const char *lint_rule_summary(enum lint_rule rule)
{
	return rules[rule].summary;
}

enum lint_severity lint_rule_severity(enum lint_rule rule)
{
	return rules[rule].severity;
}

const char *lint_severity_name(enum lint_severity severity)
{
	return severity == LINT_ERROR ? "error" : "warning";
}

struct lint *lint_new(struct err *e)
{
	struct lint *l = calloc(1, sizeof(*l));
	struct redactor *redactor = redactor_new(REDACT_REGEX, e);

	if (!l || !redactor) {
		free(l);
		redactor_free(redactor);
		err_set(e, ENOMEM, "cannot judge");
		return NULL;
	}
	l->redactor = redactor;
	l->cut = "";
	return l;
}

struct lint *lint_free(struct lint *lint)
{
	if (!lint)
		return NULL;
	redactor_free(lint->redactor);
	lint_arena_drop(&lint->arena);
	free(lint);
	return NULL;
}

static struct lint_file *add_file(struct lint *l, const char *name, struct err *e)
{
	struct lint_file *file = l->file_count < LINT_FILES_MAX ? lint_arena_take(&l->arena, sizeof(*file)) : NULL;
	char *copy = file ? lint_arena_copy(&l->arena, name, strlen(name)) : NULL;

	if (!copy) {
		if (l->file_count == LINT_FILES_MAX)
			err_rule(e, E2BIG, "at most %d files can be judged together", LINT_FILES_MAX);
		else
			err_set(e, ENOMEM, "cannot judge");
		return NULL;
	}
	file->name = copy;
	file->why = "";
	if (l->last_file)
		l->last_file->next = file;
	else
		l->files = file;
	l->last_file = file;
	l->file_count++;
	return file;
}

int lint_add(struct lint *lint, const char *name, const char *text, size_t length, struct err *e)
{
	struct lint_file *file = add_file(lint, name, e);
	struct err why = {0};

	if (!file)
		return -e->code;
	if (lint_part_read(lint, file, text, length, &why) == 0)
		return 0;
	lint->is_embedded = false;
	file->understood = false;
	file->why = lint_arena_copy(&lint->arena, why.text, strlen(why.text));
	return file->why ? 0 : err_set(e, ENOMEM, "cannot judge");
}

int lint_add_unread(struct lint *lint, const char *name, const char *why, struct err *e)
{
	struct lint_file *file = add_file(lint, name, e);

	if (!file)
		return -e->code;
	file->why = lint_arena_copy(&lint->arena, why, strlen(why));
	return file->why ? 0 : err_set(e, ENOMEM, "cannot judge");
}

/* A chart's values among the files say whether the operator has its webhook. */
static void learn_webhook(struct lint *l)
{
	if (l->webhook != LINT_WEBHOOK_UNKNOWN)
		return;
	for (const struct lint_part *part = l->parts; part; part = part->next)
		if (part->kind == LINT_PART_CHART_VALUES)
			l->webhook = lint_is_true(part->node, "webhook/enable") ? LINT_WEBHOOK_ON : LINT_WEBHOOK_OFF;
}

static uint32_t index_of(const struct lint *l, const struct lint_file *file)
{
	uint32_t i = 0;

	for (const struct lint_file *f = l->files; f && f != file; f = f->next)
		i++;
	return i;
}

static int compare(const void *a, const void *b, void *lint)
{
	const struct lint_finding *left = a, *right = b;
	const uint32_t left_file = index_of(lint, left->place.file), right_file = index_of(lint, right->place.file);

	if (left_file != right_file)
		return left_file < right_file ? -1 : 1;
	if (left->place.line != right->place.line)
		return left->place.line < right->place.line ? -1 : 1;
	return left->rule != right->rule ? (left->rule < right->rule ? -1 : 1) : strcmp(left->text, right->text);
}

int lint_judge(struct lint *lint, struct err *e)
{
	learn_webhook(lint);
	if (lint_launch_gather(lint, e) < 0)
		return -e->code;
	for (const struct lint_tree *tree = lint->trees; tree; tree = tree->next)
		for (size_t i = 0; i < ARRAY_SIZE(tree_checks); i++)
			tree_checks[i](lint, tree);
	for (const struct lint_part *part = lint->parts; part; part = part->next)
		lint_check_fields(lint, part);
	for (const struct lint_launch *launch = lint->launches; launch; launch = launch->next)
		for (size_t i = 0; i < ARRAY_SIZE(launch_checks); i++)
			launch_checks[i](lint, launch);
	qsort_r(lint->findings, lint->finding_count, sizeof(lint->findings[0]), compare, lint);
	return 0;
}
