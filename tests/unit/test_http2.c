/* gRPC over HTTP/2 without a socket: nghttp2 as the client, whose bytes go straight to ours and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/grpc_output.h"
#include "shim/http2.h"
#include "shim/text.h"

#define CALLS_MAX 64

/* One call as its client sees it. */
struct call {
	int32_t id;
	unsigned char body[GRPC_PREFIX_BYTES + GRPC_MESSAGE_BYTES + 100];
	size_t length, sent;
	char status[8], code[8], text[512];
	unsigned char reply[16384];
	size_t reply_length;
	uint32_t closed; /* 1 + error code */
};

struct stage {
	struct http2 server;
	nghttp2_session *client;
	size_t held_bytes;
	uint64_t now_us;
	struct call calls[CALLS_MAX];
	size_t count;
	/* what the server's owner saw */
	struct {
		int32_t stream;
		char path[96];
		size_t length;
	} seen[CALLS_MAX];
	size_t seen_count;
	bool answer_at_once;
	struct err e;
	int failed;
};

static void on_call(struct http2 *http2, const struct http2_call *call)
{
	struct stage *s = http2->owner;

	assert_true(s->seen_count < CALLS_MAX);
	s->seen[s->seen_count].stream = call->stream;
	str_copy(s->seen[s->seen_count].path, sizeof(s->seen[0].path), call->path);
	s->seen[s->seen_count++].length = call->message.length;
	if (s->answer_at_once)
		assert_true(http2_answer(http2, call->stream, GRPC_OK, NULL, call->message.bytes, call->message.length));
}

static struct call *find_call(struct stage *s, int32_t id)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->calls[i].id == id)
			return &s->calls[i];
	abort(); /* an answer that nobody asked for */
}

static int client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length, const uint8_t *value, size_t value_length,
			 uint8_t flags, void *user)
{
	struct call *c = find_call(user, frame->hd.stream_id);
	const struct text key = {(const char *)name, (uint32_t)name_length}, text = {(const char *)value, (uint32_t)value_length};

	(void)session;
	(void)flags;
	if (text_is(key, ":status"))
		text_copy(c->status, sizeof(c->status), text);
	if (text_is(key, "grpc-status"))
		text_copy(c->code, sizeof(c->code), text);
	if (text_is(key, "grpc-message"))
		text_copy(c->text, sizeof(c->text), text);
	assert_false(text_is(key, "grpc-status-details-bin"));
	return 0;
}

static int client_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *user)
{
	struct call *c = find_call(user, id);

	(void)session;
	(void)flags;
	assert_true(length <= sizeof(c->reply) - c->reply_length);
	memcpy(c->reply + c->reply_length, bytes, length);
	c->reply_length += length;
	return 0;
}

static int client_closed(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct call *c = find_call(user, id);

	(void)session;
	c->closed = 1 + code;
	return 0;
}

static ssize_t client_body(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t size, uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct call *c = source->ptr;
	const size_t n = c->length - c->sent < size ? c->length - c->sent : size;

	(void)session;
	(void)id;
	(void)user;
	memcpy(buffer, c->body + c->sent, n);
	c->sent += n;
	if (c->sent == c->length)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void open_stage(struct stage *s)
{
	static const struct http2_ops ops = {.on_call = on_call};
	nghttp2_session_callbacks *callbacks;

	*s = (struct stage){.now_us = 1000};
	assert_int_equal(http2_open(&s->server, &ops, s, &s->held_bytes, &s->e), 0);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, client_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, client_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, client_closed);
	nghttp2_session_client_new(&s->client, callbacks, s);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(s->client, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void close_stage(struct stage *s)
{
	http2_close(&s->server);
	nghttp2_session_del(s->client);
	assert_int_equal(s->held_bytes, 0);
	free(s);
}

static struct stage *new_stage(void)
{
	struct stage *s = malloc(sizeof(*s));

	assert_non_null(s);
	open_stage(s);
	return s;
}

/* Carries bytes in pieces of `step` until nothing moves. */
static void carry(struct stage *s, size_t step)
{
	const unsigned char *bytes;
	bool moved = true;

	while (moved && s->failed == 0) {
		moved = false;
		for (ssize_t n; (n = nghttp2_session_mem_send(s->client, &bytes)) > 0 && s->failed == 0; moved = true)
			for (ssize_t at = 0; at < n && s->failed == 0; at += (ssize_t)step)
				s->failed = http2_receive(&s->server, bytes + at, (size_t)(n - at) < step ? (size_t)(n - at) : step, s->now_us, &s->e);
		for (ssize_t n; (n = http2_output(&s->server, &bytes, &s->e)) > 0; moved = true)
			assert_int_equal(nghttp2_session_mem_recv(s->client, bytes, (size_t)n), n);
	}
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static struct call *begin(struct stage *s, const char *method, const char *type, const char *path, const char *timeout)
{
	struct call *c = &s->calls[s->count++];
	const nghttp2_nv headers[] = {nv(":method", method), nv(":scheme", "http"), nv(":path", path), nv(":authority", "localhost"), nv("content-type", type), nv("te", "trailers"), nv("grpc-timeout", timeout)};
	const nghttp2_data_provider provider = {{.ptr = c}, client_body};

	assert_true(s->count <= CALLS_MAX);
	c->id = nghttp2_submit_request(s->client, NULL, headers, ARRAY_SIZE(headers) - (*timeout ? 0 : 1), &provider, NULL);
	assert_true(c->id > 0);
	return c;
}

static struct call *begin_call(struct stage *s, const char *path, const char *message, size_t length)
{
	struct call *c = begin(s, "POST", "application/grpc", path, "");

	grpc_write_prefix(c->body, length);
	memset(c->body + GRPC_PREFIX_BYTES, 'x', length);
	if (message)
		memcpy(c->body + GRPC_PREFIX_BYTES, message, length);
	c->length = GRPC_PREFIX_BYTES + length;
	return c;
}

static void assert_ended(const struct call *c, const char *code, const char *text)
{
	assert_string_equal(c->status, "200");
	assert_string_equal(c->code, code);
	assert_string_equal(c->text, text);
	assert_int_equal(c->closed, 1 + NGHTTP2_NO_ERROR);
}

/* --- whole calls --- */

static void test_a_call_is_answered_whatever_the_pieces(void **unused)
{
	(void)unused;
	for (size_t step = 1; step < 5000; step = step * 3 + 1) {
		struct stage *s = new_stage();
		s->answer_at_once = true;
		struct call *c = begin_call(s, "/a.B/C", "hello", 5);
		carry(s, step);
		assert_string_equal(s->seen[0].path, "/a.B/C");
		assert_ended(c, "0", "");
		assert_int_equal(c->reply_length, 10);
		assert_memory_equal(c->reply, "\0\0\0\0\5hello", 10);
		close_stage(s);
	}
}

static void test_many_at_once_are_answered_in_any_order(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	carry(s, 4096);
	for (unsigned i = 0; i < HTTP2_STREAMS_MAX; i++)
		begin_call(s, "/a.B/C", NULL, i);
	carry(s, 100);
	assert_int_equal(s->seen_count, HTTP2_STREAMS_MAX);
	for (unsigned i = HTTP2_STREAMS_MAX; i-- > 0;)
		assert_true(http2_answer(&s->server, s->seen[i].stream, i % 2 ? GRPC_ABORTED : GRPC_OK, "later: 100% \n", NULL, 0));
	carry(s, 4096);
	for (unsigned i = 0; i < HTTP2_STREAMS_MAX; i++)
		assert_ended(&s->calls[i], i % 2 ? "10" : "0", i % 2 ? "later: 100%25 %0A" : "");
	assert_true(http2_is_idle(&s->server));
	assert_false(http2_answer(&s->server, s->seen[0].stream, GRPC_OK, NULL, NULL, 0)); /* once only */
	close_stage(s);
}

static void test_more_than_the_bound_wait_their_turn(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	carry(s, 4096); /* our settings are known: nghttp2 as a client keeps to them */
	for (unsigned i = 0; i < HTTP2_STREAMS_MAX + 8; i++)
		begin_call(s, "/a.B/C", NULL, 1);
	carry(s, 4096);
	assert_int_equal(s->seen_count, HTTP2_STREAMS_MAX);
	http2_answer(&s->server, s->seen[0].stream, GRPC_OK, NULL, NULL, 0);
	carry(s, 4096);
	assert_int_equal(s->seen_count, HTTP2_STREAMS_MAX + 1);
	close_stage(s);
}

static void test_a_client_that_does_not_know_the_bound_is_refused_the_rest(void **unused)
{
	struct stage *s = new_stage();
	unsigned refused = 0;

	(void)unused;
	for (unsigned i = 0; i < HTTP2_STREAMS_MAX + 8; i++) /* sent before our settings are read */
		begin_call(s, "/a.B/C", NULL, 1);
	carry(s, 4096);
	for (size_t i = 0; i < s->count; i++)
		refused += s->calls[i].closed == 1 + NGHTTP2_REFUSED_STREAM;
	assert_int_equal(s->seen_count, HTTP2_STREAMS_MAX);
	assert_int_equal(refused, 8); /* "not processed": gRPC's clients try again by themselves */
	close_stage(s);
}

static void test_the_largest_message_and_one_byte_more(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	struct call *largest = begin_call(s, "/a.B/C", NULL, GRPC_MESSAGE_BYTES), *more = begin_call(s, "/a.B/C", NULL, GRPC_MESSAGE_BYTES + 1);
	carry(s, 4096);
	assert_int_equal(s->seen_count, 1);
	assert_int_equal(s->seen[0].length, GRPC_MESSAGE_BYTES);
	assert_string_equal(more->code, "8");
	assert_string_equal(more->text, "a message has at most 65536 bytes");
	assert_true(more->closed > 0);
	assert_int_equal(largest->closed, 0);
	assert_int_equal(s->server.refused_total, 1);
	close_stage(s);
}

static void test_all_messages_together_are_bounded(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	s->held_bytes = HTTP2_HELD_BYTES - 10000; /* other connections hold the rest */
	struct call *c = begin_call(s, "/a.B/C", NULL, 30000);
	carry(s, 4096);
	assert_string_equal(c->code, "8");
	assert_string_equal(c->text, "too many messages are under way");
	assert_int_equal(s->held_bytes, HTTP2_HELD_BYTES - 10000);
	s->held_bytes = 0;
	close_stage(s);
}

static void test_what_is_no_call_of_grpc(void **unused)
{
	static const struct {
		const char *method, *type, *body;
		size_t length;
		const char *status, *code, *text;
	} row[] = {
		{"GET", "application/grpc", "", 0, "405", "", ""},
		{"POST", "application/json", "{}", 2, "415", "", ""},
		{"POST", "application/grpc-web", "", 0, "415", "", ""},
		{"POST", "application/grpc+proto", "", 0, "200", "12", "a unary call has one message"},
		{"POST", "application/grpc", "\1\0\0\0\1x", 6, "200", "12", "compressed messages are not understood"},
		{"POST", "application/grpc", "\2\0\0\0\1x", 6, "200", "13", "compressed messages are not understood"},
		{"POST", "application/grpc", "\0\0\0", 3, "200", "13", "a unary call has one message"},
		{"POST", "application/grpc", "\0\0\0\0\2x", 6, "200", "13", "the message is cut"},
		{"POST", "application/grpc", "\0\xff\xff\xff\xffx", 6, "200", "13", "the message is cut"},
		{"POST", "application/grpc", "\0\0\0\0\0\0\0\0\0\0", 10, "200", "12", "a unary call has one message"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct stage *s = new_stage();
		struct call *c = begin(s, row[i].method, row[i].type, "/a.B/C", "");
		memcpy(c->body, row[i].body, row[i].length);
		c->length = row[i].length;
		carry(s, 4096);
		assert_string_equal(c->status, row[i].status);
		assert_string_equal(c->code, row[i].code);
		assert_string_equal(c->text, row[i].text);
		assert_true(c->closed > 0);
		assert_int_equal(s->seen_count, 0);
		assert_int_equal(s->server.refused_total, 1);
		close_stage(s);
	}
}

static void test_headers_are_bounded(void **unused)
{
	struct stage *s = new_stage();
	static char path[HTTP2_HEADER_BYTES];

	(void)unused;
	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	struct call *c = begin(s, "POST", "application/grpc", path, "");
	carry(s, 4096);
	assert_string_equal(c->code, "8");
	path[200] = '\0'; /* allowed, and no name of ours */
	struct call *named = begin_call(s, path, NULL, 0);
	carry(s, 4096);
	assert_int_equal(named->closed, 0);
	assert_string_equal(s->seen[0].path, "");
	close_stage(s);
}

/* --- time --- */

static void test_a_timeout_of_the_client_is_kept(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	struct call *c = begin(s, "POST", "application/grpc", "/a.B/C", "500m"), *odd = begin(s, "POST", "application/grpc", "/a.B/C", "5x");
	c->length = odd->length = GRPC_PREFIX_BYTES;
	carry(s, 4096);
	assert_string_equal(odd->code, "13");
	assert_int_equal(s->seen_count, 1);
	assert_int_equal(http2_deadline_us(&s->server), 1000 + 500000);
	assert_int_equal(http2_expire(&s->server, 1000 + 499999, &s->e), 0);
	carry(s, 4096);
	assert_int_equal(c->closed, 0);
	assert_int_equal(http2_expire(&s->server, 1000 + 500000, &s->e), 0);
	carry(s, 4096);
	assert_string_equal(c->code, "4");
	assert_false(http2_answer(&s->server, s->seen[0].stream, GRPC_OK, NULL, NULL, 0)); /* too late */
	close_stage(s);
}

static void test_a_call_that_does_not_come_whole(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	struct call *c = begin_call(s, "/a.B/C", NULL, 2);
	const unsigned char *bytes;
	ssize_t n = nghttp2_session_mem_send(s->client, &bytes); /* preface and settings */
	assert_int_equal(http2_receive(&s->server, bytes, (size_t)n, s->now_us, &s->e), 0);
	n = nghttp2_session_mem_send(s->client, &bytes);
	for (; n > 0 && bytes[3] != NGHTTP2_DATA; n = nghttp2_session_mem_send(s->client, &bytes))
		assert_int_equal(http2_receive(&s->server, bytes, (size_t)n, s->now_us, &s->e), 0);
	assert_int_equal(http2_deadline_us(&s->server), s->now_us + HTTP2_REQUEST_US);
	assert_int_equal(http2_expire(&s->server, s->now_us + HTTP2_REQUEST_US, &s->e), 0);
	carry(s, 4096);
	assert_string_equal(c->code, "4");
	/* and who does not take that answer is let go of */
	assert_int_equal(s->seen_count, 0);
	close_stage(s);
}

static void test_who_does_not_read_is_let_go_of(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	carry(s, 4096);
	nghttp2_settings_entry none = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
	nghttp2_submit_settings(s->client, NGHTTP2_FLAG_NONE, &none, 1);
	s->answer_at_once = true;
	begin_call(s, "/a.B/C", "hello", 5);
	carry(s, 4096);
	assert_int_equal(s->seen_count, 1);
	assert_false(http2_is_idle(&s->server));
	assert_int_equal(http2_expire(&s->server, s->now_us + HTTP2_TAKE_US, &s->e), -ETIMEDOUT);
	assert_string_equal(s->e.text, "the client does not take its answer");
	close_stage(s);
}

/* --- ends --- */

static void test_a_client_that_gives_up_is_forgotten(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	struct call *c = begin_call(s, "/a.B/C", NULL, 2);
	carry(s, 4096);
	assert_int_equal(s->seen_count, 1);
	nghttp2_submit_rst_stream(s->client, NGHTTP2_FLAG_NONE, c->id, NGHTTP2_CANCEL);
	carry(s, 4096);
	assert_true(http2_is_idle(&s->server));
	assert_false(http2_answer(&s->server, c->id, GRPC_OK, NULL, NULL, 0));
	close_stage(s);
}

static void test_what_is_no_http2_ends_the_connection(void **unused)
{
	static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x01\x01\x01\x01\x01\x01\x01\x01"};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct stage *s = new_stage();
		const unsigned char *bytes;
		int r = http2_receive(&s->server, texts[i], strlen(texts[i]), 1, &s->e);
		while (r == 0 && http2_output(&s->server, &bytes, &s->e) > 0)
			;
		assert_true(r < 0 || http2_is_over(&s->server)); /* told by a GOAWAY, then over */
		close_stage(s);
	}
}

static void test_a_goodbye_is_kindly_said(void **unused)
{
	struct stage *s = new_stage();

	(void)unused;
	carry(s, 4096);
	http2_say_goodbye(&s->server);
	carry(s, 4096);
	assert_true(http2_is_over(&s->server));
	assert_int_equal(s->failed, 0);
	close_stage(s);
}

static void test_a_flood_ends_the_connection(void **unused)
{
	struct stage *s = new_stage();
	static const unsigned char ping[] = {0, 0, 8, NGHTTP2_PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
	int r = 0;

	(void)unused;
	carry(s, 4096);
	for (unsigned i = 0; i < 5000 && r == 0; i++)
		r = http2_receive(&s->server, ping, sizeof(ping), 1, &s->e);
	assert_int_equal(r, -EPROTO);
	close_stage(s);
}

/* --- the words of gRPC --- */

static void test_timeouts(void **unused)
{
	static const struct {
		const char *text;
		int r;
		uint64_t us;
	} row[] = {{"1S", 0, 1000000}, {"119999m", 0, 119999000}, {"7u", 0, 7}, {"1999n", 0, 1}, {"2M", 0, 120000000}, {"99999999H", 0, 99999999ULL * 3600 * 1000000}, {"", -EINVAL, 0}, {"S", -EINVAL, 0}, {"1", -EINVAL, 0}, {"-1S", -EINVAL, 0}, {"123456789S", -EINVAL, 0}, {"1s", -EINVAL, 0}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint64_t us = 0;
		assert_int_equal(grpc_timeout(text_of(row[i].text), &us), row[i].r);
		assert_int_equal(us, row[i].us);
	}
}

static void test_messages_are_encoded_and_cut_whole(void **unused)
{
	char small[8];

	(void)unused;
	grpc_encode(small, sizeof(small), "abcdef%g");
	assert_string_equal(small, "abcdef"); /* "%25" has no room: nothing of it is there */
	grpc_encode(small, sizeof(small), "a\n\xc3\xa9");
	assert_string_equal(small, "a%0A%C3");
	assert_string_equal(grpc_code_name(GRPC_UNAVAILABLE), "UNAVAILABLE");
	assert_string_equal(grpc_code_name(99), "?");
}

/* --- through a socket --- */

/* What the client has to say, to the server; its answers stay there. */
static void to_server(struct stage *s)
{
	const unsigned char *bytes;

	for (ssize_t n; (n = nghttp2_session_mem_send(s->client, &bytes)) > 0;)
		assert_int_equal(http2_receive(&s->server, bytes, (size_t)n, s->now_us, &s->e), 0);
}

/* One read's worth. */
static ssize_t from_server(struct stage *s, int fd, size_t size)
{
	unsigned char bytes[8192];
	ssize_t n = recv(fd, bytes, size < sizeof(bytes) ? size : sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		assert_int_equal(nghttp2_session_mem_recv(s->client, bytes, (size_t)n), n);
	return n;
}

/* Each write is a record of its own here. */
static void test_an_answer_is_one_write(void **unused)
{
	struct stage *s = new_stage();
	struct grpc_output output = {0};
	bool sent;
	int pair[2];

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	s->answer_at_once = true;
	carry(s, 4096);
	for (int i = 0; i < 3; i++) {
		struct call *c = begin_call(s, "/a.B/C", NULL, i == 2 ? 6000 : 5);
		to_server(s);
		assert_int_equal(grpc_output_flush(&output, &s->server, pair[0], &sent, &s->e), 0);
		assert_true(sent);
		unsigned writes = 0;
		while (from_server(s, pair[1], 8192) > 0)
			writes++;
		assert_ended(c, "0", "");
		assert_int_equal(c->reply_length, GRPC_PREFIX_BYTES + (i == 2 ? 6000 : 5));
		/* Headers; two frames of data, which are too large to be copied; status. */
		assert_true(i == 2 ? writes == 3 || writes == 4 : writes == 1);
		assert_int_equal(grpc_output_flush(&output, &s->server, pair[0], &sent, &s->e), 0);
		assert_false(sent);
	}
	close(pair[0]);
	close(pair[1]);
	close_stage(s);
}

static void test_a_slow_reader_gets_every_byte_once(void **unused)
{
	struct stage *s = new_stage();
	struct grpc_output output = {0};
	const int least = 1; /* the kernel makes it some 4 KiB */
	unsigned stuck = 0;
	bool sent;
	int pair[2], r;

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
	s->answer_at_once = true;
	carry(s, 4096);
	for (int i = 0; i < 12; i++)
		begin_call(s, "/a.B/C", NULL, i % 3 ? 7 : 6000);
	to_server(s);
	while ((r = grpc_output_flush(&output, &s->server, pair[0], &sent, &s->e)) != 0 || from_server(s, pair[1], 8192) > 0) {
		assert_true(r >= 0);
		stuck += r == 1;
		from_server(s, pair[1], 700);
		to_server(s); /* room for more data, as its flow control says */
	}
	assert_true(stuck > 3);
	for (int i = 0; i < 12; i++) {
		assert_ended(&s->calls[i], "0", "");
		assert_int_equal(s->calls[i].reply_length, GRPC_PREFIX_BYTES + (i % 3 ? 7 : 6000));
	}
	close(pair[0]);
	close(pair[1]);
	close_stage(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_call_is_answered_whatever_the_pieces),
		cmocka_unit_test(test_many_at_once_are_answered_in_any_order),
		cmocka_unit_test(test_more_than_the_bound_wait_their_turn),
		cmocka_unit_test(test_a_client_that_does_not_know_the_bound_is_refused_the_rest),
		cmocka_unit_test(test_the_largest_message_and_one_byte_more),
		cmocka_unit_test(test_all_messages_together_are_bounded),
		cmocka_unit_test(test_what_is_no_call_of_grpc),
		cmocka_unit_test(test_headers_are_bounded),
		cmocka_unit_test(test_a_timeout_of_the_client_is_kept),
		cmocka_unit_test(test_a_call_that_does_not_come_whole),
		cmocka_unit_test(test_who_does_not_read_is_let_go_of),
		cmocka_unit_test(test_a_client_that_gives_up_is_forgotten),
		cmocka_unit_test(test_what_is_no_http2_ends_the_connection),
		cmocka_unit_test(test_a_goodbye_is_kindly_said),
		cmocka_unit_test(test_a_flood_ends_the_connection),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_messages_are_encoded_and_cut_whole),
		cmocka_unit_test(test_an_answer_is_one_write),
		cmocka_unit_test(test_a_slow_reader_gets_every_byte_once),
	};

	return cmocka_run_group_tests_name("http2", tests, NULL, NULL);
}
