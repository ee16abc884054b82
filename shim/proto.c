#include "shim/proto.h"

#include <errno.h>
#include <string.h>

#define PROTO_NUMBER_MAX     ((1U << 29) - 1)
#define PROTO_VARINT_BYTES   10
#define PROTO_CONTINUES	     0x80U
#define PROTO_LAST_BYTE_MAX  1U /* the tenth byte holds the 64th bit and no more */
#define PROTO_SHORT_LENGTH   1	/* bytes kept free for an embedded message's length: most are below 128 */

void proto_open(struct proto_reader *reader, struct text message)
{
	reader->at = (const unsigned char *)message.bytes;
	reader->end = reader->at ? reader->at + message.length : reader->at;
}

static int read_varint(struct proto_reader *reader, uint64_t *ret)
{
	const unsigned char *p = reader->at;
	uint64_t value = 0;

	if (p < reader->end && *p < PROTO_CONTINUES) { /* nearly all: numbers of fields, lengths of labels */
		*ret = *p;
		reader->at = p + 1;
		return 0;
	}
	for (unsigned i = 0; i < PROTO_VARINT_BYTES && p < reader->end; i++, p++) {
		if (i == PROTO_VARINT_BYTES - 1 && *p > PROTO_LAST_BYTE_MAX)
			return -EBADMSG;
		value |= (uint64_t)(*p & (PROTO_CONTINUES - 1)) << (7 * i);
		if (*p < PROTO_CONTINUES) {
			*ret = value;
			reader->at = p + 1;
			return 0;
		}
	}
	return -EBADMSG;
}

/* The wire is little-endian whatever the machine is. */
static int read_fixed(struct proto_reader *reader, unsigned length, uint64_t *ret)
{
	uint64_t value = 0;

	if ((size_t)(reader->end - reader->at) < length)
		return -EBADMSG;
	for (unsigned i = 0; i < length; i++)
		value |= (uint64_t)reader->at[i] << (8 * i);
	reader->at += length;
	*ret = value;
	return 0;
}

static int read_bytes(struct proto_reader *reader, struct text *ret)
{
	uint64_t length;

	if (read_varint(reader, &length) < 0 || length > (uint64_t)(reader->end - reader->at))
		return -EBADMSG;
	*ret = (struct text){(const char *)reader->at, (uint32_t)length};
	reader->at += length;
	return 0;
}

int proto_next_any(struct proto_reader *reader, struct proto_field *ret)
{
	uint64_t tag;
	int r;

	if (reader->at == reader->end)
		return 0;
	if (read_varint(reader, &tag) < 0 || tag >> 3 == 0 || tag >> 3 > PROTO_NUMBER_MAX)
		return -EBADMSG;
	ret->tag = (uint32_t)tag;
	switch (tag & 7) {
	case PROTO_VARINT: r = read_varint(reader, &ret->value); break;
	case PROTO_FIXED64: r = read_fixed(reader, 8, &ret->value); break;
	case PROTO_BYTES: r = read_bytes(reader, &ret->bytes); break;
	case PROTO_FIXED32: r = read_fixed(reader, 4, &ret->value); break;
	default: r = -EBADMSG; break; /* groups, and two types that do not exist */
	}
	return r < 0 ? r : 1;
}

void proto_write_raw(struct proto_writer *writer, const void *bytes, size_t length)
{
	if (writer->overflow || length > writer->size - writer->length) {
		writer->overflow = true;
		return;
	}
	if (length > 0)
		memcpy(writer->bytes + writer->length, bytes, length);
	writer->length += length;
}

static size_t put_varint(unsigned char out[PROTO_VARINT_BYTES], uint64_t value)
{
	size_t n = 0;

	while (value >= PROTO_CONTINUES) {
		out[n++] = (unsigned char)(value | PROTO_CONTINUES);
		value >>= 7;
	}
	out[n++] = (unsigned char)value;
	return n;
}

static void write_varint(struct proto_writer *writer, uint64_t value)
{
	unsigned char out[PROTO_VARINT_BYTES];

	proto_write_raw(writer, out, put_varint(out, value));
}

void proto_write_number(struct proto_writer *writer, uint32_t number, uint64_t value)
{
	if (value == 0)
		return;
	write_varint(writer, PROTO_TAG(number, PROTO_VARINT));
	write_varint(writer, value);
}

void proto_write_text(struct proto_writer *writer, uint32_t number, const char *bytes, size_t length)
{
	if (length == 0)
		return;
	write_varint(writer, PROTO_TAG(number, PROTO_BYTES));
	write_varint(writer, length);
	proto_write_raw(writer, bytes, length);
}

size_t proto_begin(struct proto_writer *writer, uint32_t number)
{
	static const unsigned char room[PROTO_SHORT_LENGTH];

	write_varint(writer, PROTO_TAG(number, PROTO_BYTES));
	proto_write_raw(writer, room, sizeof(room));
	return writer->length;
}

void proto_end(struct proto_writer *writer, size_t mark)
{
	unsigned char out[PROTO_VARINT_BYTES];

	if (writer->overflow)
		return;
	size_t length = writer->length - mark, digits = put_varint(out, length), more = digits - PROTO_SHORT_LENGTH;
	if (more > writer->size - writer->length) {
		writer->overflow = true;
		return;
	}
	if (more > 0)
		memmove(writer->bytes + mark + more, writer->bytes + mark, length);
	memcpy(writer->bytes + mark - PROTO_SHORT_LENGTH, out, digits);
	writer->length += more;
}

int proto_read_pair(struct text entry, struct text_pair *ret)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	*ret = (struct text_pair){0};
	proto_open(&reader, entry);
	while ((r = proto_next(&reader, &field)) > 0) {
		if (field.tag == PROTO_TAG(1, PROTO_BYTES))
			ret->key = field.bytes;
		else if (field.tag == PROTO_TAG(2, PROTO_BYTES))
			ret->value = field.bytes;
	}
	return r;
}
