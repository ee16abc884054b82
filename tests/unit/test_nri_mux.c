/* NRI's trunk: frames in any pieces, forged frames, and frames that Go's receiver can take. */
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

#include "base/fd.h"
#include "shim/big_endian.h"
#include "shim/mux.h"
#include "nri_make.h"

#define MIB (1024U * 1024)

struct sent {
	unsigned char bytes[65536];
	size_t length;
};

static void put_frame(struct sent *sent, uint32_t connection, const void *bytes, size_t length)
{
	assert_true(sent->length + 8 + length <= sizeof(sent->bytes));
	big_endian_put(sent->bytes + sent->length, connection);
	big_endian_put(sent->bytes + sent->length + 4, (uint32_t)length);
	if (length > 0)
		memcpy(sent->bytes + sent->length + 8, bytes, length);
	sent->length += 8 + length;
}

#define TALK_MESSAGES 6

/* What a runtime may send: two connections in turn, a message in three frames, two messages in one, empty frames, others' frames. */
static void make_talk(struct sent *sent)
{
	unsigned char a[20000], b[2000];
	size_t n = make_request(a, sizeof(a), 1, "Synchronize", 9000), m = make_request(b, sizeof(b), 1, "R", 50);

	*sent = (struct sent){0};
	put_frame(sent, MUX_PLUGIN, a, 4096);
	put_frame(sent, MUX_RUNTIME, b, 5);
	put_frame(sent, 3, "of nobody here", 14);
	put_frame(sent, MUX_PLUGIN, a + 4096, 100);
	put_frame(sent, 0, NULL, 0);
	put_frame(sent, MUX_RUNTIME, b + 5, m - 5); /* message 1 */
	put_frame(sent, MUX_PLUGIN, a + 4196, n - 4196); /* message 2 */
	put_frame(sent, MUX_PLUGIN, NULL, 0);
	n = make_request(a, sizeof(a), 3, "StopContainer", 10);
	n += make_request(a + n, sizeof(a) - n, 5, "RemoveContainer", 0);
	m = make_request(b, sizeof(b), 7, "CreateContainer", 600);
	memcpy(a + n, b, 13);
	put_frame(sent, MUX_PLUGIN, a, n + 13);		/* messages 3, 4, and the beginning of 5 */
	put_frame(sent, MUX_PLUGIN, b + 13, m - 13);
	m = make_request(b, sizeof(b), 9, "StateChange", 3);
	put_frame(sent, MUX_PLUGIN, b, 1);
	put_frame(sent, MUX_PLUGIN, b + 1, m - 1); /* message 6 */
}

struct heard {
	size_t count;
	uint32_t connection[TALK_MESSAGES], stream[TALK_MESSAGES], length[TALK_MESSAGES], sum[TALK_MESSAGES];
};

static int hear(struct mux *mux, const unsigned char *bytes, size_t length, struct heard *heard)
{
	struct mux_message message;
	struct err e = {0};
	size_t taken;
	int r;

	while ((r = mux_feed(mux, bytes, length, &taken, &message, &e)) > 0) {
		assert_true(heard->count < TALK_MESSAGES);
		heard->connection[heard->count] = message.connection;
		heard->stream[heard->count] = message.ttrpc.stream;
		heard->length[heard->count] = message.ttrpc.data.length;
		for (size_t i = 0; i < message.ttrpc.data.length; i++)
			heard->sum[heard->count] = heard->sum[heard->count] * 31 + (unsigned char)message.ttrpc.data.bytes[i];
		heard->count++;
		bytes += taken;
		length -= taken;
	}
	return r;
}

static void test_frames_are_put_together_at_every_boundary(void **unused)
{
	static struct sent sent;
	static struct mux mux;
	struct heard want = {0}, got;

	(void)unused;
	make_talk(&sent);
	mux_open(&mux);
	assert_int_equal(hear(&mux, sent.bytes, sent.length, &want), 0);
	static const uint32_t connections[TALK_MESSAGES] = {MUX_RUNTIME, MUX_PLUGIN, MUX_PLUGIN, MUX_PLUGIN, MUX_PLUGIN, MUX_PLUGIN};
	static const uint32_t streams[TALK_MESSAGES] = {1, 1, 3, 5, 7, 9};
	assert_int_equal(want.count, TALK_MESSAGES);
	assert_memory_equal(want.connection, connections, sizeof(connections));
	assert_memory_equal(want.stream, streams, sizeof(streams));
	for (size_t cut = 0; cut <= sent.length; cut++) { /* in two pieces */
		got = (struct heard){0};
		unsigned char *first = malloc(cut + 1), *second = malloc(sent.length - cut + 1); /* of just their size */
		memcpy(first, sent.bytes, cut);
		memcpy(second, sent.bytes + cut, sent.length - cut);
		assert_int_equal(hear(&mux, first, cut, &got), 0);
		free(first);
		assert_int_equal(hear(&mux, second, sent.length - cut, &got), 0);
		free(second);
		assert_memory_equal(&got, &want, sizeof(got));
	}
	for (size_t piece = 1; piece < 60; piece++) { /* in many */
		got = (struct heard){0};
		for (size_t at = 0; at < sent.length; at += piece)
			assert_int_equal(hear(&mux, sent.bytes + at, at + piece < sent.length ? piece : sent.length - at, &got), 0);
		assert_memory_equal(&got, &want, sizeof(got));
	}
	mux_close(&mux);
}

static void test_a_forged_frame_ends_the_connection(void **unused)
{
	static const uint32_t lengths[] = {MUX_PAYLOAD_MAX_BYTES + 1, 0x7fffffff, 0xffffffff};
	static struct mux mux;
	struct mux_message message;
	size_t taken;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		unsigned char header[8];
		struct err e = {0};
		big_endian_put(header, i == 0 ? MUX_PLUGIN : 77);
		big_endian_put(header + 4, lengths[i]);
		mux_open(&mux);
		assert_int_equal(mux_feed(&mux, header, 8, &taken, &message, &e), -EPROTO);
		assert_non_null(strstr(e.text, "the limit is 4194314"));
	}
	/* the longest that is allowed costs nothing until it comes */
	unsigned char header[18];
	big_endian_put(header, MUX_PLUGIN);
	big_endian_put(header + 4, MUX_PAYLOAD_MAX_BYTES);
	big_endian_put(header + 8, TTRPC_DATA_MAX_BYTES);
	memcpy(header + 12, "\0\0\0\1\1\0", 6);
	struct err e = {0};
	mux_open(&mux);
	assert_int_equal(mux_feed(&mux, header, sizeof(header), &taken, &message, &e), 0);
	assert_true(mux.inbox[0].big.size >= MUX_PAYLOAD_MAX_BYTES);
	mux_close(&mux); /* cut off in the middle: nothing is left behind */
	assert_null(mux.inbox[0].big.bytes);
}

struct pipe {
	int ours, theirs;
};

static struct pipe open_pipe(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	return (struct pipe){fds[0], fds[1]};
}

static void pipe_drop(struct pipe *pipe)
{
	fd_drop(&pipe->ours);
	fd_drop(&pipe->theirs);
}

/* Finding 1: what Go's receiver can take. */
static void test_small_messages_are_one_frame_long_ones_two(void **unused)
{
	static const size_t totals[] = {TTRPC_HEADER_BYTES, 4095, 4096, 4097, 6000};
	static unsigned char bytes[8192], got[9000];
	static struct mux mux;

	(void)unused;
	mux_open(&mux);
	for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
		scoped(pipe_drop) struct pipe pipe = open_pipe();
		struct err e = {0};
		memset(bytes, (int)i, sizeof(bytes));
		assert_int_equal(mux_send(&mux, pipe.ours, MUX_PLUGIN, bytes, totals[i], &e), 0);
		ssize_t n = read(pipe.theirs, got, sizeof(got));
		bool two = totals[i] > 4096;
		assert_int_equal(n, totals[i] + (two ? 16 : 8));
		assert_int_equal(big_endian_get(got), MUX_PLUGIN);
		assert_int_equal(big_endian_get(got + 4), two ? TTRPC_HEADER_BYTES : totals[i]);
		if (two) {
			assert_int_equal(big_endian_get(got + 18), MUX_PLUGIN);
			assert_int_equal(big_endian_get(got + 22), totals[i] - TTRPC_HEADER_BYTES);
		}
	}
	struct err e = {0};
	assert_int_equal(mux_send(&mux, -1, MUX_PLUGIN, bytes, 9, &e), -EMSGSIZE);
	assert_int_equal(mux_send(&mux, -1, MUX_PLUGIN, bytes, MUX_PAYLOAD_MAX_BYTES + 1, &e), -EMSGSIZE);
}

static size_t drain(int fd, unsigned char *to)
{
	size_t length = 0;

	for (ssize_t n; (n = read(fd, to + length, 65536)) > 0;)
		length += (size_t)n;
	return length;
}

static void test_what_the_socket_does_not_take_is_kept_in_order(void **unused)
{
	static struct mux mux, peer;
	const size_t big = 3 * MIB;
	scoped(scoped_free) unsigned char *bytes = calloc(1, big), *got = malloc(big + 65536 + 100000);
	scoped(pipe_drop) struct pipe pipe = open_pipe();
	struct heard heard = {0};
	struct err e = {0};
	size_t length = 0;

	(void)unused;
	big_endian_put(bytes, (uint32_t)(big - TTRPC_HEADER_BYTES));
	big_endian_put(bytes + 4, 1);
	mux_open(&mux);
	mux_open(&peer);
	assert_int_equal(mux_send(&mux, pipe.ours, MUX_PLUGIN, bytes, big, &e), 1);
	assert_true(mux_has_queue(&mux));
	unsigned char small[100];
	size_t n = make_request(small, sizeof(small), 3, "Second", 3);
	assert_int_equal(mux_send(&mux, pipe.ours, MUX_RUNTIME, small, n, &e), 1); /* never overtakes */
	int r;
	do {
		length += drain(pipe.theirs, got + length);
		r = mux_flush(&mux, pipe.ours, &e);
		assert_true(r >= 0);
	} while (r > 0);
	length += drain(pipe.theirs, got + length);
	assert_int_equal(length, big + 16 + n + 8);
	assert_null(mux.queue.bytes);
	assert_int_equal(hear(&peer, got, length, &heard), 0);
	assert_true(heard.count == 2 && heard.stream[0] == 1 && heard.length[0] == big - TTRPC_HEADER_BYTES && heard.stream[1] == 3);

	/* a peer that never reads is given up, one that went away is said */
	for (r = 0; r >= 0;)
		r = mux_send(&mux, pipe.ours, MUX_PLUGIN, bytes, big, &e);
	assert_int_equal(r, -ENOBUFS);
	assert_true(mux.queue.size <= MUX_QUEUE_MAX_BYTES + 4096);
	mux_close(&mux);
	fd_drop(&pipe.theirs);
	assert_int_equal(mux_send(&mux, pipe.ours, MUX_PLUGIN, small, n, &e), -EPIPE);
	mux_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_are_put_together_at_every_boundary),
		cmocka_unit_test(test_a_forged_frame_ends_the_connection),
		cmocka_unit_test(test_small_messages_are_one_frame_long_ones_two),
		cmocka_unit_test(test_what_the_socket_does_not_take_is_kept_in_order),
	};

	return cmocka_run_group_tests_name("nri_mux", tests, NULL, NULL);
}
