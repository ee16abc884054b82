/* What is watched changes: by configuration, by discovery, by mounts that come and go; and what is only a bind. */
#include "tests/unit/monitor_stage.h"

/* --- what discovery finds --- */

static struct target_list list;

static void target(const char *path, enum target_origin origin, uint64_t mount_id, unsigned device, bool mount_root)
{
	struct target *t = &list.targets[list.count++];

	*t = (struct target){.origin = origin, .mount_id = mount_id, .device_major = 7, .device_minor = device, .mount_root = mount_root};
	t->place = origin == TARGET_FOUND ? CONFIG_WATCH_MAX : 2;
	strcpy(t->path, path);
	strcpy(t->role, "runtime");
}

/* The two paths that the configuration names, and a pattern. */
static void begin_list(struct stage *s)
{
	if (s->config.watch_count == 2) {
		s->config.discover = CONFIG_DISCOVER_AUTO;
		s->config.watch_count = 3;
		strcpy(s->config.watch[2].path, "/mnt/*");
		monitor_configure(&s->monitor, &s->config, s->now_us);
	}
	memset(&list, 0, sizeof(list));
	for (uint32_t i = 0; i < 2; i++) {
		target(s->config.watch[i].path, TARGET_CONFIGURED, 0, 0, false);
		list.targets[i].place = i;
	}
}

static bool is_watched(const struct stage *s, const char *path)
{
	for (uint32_t i = 0; i < s->monitor.watch_count; i++)
		if (strcmp(s->monitor.watch[i].target.path, path) == 0)
			return true;
	return false;
}

static struct monitor_watch *watch_of(struct stage *s, const char *path)
{
	uint32_t i = 0;

	assert_true(is_watched(s, path));
	while (strcmp(s->monitor.watch[i].target.path, path) != 0)
		i++;
	return &s->monitor.watch[i];
}

static void test_nothing_is_published_before_discovery(void **state)
{
	struct stage *s = *state;

	begin_list(s);
	good(s, 0, 1);
	good(s, 1, 2);
	assert_int_equal(s->published, 0);
	monitor_snapshot(&s->monitor, 1, &s->health);
	assert_int_equal(s->health.status, HEALTH_UNKNOWN);
	target("/mnt/a", TARGET_PATTERN, 109, 9, true);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	assert_int_equal(s->asked[2], 1);
	assert_true(s->must_be_mounted[2]);
	assert_int_equal(s->published, 0);
	find(s, watch_of(s, "/mnt/a")->serial, 9, true, PROBE_CREATE, EROFS);
	assert_int_equal(s->published, 1);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_FALSE);
}

static void test_what_turns_up_later_says_nothing_before_it_was_probed(void **state)
{
	struct stage *s = *state;

	begin_list(s);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	good(s, 0, 1);
	good(s, 1, 2);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
	target("/mnt/a", TARGET_PATTERN, 109, 9, true);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	assert_int_equal(s->health.filesystem_count, 2);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
	uint32_t serial = watch_of(s, "/mnt/a")->serial;
	good(s, serial, 9);
	monitor_snapshot(&s->monitor, 1, &s->health);
	assert_int_equal(s->health.filesystem_count, 3);
	/* gone while it is well: forgotten, and an answer that is still under way means nobody */
	begin_list(s);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	assert_false(is_watched(s, "/mnt/a"));
	find(s, serial, 9, true, PROBE_CREATE, EROFS);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
}

static void test_what_is_gone_while_it_is_bad_stays_bad(void **state)
{
	struct stage *s = *state;

	begin_list(s);
	target("/mnt/a", TARGET_PATTERN, 109, 9, true);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	good(s, 0, 1);
	good(s, 1, 2);
	find(s, watch_of(s, "/mnt/a")->serial, 9, true, PROBE_CREATE, EROFS);
	begin_list(s);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	assert_true(verdict_is_bad(&watch_of(s, "/mnt/a")->verdict));
	assert_int_equal(s->monitor.report.condition.status, CONDITION_FALSE);
	/* and after a restart in that moment */
	struct stage *after = NULL;
	stage_open((void **)&after);
	begin_list(after);
	monitor_restore(&after->monitor, &s->health, after->now_us, after->now_us + 5000 * S);
	begin_list(after);
	monitor_set_targets(&after->monitor, &list, after->now_us);
	assert_true(verdict_is_bad(&watch_of(after, "/mnt/a")->verdict));
	assert_true(watch_of(after, "/mnt/a")->mounted);
	assert_int_equal(watch_of(after, "/mnt/a")->target.path_hash, place_path_hash("/mnt/a"));
	stage_close((void **)&after);
	/* back again, under another number */
	begin_list(s);
	target("/mnt/a", TARGET_PATTERN, 110, 10, true);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	assert_true(verdict_is_bad(&watch_of(s, "/mnt/a")->verdict));
	/* the configuration watches it no more */
	s->config.watch[2].ignore = 1;
	monitor_configure(&s->monitor, &s->config, s->now_us);
	assert_false(is_watched(s, "/mnt/a"));
}

static void test_a_known_path_whose_disk_is_away_is_not_its_parents(void **state)
{
	struct stage *s = *state;
	const char *path = "/var/lib/k";

	begin_list(s);
	strcpy(s->config.kubelet_root, path);
	monitor_configure(&s->monitor, &s->config, s->now_us);
	target(path, TARGET_FOUND, 109, 9, true);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	good(s, 0, 1);
	good(s, 1, 2);
	find(s, watch_of(s, path)->serial, 9, true, PROBE_CREATE, EIO);
	begin_list(s);
	target(path, TARGET_FOUND, 101, 1, false); /* its mount point, on the filesystem of watch 0 */
	monitor_set_targets(&s->monitor, &list, s->now_us);
	assert_int_equal(watch_of(s, path)->alias_of, -1);
	assert_true(verdict_is_bad(&watch_of(s, path)->verdict));
	assert_false(verdict_is_bad(&s->monitor.watch[0].verdict));
	begin_list(s);
	target(path, TARGET_FOUND, 109, 9, true);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	s->now_us += 60 * S;
	for (int i = 0; i < 3; i++)
		good(s, watch_of(s, path)->serial, 9);
	assert_int_equal(watch_of(s, path)->verdict.state, VERDICT_HEALTHY);
	/* well, and its disk is taken away: the path is the parent's */
	begin_list(s);
	target(path, TARGET_FOUND, 101, 1, false);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	assert_int_equal(watch_of(s, path)->alias_of, 0);
	assert_false(watch_of(s, path)->mounted);
	unsigned before = s->asked[2];
	monitor_probe_all(&s->monitor, "test");
	assert_int_equal(s->asked[2], before); /* never written to */
}

static void test_another_path_that_comes_to_stand_for_a_bad_filesystem_is_bad(void **state)
{
	struct stage *s = *state;

	begin_list(s);
	target("/var/lib/kubelet2", TARGET_FOUND, 109, 9, true);
	monitor_set_targets(&s->monitor, &list, s->now_us);
	good(s, 1, 2);
	find(s, watch_of(s, "/var/lib/kubelet2")->serial, 9, true, PROBE_CREATE, EIO);
	good(s, 0, 9); /* the path that the configuration names lies there too */
	assert_int_equal(watch_of(s, "/var/lib/kubelet2")->alias_of, 0);
	assert_true(verdict_is_bad(&s->monitor.watch[0].verdict));
}

/* --- binds --- */

static void mounts(struct stage *s, const char *text)
{
	struct mount_table table = {0};

	assert_int_equal(mount_table_parse(text, strlen(text), &table, NULL), 0);
	monitor_mounts(&s->monitor, &table, s->now_us, s->now_us + 1000 * S);
	mount_table_free(&table);
}

static void test_read_only_by_the_mounts_own_flag_is_not_judged(void **state)
{
	struct stage *s = *state;

	s->monitor.mounts_expected = true;
	good(s, 1, 2);
	find(s, 0, 1, true, PROBE_DIRECTORY, EROFS);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_UNKNOWN); /* what the mount says is not known yet */
	assert_int_equal(s->published, 0);
	mounts(s, "101 1 7:1 / /data ro - ext4 /dev/loop1 rw\n102 1 7:2 / /var/lib/kubelet rw - ext4 /dev/loop2 rw\n");
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
	assert_true(s->health.filesystems[0].ignored);
	assert_string_equal(s->health.filesystems[0].reason, "ReadOnlyBind");
	find(s, 0, 1, true, PROBE_DIRECTORY, EROFS);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
	/* the whole filesystem is: that is a sick disk */
	s->monitor.mounts_stale = true;
	find(s, 1, 2, true, PROBE_DIRECTORY, EROFS);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
	mounts(s, "101 1 7:1 / /data ro - ext4 /dev/loop1 rw\n102 1 7:2 / /var/lib/kubelet ro - ext4 /dev/loop2 ro\n");
	assert_int_equal(s->monitor.report.condition.status, CONDITION_FALSE);
	assert_string_equal(s->monitor.report.condition.reason, "ReadOnlyFilesystem");
}

static void test_without_a_mount_table_read_only_is_believed(void **state)
{
	struct stage *s = *state;

	s->monitor.mounts_expected = true;
	good(s, 1, 2);
	find(s, 0, 1, true, PROBE_DIRECTORY, EROFS);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_UNKNOWN);
	monitor_no_mounts(&s->monitor, s->now_us, s->now_us + 1000 * S);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_BAD);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_FALSE);
}

static void test_a_mount_table_that_comes_after_all_is_waited_for(void **state)
{
	struct stage *s = *state;

	s->monitor.mounts_expected = true;
	good(s, 1, 2);
	monitor_no_mounts(&s->monitor, s->now_us, s->now_us + 1000 * S); /* no memory for it, once */
	mounts(s, "102 1 7:2 / /var/lib/kubelet rw - ext4 /dev/loop2 rw\n");
	find(s, 0, 1, true, PROBE_DIRECTORY, EROFS);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_UNKNOWN);
	mounts(s, "101 1 7:1 / /data ro - ext4 /dev/loop1 rw\n102 1 7:2 / /var/lib/kubelet rw - ext4 /dev/loop2 rw\n");
	assert_string_equal(s->health.filesystems[0].reason, "ReadOnlyBind");
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
}

static void test_a_writable_mount_stands_for_a_read_only_bind(void **state)
{
	struct stage *s = *state;

	s->monitor.mounts_expected = true;
	find(s, 0, 1, true, PROBE_DIRECTORY, EROFS);
	find(s, 1, 1, true, PROBE_DONE, 0);
	s->monitor.watch[1].last.mount_id = 102;
	mounts(s, "101 1 7:1 / /data ro - ext4 /dev/loop1 rw\n102 1 7:1 / /var/lib/kubelet rw - ext4 /dev/loop1 rw\n");
	assert_int_equal(s->monitor.watch[0].alias_of, 1);
	assert_int_equal(s->monitor.watch[1].alias_of, -1);
	find(s, 1, 1, true, PROBE_DONE, 0);
	assert_int_equal(s->health.filesystem_count, 1);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_nothing_is_published_before_discovery),
		stage_test(test_what_turns_up_later_says_nothing_before_it_was_probed),
		stage_test(test_what_is_gone_while_it_is_bad_stays_bad),
		stage_test(test_a_known_path_whose_disk_is_away_is_not_its_parents),
		stage_test(test_another_path_that_comes_to_stand_for_a_bad_filesystem_is_bad),
		stage_test(test_read_only_by_the_mounts_own_flag_is_not_judged),
		stage_test(test_without_a_mount_table_read_only_is_believed),
		stage_test(test_a_mount_table_that_comes_after_all_is_waited_for),
		stage_test(test_a_writable_mount_stands_for_a_read_only_bind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
