#include "shim/cri_status.h"

#include <errno.h>
#include <string.h>

#include "shim/proto.h"
#include "shim/text.h"

uint32_t cri_write_status_request(const char *container_id, unsigned char bytes[CRI_STATUS_ASK_BYTES])
{
	struct proto_writer w = {.bytes = bytes, .size = CRI_STATUS_ASK_BYTES};

	proto_write_text(&w, 1, container_id, strlen(container_id));
	return w.overflow ? 0 : (uint32_t)w.length;
}

static int read_fields(struct text message, struct cri_status *status)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case PROTO_TAG(1, PROTO_BYTES): status->id = field.bytes; break;
		case PROTO_TAG(3, PROTO_VARINT): status->state = field.value > INT32_MAX ? CRI_UNKNOWN : (uint32_t)field.value; break;
		case PROTO_TAG(6, PROTO_VARINT): status->finished_at_ns = (int64_t)field.value; break;
		case PROTO_TAG(7, PROTO_VARINT): status->exit_code = (int32_t)field.value; break;
		case PROTO_TAG(10, PROTO_BYTES): status->reason = field.bytes; break;
		case PROTO_TAG(11, PROTO_BYTES): status->message = field.bytes; break;
		case PROTO_TAG(15, PROTO_BYTES): status->log_path = field.bytes; break;
		default: break;
		}
	}
	return r;
}

/* Parts of one status that come apart are one (proto3: "last one wins", field by field). */
int cri_read_status(struct text message, struct cri_status *ret)
{
	struct cri_status status = {0};
	struct proto_reader reader;
	struct proto_field field;
	bool found = false;
	int r;

	proto_open(&reader, message);
	while ((r = proto_next(&reader, &field)) > 0) {
		if (field.tag != PROTO_TAG(1, PROTO_BYTES))
			continue;
		found = true;
		if (read_fields(field.bytes, &status) < 0)
			return -EBADMSG;
	}
	if (r < 0 || !found)
		return -EBADMSG;
	*ret = status;
	return 0;
}

uint32_t cri_log_number(struct text path)
{
	static const char end[] = ".log";
	struct text name = path, rest = path;
	uint64_t number;

	while (text_next(&rest, '/', &name))
		;
	if (!text_ends(name, end))
		return UINT32_MAX;
	name.length -= (uint32_t)(sizeof(end) - 1);
	return text_number(name, &number) && number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}
