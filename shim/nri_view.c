/* nri_view.c - pods and containers: protobuf to views. Each read_… merges into what is there; see nri_message.h. */
#include "shim/nri_view.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/scoped.h"
#include "shim/proto.h"
#include "shim/text.h"

#define SIZE_OPTION "size="

/* Reads the value of an Optional…: a message of one number, whose presence is what counts. */
static int read_optional(struct text message, int64_t *value)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0)
		if (field.tag == PROTO_TAG(1, PROTO_VARINT))
			*value = (int64_t)field.value;
	return r;
}

struct pair_list {
	struct text_pair *pairs;
	uint32_t *count, *cut;
	uint32_t max;
};

static int add_pair(struct pair_list list, struct text entry)
{
	struct text_pair pair;
	uint32_t i = 0;

	if (proto_read_pair(entry, &pair) < 0)
		return -EBADMSG;
	while (i < *list.count && !text_equal(list.pairs[i].key, pair.key))
		i++;
	if (i == list.max) {
		++*list.cut;
		return 0;
	}
	if (i == *list.count)
		++*list.count;
	list.pairs[i] = pair;
	return 0;
}

#define PAIRS(view, list, number, max) ((struct pair_list){(view)->list, &(view)->number, &(view)->cut, max})

static void add_text(struct text *texts, uint32_t *count, uint32_t max, uint32_t *cut, struct text text)
{
	if (*count < max)
		texts[(*count)++] = text;
	else
		++*cut;
}

static int read_memory(struct text memory, bool *has_limit, int64_t *limit)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, memory);
	while ((r = proto_next(&reader, &field)) > 0) {
		if (field.tag != PROTO_TAG(1, PROTO_BYTES))
			continue;
		*has_limit = true;
		if (read_optional(field.bytes, limit) < 0)
			return -EBADMSG;
	}
	return r;
}

int nri_read_memory_limit(struct text resources, bool *has_limit, int64_t *limit)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, resources);
	while ((r = proto_next(&reader, &field)) > 0)
		if (field.tag == PROTO_TAG(1, PROTO_BYTES) && read_memory(field.bytes, has_limit, limit) < 0)
			return -EBADMSG;
	return r;
}

static int read_pod_linux(struct text message, struct pod_view *pod)
{
	struct proto_reader reader;
	struct proto_field field;
	bool has_limit = false; /* 0 says it */
	int r;

	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case PROTO_TAG(2, PROTO_BYTES): /* pod_resources: the sums over its containers */
			if (nri_read_memory_limit(field.bytes, &has_limit, &pod->memory_limit_bytes) < 0)
				return -EBADMSG;
			break;
		case PROTO_TAG(3, PROTO_BYTES): pod->cgroup_parent = field.bytes; break;
		case PROTO_TAG(4, PROTO_BYTES): pod->cgroups_path = field.bytes; break;
		default: break;
		}
	}
	return r;
}

void nri_clear_pod(struct pod_view *pod)
{
	memset(pod, 0, offsetof(struct pod_view, labels));
	pod->memory_limit_bytes = 0;
}

int nri_read_pod(struct text message, struct pod_view *pod)
{
	struct proto_reader reader;
	struct proto_field field;
	int r, inner = 0;

	proto_open(&reader, message);
	while (inner == 0 && (r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case PROTO_TAG(1, PROTO_BYTES): pod->id = field.bytes; break;
		case PROTO_TAG(2, PROTO_BYTES): pod->name = field.bytes; break;
		case PROTO_TAG(3, PROTO_BYTES): pod->uid = field.bytes; break;
		case PROTO_TAG(4, PROTO_BYTES): pod->name_space = field.bytes; break;
		case PROTO_TAG(5, PROTO_BYTES): inner = add_pair(PAIRS(pod, labels, label_count, VIEW_LABELS_MAX), field.bytes); break;
		case PROTO_TAG(6, PROTO_BYTES): inner = add_pair(PAIRS(pod, annotations, annotation_count, VIEW_ANNOTATIONS_MAX), field.bytes); break;
		case PROTO_TAG(7, PROTO_BYTES): pod->runtime_handler = field.bytes; break;
		case PROTO_TAG(8, PROTO_BYTES): inner = read_pod_linux(field.bytes, pod); break;
		case PROTO_TAG(9, PROTO_VARINT): pod->pid = (uint32_t)field.value; break;
		default: break;
		}
	}
	return inner < 0 ? inner : r;
}

static int add_mount(struct container_view *container, struct text message)
{
	struct mount_view mount = {0};
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case PROTO_TAG(1, PROTO_BYTES): mount.destination = field.bytes; break;
		case PROTO_TAG(2, PROTO_BYTES): mount.type = field.bytes; break;
		case PROTO_TAG(3, PROTO_BYTES): mount.source = field.bytes; break;
		case PROTO_TAG(4, PROTO_BYTES):
			if (text_starts(field.bytes, SIZE_OPTION))
				mount.size = text_from(field.bytes, sizeof(SIZE_OPTION) - 1);
			break;
		default: break;
		}
	}
	if (r < 0)
		return r;
	if (container->mount_count < VIEW_MOUNTS_MAX)
		container->mounts[container->mount_count++] = mount;
	else
		container->cut++;
	return 0;
}

static int read_container_resources(struct text message, struct container_view *container)
{
	struct proto_reader reader;
	struct proto_field field;
	int r, inner = 0;

	proto_open(&reader, message);
	while (inner == 0 && (r = proto_next(&reader, &field)) > 0) {
		if (field.tag == PROTO_TAG(1, PROTO_BYTES))
			inner = read_memory(field.bytes, &container->has_memory_limit, &container->memory_limit_bytes);
		else if (field.tag == PROTO_TAG(6, PROTO_BYTES))
			inner = add_pair(PAIRS(container, unified, unified_count, ARRAY_SIZE(container->unified)), field.bytes);
	}
	return inner < 0 ? inner : r;
}

static int read_container_linux(struct text message, struct container_view *container)
{
	struct proto_reader reader;
	struct proto_field field;
	int r, inner = 0;

	proto_open(&reader, message);
	while (inner == 0 && (r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case PROTO_TAG(3, PROTO_BYTES): inner = read_container_resources(field.bytes, container); break;
		case PROTO_TAG(4, PROTO_BYTES):
			container->has_oom_score_adj = true;
			inner = read_optional(field.bytes, &container->oom_score_adj);
			break;
		case PROTO_TAG(5, PROTO_BYTES): container->cgroups_path = field.bytes; break;
		default: break;
		}
	}
	return inner < 0 ? inner : r;
}

static int read_user(struct text message, struct container_view *container)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	container->has_user = true;
	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0) {
		if (field.tag == PROTO_TAG(1, PROTO_VARINT))
			container->uid = (uint32_t)field.value;
		else if (field.tag == PROTO_TAG(2, PROTO_VARINT))
			container->gid = (uint32_t)field.value;
	}
	return r;
}

static int read_image(struct text message, struct container_view *container)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0)
		if (field.tag == PROTO_TAG(1, PROTO_BYTES))
			container->image = field.bytes;
	return r;
}

void nri_clear_container(struct container_view *container)
{
	memset(container, 0, offsetof(struct container_view, env));
}

/* Numbers and plain text. False: not one of them. */
static bool read_container_scalar(const struct proto_field *field, struct container_view *container)
{
	switch (field->tag) {
	case PROTO_TAG(1, PROTO_BYTES): container->id = field->bytes; return true;
	case PROTO_TAG(2, PROTO_BYTES): container->pod_id = field->bytes; return true;
	case PROTO_TAG(3, PROTO_BYTES): container->name = field->bytes; return true;
	case PROTO_TAG(4, PROTO_VARINT): container->state = (uint32_t)field->value; return true;
	case PROTO_TAG(12, PROTO_VARINT): container->pid = (uint32_t)field->value; return true;
	case PROTO_TAG(14, PROTO_VARINT): container->created_at_ns = (int64_t)field->value; return true;
	case PROTO_TAG(15, PROTO_VARINT): container->started_at_ns = (int64_t)field->value; return true;
	case PROTO_TAG(16, PROTO_VARINT): container->finished_at_ns = (int64_t)field->value; return true;
	case PROTO_TAG(17, PROTO_VARINT): container->exit_code = (int32_t)(uint32_t)field->value; return true;
	case PROTO_TAG(18, PROTO_BYTES): container->status_reason = field->bytes; return true;
	case PROTO_TAG(19, PROTO_BYTES): container->status_message = field->bytes; return true;
	default: return false;
	}
}

int nri_read_container(struct text message, struct container_view *container)
{
	struct proto_reader reader;
	struct proto_field field;
	int r, inner = 0;

	proto_open(&reader, message);
	while (inner == 0 && (r = proto_next(&reader, &field)) > 0) {
		if (read_container_scalar(&field, container))
			continue;
		switch (field.tag) {
		case PROTO_TAG(6, PROTO_BYTES):
			inner = add_pair(PAIRS(container, annotations, annotation_count, VIEW_ANNOTATIONS_MAX), field.bytes);
			break;
		case PROTO_TAG(7, PROTO_BYTES): add_text(container->args, &container->arg_count, VIEW_ARGS_MAX, &container->cut, field.bytes); break;
		case PROTO_TAG(8, PROTO_BYTES): add_text(container->env, &container->env_count, VIEW_ENV_MAX, &container->cut, field.bytes); break;
		case PROTO_TAG(9, PROTO_BYTES): inner = add_mount(container, field.bytes); break;
		case PROTO_TAG(11, PROTO_BYTES): inner = read_container_linux(field.bytes, container); break;
		case PROTO_TAG(21, PROTO_BYTES): inner = read_user(field.bytes, container); break;
		case PROTO_TAG(22, PROTO_BYTES): inner = read_image(field.bytes, container); break;
		default: break;
		}
	}
	return inner < 0 ? inner : r;
}
