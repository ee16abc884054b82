/* What the node says, made from its filesystems: status, condition, taint. */
#include "tests/unit/health_make.h"

#include "health/health_table.h"

static void test_the_worst_filesystem_speaks_for_the_node(void **unused)
{
	/* One letter a filesystem: u h w b r. */
	static const struct {
		const char *states;
		enum health_status status;
		enum condition_status condition;
		const char *reason;
		int taints, exit_code;
	} row[] = {
		{"", HEALTH_UNKNOWN, CONDITION_UNKNOWN, "NothingWatched", 0, 2},
		{"h", HEALTH_HEALTHY, CONDITION_TRUE, "AllProbesPassed", 0, 0},
		{"hhh", HEALTH_HEALTHY, CONDITION_TRUE, "AllProbesPassed", 0, 0},
		{"hw", HEALTH_WARNING, CONDITION_TRUE, "R1", 1, 0},
		{"wu", HEALTH_UNKNOWN, CONDITION_UNKNOWN, "R1", 0, 2},
		{"huu", HEALTH_UNKNOWN, CONDITION_UNKNOWN, "R1", 0, 2},
		{"hub", HEALTH_UNHEALTHY, CONDITION_FALSE, "R2", 1, 1},
		{"wur", HEALTH_UNHEALTHY, CONDITION_FALSE, "R2", 1, 1},
		{"hrb", HEALTH_UNHEALTHY, CONDITION_FALSE, "R1", 1, 1},
	};
	static const char *const effects[][2] = {/* unhealthy, warning; in the order of enum config_taint */
		{"NoSchedule", "PreferNoSchedule"}, {"PreferNoSchedule", "PreferNoSchedule"}, {"", ""}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		scoped(scoped_free) struct health *h = new_health();
		for (const char *s = row[i].states; *s; s++) {
			char reason[8];
			snprintf(reason, sizeof(reason), "R%u", h->filesystem_count);
			add(h, "/data", (enum verdict_state)(strchr("uhwbr", *s) - "uhwbr"), *s == 'h' ? "" : reason, "words");
		}
		h->status = health_judge(h);
		assert_int_equal(h->status, row[i].status);
		assert_int_equal(health_exit_code(h->status), row[i].exit_code);
		for (int taint = CONFIG_TAINT_NO_SCHEDULE; taint <= CONFIG_TAINT_OFF; taint++) {
			scoped(scoped_free) struct config *c = new_config((enum config_taint)taint);
			struct report r;
			memset(&r, 0x5a, sizeof(r)); /* nothing of before may shine through */
			r.sequence = 7;
			r.condition.transition_wall_us = 8;
			health_report(h, c, &r);
			assert_int_equal(r.sequence, 7);
			assert_int_equal(r.condition.transition_wall_us, 8);
			assert_string_equal(r.node, "node-1");
			assert_string_equal(r.condition.type, "stoker.dev/StorageReady");
			assert_int_equal(r.condition.status, row[i].condition);
			assert_string_equal(r.condition.reason, row[i].reason);
			assert_string_equal(r.taint.key, STOKER_TAINT_KEY);
			assert_int_equal(r.taint.wanted, row[i].taints && taint != CONFIG_TAINT_OFF);
			assert_string_equal(r.taint.effect, row[i].taints ? effects[taint][row[i].status == HEALTH_WARNING] : "");
			assert_string_equal(r.taint.value, r.taint.wanted ? row[i].reason : "");
		}
	}
}

static void test_a_forecast_is_said_and_never_taints(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	struct report r = {0};
	char line[HEALTH_LINE_BYTES];

	(void)unused;
	struct health_filesystem *f = add(h, "/data", VERDICT_WARNING, "InodesFillingUp", "inodes are filling up: full in 18 to 25 min, if it goes on");
	add(h, "/other", VERDICT_HEALTHY, "", "");
	h->status = health_judge(h);
	assert_int_equal(h->status, HEALTH_WARNING);
	health_report(h, c, &r);
	assert_int_equal(r.condition.status, CONDITION_TRUE);
	assert_string_equal(r.condition.reason, "InodesFillingUp");
	assert_non_null(strstr(r.condition.message, "/data (ext4 /dev/loop0): its inodes are being used up and will be full soon if it goes on since "));
	assert_false(r.taint.wanted);
	/* other minutes are no other message: nothing is written again */
	struct report_condition before = r.condition;
	strcpy(f->message, "inodes are filling up: full in 17 to 24 min, if it goes on");
	health_report(h, c, &r);
	assert_memory_equal(&before, &r.condition, sizeof(before));
	/* what is comes before what may come, wherever it stands */
	strcpy(h->filesystems[1].reason, "SpaceLow");
	strcpy(h->filesystems[1].message, "space is low: 1 of 2");
	h->filesystems[1].state = VERDICT_WARNING;
	h->filesystems[1].ignored = 1; /* but what is ignored is no part of it */
	health_report(h, c, &r);
	assert_string_equal(r.condition.reason, "InodesFillingUp");
	h->filesystems[1].ignored = 0;
	health_report(h, c, &r);
	assert_string_equal(r.condition.reason, "SpaceLow");
	assert_non_null(strstr(r.condition.message, "/other (ext4 /dev/loop1): space is low: 1 of 2 since "));
	assert_string_equal(r.taint.value, "SpaceLow");
	assert_string_equal(r.taint.effect, "PreferNoSchedule");
	memcpy(&h->report, &r, sizeof(r));
	health_headline(h, line);
	assert_non_null(strstr(line, "Warning: SpaceLow on /other since"));
}

static void test_the_message_names_mount_reason_time_and_command(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	struct report r = {0};

	(void)unused;
	add(h, "/data", VERDICT_BAD, "ReadOnlyFilesystem", "read-only: making a file failed with EROFS");
	add(h, "/other", VERDICT_HEALTHY, "", "");
	health_report(h, c, &r);
	assert_string_equal(r.condition.message, "/data (ext4 /dev/loop0): read-only: making a file failed with EROFS since 2026-11-26T08:15:00Z; "
						 "1 of 2 filesystems; more: kubectl exec -n stoker-system $(kubectl get pod -n stoker-system -o name "
						 "--field-selector spec.nodeName=node-1) -c agent -- stoker health, or on the node: stoker health");
	h->filesystems[0].state = VERDICT_HEALTHY;
	health_report(h, c, &r);
	assert_string_equal(r.condition.message, "2 of 2 filesystems can be written: /data, /other");
	strcpy(h->filesystems[1].mount_point, "/");
	h->filesystems[1].state = VERDICT_UNKNOWN;
	strcpy(h->filesystems[1].reason, "WatchPathMissing");
	strcpy(h->filesystems[1].message, "the path does not exist (yet)");
	health_report(h, c, &r);
	assert_non_null(strstr(r.condition.message, "/ (ext4 /dev/loop1; watched as /other): the path does not exist (yet) since "));
}

static void test_the_message_stands_still_while_nothing_changes(void **unused)
{
	static const enum verdict_state states[] = {VERDICT_HEALTHY, VERDICT_WARNING, VERDICT_BAD, VERDICT_RECOVERING, VERDICT_UNKNOWN};
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		scoped(scoped_free) struct health *h = new_health();
		struct report one = {0}, two = {0};
		struct health_filesystem *f = add(h, "/data", states[i], "IOErrors", states[i] == VERDICT_WARNING ? "inode #12" : "gives I/O errors");
		health_report(h, c, &one);
		/* An hour and many probes later; another inode in the kernel's line. */
		h->time_wall_us += 3600 * US_PER_S;
		f->last_probe_wall_us += 3600 * US_PER_S;
		f->last_probe_duration_us *= 7;
		if (states[i] == VERDICT_WARNING)
			strcpy(f->message, "inode #4711");
		health_report(h, c, &two);
		assert_memory_equal(&one, &two, sizeof(one));
	}
}

static void test_the_message_is_bounded_and_escaped(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	struct report r = {0};

	(void)unused;
	for (int i = 0; i < CONFIG_WATCH_MAX; i++) {
		struct health_filesystem *f = add(h, "/", VERDICT_BAD, "ReadOnlyFilesystem", "");
		memset(f->mount_point, '\n', sizeof(f->mount_point) - 1);
		memset(f->path, 0xff, sizeof(f->path) - 1);
		memset(f->source, '\\', sizeof(f->source) - 1);
		memset(f->fs_type, 'x', sizeof(f->fs_type) - 1);
		memset(f->message, 'm', sizeof(f->message) - 1);
	}
	memset(h->node, 'n', sizeof(h->node));
	h->node[63] = '\0';
	for (int state = VERDICT_UNKNOWN; state < VERDICT_STATE_MAX_; state++) {
		for (int i = 0; i < CONFIG_WATCH_MAX; i++)
			h->filesystems[i].state = (enum verdict_state)state;
		health_report(h, c, &r);
		for (const char *p = r.condition.message; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
		if (state == VERDICT_HEALTHY)
			assert_non_null(strstr(r.condition.message, " more"));
		else
			assert_non_null(strstr(r.condition.message, "or on the node: stoker health"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_worst_filesystem_speaks_for_the_node),
		cmocka_unit_test(test_a_forecast_is_said_and_never_taints),
		cmocka_unit_test(test_the_message_names_mount_reason_time_and_command),
		cmocka_unit_test(test_the_message_stands_still_while_nothing_changes),
		cmocka_unit_test(test_the_message_is_bounded_and_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
