/* The words of gRPC, and its answers through a socket. */
#include "tests/unit/http2_stage.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/grpc_output.h"

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
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_messages_are_encoded_and_cut_whole),
		cmocka_unit_test(test_an_answer_is_one_write),
		cmocka_unit_test(test_a_slow_reader_gets_every_byte_once),
	};

	return cmocka_run_group_tests_name("grpc", tests, NULL, NULL);
}
