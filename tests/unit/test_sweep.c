/* What Spark left: names, possible makers, verdicts; and in stokerd the grace, the pages, the order of looks and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/sweeps.h"
#include "volumes/sweep.h"

#define UUID	"0f3c2a9e-7f51-4a57-9d0e-5b1f7a2c8d40"
#define OTHER	"11111111-2222-3333-4444-555555555555"
#define S	1000000ULL
#define GRACE	(600 * S)

/* --- names --- */

static void test_only_names_that_spark_gives(void **unused)
{
	static const struct {
		const char *name;
		bool want;
	} row[] = {
		{"blockmgr-" UUID, true}, {"spark-" UUID, true}, {"executor-" UUID, true}, {"", false}, {"blockmgr-", false}, {"blockmgr", false},
		{UUID, false}, {"blockmgr-" UUID "x", false}, {"xblockmgr-" UUID, false}, {"blockmgr-0F3C2A9E-7F51-4A57-9D0E-5B1F7A2C8D40", false},
		{"blockmgr-0f3c2a9e-7f51-4a57-9d0e-5b1f7a2c8d4", false}, {"blockmgr-0f3c2a9e-7f51-4a57-9d0e_5b1f7a2c8d40", false},
		{"pvc-" UUID, false}, {"pvc-" UUID "_spark_data", false}, {"spark-history", false}, {"spark-local-dir-1", false}, {"checkpoint", false},
		{"blockmgr-" UUID "\n", false}, {" blockmgr-" UUID, false},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (sweep_is_name(row[i].name) != row[i].want)
			fail_msg("'%s'", row[i].name);
}

static void test_names_in_lines_of_proc(void **unused)
{
	static const struct {
		const char *text, *want;
	} row[] = {
		{"/mnt/d/blockmgr-" UUID "/00/shuffle_0_0_0.data", "blockmgr-" UUID}, {"/mnt/d/blockmgr-" UUID, "blockmgr-" UUID},
		{"/mnt/d/blockmgr-" UUID "/x (deleted)", "blockmgr-" UUID}, {"/x/blockmgr-" UUID " (deleted)", "blockmgr-" UUID},
		{"/x/spark-" UUID "/executor-" OTHER "/f", "spark-" UUID " executor-" OTHER}, {"socket:[123]", ""}, {"", ""},
		{"/x/notblockmgr-" UUID "/f", ""}, {"/x/blockmgr-" UUID "0/f", ""},
		{"36 35 98:0 /d/blockmgr-" UUID "/a /data rw - ext4 /dev/x rw", "blockmgr-" UUID},
		{"36 35 0:9 / /x rw - overlay o rw,lowerdir=/y/spark-" UUID ":/z,upperdir=/w/blockmgr-" OTHER ",workdir=/v", "spark-" UUID " blockmgr-" OTHER},
		{"7f00-7f01 r--p 00000000 08:01 12 /d/blockmgr-" UUID "/a\\012b\n", "blockmgr-" UUID},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const char *at = row[i].text, *end = at + strlen(at);
		char name[SWEEP_NAME_BYTES], found[256] = "";
		while (sweep_next_name(&at, end, name))
			str_append(found, sizeof(found), "%s%s", *found ? " " : "", name);
		assert_string_equal(found, row[i].want);
	}
}

/* --- who may have made it --- */

static void test_possible_makers(void **unused)
{
	static const uint32_t spark[4] = {185, 185, 185, 185}, root[4] = {0}, dropped[4] = {0, 185, 0, 0};
	static const struct {
		const char *what;
		const uint32_t *uids;
		bool own_ids, jvm;
		uint32_t view;
		uint64_t started_s; /* the directory was born at 1000 */
		bool want;
	} row[] = {
		{"an executor of the same user, older", spark, false, true, SWEEP_SEES_ROOT, 990, true},
		{"the same, far older", spark, false, true, SWEEP_SEES_ROOT, 1, true},
		{"one that was started later", spark, false, true, SWEEP_SEES_ROOT, 2000, false},
		{"a clock that was set a little", spark, false, true, SWEEP_SEES_ROOT, 1059, true},
		{"and not more", spark, false, true, SWEEP_SEES_ROOT, 1061, false},
		{"another user", root, false, true, SWEEP_SEES_ROOT, 990, false},
		{"whose effective user it is", dropped, false, true, SWEEP_SEES_ROOT, 990, true},
		{"who has uids of its own", root, true, true, SWEEP_SEES_ROOT, 990, true},
		{"no JVM, but the root was given to it", spark, false, false, SWEEP_SEES_ROOT, 990, true},
		{"no JVM, which sees the node", spark, false, false, SWEEP_SEES_ALL, 990, false},
		{"a JVM that sees the node", spark, false, true, SWEEP_SEES_ALL, 990, true},
		{"a JVM that does not see the root", spark, false, true, SWEEP_SEES_NOTHING, 990, false},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct sweep_process p = {.pid = 7, .own_ids = row[i].own_ids, .jvm = row[i].jvm, .view = row[i].view, .started_wall_us = row[i].started_s * S};
		memcpy(p.uids, row[i].uids, sizeof(p.uids));
		if (sweep_may_have_made(&p, 185, 1000 * S, 60 * S) != row[i].want)
			fail_msg("%s: wanted %d", row[i].what, row[i].want);
	}
}

static void test_verdicts(void **unused)
{
	static const struct {
		const char *what;
		struct sweep_facts facts;
		enum sweep_reason want;
		uint32_t pid;
	} row[] = {
		{"nobody", {.is_directory = true, .born_wall_us = 5, .changed_wall_us = 6, .now_wall_us = 9}, SWEEP_OWNERLESS, 0},
		{"as it was", {.is_directory = true, .born_wall_us = 5, .changed_wall_us = 6, .known_changed_wall_us = 6, .now_wall_us = 9}, SWEEP_OWNERLESS, 0},
		{"written to", {.is_directory = true, .born_wall_us = 5, .changed_wall_us = 7, .known_changed_wall_us = 6, .now_wall_us = 9}, SWEEP_CHANGED, 0},
		{"a link", {.born_wall_us = 5, .now_wall_us = 9}, SWEEP_NO_DIRECTORY, 0},
		{"open", {.is_directory = true, .open_pid = 3, .born_wall_us = 5, .now_wall_us = 9}, SWEEP_OPEN, 3},
		{"mounted and open", {.is_directory = true, .open_pid = 3, .mounted_pid = 4, .born_wall_us = 5, .now_wall_us = 9}, SWEEP_MOUNTED, 4},
		{"a maker", {.is_directory = true, .maker_pid = 8, .born_wall_us = 5, .now_wall_us = 9}, SWEEP_MAKER, 8},
		{"no birth", {.is_directory = true, .now_wall_us = 9}, SWEEP_NO_BIRTH, 0},
		{"born tomorrow", {.is_directory = true, .born_wall_us = 10, .now_wall_us = 9}, SWEEP_NO_BIRTH, 0},
		{"somebody unread", {.is_directory = true, .unread_pid = 2, .born_wall_us = 5, .now_wall_us = 9}, SWEEP_UNREAD, 2},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint32_t pid = 99;
		const enum sweep_reason found = sweep_judge(&row[i].facts, &pid);
		if (found != row[i].want || pid != row[i].pid)
			fail_msg("%s: %s, pid %u; wanted %s", row[i].what, sweep_reason_name(found), pid, sweep_reason_name(row[i].want));
	}
}

/* --- stokerd's memory --- */

struct stage {
	struct config config;
	struct sweeps sweeps;
	struct wire_swept swept;
	unsigned gone;
};

static void count_gone(void *owner, const struct sweeps_directory *d)
{
	struct stage *stage = owner;

	(void)d;
	stage->gone++;
}

static int open_stage(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	stage->config.hash = 7;
	stage->config.volumes.sweep = CONFIG_SWEEP_ON;
	stage->config.volumes.sweep_grace_us = GRACE;
	stage->config.volumes.sweep_root_count = 2;
	str_copy(stage->config.volumes.sweep_roots[0].path, CONFIG_VOLUME_PATH_BYTES, "/mnt/a");
	str_copy(stage->config.volumes.sweep_roots[1].path, CONFIG_VOLUME_PATH_BYTES, "/mnt/b");
	assert_true(sweeps_configure(&stage->sweeps, &stage->config.volumes));
	*state = stage;
	return 0;
}

static int close_stage(void **state)
{
	struct stage *stage = *state;

	stage->config.volumes.sweep = CONFIG_SWEEP_OFF;
	assert_true(sweeps_configure(&stage->sweeps, &stage->config.volumes));
	free(stage);
	return 0;
}

static void say(struct stage *stage, uint32_t root, uint64_t ino, enum sweep_reason reason, uint64_t changed)
{
	struct wire_swept *w = &stage->swept;
	struct wire_swept_one *one = &w->of[w->count++];

	w->root = root;
	*one = (struct wire_swept_one){.ino = ino, .born_wall_us = ino * S, .changed_wall_us = changed, .reason = reason};
	str_copy(one->name, sizeof(one->name), "blockmgr-" UUID);
}

static void take(struct stage *stage, uint64_t now_us)
{
	assert_true(sweeps_is_well_formed(&stage->swept));
	sweeps_take(&stage->sweeps, &stage->swept, now_us, count_gone, stage);
	memset(&stage->swept, 0, sizeof(stage->swept));
}

/* Both roots are looked at; the second is empty. */
static void look(struct stage *stage, uint64_t ino, enum sweep_reason reason, uint64_t changed, uint64_t now_us)
{
	struct wire_sweep ask;

	assert_true(sweeps_next(&stage->sweeps, &stage->config, now_us, &ask));
	assert_int_equal(ask.root, 0);
	assert_int_equal(ask.remove_count, 0);
	say(stage, 0, ino, reason, changed);
	take(stage, now_us);
	assert_true(sweeps_next(&stage->sweeps, &stage->config, now_us, &ask));
	assert_int_equal(ask.root, 1);
	stage->swept.root = 1;
	take(stage, now_us);
}

static bool removes(struct stage *stage, uint64_t now_us, struct wire_sweep *ask)
{
	return sweeps_next(&stage->sweeps, &stage->config, now_us, ask) && ask->remove_count > 0;
}

static void test_grace_counts_from_the_first_look_that_found_it_ownerless(void **state)
{
	struct stage *stage = *state;
	struct wire_sweep ask;

	look(stage, 5, SWEEP_OWNERLESS, 50, 1000 * S);
	assert_false(sweeps_next(&stage->sweeps, &stage->config, 1001 * S, &ask)); /* nothing is due */
	for (uint64_t at = 1060; at < 1600; at += 60)
		look(stage, 5, SWEEP_OWNERLESS, 50, at * S);
	assert_false(removes(stage, 1599 * S, &ask));
	look(stage, 5, SWEEP_OWNERLESS, 50, 1600 * S);
	assert_true(removes(stage, 1600 * S, &ask));
	assert_int_equal(ask.config_hash, 7);
	assert_int_equal(ask.remove_count, 1);
	assert_int_equal(ask.remove[0].ino, 5);
	assert_int_equal(ask.remove[0].changed_wall_us, 50);
	stage->sweeps.outstanding = true;
	assert_false(sweeps_next(&stage->sweeps, &stage->config, 1700 * S, &ask)); /* one at a time */
}

static void test_an_owner_or_a_write_begins_it_anew(void **state)
{
	struct stage *stage = *state;
	struct wire_sweep ask;

	look(stage, 5, SWEEP_OWNERLESS, 50, 1000 * S);
	look(stage, 5, SWEEP_OPEN, 50, 1300 * S);
	look(stage, 5, SWEEP_OWNERLESS, 50, 1400 * S);
	look(stage, 5, SWEEP_OWNERLESS, 51, 1700 * S); /* somebody wrote */
	look(stage, 5, SWEEP_OWNERLESS, 51, 2290 * S);
	assert_false(removes(stage, 2299 * S, &ask));
	assert_true(removes(stage, 2300 * S, &ask));
}

static void test_a_large_one_goes_in_steps(void **state)
{
	struct stage *stage = *state;
	struct wire_sweep ask;

	look(stage, 5, SWEEP_OWNERLESS, 50, 1000 * S);
	look(stage, 5, SWEEP_OWNERLESS, 50, 1600 * S);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(removes(stage, 1601 * S + i, &ask));
		assert_int_equal(ask.remove[0].changed_wall_us, i ? 60 + i - 1 : 50);
		say(stage, 0, 5, SWEEP_OWNERLESS, 60 + i);
		stage->swept.removing = 1;
		stage->swept.of[0].removed_entries = 20000;
		stage->swept.of[0].removed_bytes = 1 << 20;
		stage->swept.of[0].gone = i == 2;
		take(stage, 1601 * S + i);
	}
	assert_int_equal(stage->gone, 1);
	assert_int_equal(stage->sweeps.entries_total, 60000);
	assert_int_equal(stage->sweeps.count, 0);
	assert_false(removes(stage, 1602 * S, &ask));
}

static void test_what_cannot_be_removed_waits_for_the_grace_again(void **state)
{
	struct stage *stage = *state;
	struct wire_sweep ask;

	look(stage, 5, SWEEP_OWNERLESS, 50, 1000 * S);
	look(stage, 5, SWEEP_OWNERLESS, 50, 1600 * S);
	assert_true(removes(stage, 1600 * S, &ask));
	say(stage, 0, 5, SWEEP_OWNERLESS, 50);
	stage->swept.removing = 1;
	stage->swept.of[0].left = 1;
	take(stage, 1600 * S);
	assert_false(removes(stage, 1610 * S, &ask));
	look(stage, 5, SWEEP_OWNERLESS, 50, 2200 * S);
	assert_true(removes(stage, 2200 * S, &ask));
}

static void test_pages_follow_each_other_and_what_is_on_none_is_forgotten(void **state)
{
	struct stage *stage = *state;
	struct wire_sweep ask;

	look(stage, 5, SWEEP_OPEN, 50, 1000 * S);
	assert_true(sweeps_next(&stage->sweeps, &stage->config, 1060 * S, &ask));
	assert_int_equal(ask.after_ino, 0);
	say(stage, 0, 8, SWEEP_OPEN, 50);
	stage->swept.more = 1;
	take(stage, 1060 * S);
	assert_int_equal(stage->sweeps.count, 2);
	assert_true(sweeps_next(&stage->sweeps, &stage->config, 1060 * S, &ask));
	assert_int_equal(ask.root, 0);
	assert_int_equal(ask.after_ino, 8);
	say(stage, 0, 9, SWEEP_OPEN, 50);
	take(stage, 1060 * S);
	assert_int_equal(stage->sweeps.count, 2); /* 8 and 9 */
}

static void test_dry_run_never_removes(void **state)
{
	struct stage *stage = *state;
	struct wire_sweep ask;
	scoped(scoped_free) char *json = NULL;
	struct err e = {0};

	stage->config.volumes.sweep = CONFIG_SWEEP_DRY_RUN;
	look(stage, 5, SWEEP_OWNERLESS, 50, 1000 * S);
	look(stage, 5, SWEEP_OWNERLESS, 50, 9000 * S);
	assert_false(sweeps_next(&stage->sweeps, &stage->config, 9001 * S, &ask));
	assert_int_equal(sweeps_to_json(&stage->sweeps, &stage->config, 9001 * S, 1800000000 * S, &json, &e), 0);
	assert_non_null(strstr(json, "\"path\":\"/mnt/a/blockmgr-" UUID "\",\"ownerless\":true,\"reason\":\"Ownerless\""));
	assert_non_null(strstr(json, "\"mode\":\"dryRun\""));
}

static void test_a_clock_that_was_set_is_allowed_for(void **state)
{
	struct stage *stage = *state;
	struct wire_sweep ask;

	sweeps_clock(&stage->sweeps, 5000 * S, 100 * S);
	sweeps_clock(&stage->sweeps, 8610 * S, 110 * S); /* an hour forward */
	sweeps_clock(&stage->sweeps, 5020 * S, 120 * S); /* and back */
	assert_true(sweeps_next(&stage->sweeps, &stage->config, 1000 * S, &ask));
	assert_int_equal(ask.slack_us, 3600 * S + SWEEP_SLACK_US);
}

static void test_answers_are_checked(void **state)
{
	struct stage *stage = *state;

	say(stage, 0, 5, SWEEP_OWNERLESS, 50);
	assert_true(sweeps_is_well_formed(&stage->swept));
	stage->swept.of[0].reason = SWEEP_REASON_MAX_;
	assert_false(sweeps_is_well_formed(&stage->swept));
	stage->swept.of[0].reason = SWEEP_OPEN;
	str_copy(stage->swept.of[0].name, sizeof(stage->swept.of[0].name), "../etc");
	assert_false(sweeps_is_well_formed(&stage->swept));
	stage->swept.count = SWEEP_PAGE + 1;
	assert_false(sweeps_is_well_formed(&stage->swept));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_names_that_spark_gives),
		cmocka_unit_test(test_names_in_lines_of_proc),
		cmocka_unit_test(test_possible_makers),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test_setup_teardown(test_grace_counts_from_the_first_look_that_found_it_ownerless, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_owner_or_a_write_begins_it_anew, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_large_one_goes_in_steps, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_removed_waits_for_the_grace_again, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_pages_follow_each_other_and_what_is_on_none_is_forgotten, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_dry_run_never_removes, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_clock_that_was_set_is_allowed_for, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_answers_are_checked, open_stage, close_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
