/* gRPC over HTTP/2 without a socket. */
#include "tests/unit/http2_stage.h"

#include <errno.h>

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
	};

	return cmocka_run_group_tests_name("http2", tests, NULL, NULL);
}
