/* The set of watched filesystems: what becomes of findings, hints, silence and configurations. */
#include "tests/unit/monitor_stage.h"

static void test_nothing_is_published_before_everything_was_probed(void **state)
{
	struct stage *s = *state;

	assert_int_equal(s->asked[0], 1);
	find(s, 0, 1, true, PROBE_CREATE, EROFS);
	assert_int_equal(s->published, 0);
	good(s, 1, 2);
	assert_int_equal(s->published, 1);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_FALSE);
	assert_string_equal(s->monitor.report.condition.reason, "ReadOnlyFilesystem");
	assert_true(s->monitor.report.taint.wanted);
	assert_int_equal(s->monitor.report.condition.transition_wall_us, 0); /* not seen: it was so when we came */
	good(s, 1, 2);
	assert_int_equal(s->published, 1); /* nothing changed */
}

static void test_fault_and_recovery(void **state)
{
	struct stage *s = *state;

	good(s, 0, 1);
	good(s, 1, 2);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
	find(s, 0, 1, true, PROBE_CREATE, EROFS);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_FALSE);
	assert_true(s->monitor.report.condition.transition_wall_us > 0);
	s->now_us += 60 * S;
	good(s, 0, 1);
	good(s, 0, 1);
	assert_true(s->monitor.report.taint.wanted);
	good(s, 0, 1);
	assert_false(s->monitor.report.taint.wanted);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
}

static void test_a_disk_unmounted_for_repair_stays_bad(void **state)
{
	struct stage *s = *state;

	good(s, 0, 1);
	good(s, 1, 2);
	find(s, 0, 1, true, PROBE_CREATE, EIO);
	monitor_tick(&s->monitor, s->now_us += 5 * S, 0);
	assert_true(s->must_be_mounted[0]);
	/* umount: the path is a directory of its parent's filesystem, which is in best health */
	for (int i = 0; i < 20; i++)
		find(s, 0, 2, false, PROBE_RESOLVE, ENODEV);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_BAD);
	/* and after a restart of stokerd in that moment */
	struct stage *after = NULL;
	stage_open((void **)&after);
	monitor_restore(&after->monitor, &s->health, after->now_us, after->now_us + 5000 * S);
	monitor_tick(&after->monitor, after->now_us, 0);
	assert_int_equal(after->monitor.watch[0].verdict.state, VERDICT_BAD);
	assert_true(after->monitor.watch[0].mounted);
	good(after, 1, 2);
	find(after, 0, 2, false, PROBE_RESOLVE, ENODEV);
	assert_int_equal(after->monitor.report.condition.status, CONDITION_FALSE);
	stage_close((void **)&after);
	/* a new disk under another number, mounted there */
	s->now_us += 60 * S;
	good(s, 0, 9);
	good(s, 0, 9);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_RECOVERING);
	good(s, 0, 9);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY);
}

static void test_one_filesystem_watched_twice_is_one(void **state)
{
	struct stage *s = *state;

	good(s, 1, 4);
	good(s, 0, 4);
	monitor_snapshot(&s->monitor, 1, &s->health);
	assert_int_equal(s->health.filesystem_count, 1);
	assert_int_equal(s->health.filesystems[0].role_count, 2);
	unsigned before = s->asked[1];
	for (int i = 0; i < 24; i++) {
		monitor_tick(&s->monitor, s->now_us += S, 0);
		good(s, 0, 4);
		good(s, 1, 4);
	}
	assert_int_equal(s->asked[1] - before, 2); /* looked at now and then: does it still lie there? */
	find(s, 1, 5, true, PROBE_CREATE, EROFS); /* a disk of its own was mounted there */
	monitor_snapshot(&s->monitor, 1, &s->health);
	assert_int_equal(s->health.filesystem_count, 2);
	assert_int_equal(s->health.status, HEALTH_UNHEALTHY);
}

static void test_one_probe_at_a_time_and_another_after_it(void **state)
{
	struct stage *s = *state;

	assert_int_equal(s->asked[0], 1);
	monitor_probe_all(&s->monitor, "test");
	monitor_probe_all(&s->monitor, "test");
	assert_int_equal(s->asked[0], 1);
	good(s, 0, 1);
	assert_int_equal(s->asked[0], 2);
	good(s, 0, 1);
	assert_int_equal(s->asked[0], 2);
}

static void test_silence_makes_unknown_and_leaves_bad(void **state)
{
	struct stage *s = *state;

	find(s, 0, 1, true, PROBE_CREATE, EROFS);
	good(s, 1, 2);
	s->broker_up = false;
	monitor_broker(&s->monitor, false);
	for (int i = 0; i < 6; i++)
		monitor_tick(&s->monitor, s->now_us += 5 * S, 0);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_BAD);
	assert_int_equal(s->monitor.watch[1].verdict.state, VERDICT_UNKNOWN);
	assert_string_equal(s->monitor.watch[1].verdict.reason, "NotProbed");
	assert_true(s->monitor.report.taint.wanted);
	s->broker_up = true;
	monitor_broker(&s->monitor, true);
	good(s, 1, 2);
	assert_int_equal(s->monitor.watch[1].verdict.state, VERDICT_HEALTHY);
}

static void test_an_answer_that_never_comes_is_not_waited_for(void **state)
{
	struct stage *s = *state;
	unsigned before = s->asked[0];

	monitor_tick(&s->monitor, s->now_us += 5 * S, 0);
	assert_int_equal(s->asked[0], before);
	monitor_tick(&s->monitor, s->now_us += 30 * S, 0);
	assert_int_equal(s->asked[0], before + 1);
}

/* Another mount lies there: nothing is said of it. The mount itself says that it is stale: it is bad. */
static void test_a_stale_mount_is_not_another_one(void **state)
{
	struct stage *s = *state;

	good(s, 0, 1);
	good(s, 1, 2);
	find(s, 0, 1, true, PROBE_RESOLVE, ESTALE);
	assert_true(s->monitor.look_again);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY);
	const struct finding stale = {.watch = 0, .step = PROBE_RESOLVE, .errnum = ESTALE, .started_wall_us = 5 * S};
	s->monitor.look_again = false;
	monitor_finding(&s->monitor, &stale, s->now_us + S, s->now_us + 1001 * S);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_BAD);
	assert_string_equal(s->monitor.watch[0].verdict.reason, "WriteFailed");
	assert_false(s->monitor.look_again);
}

static void test_a_path_that_does_not_exist_yet_is_waited_for(void **state)
{
	struct stage *s = *state;
	const struct finding missing = {.watch = 0, .step = PROBE_RESOLVE, .errnum = ENOENT, .started_wall_us = S};

	monitor_finding(&s->monitor, &missing, s->now_us, s->now_us);
	good(s, 1, 2);
	assert_int_equal(s->published, 1);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_UNKNOWN);
	assert_string_equal(s->monitor.report.condition.reason, "WatchPathMissing");
	assert_false(s->monitor.report.taint.wanted);
	good(s, 0, 1);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
}

static void test_hints_probe_their_own_filesystem_only(void **state)
{
	struct stage *s = *state;
	struct kmsg_hint hint = {.device = "loop1", .reason = "ReadOnlyFilesystem", .is_error = true, .message = "Remounting filesystem read-only"};

	good(s, 0, 1);
	good(s, 1, 2);
	strcpy(s->monitor.watch[0].names.name[0], "loop1");
	s->monitor.watch[0].names.count = 1;
	unsigned before0 = s->asked[0], before1 = s->asked[1];
	assert_true(monitor_hint(&s->monitor, &hint, s->now_us, 1));
	assert_int_equal(s->asked[0], before0 + 1);
	assert_int_equal(s->asked[1], before1);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY); /* the probe decides */
	good(s, 0, 1);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_WARNING);
	monitor_follow_up(&s->monitor, s->now_us);
	assert_int_equal(s->asked[0], before0 + 2);
	strcpy(hint.device, "sdz");
	assert_false(monitor_hint(&s->monitor, &hint, s->now_us, 1));
	strcpy(hint.device, "");
	assert_true(monitor_hint(&s->monitor, &hint, s->now_us, 1));
	assert_int_equal(s->asked[1], before1 + 1);
}

/* Each probe may bring another complaint: not every one is answered, and none is lost. */
static void test_a_filesystem_that_complains_all_the_time(void **state)
{
	struct stage *s = *state;
	const struct kmsg_hint hint = {.reason = "FilesystemError", .is_error = true, .message = "x"};

	good(s, 0, 1);
	unsigned before = s->asked[0];
	for (unsigned i = 0; i < 100; i++) {
		assert_true(monitor_hint_at(&s->monitor, 0, "fs-error", &hint, s->now_us, 1));
		s->monitor.watch[0].outstanding = s->monitor.watch[0].again = false;
	}
	assert_int_equal(s->asked[0] - before, MONITOR_HINT_BURST);
	assert_true(monitor_follow_up(&s->monitor, s->now_us + MONITOR_FOLLOW_UP_US)); /* later, then */
	assert_int_equal(s->asked[0] - before, MONITOR_HINT_BURST);
	assert_false(monitor_follow_up(&s->monitor, s->now_us + MONITOR_HINT_PAUSE_US));
	assert_int_equal(s->asked[0] - before, MONITOR_HINT_BURST + 1);
}

static void test_an_error_of_what_is_bad_is_no_news(void **state)
{
	struct stage *s = *state;
	struct kmsg_hint hint = {.reason = "FilesystemShutdown", .is_error = true, .message = "Shutting down"};

	find(s, 0, 1, true, PROBE_CREATE, EIO);
	unsigned before = s->asked[0];
	assert_false(monitor_hint_at(&s->monitor, 0, "mounts", &hint, s->now_us, 1));
	assert_int_equal(s->asked[0], before);
	assert_string_equal(s->monitor.watch[0].verdict.reason, "FilesystemShutdown"); /* but it may explain */
	hint.is_error = false;
	assert_true(monitor_hint_at(&s->monitor, 0, "kmsg", &hint, s->now_us, 1)); /* "mounted": look at once */
	assert_int_equal(s->asked[0], before + 1);
}

/* Repaired before a probe has seen it: nothing is left to warn of. */
static void test_complaints_end_with_the_mount(void **state)
{
	struct stage *s = *state;
	struct kmsg_hint error = {.device = "loop1", .reason = "FilesystemError", .is_error = true, .message = "x"}, gone = {.device = "loop1", .reason = "Unmounted"};

	good(s, 0, 1);
	good(s, 1, 2);
	strcpy(s->monitor.watch[0].names.name[0], "loop1");
	s->monitor.watch[0].names.count = 1;
	monitor_hint(&s->monitor, &error, s->now_us, 1);
	good(s, 0, 1);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_WARNING);
	monitor_hint(&s->monitor, &gone, s->now_us, 1);
	good(s, 0, 1);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY);
	monitor_hint(&s->monitor, &error, s->now_us, 1);
	find(s, 0, 1, true, PROBE_RESOLVE, ENODEV);
	good(s, 0, 1);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY);
	strcpy(gone.device, "loop9");
	monitor_hint(&s->monitor, &error, s->now_us, 1);
	monitor_hint(&s->monitor, &gone, s->now_us, 1);
	good(s, 0, 1);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_WARNING); /* another's */
}

static void test_a_task_that_hangs_explains_a_probe_that_hangs(void **state)
{
	struct stage *s = *state;
	const struct kmsg_hint hint = {.reason = "HungTask", .message = "INFO: task java:7 blocked for more than 120 seconds."};

	good(s, 0, 1);
	good(s, 1, 2);
	unsigned before0 = s->asked[0], before1 = s->asked[1];
	assert_true(monitor_hint(&s->monitor, &hint, s->now_us, 1));
	assert_int_equal(s->asked[0], before0 + 1);
	assert_int_equal(s->asked[1], before1 + 1);
	good(s, 0, 1);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY); /* nobody is accused */
	find(s, 1, 2, true, PROBE_WRITE, ETIMEDOUT);
	assert_string_equal(s->monitor.watch[1].verdict.reason, "FilesystemHung");
	assert_non_null(strstr(s->monitor.watch[1].verdict.message, "task java:7 blocked"));
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY);
	s->now_us += 400 * S;
	find(s, 0, 1, true, PROBE_WRITE, ETIMEDOUT);
	assert_null(strstr(s->monitor.watch[0].verdict.message, "java")); /* too long ago */
}

static void test_remounted_is_not_recovery(void **state)
{
	struct stage *s = *state;
	struct kmsg_hint hint = {.device = "loop1", .reason = "Remounted", .message = "EXT4-fs (loop1): re-mounted 0-0 r/w."};

	find(s, 0, 1, true, PROBE_CREATE, EROFS);
	strcpy(s->monitor.watch[0].names.name[0], "loop1");
	s->monitor.watch[0].names.count = 1;
	monitor_hint(&s->monitor, &hint, s->now_us, 1);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_BAD);
}

static void test_what_is_watched_no_more_holds_no_taint(void **state)
{
	struct stage *s = *state;

	find(s, 0, 1, true, PROBE_CREATE, EROFS);
	good(s, 1, 2);
	assert_true(s->monitor.report.taint.wanted);
	s->config.watch_count = 0;
	monitor_configure(&s->monitor, &s->config, s->now_us);
	assert_false(s->monitor.report.taint.wanted);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_UNKNOWN);
	assert_string_equal(s->monitor.report.condition.reason, "NothingWatched");
}

/* By an agent that comes, too: what an earlier one has left on the node object is of something that nobody watches. Not while it is looked for. */
static void test_nothing_watched_is_said_when_it_is_known(void **state)
{
	struct stage *s = *state;

	s->config.watch_count = 0;
	s->config.discover = CONFIG_DISCOVER_AUTO;
	monitor_configure(&s->monitor, &s->config, s->now_us);
	assert_int_equal(s->published, 0);
	s->config.discover = CONFIG_DISCOVER_OFF;
	monitor_configure(&s->monitor, &s->config, s->now_us);
	assert_int_equal(s->published, 1);
	assert_string_equal(s->monitor.report.condition.reason, "NothingWatched");
	assert_int_equal(s->monitor.report.condition.status, CONDITION_UNKNOWN);
}

static void test_a_node_object_that_says_false_is_not_cleared_by_one_good_probe(void **state)
{
	struct stage *s = *state;
	struct report_state read_back = {.connected = 1, .node_known = 1, .has_condition = 1, .condition = {.status = CONDITION_FALSE, .reason = "IOErrors"}};

	monitor_reporter(&s->monitor, &read_back);
	good(s, 0, 1);
	good(s, 1, 2);
	good(s, 0, 1);
	good(s, 1, 2);
	assert_int_equal(s->published, 0);
	good(s, 0, 1);
	good(s, 1, 2);
	assert_int_equal(s->published, 1); /* and needs nothing else to happen */
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
}

/* The usual order: the probes have ended before the API server has answered. */
static void test_nor_by_those_that_came_before_the_node_object_was_read(void **state)
{
	struct stage *s = *state;
	struct report_state read_back = {.connected = 1, .node_known = 1, .has_condition = 1, .condition = {.status = CONDITION_FALSE, .reason = "IOErrors"}};

	good(s, 0, 1);
	good(s, 1, 2);
	assert_int_equal(s->published, 1); /* made ready, and told nobody */
	monitor_reporter(&s->monitor, &read_back);
	assert_int_equal(s->monitor.report.sequence, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(s->published, 1);
		good(s, 0, 1);
		good(s, 1, 2);
	}
	assert_int_equal(s->published, 2);
	assert_int_equal(s->monitor.report.sequence, 1);
	/* what was told is not taken back: a reporter that comes back has read what it wrote itself */
	s->monitor.told = true;
	monitor_reporter(&s->monitor, &(struct report_state){0});
	monitor_reporter(&s->monitor, &read_back);
	assert_false(s->monitor.cautious);
	assert_int_equal(s->monitor.report.sequence, 1);
}

/* A right that is missing for the condition says nothing of the taint. */
static void test_a_taint_that_is_there_is_not_said_to_be_held(void **state)
{
	struct stage *s = *state;
	struct report_state told = {.node_known = 1, .detail = "patch nodes/status: 403"};

	find(s, 0, 1, true, PROBE_CREATE, EROFS);
	monitor_snapshot(&s->monitor, 1, &s->health);
	assert_true(s->health.report.taint.wanted && s->health.taint_held); /* nothing was published yet */
	assert_string_equal(s->health.taint_why, "stoker-reporter is not connected");
	good(s, 1, 2);
	monitor_reporter(&s->monitor, &told);
	monitor_snapshot(&s->monitor, 1, &s->health);
	assert_true(s->health.taint_held);
	assert_string_equal(s->health.taint_why, "patch nodes/status: 403");
	told.taint_sequence = s->monitor.report.sequence;
	monitor_reporter(&s->monitor, &told);
	monitor_snapshot(&s->monitor, 1, &s->health);
	assert_false(s->health.taint_held);
	strcpy(told.taint_why, "held until tomorrow");
	told.taint_sequence--;
	told.taint_holder = HOLDER_PERSON;
	monitor_reporter(&s->monitor, &told);
	monitor_snapshot(&s->monitor, 1, &s->health);
	assert_true(s->health.taint_held && s->health.taint_holder == HOLDER_PERSON);
}

static struct local_disk local_disk(const struct stage *s, uint32_t flags)
{
	const struct executor x = {.role = EXECUTOR_ROLE_EXECUTOR, .flags = flags};
	struct local_disk disk;

	monitor_local_disk(&s->monitor, &x, &disk);
	return disk;
}

/* An executor is told of the disk that its local dirs lie on, not of whatever is sick on the node. */
static void test_the_disk_of_an_executor(void **state)
{
	struct stage *s = *state;
	struct local_disk disk;

	good(s, 0, 1);
	good(s, 1, 2);
	assert_string_equal(local_disk(s, 0).reason, "");
	find(s, 0, 1, true, PROBE_WRITE, EROFS); /* a hostPath's */
	assert_string_equal(local_disk(s, EXECUTOR_EMPTY_DIRS).reason, "");
	assert_string_equal(local_disk(s, EXECUTOR_TMPFS_LOCAL_DIRS).reason, "");
	disk = local_disk(s, 0);
	assert_true(strcmp(disk.reason, "ReadOnlyFilesystem") == 0 && strcmp(disk.mount_point, "/data") == 0 && disk.bad && !disk.sure);
	find(s, 1, 2, true, PROBE_WRITE, EIO); /* the kubelet's too: an emptyDir lies there */
	disk = local_disk(s, EXECUTOR_EMPTY_DIRS);
	assert_true(strcmp(disk.reason, "IOErrors") == 0 && strcmp(disk.mount_point, "/var/lib/kubelet") == 0 && disk.bad && disk.sure);
	assert_string_equal(local_disk(s, 0).mount_point, "/data");
}

/* Both paths on one filesystem: its verdict is both's. */
static void test_the_disk_of_an_executor_by_another_name(void **state)
{
	struct stage *s = *state;

	good(s, 0, 1);
	good(s, 1, 1);
	find(s, 0, 1, true, PROBE_WRITE, EROFS);
	find(s, 1, 1, true, PROBE_WRITE, EROFS);
	assert_string_equal(local_disk(s, EXECUTOR_EMPTY_DIRS).reason, "ReadOnlyFilesystem");
}

static void test_a_new_configuration_keeps_the_verdict_of_a_path_that_stays(void **state)
{
	struct stage *s = *state;

	find(s, 0, 1, true, PROBE_CREATE, EROFS);
	good(s, 1, 2);
	struct config next = s->config;
	next.watch[0] = s->config.watch[1];
	next.watch[1] = s->config.watch[0];
	next.hash++;
	monitor_configure(&s->monitor, &next, s->now_us);
	assert_int_equal(s->monitor.watch[1].verdict.state, VERDICT_BAD);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY);
	next.watch_count = 1; /* the bad one is watched no more */
	monitor_configure(&s->monitor, &next, s->now_us);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_nothing_is_published_before_everything_was_probed),
		stage_test(test_fault_and_recovery),
		stage_test(test_a_disk_unmounted_for_repair_stays_bad),
		stage_test(test_one_filesystem_watched_twice_is_one),
		stage_test(test_one_probe_at_a_time_and_another_after_it),
		stage_test(test_silence_makes_unknown_and_leaves_bad),
		stage_test(test_an_answer_that_never_comes_is_not_waited_for),
		stage_test(test_a_stale_mount_is_not_another_one),
		stage_test(test_a_path_that_does_not_exist_yet_is_waited_for),
		stage_test(test_hints_probe_their_own_filesystem_only),
		stage_test(test_a_filesystem_that_complains_all_the_time),
		stage_test(test_an_error_of_what_is_bad_is_no_news),
		stage_test(test_a_task_that_hangs_explains_a_probe_that_hangs),
		stage_test(test_complaints_end_with_the_mount),
		stage_test(test_remounted_is_not_recovery),
		stage_test(test_what_is_watched_no_more_holds_no_taint),
		stage_test(test_a_taint_that_is_there_is_not_said_to_be_held),
		stage_test(test_nothing_watched_is_said_when_it_is_known),
		stage_test(test_a_node_object_that_says_false_is_not_cleared_by_one_good_probe),
		stage_test(test_nor_by_those_that_came_before_the_node_object_was_read),
		stage_test(test_the_disk_of_an_executor),
		stage_test(test_the_disk_of_an_executor_by_another_name),
		stage_test(test_a_new_configuration_keeps_the_verdict_of_a_path_that_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
