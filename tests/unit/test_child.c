/* Children followed by pidfd, executables, and memory that stays. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "base/resident.h"
#include "tests/unit/stage.h"

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

static void test_a_child_beyond_its_deadline_is_killed(void **state)
{
	struct stage *s = *state;

	start_child(s, 20 * US_PER_MS, body_pauses, NULL, NULL);
	until(s, s->exits == 1);
	assert_int_equal(s->overdue, 1);
	assert_int_equal(s->status, 128 + SIGKILL);
}

static void test_a_child_may_get_its_deadline_later(void **state)
{
	struct stage *s = *state;

	start_child(s, 0, body_pauses, NULL, NULL);
	child_set_deadline(&s->child, LATE_MS * US_PER_MS);
	child_set_deadline(&s->child, 20 * US_PER_MS);
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

/* --- memory --- */

static int body_locks(void *argument, int channel)
{
	const struct rlimit none = {0};
	struct resident all = {0}, nothing = {0};

	(void)argument;
	(void)channel;
	if (resident_lock(&all, NULL) < 0 || all.locked_bytes + all.missed_bytes + all.swappable_bytes < 100000)
		return 1;
	if ((all.missed_bytes + all.swappable_bytes > 0) != (*all.detail != '\0'))
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

static unsigned deep(unsigned pages)
{
	volatile unsigned char page[4096];

	page[0] = (unsigned char)pages;
	return pages == 0 ? 0 : deep(pages - 1) + (page[0] == (unsigned char)pages);
}

static int body_goes_deep(void *argument, int channel)
{
	const struct rlimit none = {0};
	struct resident all;

	(void)argument;
	(void)channel;
	if (resident_lock(&all, NULL) < 0 || setrlimit(RLIMIT_MEMLOCK, &none) < 0)
		return 1;
	return deep(256) == 256 ? 0 : 2;
}

/* Root may lock without limit: tests/run runs this as nobody. */
static void test_the_stack_grows_when_no_more_may_be_locked(void **state)
{
	assert_int_equal(run_child(*state, body_goes_deep, NULL, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_a_child_answers_and_ends),
		stage_test(test_a_child_beyond_its_deadline_is_killed),
		stage_test(test_a_child_may_get_its_deadline_later),
		stage_test(test_a_signal_ends_a_child),
		stage_test(test_a_loop_that_is_late_blames_nobody),
		stage_test(test_an_ignored_sigchld_loses_the_status_only),
		stage_test(test_a_child_has_only_what_it_was_given),
		stage_test(test_a_child_begins_with_default_signals),
		stage_test(test_a_child_dies_with_its_parent),
		stage_test(test_an_executable_runs_with_one_descriptor),
		stage_test(test_an_executable_that_is_none),
		stage_test(test_memory_is_locked_or_it_is_said),
		stage_test(test_the_stack_grows_when_no_more_may_be_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
