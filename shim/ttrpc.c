#include "shim/ttrpc.h"

#include <errno.h>
#include <string.h>

#include "shim/big_endian.h"

#define REQUEST_SERVICE	     1
#define REQUEST_METHOD	     2
#define REQUEST_PAYLOAD	     3
#define REQUEST_TIMEOUT_NANO 4

#define RESPONSE_STATUS	 1
#define RESPONSE_PAYLOAD 2
#define STATUS_CODE	 1
#define STATUS_MESSAGE	 2

#define EMPTY_FIELD_BYTES 2 /* tag and length of an embedded message without anything in it */

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Reads the header into *ret, without data. Returns the whole message's length. */
static size_t read_header(const unsigned char *header, struct ttrpc_message *ret)
{
	uint32_t data_bytes = big_endian_get(header);

	*ret = (struct ttrpc_message){.stream = big_endian_get(header + 4), .type = header[8], .flags = header[9], .too_long = data_bytes > TTRPC_DATA_MAX_BYTES};
	return TTRPC_HEADER_BYTES + (size_t)data_bytes;
}

/* Data has its length in the header: never longer than TTRPC_DATA_MAX_BYTES here. */
static struct text data_of(const unsigned char *message, size_t whole)
{
	return (struct text){(const char *)message + TTRPC_HEADER_BYTES, (uint32_t)(whole - TTRPC_HEADER_BYTES)};
}

static void forget(struct ttrpc_inbox *inbox)
{
	pages_drop(&inbox->big);
	inbox->length = inbox->want = 0;
	inbox->handed = false;
}

void ttrpc_release(struct ttrpc_inbox *inbox)
{
	if (inbox->handed)
		forget(inbox);
}

/* The header is whole: makes room for the rest. 1 = too long, handed out at once; what is to come is thrown away. */
static int begin_message(struct ttrpc_inbox *inbox, struct ttrpc_message *ret)
{
	size_t whole = read_header(inbox->small, ret);

	if (ret->too_long) {
		inbox->discard = (uint32_t)(whole - TTRPC_HEADER_BYTES);
		forget(inbox);
		return 1;
	}
	if (whole > sizeof(inbox->small)) {
		if (pages_reserve(&inbox->big, whole) < 0)
			return -ENOMEM;
		memcpy(inbox->big.bytes, inbox->small, TTRPC_HEADER_BYTES);
	}
	inbox->want = whole;
	return 0;
}

/* Takes up to `upto` bytes of the message under way. */
static size_t collect(struct ttrpc_inbox *inbox, size_t upto, const unsigned char *bytes, size_t length)
{
	unsigned char *to = inbox->big.bytes ? inbox->big.bytes : inbox->small;
	size_t n = at_most(upto - inbox->length, length);

	if (n > 0)
		memcpy(to + inbox->length, bytes, n);
	inbox->length += n;
	return n;
}

int ttrpc_feed(struct ttrpc_inbox *inbox, const unsigned char *bytes, size_t length, size_t *ret_taken, struct ttrpc_message *ret)
{
	size_t taken;

	ttrpc_release(inbox);
	taken = at_most(inbox->discard, length);
	inbox->discard -= (uint32_t)taken;
	if (inbox->length == 0 && length - taken >= TTRPC_HEADER_BYTES) { /* whole in what came: no copy */
		size_t whole = read_header(bytes + taken, ret);
		if (!ret->too_long && whole <= length - taken) {
			ret->data = data_of(bytes + taken, whole);
			*ret_taken = taken + whole;
			return 1;
		}
	}
	if (inbox->want == 0) {
		taken += collect(inbox, TTRPC_HEADER_BYTES, bytes + taken, length - taken);
		int r = inbox->length == TTRPC_HEADER_BYTES ? begin_message(inbox, ret) : 0;
		if (r != 0) {
			*ret_taken = taken;
			return r;
		}
	}
	if (inbox->want > 0)
		taken += collect(inbox, inbox->want, bytes + taken, length - taken);
	*ret_taken = taken;
	if (inbox->want == 0 || inbox->length < inbox->want)
		return 0;
	const unsigned char *message = inbox->big.bytes ? inbox->big.bytes : inbox->small;
	read_header(message, ret);
	ret->data = data_of(message, inbox->want);
	inbox->handed = true;
	return 1;
}

void ttrpc_inbox_drop(struct ttrpc_inbox *inbox)
{
	forget(inbox);
	inbox->discard = 0;
}

int ttrpc_decode_request(const struct ttrpc_message *message, struct ttrpc_request *ret)
{
	struct ttrpc_request request = {.stream = message->stream};
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, message->data);
	while ((r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case PROTO_TAG(REQUEST_SERVICE, PROTO_BYTES): request.service = field.bytes; break;
		case PROTO_TAG(REQUEST_METHOD, PROTO_BYTES): request.method = field.bytes; break;
		case PROTO_TAG(REQUEST_PAYLOAD, PROTO_BYTES): request.payload = field.bytes; break;
		case PROTO_TAG(REQUEST_TIMEOUT_NANO, PROTO_VARINT): request.timeout_ns = (int64_t)field.value; break;
		default: break; /* metadata: of tracing */
		}
	}
	if (r == 0)
		*ret = request;
	return r;
}

static int decode_status(struct text status, struct ttrpc_response *response)
{
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, status);
	while ((r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case PROTO_TAG(STATUS_CODE, PROTO_VARINT): response->code = (uint32_t)field.value; break;
		case PROTO_TAG(STATUS_MESSAGE, PROTO_BYTES): response->message = field.bytes; break;
		default: break;
		}
	}
	return r;
}

int ttrpc_decode_response(const struct ttrpc_message *message, struct ttrpc_response *ret)
{
	struct ttrpc_response response = {.stream = message->stream};
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, message->data);
	while ((r = proto_next(&reader, &field)) > 0) {
		if (field.tag == PROTO_TAG(RESPONSE_PAYLOAD, PROTO_BYTES))
			response.payload = field.bytes;
		else if (field.tag == PROTO_TAG(RESPONSE_STATUS, PROTO_BYTES) && decode_status(field.bytes, &response) < 0)
			return -EBADMSG;
	}
	if (r == 0)
		*ret = response;
	return r;
}

static enum ttrpc_verdict refuse(struct proto_writer *refusal, uint32_t stream, enum ttrpc_code code, const char *why)
{
	ttrpc_write_error(refusal, stream, code, why);
	return TTRPC_REFUSE;
}

enum ttrpc_verdict ttrpc_accept(struct ttrpc_server *server, const struct ttrpc_message *message, struct ttrpc_request *ret,
				struct proto_writer *refusal)
{
	if (message->too_long)
		return refuse(refusal, message->stream, TTRPC_RESOURCE_EXHAUSTED, "the message is longer than 4 MiB");
	if (message->stream % 2 != 1)
		return refuse(refusal, message->stream, TTRPC_INVALID_ARGUMENT, "a client's stream must be odd");
	if (message->type == TTRPC_DATA)
		return refuse(refusal, message->stream, TTRPC_INVALID_ARGUMENT, "the stream is not open");
	if (message->type != TTRPC_REQUEST)
		return TTRPC_IGNORE;
	if (message->stream <= server->last_stream)
		return refuse(refusal, message->stream, TTRPC_INVALID_ARGUMENT, "streams must increase");
	server->last_stream = message->stream;
	if (ttrpc_decode_request(message, ret) < 0)
		return refuse(refusal, message->stream, TTRPC_INVALID_ARGUMENT, "the request is no protobuf");
	return TTRPC_CALL;
}

uint32_t ttrpc_next_stream(uint32_t *last)
{
	if (*last == 0)
		return *last = 1;
	if (*last > UINT32_MAX - 2)
		return 0;
	return *last += 2;
}

static void begin(struct proto_writer *writer, uint32_t stream, enum ttrpc_type type)
{
	unsigned char header[TTRPC_HEADER_BYTES] = {[8] = (unsigned char)type};

	big_endian_put(header + 4, stream);
	proto_write_raw(writer, header, sizeof(header));
}

size_t ttrpc_begin_request(struct proto_writer *writer, uint32_t stream, const char *service, const char *method)
{
	begin(writer, stream, TTRPC_REQUEST);
	proto_write_text(writer, REQUEST_SERVICE, service, strlen(service));
	proto_write_text(writer, REQUEST_METHOD, method, strlen(method));
	return proto_begin(writer, REQUEST_PAYLOAD);
}

size_t ttrpc_begin_reply(struct proto_writer *writer, uint32_t stream)
{
	begin(writer, stream, TTRPC_RESPONSE);
	return proto_begin(writer, RESPONSE_PAYLOAD);
}

int ttrpc_end(struct proto_writer *writer, size_t mark)
{
	if (!writer->overflow && writer->length == mark)
		writer->length -= EMPTY_FIELD_BYTES; /* an empty payload is not said */
	else
		proto_end(writer, mark);
	if (writer->overflow || writer->length - TTRPC_HEADER_BYTES > TTRPC_DATA_MAX_BYTES)
		return -EMSGSIZE;
	big_endian_put(writer->bytes, (uint32_t)(writer->length - TTRPC_HEADER_BYTES));
	return 0;
}

#define ERROR_MESSAGE_BYTES 256

void ttrpc_write_error(struct proto_writer *writer, uint32_t stream, enum ttrpc_code code, const char *message)
{
	begin(writer, stream, TTRPC_RESPONSE);
	size_t status = proto_begin(writer, RESPONSE_STATUS);
	proto_write_number(writer, STATUS_CODE, code);
	proto_write_text(writer, STATUS_MESSAGE, message, strnlen(message, ERROR_MESSAGE_BYTES));
	proto_end(writer, status);
	if (!writer->overflow)
		big_endian_put(writer->bytes, (uint32_t)(writer->length - TTRPC_HEADER_BYTES));
}
