/* lint_part.c - what a text is: settings, a pod template, an object of an operator … and the files within a ConfigMap. */
#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

enum meaning { MEANING_PART, MEANING_WORKLOAD, MEANING_LIST, MEANING_CONFIG_MAP, MEANING_ARGO };

static const struct known {
	const char *kind, *group; /* apiVersion begins with it; "" = any */
	enum meaning meaning;
	enum lint_part_kind part;
	const char *path; /* to what is judged */
} known[] = {
	{"SparkApplication", "sparkoperator.k8s.io/", MEANING_PART, LINT_PART_KUBEFLOW_APP, ""},
	{"ScheduledSparkApplication", "sparkoperator.k8s.io/", MEANING_PART, LINT_PART_KUBEFLOW_APP, ""},
	{"SparkConnect", "sparkoperator.k8s.io/", MEANING_PART, LINT_PART_KUBEFLOW_CONNECT, ""},
	{"SparkApplication", "spark.apache.org/", MEANING_PART, LINT_PART_APACHE_APP, ""},
	{"SparkCluster", "spark.apache.org/", MEANING_PART, LINT_PART_APACHE_CLUSTER, ""},
	{"ResourceQuota", "", MEANING_PART, LINT_PART_QUOTA, ""},
	{"LimitRange", "", MEANING_PART, LINT_PART_LIMIT_RANGE, ""},
	{"Pod", "", MEANING_PART, LINT_PART_POD, ""},
	{"PodTemplate", "", MEANING_PART, LINT_PART_POD, "template"},
	{"Deployment", "", MEANING_WORKLOAD, LINT_PART_POD, "spec/template"},
	{"StatefulSet", "", MEANING_WORKLOAD, LINT_PART_POD, "spec/template"},
	{"DaemonSet", "", MEANING_WORKLOAD, LINT_PART_POD, "spec/template"},
	{"ReplicaSet", "", MEANING_WORKLOAD, LINT_PART_POD, "spec/template"},
	{"Job", "batch/", MEANING_WORKLOAD, LINT_PART_POD, "spec/template"},
	{"CronJob", "batch/", MEANING_WORKLOAD, LINT_PART_POD, "spec/jobTemplate/spec/template"},
	{"ConfigMap", "", MEANING_CONFIG_MAP, LINT_PART_OTHER, "data"},
	{"List", "", MEANING_LIST, LINT_PART_OTHER, "items"},
	{"Application", "argoproj.io/", MEANING_ARGO, LINT_PART_OTHER, ""},
};

static int add_document(struct lint *l, struct lint_file *file, const char *label, const struct lint_node *node, struct err *e);
static int read_text(struct lint *l, struct lint_file *file, const char *label, const char *text, size_t length, const struct lint_node *outer, struct err *e);

static int add_part(struct lint *l, struct lint_file *file, const char *label, const struct lint_node *object, const struct known *what, struct err *e)
{
	const struct lint_node *node = lint_at(object, what->path);
	struct lint_part *part = node ? lint_arena_take(&l->arena, sizeof(*part)) : NULL;

	if (!node)
		return 0;
	if (!part)
		return err_set(e, ENOMEM, "cannot read");
	const bool is_scheduled = what->kind && strcmp(what->kind, "ScheduledSparkApplication") == 0;
	*part = (struct lint_part){.kind = what->part, .file = file, .label = label, .node = node, .name_space = lint_text(object, "metadata/namespace"),
				   .spec = lint_at(object, is_scheduled ? "spec/template" : "spec"), .claims = lint_at(object, "spec/volumeClaimTemplates"),
				   .is_workload = what->meaning == MEANING_WORKLOAD};
	if (l->last_part)
		l->last_part->next = part;
	else
		l->parts = part;
	l->last_part = part;
	file->known++;
	return 0;
}

static int add_tree(struct lint *l, const struct lint_file *file, const struct lint_node *root, bool is_properties, struct err *e)
{
	struct lint_tree *tree = lint_arena_take(&l->arena, sizeof(*tree));

	if (!tree)
		return err_set(e, ENOMEM, "cannot read");
	*tree = (struct lint_tree){.file = file, .root = root, .is_properties = is_properties};
	if (l->last_tree)
		l->last_tree->next = tree;
	else
		l->trees = tree;
	l->last_tree = tree;
	return 0;
}

static bool ends_with(const char *text, const char *const *endings, size_t count)
{
	const size_t length = strlen(text);

	for (size_t i = 0; i < count; i++) {
		const size_t n = strlen(endings[i]);
		if (length >= n && strcmp(text + length - n, endings[i]) == 0)
			return true;
	}
	return false;
}

static bool is_yaml_name(const char *name)
{
	static const char *const endings[] = {".yaml", ".yml", ".json"};

	return ends_with(name, endings, ARRAY_SIZE(endings));
}

static bool is_properties_name(const char *name)
{
	static const char *const endings[] = {".conf", ".properties"};

	return ends_with(name, endings, ARRAY_SIZE(endings));
}

/* Values of a ConfigMap or of Argo's helm.values: what is no file of ours by its name is left alone. */
static int read_embedded(struct lint *l, struct lint_file *file, const struct lint_node *value, bool anyway, struct err *e)
{
	int r;

	if (l->is_embedded || value->kind != LINT_SCALAR || (!anyway && !is_yaml_name(value->key) && !is_properties_name(value->key)))
		return 0;
	l->is_embedded = true; /* a file in a file in a file is none of Kubernetes' */
	r = read_text(l, file, value->key, value->text, strlen(value->text), value, e);
	l->is_embedded = false;
	return r;
}

static int read_argo(struct lint *l, struct lint_file *file, const struct lint_node *object, struct err *e)
{
	const struct lint_node *values = lint_at(object, "spec/source/helm/values"), *tree = lint_at(object, "spec/source/helm/valuesObject");
	int r = values ? read_embedded(l, file, values, true, e) : 0;

	return r == 0 && tree ? add_document(l, file, "values", tree, e) : r;
}

static int add_object(struct lint *l, struct lint_file *file, const char *label, const struct lint_node *node, const struct known *what, struct err *e)
{
	const struct lint_node *inner = lint_at(node, what->path);
	int r = 0;

	switch (what->meaning) {
	case MEANING_PART:
	case MEANING_WORKLOAD: return add_part(l, file, label, node, what, e);
	case MEANING_ARGO: return read_argo(l, file, node, e);
	case MEANING_LIST:
		for (const struct lint_node *item = inner ? inner->first : NULL; item && r == 0; item = item->next)
			r = add_document(l, file, label, item, e);
		return r;
	case MEANING_CONFIG_MAP:
		for (const struct lint_node *item = inner ? inner->first : NULL; item && r == 0; item = item->next)
			r = read_embedded(l, file, item, false, e);
		return r;
	}
	return 0;
}

/* Without apiVersion and kind: a pod template, Zeppelin's settings, a chart's values. */
static const struct known *guess(const struct lint_node *node)
{
	static const struct known pod = {.part = LINT_PART_POD, .path = ""}, zeppelin = {.part = LINT_PART_ZEPPELIN, .path = ""},
				  values = {.part = LINT_PART_CHART_VALUES, .path = ""};

	if (lint_get(node, "interpreterSettings"))
		return &zeppelin;
	if (lint_at(node, "spec/containers"))
		return &pod;
	return lint_at(node, "webhook/enable") ? &values : NULL;
}

static int add_document(struct lint *l, struct lint_file *file, const char *label, const struct lint_node *node, struct err *e)
{
	const char *kind = lint_text(node, "kind"), *version = lint_text(node, "apiVersion");

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].kind, kind) == 0 && str_starts(version, known[i].group)) {
			file->understood = true;
			return add_object(l, file, label, node, &known[i], e);
		}
	}
	const struct known *what = guess(node);
	if (what || (*kind && *version))
		file->understood = true;
	return what ? add_part(l, file, label, node, what, e) : 0;
}

/* In a text that is not a block every line of it is the line of its beginning. */
static void set_lines(struct lint_node *root, const struct lint_node *outer)
{
	struct lint_node *node = root;

	while (node) {
		node->column = 0;
		if (!outer->is_block)
			node->line = node->text_line = outer->text_line;
		if (node->first) {
			node = node->first;
			continue;
		}
		while (node && node != root && !node->next)
			node = node->parent;
		node = !node || node == root ? NULL : node->next;
	}
}

/* spark-defaults.conf by another name: its first word is a key of Spark's, and no ':' makes it YAML. */
static bool looks_like_properties(const char *text, size_t length)
{
	const char *end = text + length;

	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		line_end = line_end ? line_end : end;
		while (text < line_end && (*text == ' ' || *text == '\t'))
			text++;
		if (text < line_end && *text != '#' && *text != '\r') {
			const char *word_end = text;
			while (word_end < line_end && !strchr(" \t=:", *word_end))
				word_end++;
			return word_end - text > 6 && memcmp(text, "spark.", 6) == 0 && word_end < line_end && *word_end != ':';
		}
		text = line_end + 1;
	}
	return false;
}

static int read_settings(struct lint *l, struct lint_file *file, const char *label, const char *text, size_t length, const struct lint_node *outer, struct err *e)
{
	static const struct known settings = {.part = LINT_PART_SETTINGS, .path = ""};
	struct lint_node *root = NULL;
	int r = lint_read_properties(&l->arena, text, length, outer ? outer->text_line + outer->is_block : 1, &root, e);

	if (r < 0)
		return r;
	if (outer)
		for (struct lint_node *pair = root->first; pair; pair = pair->next)
			set_lines(pair, outer);
	file->understood = true;
	r = add_tree(l, file, root, true, e);
	return r < 0 ? r : add_part(l, file, label, root, &settings, e);
}

static int read_text(struct lint *l, struct lint_file *file, const char *label, const char *text, size_t length, const struct lint_node *outer, struct err *e)
{
	struct lint_node *documents = NULL;

	if (is_properties_name(label) || (!is_yaml_name(label) && looks_like_properties(text, length)))
		return read_settings(l, file, label, text, length, outer, e);
	int r = lint_read_yaml(&l->arena, text, length, outer ? outer->text_line + outer->is_block : 1, &documents, e);
	for (struct lint_node *node = documents; node && r == 0; node = node->next) {
		if (outer)
			set_lines(node, outer);
		r = add_tree(l, file, node, false, e);
		if (r == 0)
			r = add_document(l, file, label, node, e);
	}
	return r;
}

int lint_part_read(struct lint *lint, struct lint_file *file, const char *text, size_t length, struct err *e)
{
	int r = read_text(lint, file, file->name, text, length, NULL, e);

	if (r == 0 && !file->understood)
		r = err_rule(e, EBADMSG, "nothing in it is Spark configuration or a Kubernetes object");
	return r;
}
