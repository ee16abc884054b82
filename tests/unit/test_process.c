/* Processes of the ground floor: links that come back, children followed by pidfd, memory that stays. Sandbox: test_sandbox.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/link.h"
#include "base/resident.h"
#include "base/str.h"

#define LATE_MS 30000 /* far beyond what anything here takes: when it passes, the test has failed */

/* What the callbacks of one test saw. */
struct stage {
	uv_loop_t loop;
	uv_timer_t late;
	bool is_late;
	char directory[32], path[64];

	struct child child;
	int channel; /* our end */
	unsigned exits, overdue;
	int status;

	struct link client, server;
	unsigned ups, records, downs, closes;
	uint16_t last_type;
	int last_fd;
	struct err why;
};

static void stage_is_late(uv_timer_t *timer)
{
	((struct stage *)timer->data)->is_late = true;
}

static int stage_open(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	*state = s;
	if (!s || uv_loop_init(&s->loop) < 0)
		return -1;
	s->last_fd = s->channel = -1;
	strcpy(s->directory, "/tmp/stoker-process.XXXXXX");
	if (!mkdtemp(s->directory))
		return -1;
	snprintf(s->path, sizeof(s->path), "%s/sock", s->directory);
	uv_timer_init(&s->loop, &s->late);
	s->late.data = s;
	return uv_timer_start(&s->late, stage_is_late, LATE_MS, 0);
}

/* Never waits: when a test has failed, its handles are still there, and the loop with them. */
static int stage_close(void **state)
{
	struct stage *s = *state;

	uv_close((uv_handle_t *)&s->late, NULL);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	fd_drop(&s->channel);
	unlink(s->path);
	rmdir(s->directory);
	if (uv_loop_close(&s->loop) < 0)
		return -1; /* a handle was forgotten */
	free(s);
	return 0;
}

#define stage_test(f) cmocka_unit_test_setup_teardown(f, stage_open, stage_close)

/* Turns the loop until the condition holds. */
#define until(stage, condition)                                  \
	do {                                                     \
		while (!(condition) && !(stage)->is_late)        \
			uv_run(&(stage)->loop, UV_RUN_ONCE);     \
		assert_true(condition);                          \
	} while (0)

/* --- children --- */

static void child_ended(struct child *child, int status)
{
	struct stage *s = child->owner;

	s->exits++;
	s->status = status;
}

static void child_late(struct child *child)
{
	((struct stage *)child->owner)->overdue++;
}

static const struct child_ops child_ops = {.on_overdue = child_late, .on_exit = child_ended};

static void start_child(struct stage *s, uint64_t deadline_us, int (*body)(void *, int), void *argument, const int *keep)
{
	struct err e = {0};

	fd_drop(&s->channel);
	assert_int_equal(child_fork(&s->child, &s->loop, &child_ops, s, deadline_us, body, argument, keep, &s->channel, &e), 0);
	assert_true(child_is_running(&s->child));
}

/* The child's exit status. */
static int run_child(struct stage *s, int (*body)(void *, int), void *argument, const int *keep)
{
	unsigned before = s->exits;
	start_child(s, 0, body, argument, keep);

	until(s, s->exits > before);
	assert_false(child_is_running(&s->child));
	return s->status;
}

static int body_answers(void *argument, int channel)
{
	return record_send(channel, 5, 6, argument, 3, -1, NULL) == 0 ? 42 : 1;
}

static void test_a_child_answers_and_ends(void **state)
{
	struct stage *s = *state;
	static struct record record;

	start_child(s, LATE_MS * US_PER_MS, body_answers, (void *)(uintptr_t)"ab", NULL);
	until(s, s->exits == 1);
	assert_int_equal(s->status, 42);
	assert_int_equal(s->overdue, 0);
	assert_int_equal(record_receive(s->channel, &record, NULL), 1); /* what it said outlives it */
	assert_string_equal(record_payload(&record, 3), "ab");
	assert_int_equal(record_receive(s->channel, &record, NULL), 0);
}

static int body_pauses(void *argument, int channel)
{
	(void)argument;
	(void)channel;
	while (pause() < 0)
		continue;
	return 1;
}

static void test_a_child_beyond_its_deadline_is_killed(void **state)
{
	struct stage *s = *state;

	start_child(s, 20 * US_PER_MS, body_pauses, NULL, NULL);
	until(s, s->exits == 1);
	assert_int_equal(s->overdue, 1);
	assert_int_equal(s->status, 128 + SIGKILL);
}

static void test_a_signal_ends_a_child(void **state)
{
	struct stage *s = *state;

	start_child(s, 0, body_pauses, NULL, NULL);
	child_signal(&s->child, SIGTERM);
	until(s, s->exits == 1);
	assert_int_equal(s->status, 128 + SIGTERM);
	child_signal(&s->child, SIGTERM); /* nobody there: nothing happens */
}

static int body_returns(void *argument, int channel)
{
	(void)channel;
	return *(int *)argument;
}

/* The machine slept, or we did: a child that ended in time does not hang. */
static void test_a_loop_that_is_late_blames_nobody(void **state)
{
	struct stage *s = *state;
	int status = 3;

	start_child(s, 1 * US_PER_MS, body_returns, &status, NULL);
	struct pollfd ended = {.fd = s->child.pidfd, .events = POLLIN};
	assert_int_equal(poll(&ended, 1, LATE_MS), 1);
	for (uint64_t start_us = clock_mono_us(); clock_mono_us() < start_us + 5 * US_PER_MS;)
		continue;
	until(s, s->exits == 1);
	assert_int_equal(s->status, 3);
	assert_int_equal(s->overdue, 0);
}

static void test_an_ignored_sigchld_loses_the_status_only(void **state)
{
	struct stage *s = *state;
	int status = 3;

	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(run_child(s, body_returns, &status, NULL), 255);
	signal(SIGCHLD, SIG_DFL);
}

/* Which descriptors above 2 are open: exactly the kept one and the channel. */
static int body_counts_descriptors(void *argument, int channel)
{
	int kept = *(int *)argument;

	for (int fd = 3; fd < 512; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd == kept || fd == channel))
			return 1;
	return 0;
}

static void test_a_child_has_only_what_it_was_given(void **state)
{
	struct stage *s = *state;
	int none = -1;

	for (int distance = 0; distance < 3; distance++) { /* below, beside and above the channel */
		scoped(fd_drop) int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
		scoped(fd_drop) int kept = fcntl(low, F_DUPFD_CLOEXEC, distance * 100);
		const int keep[] = {kept, -1};
		assert_int_equal(run_child(s, body_counts_descriptors, &kept, keep), 0);
	}
	assert_int_equal(run_child(s, body_counts_descriptors, &none, NULL), 0);
}

static int body_looks_at_signals(void *argument, int channel)
{
	sigset_t mask;

	(void)argument;
	(void)channel;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < 32; i++) {
		struct sigaction act = {0};
		if (sigismember(&mask, i) || (sigaction(i, NULL, &act) == 0 && act.sa_handler != SIG_DFL))
			return i;
	}
	return 0;
}

static void on_nothing(int number)
{
	(void)number;
}

static void test_a_child_begins_with_default_signals(void **state)
{
	struct stage *s = *state;
	sigset_t blocked, before, after;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, on_nothing);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	int status = run_child(s, body_looks_at_signals, NULL, NULL);
	sigprocmask(SIG_SETMASK, &before, &after);
	assert_int_equal(status, 0);
	assert_true(sigismember(&after, SIGUSR1) && !sigismember(&after, SIGTERM)); /* ours is as it was */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

/* A child that has a child of its own, which holds `argument`, and ends at once. */
static int body_leaves_an_orphan(void *argument, int channel)
{
	static struct stage inner;
	int channel_of_orphan;
	const int keep[] = {*(int *)argument, -1};

	(void)channel;
	if (uv_loop_init(&inner.loop) < 0)
		return 1;
	return child_fork(&inner.child, &inner.loop, &child_ops, &inner, 0, body_pauses, NULL, keep, &channel_of_orphan, NULL) < 0;
}

static void test_a_child_dies_with_its_parent(void **state)
{
	struct stage *s = *state;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const int keep[] = {ends[1], -1};
	assert_int_equal(run_child(s, body_leaves_an_orphan, &ends[1], keep), 0);
	close(ends[1]);
	struct pollfd all_gone = {.fd = ends[0]}; /* HUP when the last one that holds the other end is gone */
	assert_int_equal(poll(&all_gone, 1, LATE_MS), 1);
	close(ends[0]);
}

static void run_shell(struct stage *s, const char *script, int pass_fd)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	unsigned before = s->exits;
	struct err e = {0};

	assert_int_equal(child_exec(&s->child, &s->loop, &child_ops, s, argv, pass_fd, &e), 0);
	until(s, s->exits > before);
}

static void test_an_executable_runs_with_one_descriptor(void **state)
{
	static const char only_three[] = "for n in 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$n ] || exit 1; done; printf hello >&3";
	struct stage *s = *state;
	char text[16] = "";
	int ends[2], high;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	high = fcntl(ends[1], F_DUPFD_CLOEXEC, 50);
	const int passed[] = {ends[1], high};
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++) {
		run_shell(s, only_three, passed[i]);
		assert_int_equal(s->status, 0);
		assert_int_equal(read(ends[0], text, sizeof(text)), 5);
		assert_string_equal(text, "hello");
	}
	close(ends[0]);
	close(ends[1]);
	close(high);
	run_shell(s, "[ ! -e /proc/$$/fd/3 ] && exit 7", -1);
	assert_int_equal(s->status, 7);
	run_shell(s, "kill -9 $$", -1);
	assert_int_equal(s->status, 128 + SIGKILL);
}

static void test_an_executable_that_is_none(void **state)
{
	static const struct {
		const char *path;
		int status;
	} row[] = {{"/nonexistent/stoker-web", 127}, {"/etc/passwd", 126}};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const char *const argv[] = {row[i].path, NULL};
		assert_int_equal(child_exec(&s->child, &s->loop, &child_ops, s, argv, -1, NULL), 0);
		until(s, s->exits == i + 1);
		assert_int_equal(s->status, row[i].status);
	}
}

/* --- links --- */

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
		assert_int_equal(s->ups, life);
		assert_int_equal(s->client.failures, 0);
		assert_true(link_is_up(&s->client));
		child_signal(&s->child, SIGKILL);
		until(s, s->exits == life && s->downs == life);
	}
	link_close(&s->client);
	until(s, s->closes == 1);
	assert_int_equal(s->downs, 50);
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

/* --- memory --- */

static int body_locks(void *argument, int channel)
{
	const struct rlimit none = {0};
	struct resident all = {0}, nothing = {0};

	(void)argument;
	(void)channel;
	if (resident_lock(&all, NULL) < 0 || all.locked_bytes + all.missed_bytes < 100000)
		return 1;
	if ((all.missed_bytes > 0) != (*all.detail != '\0'))
		return 2;
	if (geteuid() == 0)
		return 0;
	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || resident_lock(&nothing, NULL) < 0)
		return 3;
	return nothing.missed_bytes > 0 && strstr(nothing.detail, "RLIMIT_MEMLOCK") ? 0 : 4;
}

static void test_memory_is_locked_or_it_is_said(void **state)
{
	assert_int_equal(run_child(*state, body_locks, NULL, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_a_child_answers_and_ends),
		stage_test(test_a_child_beyond_its_deadline_is_killed),
		stage_test(test_a_signal_ends_a_child),
		stage_test(test_a_loop_that_is_late_blames_nobody),
		stage_test(test_an_ignored_sigchld_loses_the_status_only),
		stage_test(test_a_child_has_only_what_it_was_given),
		stage_test(test_a_child_begins_with_default_signals),
		stage_test(test_a_child_dies_with_its_parent),
		stage_test(test_an_executable_runs_with_one_descriptor),
		stage_test(test_an_executable_that_is_none),
		stage_test(test_a_link_comes_back_50_times),
		stage_test(test_a_link_that_is_refused_backs_off),
		stage_test(test_a_server_link_ends_with_its_peer),
		stage_test(test_a_peer_that_speaks_nonsense_is_dropped),
		stage_test(test_a_link_may_be_closed_by_what_it_says),
		stage_test(test_a_descriptor_is_taken_or_closed),
		stage_test(test_a_slow_peer_costs_a_count),
		stage_test(test_a_flood_lets_the_loop_turn),
		stage_test(test_a_link_that_cannot_be_watched_is_nobodys),
		stage_test(test_memory_is_locked_or_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
