#include "shim/csi_message.h"

#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/text.h"

#define BYTES(number)  PROTO_TAG(number, PROTO_BYTES)
#define VARINT(number) PROTO_TAG(number, PROTO_VARINT)

enum { UNIT_BYTES = 1, UNIT_INODES = 2 };
enum { HEALTH_DEGRADED = 1, HEALTH_INACCESSIBLE = 2 };
enum { STORAGE_DEGRADED = 1, STORAGE_UNREACHABLE = 2 };

/* --- requests --- */

static int read_mount(struct text message, struct csi_publish *ret)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0) {
		if (field.tag == BYTES(1))
			ret->fs_type = field.bytes;
		else if (field.tag == BYTES(3))
			ret->mount_group = field.bytes;
		else if (field.tag == BYTES(2) && ret->flag_count < CSI_FLAGS_MAX)
			ret->flags[ret->flag_count++] = field.bytes;
		else if (field.tag == BYTES(2))
			ret->cut++;
	}
	return r;
}

static int read_access_mode(struct text message, struct csi_publish *ret)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0)
		if (field.tag == VARINT(1))
			ret->access_mode = field.value;
	return r;
}

static int read_capability(struct text message, struct csi_publish *ret)
{
	struct proto_reader reader;
	struct proto_field field;
	int r, inner = 0;

	ret->has_capability = true;
	proto_open(&reader, message);
	while (inner == 0 && (r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case BYTES(1): ret->is_block = true; break;
		case BYTES(2):
			ret->is_mount = true;
			inner = read_mount(field.bytes, ret);
			break;
		case BYTES(3):
			ret->has_access_mode = true;
			inner = read_access_mode(field.bytes, ret);
			break;
		default: break;
		}
	}
	return inner < 0 ? inner : r;
}

int csi_decode_publish(struct text message, struct csi_publish *ret)
{
	struct proto_reader reader;
	struct proto_field field;
	int r, inner = 0;

	*ret = (struct csi_publish){0};
	proto_open(&reader, message);
	while (inner == 0 && (r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case BYTES(1): ret->volume_id = field.bytes; break;
		case BYTES(4): ret->target_path = field.bytes; break;
		case BYTES(5): inner = read_capability(field.bytes, ret); break;
		case VARINT(6): ret->readonly = field.value != 0; break;
		case BYTES(8):
			if (ret->context_count < CSI_CONTEXT_MAX)
				inner = proto_read_pair(field.bytes, &ret->context[ret->context_count++]);
			else
				ret->cut++;
			break;
		default: break;
		}
	}
	return inner < 0 ? inner : r;
}

int csi_decode_named(struct text message, struct csi_named *ret)
{
	struct text_pair pair;
	int r = proto_read_pair(message, &pair);

	*ret = (struct csi_named){.volume_id = pair.key, .path = pair.value};
	return r;
}

int csi_decode_status(struct text message, bool *ret_registered, struct text *ret_error)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	*ret_registered = false;
	*ret_error = (struct text){0};
	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0) {
		if (field.tag == VARINT(1))
			*ret_registered = field.value != 0;
		else if (field.tag == BYTES(2))
			*ret_error = field.bytes;
	}
	return r;
}

/* --- responses --- */

static void write_string(struct proto_writer *writer, uint32_t number, const char *text)
{
	proto_write_text(writer, number, text, strlen(text));
}

void csi_write_plugin_info(struct proto_writer *writer, const char *name, const char *version)
{
	write_string(writer, 1, name);
	write_string(writer, 2, version);
}

void csi_write_probe(struct proto_writer *writer, bool ready)
{
	size_t mark = proto_begin(writer, 1);

	proto_write_number(writer, 1, ready);
	proto_end(writer, mark);
}

void csi_write_capabilities(struct proto_writer *writer)
{
	/* GET_VOLUME_STATS, VOLUME_CONDITION (1.12), VOLUME_MOUNT_GROUP, GET_VOLUME_HEALTH, GET_STORAGE_HEALTH (1.13) */
	static const uint64_t types[] = {2, 4, 6, 7, 8};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t capability = proto_begin(writer, 1), rpc = proto_begin(writer, 1);
		proto_write_number(writer, 1, types[i]);
		proto_end(writer, rpc);
		proto_end(writer, capability);
	}
}

void csi_write_node_info(struct proto_writer *writer, const char *node)
{
	write_string(writer, 1, node);
}

static void write_usage(struct proto_writer *writer, uint64_t unit, uint64_t total, uint64_t used, uint64_t available)
{
	size_t mark = proto_begin(writer, 1);

	proto_write_number(writer, 1, available);
	proto_write_number(writer, 2, total);
	proto_write_number(writer, 3, used);
	proto_write_number(writer, 4, unit);
	proto_end(writer, mark);
}

void csi_write_stats(struct proto_writer *writer, const struct wire_volume_stats *stats)
{
	const struct wire_figures *f = &stats->figures;

	write_usage(writer, UNIT_BYTES, f->bytes_total, f->bytes_used, f->bytes_available);
	if (f->inodes_total > 0) /* NFS may not tell */
		write_usage(writer, UNIT_INODES, f->inodes_total, f->inodes_used, f->inodes_free);
	size_t condition = proto_begin(writer, 2);
	proto_write_number(writer, 1, stats->abnormal);
	write_string(writer, 2, stats->message);
	proto_end(writer, condition);
}

/* "ScratchNearlyFull: 97% of 1Gi": the word before the colon is for programs. */
static void write_reason(struct proto_writer *writer, const char *message)
{
	const char *colon = strchr(message, ':');
	const size_t length = colon ? (size_t)(colon - message) : strlen(message);

	proto_write_text(writer, 2, length ? message : "Abnormal", length ? length : strlen("Abnormal"));
	write_string(writer, 3, message);
}

void csi_write_volume_health(struct proto_writer *writer, const char *volume_id, const struct wire_volume_stats *stats)
{
	size_t health = proto_begin(writer, 1);

	write_string(writer, 1, volume_id);
	if (stats->abnormal) {
		/* What is nearly full works still; of all else that is told the volume cannot be used. */
		const bool degraded = str_starts(stats->message, "ScratchNearlyFull");
		size_t entry = proto_begin(writer, 2);
		proto_write_number(writer, 1, degraded ? HEALTH_DEGRADED : HEALTH_INACCESSIBLE);
		write_reason(writer, stats->message);
		proto_end(writer, entry);
	}
	proto_end(writer, health);
}

void csi_write_storage_health(struct proto_writer *writer, const struct wire_csi_storage *storage)
{
	for (uint32_t i = 0; i < storage->count; i++) {
		const struct wire_csi_backend *backend = &storage->backends[i];
		size_t mark = proto_begin(writer, 1);
		proto_write_number(writer, 1, backend->unreachable ? STORAGE_UNREACHABLE : STORAGE_DEGRADED);
		write_string(writer, 2, backend->reason);
		write_string(writer, 3, backend->message);
		proto_end(writer, mark);
	}
}

void csi_write_registration(struct proto_writer *writer, const char *name, const char *endpoint)
{
	write_string(writer, 1, "CSIPlugin");
	write_string(writer, 2, name);
	write_string(writer, 3, endpoint);
	write_string(writer, 4, "1.0.0"); /* of CSI: all of 1.x */
}

bool csi_storage_is_sound(const struct wire_csi_storage *storage)
{
	bool sound = storage->count <= ARRAY_SIZE(storage->backends);

	for (uint32_t i = 0; sound && i < storage->count; i++)
		sound = str_is_ended(storage->backends[i].reason, sizeof(storage->backends[i].reason)) &&
			str_is_ended(storage->backends[i].message, sizeof(storage->backends[i].message));
	return sound;
}
