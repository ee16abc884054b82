/* Records that wait for a peer that does not read: none is lost, none overtakes another, and it ends somewhere. */
#include <errno.h>
#include <sys/socket.h>

#include "base/outbox.h"
#include "tests/unit/stage.h"

struct post {
	struct stage *stage;
	struct outbox outbox;
	unsigned writables;
};

static void post_record(struct link *link, const struct record *record)
{
	(void)link;
	(void)record;
}

static void post_closed(struct link *link)
{
	((struct post *)link->owner)->stage->closes++;
}

static void post_writable(struct link *link)
{
	struct post *post = link->owner;

	post->writables++;
	outbox_flush(&post->outbox);
}

static int open_post(struct post *post, struct stage *s, size_t limit_bytes)
{
	static const struct link_ops ops = {.on_record = post_record, .on_closed = post_closed, .on_writable = post_writable};
	int pair[2];

	post->stage = s;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(link_adopt(&s->server, &s->loop, pair[0], &ops, post, NULL), 0);
	outbox_open(&post->outbox, &s->server, limit_bytes);
	return pair[1];
}

static void close_post(struct post *post)
{
	outbox_drop(&post->outbox);
	link_close(&post->stage->server);
	until(post->stage, post->stage->closes == 1);
}

/* Zeros and bytes in runs of every length, at the beginning, in the middle, at the end. */
static size_t make_payload(unsigned char payload[2000], uint64_t number)
{
	size_t length = 1 + (number * 37) % 2000;

	for (size_t i = 0; i < length; i++)
		payload[i] = (i * (number % 13 + 1) / (number % 7 + 1)) % (number % 11 + 2) ? (unsigned char)(i + number) : 0;
	return length;
}

static void test_zeros_take_no_room(void **state)
{
	struct post post = {0};
	struct stage *s = *state;
	char payload[4000] = "a name";

	scoped(fd_drop) int peer = open_post(&post, s, 1 << 20);
	while (outbox_empty(&post.outbox))
		outbox_send(&post.outbox, 'r', 0, payload, sizeof(payload));
	assert_true(peer >= 0 && post.outbox.bytes < 100);
	close_post(&post);
}

static void test_what_waits_arrives_in_order(void **state)
{
	struct post post = {0};
	struct stage *s = *state;
	struct record record;
	unsigned char payload[2000];
	uint64_t sent = 0, got = 0;

	scoped(fd_drop) int peer = open_post(&post, s, 4 << 20);
	for (; post.outbox.bytes < 100000; sent++)
		outbox_send(&post.outbox, 'r', sent, payload, make_payload(payload, sent));
	outbox_send(&post.outbox, 'e', sent++, NULL, 0); /* nothing in it: it could be sent before the others */
	uv_run(&s->loop, UV_RUN_NOWAIT);
	assert_int_equal(post.writables, 0);
	while (got < sent) {
		while (record_receive(peer, &record, NULL) == 1) {
			assert_int_equal(record.header.length, got == sent - 1 ? 0 : make_payload(payload, got));
			assert_memory_equal(record.payload, payload, record.header.length);
			assert_int_equal(record.header.id, got++);
			assert_int_equal(record.header.type, got == sent ? 'e' : 'r');
		}
		uv_run(&s->loop, UV_RUN_NOWAIT);
	}
	assert_true(outbox_empty(&post.outbox) && post.outbox.bytes == 0 && post.writables > 0);
	assert_false(post.outbox.overflowed);
	/* It is quiet again: the loop is not woken by a socket that could be written to. */
	unsigned before = post.writables;
	for (int i = 0; i < 10; i++)
		uv_run(&s->loop, UV_RUN_NOWAIT);
	assert_int_equal(post.writables, before);
	close_post(&post);
}

static void test_it_is_bounded_and_says_so(void **state)
{
	struct post post = {0};
	struct stage *s = *state;
	char payload[4000];

	memset(payload, 'x', sizeof(payload));
	scoped(fd_drop) int peer = open_post(&post, s, 64 << 10);
	for (int i = 0; i < 1000; i++) {
		outbox_send(&post.outbox, 'r', 0, payload, sizeof(payload));
		assert_true(post.outbox.bytes <= 64 << 10);
	}
	assert_true(peer >= 0 && post.outbox.overflowed && post.outbox.dropped_total > 0);
	outbox_drop(&post.outbox);
	assert_true(outbox_empty(&post.outbox) && !post.outbox.overflowed && post.outbox.bytes == 0);
	close_post(&post);
}

static void test_a_peer_that_is_gone(void **state)
{
	struct post post = {0};
	struct stage *s = *state;

	close(open_post(&post, s, 1000));
	until(s, s->closes == 1);
	outbox_send(&post.outbox, 'r', 0, NULL, 0); /* kept, and never sent */
	outbox_flush(&post.outbox);
	assert_false(outbox_empty(&post.outbox));
	outbox_drop(&post.outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_what_waits_arrives_in_order),
		stage_test(test_zeros_take_no_room),
		stage_test(test_it_is_bounded_and_says_so),
		stage_test(test_a_peer_that_is_gone),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
