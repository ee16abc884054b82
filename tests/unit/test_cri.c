/* What a container runtime says of a container: the call over HTTP/2 with a server of nghttp2's as the other end, and the message. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/scoped.h"
#include "shim/cri_call.h"
#include "shim/cri_status.h"
#include "shim/proto.h"
#include "shim/text.h"

#define ID     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LOG    "/var/log/pods/team-a_etl-exec-7_5ab0f1c2/spark-kubernetes-executor/2.log"
#define SERVED (2U * CRI_CALL_ANSWER_BYTES)

/* --- the server --- */

struct script {
	const char *name;
	bool no_message;   /* headers that are trailers at once */
	unsigned char compressed;
	uint32_t promised; /* length in the prefix; 0 = as it is */
	const char *code, *words;
	bool reset;	   /* the stream, after the message */
};

struct server {
	const struct script *script;
	const unsigned char *message;
	uint32_t length, given;
	char method[96];
	unsigned char asked[256];
	uint32_t asked_length;
};

#define PAIR(key, text) {(uint8_t *)(uintptr_t)(key), (uint8_t *)(uintptr_t)(text), strlen(key), strlen(text), NGHTTP2_NV_FLAG_NONE}

static int take_name(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length, const uint8_t *value, size_t value_length,
		     uint8_t flags, void *user)
{
	struct server *s = user;

	(void)session;
	(void)frame;
	(void)flags;
	if (name_length == 5 && memcmp(name, ":path", 5) == 0)
		snprintf(s->method, sizeof(s->method), "%.*s", (int)value_length, (const char *)value);
	return 0;
}

static int take_body(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t length, void *user)
{
	struct server *s = user;

	(void)session;
	(void)flags;
	(void)stream;
	assert_true(length <= sizeof(s->asked) - s->asked_length);
	memcpy(s->asked + s->asked_length, data, length);
	s->asked_length += (uint32_t)length;
	return 0;
}

static ssize_t give_message(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size, uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct server *s = user;
	const uint32_t promised = s->script->promised ? s->script->promised : s->length;
	const unsigned char prefix[] = {s->script->compressed, (unsigned char)(promised >> 24), (unsigned char)(promised >> 16), (unsigned char)(promised >> 8),
					(unsigned char)promised};
	const nghttp2_nv trailers[] = {PAIR("grpc-status", s->script->code), PAIR("grpc-message", s->script->words)};
	size_t n = 0;

	(void)source;
	for (; n < size && s->given < sizeof(prefix) + s->length; n++, s->given++)
		buffer[n] = s->given < sizeof(prefix) ? prefix[s->given] : s->message[s->given - sizeof(prefix)];
	if (s->given == sizeof(prefix) + s->length) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (s->script->reset)
			nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_INTERNAL_ERROR);
		else
			nghttp2_submit_trailer(session, stream, trailers, ARRAY_SIZE(trailers));
	}
	return (ssize_t)n;
}

static int take_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct server *s = user;
	const nghttp2_nv headers[] = {PAIR(":status", "200"), PAIR("content-type", "application/grpc"), PAIR("grpc-status", s->script->code ? s->script->code : ""),
				      PAIR("grpc-message", s->script->words)};
	const nghttp2_data_provider message = {.read_callback = give_message};

	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || frame->hd.type != NGHTTP2_DATA)
		return 0;
	nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL); /* as gRPC's servers do, to measure the way */
	return nghttp2_submit_response(session, frame->hd.stream_id, headers, s->script->no_message ? 4 : 2, s->script->no_message ? NULL : &message);
}

/* All that the server answers to `sent`. */
static size_t serve(struct server *s, const unsigned char *sent, size_t length, unsigned char *answer)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	const uint8_t *bytes;
	size_t answered = 0;

	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, take_name);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_body);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, take_frame);
	assert_int_equal(nghttp2_session_server_new(&session, callbacks, s), 0);
	assert_int_equal(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
	assert_int_equal(nghttp2_session_mem_recv(session, sent, length), length);
	for (ssize_t n; (n = nghttp2_session_mem_send(session, &bytes)) > 0; answered += (size_t)n) {
		assert_true((size_t)n <= SERVED - answered);
		memcpy(answer + answered, bytes, (size_t)n);
	}
	nghttp2_session_del(session);
	nghttp2_session_callbacks_del(callbacks);
	return answered;
}

/* --- a message --- */

static uint32_t write_response(unsigned char *bytes, size_t size, uint32_t padding)
{
	static const char label[] = "a label that nobody asked for";
	struct proto_writer w = {.bytes = bytes, .size = size};
	const size_t status = proto_begin(&w, 1);

	proto_write_text(&w, 1, ID, strlen(ID));
	proto_write_number(&w, 3, CRI_EXITED);
	proto_write_number(&w, 6, 1795680900123456789ULL);
	proto_write_number(&w, 7, 137);
	proto_write_text(&w, 10, "OOMKilled", 9);
	proto_write_text(&w, 11, "password=hunter2", 16);
	for (uint32_t i = 0; i < padding; i++)
		proto_write_text(&w, 13, label, strlen(label));
	proto_write_text(&w, 15, LOG, strlen(LOG));
	proto_end(&w, status);
	assert_false(w.overflow);
	return (uint32_t)w.length;
}

static void check_status(struct text message)
{
	struct cri_status status;

	assert_int_equal(cri_read_status(message, &status), 0);
	assert_true(text_is(status.id, ID) && text_is(status.reason, "OOMKilled") && text_is(status.message, "password=hunter2"));
	assert_int_equal(status.state, CRI_EXITED);
	assert_int_equal(status.exit_code, 137);
	assert_int_equal(status.finished_at_ns, 1795680900123456789LL);
	assert_int_equal(cri_log_number(status.log_path), 2);
}

/* --- the call --- */

struct stage {
	unsigned char ask[CRI_STATUS_ASK_BYTES], sent[CRI_CALL_SENT_BYTES], message[CRI_CALL_ANSWER_BYTES], answer[SERVED];
	uint32_t ask_length, message_length;
	size_t sent_length, answer_length;
};

static struct cri_call *open_call(struct stage *s)
{
	struct err e = {0};

	s->ask_length = cri_write_status_request(ID, s->ask);
	struct cri_call *call = cri_call_open(CRI_STATUS_METHOD, s->ask, s->ask_length, s->sent, &s->sent_length, &e);
	assert_non_null(call);
	return call;
}

static void run_script(struct stage *s, const struct script *script)
{
	struct server server = {.script = script, .message = s->message, .length = s->message_length};

	cri_call_close(open_call(s));
	s->answer_length = serve(&server, s->sent, s->sent_length, s->answer);
	assert_string_equal(server.method, CRI_STATUS_METHOD);
	assert_int_equal(server.asked_length, 5 + s->ask_length);
	assert_memory_equal(server.asked + 5, s->ask, s->ask_length);
}

/* In pieces of `piece` bytes, as pipes bring them. */
static int take(struct stage *s, size_t length, size_t piece, struct cri_call *call, struct text *ret, struct err *e)
{
	int r = 0;

	for (size_t at = 0; at < length && r == 0; at += piece)
		r = cri_call_take(call, s->answer + at, length - at < piece ? length - at : piece, e);
	return r < 0 ? r : cri_call_answer(call, ret, e);
}

static int open_stage(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	if (s)
		s->message_length = write_response(s->message, sizeof(s->message), 8);
	*state = s;
	return s ? 0 : -1;
}

static int close_stage(void **state)
{
	free(*state);
	return 0;
}

static void test_an_answer(void **state)
{
	static const struct script script = {.name = "good", .code = "0", .words = ""};
	struct stage *s = *state;
	struct err e = {0};
	struct text message;

	run_script(s, &script);
	for (size_t piece = 1; piece < s->answer_length; piece += piece < 70 ? 1 : 97) {
		struct cri_call *call = open_call(s);
		assert_int_equal(take(s, s->answer_length, piece, call, &message, &e), 0);
		check_status(message);
		cri_call_close(call);
	}
}

static void test_an_answer_of_many_frames(void **state)
{
	static const struct script script = {.name = "long", .code = "0", .words = ""};
	struct stage *s = *state;
	struct err e = {0};
	struct text message;

	s->message_length = write_response(s->message, sizeof(s->message), 16000); /* 480 KiB: beyond the windows that HTTP/2 begins with */
	run_script(s, &script);
	struct cri_call *call = open_call(s);
	assert_int_equal(take(s, s->answer_length, 4096, call, &message, &e), 0);
	check_status(message);
	cri_call_close(call);
}

/* Whatever is missing at its end, a half answer is none. */
static void test_an_answer_that_is_cut(void **state)
{
	static const struct script script = {.name = "good", .code = "0", .words = ""};
	struct stage *s = *state;
	struct text message;

	run_script(s, &script);
	for (size_t length = 0; length < s->answer_length; length++) {
		struct cri_call *call = open_call(s);
		struct err e = {0};
		assert_int_equal(take(s, length, length + 1, call, &message, &e), -EBADMSG);
		cri_call_close(call);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		struct script script;
		int want;
		const char *words;
	} rows[] = {
		{{.name = "not found", .no_message = true, .code = "5", .words = "an error occurred when try to find container"}, -ESRCH, "when try to find"},
		{{.name = "no method", .no_message = true, .code = "12", .words = "unknown service runtime.v1.RuntimeService"}, -ENOSYS, "unknown service"},
		{{.name = "failure", .no_message = true, .code = "14", .words = "going away"}, -EIO, "status 14"},
		{{.name = "code of letters", .no_message = true, .code = "many", .words = ""}, -EIO, "status"},
		{{.name = "code beyond an int", .no_message = true, .code = "99999999999", .words = ""}, -EIO, "status 2147483647"},
		{{.name = "failure after a message", .code = "2", .words = "unknown"}, -EIO, "status 2"},
		{{.name = "compressed", .compressed = 1, .code = "0", .words = ""}, -EBADMSG, "whole message"},
		{{.name = "promises more", .promised = 100000, .code = "0", .words = ""}, -EBADMSG, "whole message"},
		{{.name = "promises less", .promised = 10, .code = "0", .words = ""}, -EBADMSG, "whole message"},
		{{.name = "promises too much", .promised = 0xffffffff, .code = "0", .words = ""}, -EBADMSG, "too long"},
		{{.name = "reset", .reset = true, .code = "0", .words = ""}, -EIO, "HTTP/2 error 2"},
		{{.name = "no message, no failure", .no_message = true, .code = "0", .words = ""}, -EBADMSG, "whole message"},
	};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = {0};
		struct text message;
		run_script(s, &rows[i].script);
		struct cri_call *call = open_call(s);
		const int r = take(s, s->answer_length, s->answer_length, call, &message, &e);
		if (r != rows[i].want || !strstr(e.text, rows[i].words))
			fail_msg("%s: %d, %s", rows[i].script.name, r, e.text);
		cri_call_close(call);
	}
}

static void test_what_is_no_http2(void **state)
{
	static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "no"};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct cri_call *call = open_call(s);
		struct err e = {0};
		struct text message;
		memcpy(s->answer, answers[i], 3);
		const size_t length = i == 1 ? 10 : strlen(answers[i]);
		memcpy(s->answer, answers[i], length);
		assert_int_equal(take(s, length, length, call, &message, &e), -EBADMSG);
		cri_call_close(call);
	}
}

/* --- the message --- */

static struct text bytes_of(const char *bytes, size_t length)
{
	return (struct text){bytes, (uint32_t)length};
}

#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)

static void test_messages(void **state)
{
	static const char whole[] = "\x0a\x09\x0a\x01x\x18\x02\x38\x34\x52\x00", parts[] = "\x0a\x05\x0a\x01x\x18\x01\x0a\x04\x18\x02\x38\x34";
	struct cri_status status = {0};

	(void)state;
	assert_int_equal(cri_read_status(BYTES(whole), &status), 0);
	assert_true(text_is(status.id, "x") && status.state == CRI_EXITED && status.exit_code == 52 && status.reason.length == 0);
	assert_int_equal(cri_read_status(BYTES(parts), &status), 0); /* proto3: parts are one */
	assert_true(text_is(status.id, "x") && status.state == CRI_EXITED && status.exit_code == 52);
	assert_int_equal(cri_read_status(BYTES("\x0a\x0b\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &status), 0);
	assert_int_equal(status.exit_code, -1);
	assert_int_equal(cri_read_status(BYTES("\x0a\x06\x18\xff\xff\xff\xff\x7f"), &status), 0);
	assert_int_equal(status.state, CRI_UNKNOWN);
	status.exit_code = 7;
	assert_int_equal(cri_read_status(BYTES(""), &status), -EBADMSG);
	assert_int_equal(cri_read_status(BYTES("\x12\x02\x0a\x00"), &status), -EBADMSG); /* only what verbose would give */
	assert_int_equal(cri_read_status(BYTES("\x0a\x09\x0a\x01x\x18\x02\x38"), &status), -EBADMSG);
	assert_int_equal(cri_read_status(BYTES("\x0a\x02\x0a\x05"), &status), -EBADMSG);
	assert_int_equal(status.exit_code, 7); /* untouched */
}

static void test_numbers_of_logs(void **state)
{
	(void)state;
	assert_int_equal(cri_log_number(text_of(LOG)), 2);
	assert_int_equal(cri_log_number(text_of("/var/log/pods/a/b/0.log")), 0);
	assert_int_equal(cri_log_number(text_of("12.log")), 12);
	for (size_t i = 0; i < 6; i++) {
		static const char *const not[] = {"", "/", "/a/b/x.log", "/a/b/.log", "/a/b/1.log.gz", "/a/b/99999999999.log"};
		assert_int_equal(cri_log_number(text_of(not[i])), UINT32_MAX);
	}
}

static void test_an_id_that_is_too_long(void **state)
{
	char id[200];
	unsigned char bytes[CRI_STATUS_ASK_BYTES];

	(void)state;
	memset(id, 'a', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	assert_int_equal(cri_write_status_request(id, bytes), 0);
	assert_int_equal(cri_write_status_request("abc", bytes), 5);
	assert_memory_equal(bytes, "\x0a\x03" "abc", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_answer, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_answer_of_many_frames, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_answer_that_is_cut, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_refusals, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_is_no_http2, open_stage, close_stage),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_numbers_of_logs),
		cmocka_unit_test(test_an_id_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
