#include <errno.h>
#include <string.h>

#include "base/names.h"
#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

struct lint_place lint_place_of(const struct lint_file *file, const struct lint_node *node)
{
	return (struct lint_place){.file = file, .line = node->line, .column = node->column};
}

const struct lint_volume *lint_pod_volume(const struct lint_pod *pod, const char *name)
{
	for (const struct lint_volume *v = pod->volumes; v; v = v->next)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

struct lint_volume *lint_pod_add_volume(struct lint *lint, struct lint_pod *pod, const char *name, struct lint_place place)
{
	struct lint_volume *v = lint_arena_take(&lint->arena, sizeof(*v));

	if (!v)
		return NULL;
	*v = (struct lint_volume){.name = name, .size = "", .place = place};
	if (pod->last_volume)
		pod->last_volume->next = v;
	else
		pod->volumes = v;
	pod->last_volume = v;
	return v;
}

/* "/a//b/" is "/a/b" to the runtime. */
static const char *normal_path(struct lint *lint, const char *path)
{
	char *copy = lint_arena_copy(&lint->arena, path, strlen(path)), *out = copy;

	for (const char *in = copy; in && *in; in++)
		if (*in != '/' || in[1] != '/')
			*out++ = *in;
	if (!copy)
		return NULL;
	if (out > copy + 1 && out[-1] == '/')
		out--;
	*out = '\0';
	return copy;
}

struct lint_mount *lint_pod_add_mount(struct lint *lint, struct lint_pod *pod, const char *path, const char *volume, struct lint_place place)
{
	struct lint_mount *m = lint_arena_take(&lint->arena, sizeof(*m));
	const char *normal = normal_path(lint, path);

	if (!m || !normal)
		return NULL;
	*m = (struct lint_mount){.path = normal, .volume = volume, .container = "", .origin = "", .place = place};
	if (pod->mount_count == LINT_MOUNTS_MAX) {
		lint->cut = "a pod has more than 512 mounts: the rest is not judged";
		return m;
	}
	if (pod->last_mount)
		pod->last_mount->next = m;
	else
		pod->mounts = m;
	pod->last_mount = m;
	pod->mount_count++;
	return m;
}

static void judge_volume_kind(struct lint_volume *v, const struct lint_node *node)
{
	static const struct {
		const char *field;
		enum lint_volume_kind kind;
	} kinds[] = {{"emptyDir", LINT_VOLUME_EMPTY_DIR}, {"hostPath", LINT_VOLUME_HOST_PATH}, {"nfs", LINT_VOLUME_NFS}, {"persistentVolumeClaim", LINT_VOLUME_CLAIM}, {"ephemeral", LINT_VOLUME_CLAIM}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (lint_get(node, kinds[i].field))
			v->kind = kinds[i].kind;
	v->is_memory = strcmp(lint_text(node, "emptyDir/medium"), "Memory") == 0;
	v->size = lint_text(node, "emptyDir/sizeLimit");
}

int lint_pod_take_volumes(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *volumes)
{
	for (const struct lint_node *node = volumes ? volumes->first : NULL; node; node = node->next) {
		const struct lint_node *medium = lint_at(node, "emptyDir/medium");
		struct lint_volume *v = lint_pod_add_volume(lint, pod, lint_text(node, "name"), lint_place_of(file, medium ? medium : node));
		if (!v)
			return -ENOMEM;
		judge_volume_kind(v, node);
	}
	return 0;
}

int lint_pod_take_claims(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *claims)
{
	for (const struct lint_node *node = claims ? claims->first : NULL; node; node = node->next) {
		struct lint_volume *v = lint_pod_add_volume(lint, pod, lint_text(node, "metadata/name"), lint_place_of(file, node));
		if (!v)
			return -ENOMEM;
		v->kind = LINT_VOLUME_CLAIM;
	}
	return 0;
}

int lint_pod_take_mounts(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *mounts, const char *container, const char *origin)
{
	for (const struct lint_node *node = mounts ? mounts->first : NULL; node; node = node->next) {
		const struct lint_node *path = lint_get(node, "mountPath");
		if (!path || !*lint_text(node, "mountPath"))
			continue;
		struct lint_mount *m = lint_pod_add_mount(lint, pod, path->text, lint_text(node, "name"), lint_place_of(file, path));
		if (!m)
			return -ENOMEM;
		m->container = container;
		m->origin = origin;
		m->read_only = lint_is_true(node, "readOnly");
		m->has_sub_path = *lint_text(node, "subPath") || *lint_text(node, "subPathExpr");
	}
	return 0;
}

const struct lint_node *lint_pod_main(const struct lint_node *template)
{
	const struct lint_node *containers = lint_at(template, "spec/containers"), *first = containers ? containers->first : NULL;

	for (const struct lint_node *c = first; c; c = c->next)
		if (str_starts(lint_text(c, "name"), "spark-kubernetes-"))
			return c;
	return first;
}

static int take_containers(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *template, const char *origin)
{
	static const char *const lists[] = {"spec/containers", "spec/initContainers"};
	const struct lint_node *spark = lint_pod_main(template);

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct lint_node *list = lint_at(template, lists[i]);
		for (const struct lint_node *c = list ? list->first : NULL; c; c = c->next) {
			const char *name = c == spark ? "" : lint_arena_print(&lint->arena, "%s %s", lists[i], lint_text(c, "name"));
			if (!name || lint_pod_take_mounts(lint, pod, file, lint_get(c, "volumeMounts"), name, origin) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

int lint_pod_take(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *template, const char *origin)
{
	const struct lint_node *spec = lint_get(template, "spec"), *spark = lint_pod_main(template);

	if (!spec)
		return 0;
	const struct lint_node *annotation = lint_get(lint_at(template, "metadata/annotations"), STOKER_PREFIX "checkpoint");
	if (annotation)
		pod->checkpoint = annotation->text;
	if (!pod->template_place.file)
		pod->template_place = lint_place_of(file, spec);
	pod->has_fs_group |= *lint_text(spec, "securityContext/fsGroup") != '\0';
	const char *user = *lint_text(spark, "securityContext/runAsUser") ? lint_text(spark, "securityContext/runAsUser") : lint_text(spec, "securityContext/runAsUser");
	pod->is_root |= strcmp(user, "0") == 0;
	pod->has_cpu_limit |= *lint_text(spark, "resources/limits/cpu") != '\0';
	if (lint_pod_take_volumes(lint, pod, file, lint_get(spec, "volumes")) < 0)
		return -ENOMEM;
	return take_containers(lint, pod, file, template, origin);
}
