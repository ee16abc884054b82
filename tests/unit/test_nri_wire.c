/* The wire below NRI's messages: protobuf and ttrpc. What comes in any pieces is put together, what is forged is bounded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "shim/big_endian.h"
#include "shim/ttrpc.h"
#include "nri_make.h"

#define MIB (1024U * 1024)

/* --- protobuf --- */

static void test_protobuf_fields_are_read(void **unused)
{
	static const char message[] = "\x08\x96\x01"						      /* 1: 150 */
				      "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"		      /* 2: -1 */
				      "\x19\x01\x02\x03\x04\x05\x06\x07\x08"			      /* 3: fixed64 */
				      "\x22\x03one"						      /* 4: "one" */
				      "\x2d\x01\x00\x00\x80"					      /* 5: fixed32 */
				      "\x32\x00"						      /* 6: "" */
				      "\xf8\xff\xff\xff\x0f\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"; /* the highest number: the 64th bit */
	static const struct {
		uint32_t tag;
		uint64_t value;
	} want[] = {
		{PROTO_TAG(1, PROTO_VARINT), 150},  {PROTO_TAG(2, PROTO_VARINT), UINT64_MAX},	 {PROTO_TAG(3, PROTO_FIXED64), 0x0807060504030201},
		{PROTO_TAG(4, PROTO_BYTES), 3},	    {PROTO_TAG(5, PROTO_FIXED32), 0x80000001},	 {PROTO_TAG(6, PROTO_BYTES), 0},
		{PROTO_TAG((1U << 29) - 1, PROTO_VARINT), 1ULL << 63},
	};
	struct proto_reader reader;
	struct proto_field field;

	(void)unused;
	proto_open(&reader, text_of(message, sizeof(message) - 1));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(proto_next(&reader, &field), 1);
		assert_int_equal(field.tag, want[i].tag);
		assert_true((field.tag & 7) == PROTO_BYTES ? field.bytes.length == want[i].value : field.value == want[i].value);
	}
	assert_int_equal(proto_next(&reader, &field), 0);
	proto_open(&reader, (struct text){0});
	assert_int_equal(proto_next(&reader, &field), 0);
}

static void test_what_is_no_protobuf_is_refused(void **unused)
{
	static const struct {
		const char *bytes;
		size_t length;
	} bad[] = {
#define BAD(literal) {literal, sizeof(literal) - 1}
		BAD("\x08"),							/* no value */
		BAD("\x08\x80"),						/* half a varint */
		BAD("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),		/* 65 bits */
		BAD("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),	/* 11 bytes */
		BAD("\x0a\x02x"),						/* cut text */
		BAD("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),		/* a length that would wrap */
		BAD("\x0a\xff\xff\xff\xff\x0fx"),				/* 4 GiB of text */
		BAD("\x09\x01\x02\x03"),					/* cut fixed64 */
		BAD("\x0d\x01"),						/* cut fixed32 */
		BAD("\x02\x00"),						/* number 0 */
		BAD("\x82\x80\x80\x80\x10\x00"),				/* number 2^29 */
		BAD("\x0b\x0c"),						/* a group */
		BAD("\x0c"),							/* its end */
		BAD("\x0e\x00"), BAD("\x0f\x00"),				/* types that do not exist */
	};
	struct proto_reader reader;
	struct proto_field field;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *exact = malloc(bad[i].length); /* so that a read beyond it is seen */
		memcpy(exact, bad[i].bytes, bad[i].length);
		proto_open(&reader, text_of(exact, bad[i].length));
		assert_int_equal(proto_next(&reader, &field), -EBADMSG);
		free(exact);
	}
}

static void test_the_writer_is_read_back_and_stops_at_its_end(void **unused)
{
	unsigned char bytes[512];
	char text[300];
	struct proto_field field;
	struct proto_reader reader;

	(void)unused;
	memset(text, 'x', sizeof(text));
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		struct proto_writer writer = {.bytes = bytes, .size = size};
		memset(bytes, 0xee, sizeof(bytes));
		proto_write_number(&writer, 1, 0);
		size_t outer = proto_begin(&writer, 3);
		size_t inner = proto_begin(&writer, 70);
		proto_write_text(&writer, 1, text, sizeof(text));
		proto_end(&writer, inner);
		proto_write_text(&writer, 2, "", 0);
		proto_write_number(&writer, 2, UINT64_MAX);
		proto_end(&writer, outer);
		for (size_t i = size; i < sizeof(bytes); i++)
			assert_int_equal(bytes[i], 0xee);
		if (writer.overflow)
			continue;
		/* 300 + 3 of head = 303; + 4 of head, + 11 = 318; + 3 = 321 */
		assert_int_equal(writer.length, 321);
		proto_open(&reader, text_of(bytes, writer.length));
		assert_int_equal(proto_next(&reader, &field), 1);
		assert_int_equal(field.tag, PROTO_TAG(3, PROTO_BYTES));
		proto_open(&reader, field.bytes);
		assert_int_equal(proto_next(&reader, &field), 1);
		assert_int_equal(field.tag, PROTO_TAG(70, PROTO_BYTES));
		assert_int_equal(field.bytes.length, 303);
		assert_int_equal(proto_next(&reader, &field), 1);
		assert_true(field.tag == PROTO_TAG(2, PROTO_VARINT) && field.value == UINT64_MAX);
		assert_true(size >= 321);
	}
	struct proto_writer small = {.bytes = bytes, .size = 320};
	size_t mark = proto_begin(&small, 3);
	proto_write_text(&small, 1, text, sizeof(text));
	proto_end(&small, mark);
	assert_false(small.overflow);
}

/* --- ttrpc --- */

static void test_requests_replies_and_errors_survive_the_wire(void **unused)
{
	static unsigned char bytes[8192];
	struct ttrpc_inbox inbox = {0};
	struct ttrpc_message message;
	struct ttrpc_request request;
	struct ttrpc_response response;
	struct proto_writer writer = {.bytes = bytes, .size = sizeof(bytes)};
	size_t taken, length = make_request(bytes, sizeof(bytes), 7, "CreateContainer", 4000);

	(void)unused;
	assert_int_equal(ttrpc_feed(&inbox, bytes, length, &taken, &message), 1);
	assert_int_equal(taken, length);
	assert_int_equal(ttrpc_decode_request(&message, &request), 0);
	assert_true(request.stream == 7 && text_is(request.service, "nri.pkg.api.v1alpha1.Plugin") && text_is(request.method, "CreateContainer"));
	assert_int_equal(request.payload.length, 4000);

	assert_int_equal(ttrpc_end(&writer, ttrpc_begin_reply(&writer, 9)), 0);
	assert_int_equal(writer.length, TTRPC_HEADER_BYTES); /* an empty answer is a header */
	assert_int_equal(ttrpc_feed(&inbox, bytes, writer.length, &taken, &message), 1);
	assert_int_equal(ttrpc_decode_response(&message, &response), 0);
	assert_true(response.stream == 9 && response.code == TTRPC_OK && response.payload.length == 0);

	writer.length = 0;
	ttrpc_write_error(&writer, 11, TTRPC_UNIMPLEMENTED, "no such method");
	assert_int_equal(ttrpc_feed(&inbox, bytes, writer.length, &taken, &message), 1);
	assert_int_equal(ttrpc_decode_response(&message, &response), 0);
	assert_true(response.stream == 11 && response.code == TTRPC_UNIMPLEMENTED && text_is(response.message, "no such method"));

	/* what does not fit is said, not sent */
	struct proto_writer small = {.bytes = bytes, .size = 40};
	size_t mark = ttrpc_begin_reply(&small, 1);
	proto_write_text(&small, 1, "0123456789012345678901234567890", 31);
	assert_int_equal(ttrpc_end(&small, mark), -EMSGSIZE);
}

static void test_a_message_comes_in_any_pieces(void **unused)
{
	static const size_t payloads[] = {0, 1, 100, TTRPC_SMALL_BYTES - 100, TTRPC_SMALL_BYTES + 100, 70000};
	static unsigned char bytes[80000];
	static struct ttrpc_inbox inbox;
	struct ttrpc_message message;

	(void)unused;
	for (size_t k = 0; k < ARRAY_SIZE(payloads); k++) {
		size_t length = make_request(bytes, sizeof(bytes), 1, "M", payloads[k]), step = length < 400 ? 1 : length / 199;
		for (size_t cut = 0; cut <= length; cut += step) {
			size_t taken = 0;
			int r = cut > 0 ? ttrpc_feed(&inbox, bytes, cut, &taken, &message) : 0;
			assert_int_equal(r, cut == length);
			assert_int_equal(taken, cut);
			if (cut < length)
				assert_int_equal(ttrpc_feed(&inbox, bytes + cut, length - cut, &taken, &message), 1);
			assert_int_equal(message.data.length, length - TTRPC_HEADER_BYTES);
			assert_memory_equal(message.data.bytes, bytes + TTRPC_HEADER_BYTES, message.data.length);
		}
	}
	ttrpc_feed(&inbox, bytes, 0, &(size_t){0}, &message);
	assert_null(inbox.big.bytes); /* the long one's memory is given back */
}

static void test_a_too_long_message_is_said_once_and_thrown_away(void **unused)
{
	static unsigned char chunk[MIB];
	static struct ttrpc_inbox inbox;
	unsigned char header[TTRPC_HEADER_BYTES] = {0, 0x40, 0, 1, 0, 0, 0, 5, TTRPC_REQUEST, 0};
	unsigned char next[300], error[200];
	struct ttrpc_server server = {0};
	struct ttrpc_request request;
	struct ttrpc_response response;
	struct ttrpc_message message;
	struct proto_writer writer = {.bytes = error, .size = sizeof(error)};
	size_t taken, left = TTRPC_DATA_MAX_BYTES + 1;

	(void)unused;
	assert_int_equal(ttrpc_feed(&inbox, header, 4, &taken, &message), 0);
	assert_int_equal(ttrpc_feed(&inbox, header + 4, 6, &taken, &message), 1);
	assert_true(message.too_long && message.stream == 5 && message.data.length == 0);
	assert_null(inbox.big.bytes);
	assert_int_equal(ttrpc_accept(&server, &message, &request, &writer), TTRPC_REFUSE);
	for (; left > MIB; left -= MIB)
		assert_int_equal(ttrpc_feed(&inbox, chunk, MIB, &taken, &message), 0);
	size_t length = make_request(next, sizeof(next), 7, "Configure", 10);
	memmove(next + left, next, length);
	assert_int_equal(ttrpc_feed(&inbox, next, left + length, &taken, &message), 1);
	assert_int_equal(taken, left + length);
	assert_int_equal(ttrpc_accept(&server, &message, &request, &writer), TTRPC_CALL);
	assert_true(text_is(request.method, "Configure"));

	assert_int_equal(ttrpc_feed(&inbox, error, writer.length, &taken, &message), 1);
	assert_int_equal(ttrpc_decode_response(&message, &response), 0);
	assert_true(response.stream == 5 && response.code == TTRPC_RESOURCE_EXHAUSTED);
}

static void test_a_server_judges_streams_as_go_does(void **unused)
{
	static const struct {
		uint32_t stream;
		uint8_t type;
		const char *data;
		enum ttrpc_verdict want;
	} step[] = {
		{1, TTRPC_REQUEST, "", TTRPC_CALL},	{1, TTRPC_REQUEST, "", TTRPC_REFUSE},	  {4, TTRPC_REQUEST, "", TTRPC_REFUSE},
		{7, TTRPC_REQUEST, "", TTRPC_CALL},	{5, TTRPC_REQUEST, "", TTRPC_REFUSE},	  {9, TTRPC_DATA, "", TTRPC_REFUSE},
		{9, TTRPC_RESPONSE, "", TTRPC_IGNORE},	{9, 99, "", TTRPC_IGNORE},		  {9, TTRPC_REQUEST, "\x0a\x05", TTRPC_REFUSE},
		{11, TTRPC_REQUEST, "\xba\x1f\x01x\x12\x01m", TTRPC_CALL}, /* a field of the future */
	};
	struct ttrpc_server server = {0};
	struct ttrpc_request request;
	uint32_t last = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
		unsigned char bytes[100];
		struct proto_writer writer = {.bytes = bytes, .size = sizeof(bytes)};
		struct ttrpc_message message = {.stream = step[i].stream, .type = step[i].type, .data = text_of(step[i].data, strlen(step[i].data))};
		assert_int_equal(ttrpc_accept(&server, &message, &request, &writer), step[i].want);
		assert_int_equal(writer.length > 0, step[i].want == TTRPC_REFUSE);
		if (step[i].want == TTRPC_REFUSE)
			assert_int_equal(big_endian_get(bytes + 4), step[i].stream); /* so that the caller knows which */
	}
	assert_true(ttrpc_next_stream(&last) == 1 && ttrpc_next_stream(&last) == 3);
	last = UINT32_MAX - 2;
	assert_int_equal(ttrpc_next_stream(&last), UINT32_MAX);
	assert_int_equal(ttrpc_next_stream(&last), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protobuf_fields_are_read),
		cmocka_unit_test(test_what_is_no_protobuf_is_refused),
		cmocka_unit_test(test_the_writer_is_read_back_and_stops_at_its_end),
		cmocka_unit_test(test_requests_replies_and_errors_survive_the_wire),
		cmocka_unit_test(test_a_message_comes_in_any_pieces),
		cmocka_unit_test(test_a_too_long_message_is_said_once_and_thrown_away),
		cmocka_unit_test(test_a_server_judges_streams_as_go_does),
	};

	return cmocka_run_group_tests_name("nri_wire", tests, NULL, NULL);
}
