/* Links: connections of records that come back by themselves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/unit/stage.h"

static void link_up(struct link *link)
{
	((struct stage *)link->owner)->ups++;
}

static void link_record(struct link *link, const struct record *record)
{
	struct stage *s = link->owner;

	s->records++;
	s->last_type = record->header.type;
	if (record->header.type == 'f') {
		s->last_fd = link_take_fd(link);
		assert_int_equal(link_take_fd(link), -1);
	}
	if (record->header.type == 'c')
		link_close(link);
}

static void link_down(struct link *link, const struct err *why)
{
	struct stage *s = link->owner;

	s->downs++;
	s->why = *why;
	assert_false(link_is_up(link));
}

static void link_closed(struct link *link)
{
	((struct stage *)link->owner)->closes++;
}

static const struct link_ops link_ops = {link_up, link_record, link_down, link_closed};

/* Listens, speaks to the first who comes, and holds on until it is killed. */
static int body_serves(void *argument, int channel)
{
	struct ucred who;
	int listening = record_listen(argument, 0600, NULL);
	struct pollfd ready = {.fd = listening, .events = POLLIN};

	(void)channel;
	if (listening < 0 || poll(&ready, 1, LATE_MS) != 1)
		return 1;
	int peer = record_accept(listening, &who, NULL);
	if (peer < 0 || record_send(peer, 'h', 0, NULL, 0, -1, NULL) < 0)
		return 2;
	return body_pauses(NULL, channel);
}

static void test_a_link_comes_back_50_times(void **state)
{
	struct stage *s = *state;

	link_start(&s->client, &s->loop, s->path, &link_ops, s); /* nobody there yet */
	assert_false(link_is_up(&s->client));
	assert_false(link_send(&s->client, 1, 0, NULL, 0));
	assert_int_equal(s->client.refused, 1);
	for (unsigned life = 1; life <= 50; life++) {
		start_child(s, 0, body_serves, s->path, NULL);
		until(s, s->records == life);
		assert_true(s->ups >= life);
		assert_int_equal(s->client.failures, 0);
		assert_true(link_is_up(&s->client));
		child_signal(&s->child, SIGKILL);
		/* A peer that is being killed closes its connection before its listening socket: in between the link may come up once
		 * more, with nobody, and go down again. */
		until(s, s->exits == life && s->downs == s->ups);
	}
	link_close(&s->client);
	until(s, s->closes == 1);
	assert_true(s->downs >= 50);
}

/* Who connects is refused: the connection is taken and closed. */
static void refuse_peer(uv_poll_t *listening, int status, int events)
{
	struct ucred who;

	(void)status;
	(void)events;
	close(record_accept(*(int *)listening->data, &who, NULL));
}

static void test_a_link_that_is_refused_backs_off(void **state)
{
	struct stage *s = *state;
	uv_poll_t accepting;

	scoped(fd_drop) int listening = record_listen(s->path, 0600, NULL);
	assert_int_equal(uv_poll_init(&s->loop, &accepting, listening), 0);
	accepting.data = &listening;
	uv_poll_start(&accepting, UV_READABLE, refuse_peer);
	link_start(&s->client, &s->loop, s->path, &link_ops, s);
	until(s, s->downs == 5);
	assert_int_equal(s->ups, 5);
	assert_true(s->client.failures >= 4); /* connecting alone is no success: the kernel does it for a peer that hangs, too */
	link_close(&s->client);
	uv_close((uv_handle_t *)&accepting, NULL);
	until(s, s->closes == 1 && !uv_is_active((uv_handle_t *)&accepting));
	uv_run(&s->loop, UV_RUN_NOWAIT);
}

/* A server's link; the test holds the other end. */
static int adopt_one(struct stage *s)
{
	struct err e = {0};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(link_adopt(&s->server, &s->loop, pair[0], &link_ops, s, &e), 0);
	return pair[1];
}

static void test_a_server_link_ends_with_its_peer(void **state)
{
	struct stage *s = *state;
	int peer = adopt_one(s);

	assert_true(link_send(&s->server, 'x', 9, "ab", 2));
	assert_int_equal(record_send(peer, 'y', 0, NULL, 0, -1, NULL), 0);
	close(peer);
	until(s, s->closes == 1);
	assert_int_equal(s->records, 1); /* what was said before is heard */
	assert_int_equal(s->downs, 1);
	assert_int_equal(s->why.code, ECONNRESET);
}

static void test_a_peer_that_speaks_nonsense_is_dropped(void **state)
{
	struct stage *s = *state;
	scoped(fd_drop) int peer = adopt_one(s);

	assert_int_equal(send(peer, "nonsense", 8, MSG_NOSIGNAL), 8);
	until(s, s->closes == 1);
	assert_int_equal(s->why.code, EPROTO);
	assert_int_equal(s->server.refused, 1);
	assert_int_equal(s->records, 0);
}

static void test_a_link_may_be_closed_by_what_it_says(void **state)
{
	struct stage *s = *state;
	scoped(fd_drop) int peer = adopt_one(s);

	assert_int_equal(record_send(peer, 'c', 0, NULL, 0, -1, NULL), 0);
	assert_int_equal(record_send(peer, 'x', 0, NULL, 0, -1, NULL), 0);
	until(s, s->closes == 1);
	assert_int_equal(s->records, 1);
	assert_int_equal(s->downs, 0); /* who closes knows */
	link_close(&s->server);
}

static void test_a_descriptor_is_taken_or_closed(void **state)
{
	struct stage *s = *state;
	scoped(fd_drop) int peer = adopt_one(s);
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(record_send(peer, 'f', 0, NULL, 0, ends[1], NULL), 0);
	until(s, s->last_fd >= 0);
	assert_int_equal(write(s->last_fd, "x", 1), 1);
	close(s->last_fd);
	assert_int_equal(record_send(peer, 'n', 0, NULL, 0, ends[1], NULL), 0);
	close(ends[1]);
	until(s, s->last_type == 'n');
	struct pollfd nobody = {.fd = ends[0]};
	assert_int_equal(poll(&nobody, 1, LATE_MS), 1);
	assert_true(nobody.revents & POLLHUP);
	close(ends[0]);
	assert_int_equal(link_take_fd(&s->server), -1);
	link_close(&s->server);
	until(s, s->closes == 1);
}

static void test_a_slow_peer_costs_a_count(void **state)
{
	struct stage *s = *state;
	int peer = adopt_one(s);
	static const char payload[RECORD_PAYLOAD_BYTES];

	for (int i = 0; i < 100000 && s->server.refused == 0; i++)
		link_send(&s->server, 1, 0, payload, sizeof(payload));
	assert_int_equal(s->server.refused, 1);
	assert_true(link_is_up(&s->server));
	link_close(&s->server);
	until(s, s->closes == 1);
	close(peer);
}

static void test_a_flood_lets_the_loop_turn(void **state)
{
	struct stage *s = *state;
	scoped(fd_drop) int peer = adopt_one(s);
	unsigned sent = 0;

	while (record_send(peer, 'x', 0, NULL, 0, -1, NULL) == 0)
		sent++;
	assert_true(sent > 64);
	uv_run(&s->loop, UV_RUN_ONCE);
	assert_true(s->records > 0 && s->records <= 64 * 48); /* libuv polls again up to 48 times a turn while all that it fetched was ready */
	until(s, s->records == sent);
	link_close(&s->server);
	until(s, s->closes == 1);
}

static void test_a_link_that_cannot_be_watched_is_nobodys(void **state)
{
	struct stage *s = *state;
	struct link *link = calloc(1, sizeof(*link));
	struct err e = {0};

	assert_non_null(link);
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC); /* epoll takes no regular files */
	assert_true(link_adopt(link, &s->loop, fd, &link_ops, s, &e) < 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	free(link);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	assert_int_equal(s->closes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_a_link_comes_back_50_times),
		stage_test(test_a_link_that_is_refused_backs_off),
		stage_test(test_a_server_link_ends_with_its_peer),
		stage_test(test_a_peer_that_speaks_nonsense_is_dropped),
		stage_test(test_a_link_may_be_closed_by_what_it_says),
		stage_test(test_a_descriptor_is_taken_or_closed),
		stage_test(test_a_slow_peer_costs_a_count),
		stage_test(test_a_flood_lets_the_loop_turn),
		stage_test(test_a_link_that_cannot_be_watched_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
