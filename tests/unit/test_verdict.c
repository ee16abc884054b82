/* The state table: every (state, event) pair has its answer, and time is passed in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/verdict.h"

#define S 1000000ULL

static const struct verdict_rules rules = {.recover_after = 3, .minimum_bad_us = 10 * S, .warning_dwell_us = 300 * S};

static struct verdict_input input_of(enum verdict_event event)
{
	struct verdict_input input = {.event = event};

	strcpy(input.reason, event == VERDICT_FAILED ? "ReadOnlyFilesystem" : event == VERDICT_HINT ? "FilesystemError" : event == VERDICT_LOW ? "SpaceLow" : "NotMounted");
	strcpy(input.message, "words");
	return input;
}

static void test_every_pair_has_an_answer(void **unused)
{
	static const struct {
		enum verdict_state from;
		enum verdict_event event;
		enum verdict_state to;
	} row[] = {
		{VERDICT_UNKNOWN, VERDICT_GOOD, VERDICT_HEALTHY},	{VERDICT_UNKNOWN, VERDICT_FAILED, VERDICT_BAD},
		{VERDICT_UNKNOWN, VERDICT_UNSURE, VERDICT_UNKNOWN},	{VERDICT_UNKNOWN, VERDICT_HINT, VERDICT_UNKNOWN},
		{VERDICT_UNKNOWN, VERDICT_STALE, VERDICT_UNKNOWN},	{VERDICT_HEALTHY, VERDICT_GOOD, VERDICT_HEALTHY},
		{VERDICT_HEALTHY, VERDICT_FAILED, VERDICT_BAD},		{VERDICT_HEALTHY, VERDICT_UNSURE, VERDICT_UNKNOWN},
		{VERDICT_HEALTHY, VERDICT_HINT, VERDICT_HEALTHY},	{VERDICT_HEALTHY, VERDICT_STALE, VERDICT_UNKNOWN},
		{VERDICT_WARNING, VERDICT_GOOD, VERDICT_HEALTHY},	{VERDICT_WARNING, VERDICT_FAILED, VERDICT_BAD},
		{VERDICT_WARNING, VERDICT_UNSURE, VERDICT_UNKNOWN},	{VERDICT_WARNING, VERDICT_HINT, VERDICT_WARNING},
		{VERDICT_WARNING, VERDICT_STALE, VERDICT_UNKNOWN},	{VERDICT_BAD, VERDICT_GOOD, VERDICT_RECOVERING},
		{VERDICT_BAD, VERDICT_FAILED, VERDICT_BAD},		{VERDICT_BAD, VERDICT_UNSURE, VERDICT_BAD},
		{VERDICT_BAD, VERDICT_HINT, VERDICT_BAD},		{VERDICT_BAD, VERDICT_STALE, VERDICT_BAD},
		{VERDICT_RECOVERING, VERDICT_GOOD, VERDICT_RECOVERING}, {VERDICT_RECOVERING, VERDICT_FAILED, VERDICT_BAD},
		{VERDICT_RECOVERING, VERDICT_UNSURE, VERDICT_BAD},	{VERDICT_RECOVERING, VERDICT_HINT, VERDICT_RECOVERING},
		{VERDICT_RECOVERING, VERDICT_STALE, VERDICT_BAD},
		{VERDICT_UNKNOWN, VERDICT_LOW, VERDICT_WARNING},	{VERDICT_HEALTHY, VERDICT_LOW, VERDICT_WARNING},
		{VERDICT_WARNING, VERDICT_LOW, VERDICT_WARNING},	{VERDICT_BAD, VERDICT_LOW, VERDICT_RECOVERING},
		{VERDICT_RECOVERING, VERDICT_LOW, VERDICT_RECOVERING},
	};

	(void)unused;
	assert_int_equal(ARRAY_SIZE(row), VERDICT_STATE_MAX_ * VERDICT_EVENT_MAX_);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct verdict before = {.state = row[i].from, .since_us = S, .bad_since_us = S, .reason = "IOErrors"};
		const struct verdict_input input = input_of(row[i].event);
		struct verdict after = verdict_step(before, &input, &rules, 2 * S);
		assert_int_equal(after.state, row[i].to);
		assert_int_equal(after.since_us, row[i].from == row[i].to ? S : 2 * S);
		assert_int_equal(after.answered, row[i].event != VERDICT_HINT);
	}
}

static struct verdict run(struct verdict v, const char *events, uint64_t start_us, uint64_t step_us)
{
	for (size_t i = 0; events[i]; i++) {
		const char *const letters = "gfuhsl"; /* in the order of enum verdict_event */
		const struct verdict_input input = input_of((enum verdict_event)(strchr(letters, events[i]) - letters));
		v = verdict_step(v, &input, &rules, start_us + i * step_us);
	}
	return v;
}

static void test_recovery_takes_three_good_probes_in_a_row_and_the_minimum_dwell(void **unused)
{
	static const struct {
		const char *events;
		uint64_t step_us;
		enum verdict_state want;
	} row[] = {
		{"fgg", 5 * S, VERDICT_RECOVERING},   {"fggg", 5 * S, VERDICT_HEALTHY},
		{"fggg", 1 * S, VERDICT_RECOVERING}, /* three, but only 3 s bad */
		{"fgggggggggg", 1 * S, VERDICT_HEALTHY}, /* the tenth second */
		{"fggfgg", 5 * S, VERDICT_RECOVERING}, {"fggfggg", 5 * S, VERDICT_HEALTHY},
		{"fgguggg", 5 * S, VERDICT_HEALTHY},  {"fggugg", 5 * S, VERDICT_RECOVERING},
		{"fgghgg", 5 * S, VERDICT_RECOVERING}, /* a kernel error line in between counts again from nothing */
		{"flll", 5 * S, VERDICT_WARNING}, /* writing works again, but little is left */
		{"fllg", 5 * S, VERDICT_HEALTHY},      {"fll", 5 * S, VERDICT_RECOVERING},
		{"llll", 5 * S, VERDICT_WARNING},      {"llg", 5 * S, VERDICT_HEALTHY},
		{"fuuuuuuu", 5 * S, VERDICT_BAD},     {"fsssss", 60 * S, VERDICT_BAD},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(run((struct verdict){0}, row[i].events, 100 * S, row[i].step_us).state, row[i].want);
}

static void test_a_kernel_line_warns_and_the_warning_goes(void **unused)
{
	struct verdict v = run((struct verdict){0}, "ghg", 100 * S, S);

	(void)unused;
	assert_int_equal(v.state, VERDICT_WARNING);
	assert_string_equal(v.reason, "FilesystemError");
	const struct verdict_input good = input_of(VERDICT_GOOD);
	v = verdict_step(v, &good, &rules, 400 * S);
	assert_int_equal(v.state, VERDICT_WARNING);
	v = verdict_step(v, &good, &rules, 402 * S);
	assert_int_equal(v.state, VERDICT_HEALTHY);
	assert_string_equal(v.reason, "");
}

static void test_little_left_warns_and_its_words_stand_still(void **unused)
{
	struct verdict_input low = {.event = VERDICT_LOW, .reason = "InodesLow", .message = "inodes are low: 90 of 2000"};
	struct verdict v = run((struct verdict){0}, "g", 100 * S, S);

	(void)unused;
	v = verdict_step(v, &low, &rules, 101 * S);
	assert_int_equal(v.state, VERDICT_WARNING);
	assert_string_equal(v.reason, "InodesLow");
	strcpy(low.message, "inodes are low: 80 of 2000");
	v = verdict_step(v, &low, &rules, 102 * S);
	assert_string_equal(v.message, "inodes are low: 90 of 2000");
	assert_int_equal(v.since_us, 101 * S);
	/* another cause is said */
	low = (struct verdict_input){.event = VERDICT_LOW, .reason = "SpaceLow", .message = "space is low"};
	v = verdict_step(v, &low, &rules, 103 * S);
	assert_string_equal(v.reason, "SpaceLow");
	/* what the kernel says is worse, while it is fresh */
	v = run(v, "hl", 104 * S, S);
	assert_string_equal(v.reason, "FilesystemError");
	v = verdict_step(v, &low, &rules, 500 * S);
	assert_string_equal(v.reason, "SpaceLow");
}

static void test_what_is_left_is_judged(void **unused)
{
	static const struct {
		struct space_levels levels;
		enum verdict_event event;
		const char *reason, *message;
	} row[] = {
		{{{SPACE_ENOUGH, SPACE_ENOUGH}}, VERDICT_GOOD, "", ""},
		{{{SPACE_LOW, SPACE_ENOUGH}}, VERDICT_LOW, "SpaceLow", "space is low: 1.0 MiB of 64.0 MiB left for ordinary users"},
		{{{SPACE_ENOUGH, SPACE_LOW}}, VERDICT_LOW, "InodesLow", "inodes are low: 3 of 2000 inodes left for ordinary users"},
		{{{SPACE_LOW, SPACE_LOW}}, VERDICT_LOW, "SpaceLow", "space is low: 1.0 MiB of 64.0 MiB left for ordinary users"},
		{{{SPACE_LOW, SPACE_EXHAUSTED}}, VERDICT_FAILED, "InodesExhausted", "out of inodes: 3 of 2000 inodes left for ordinary users"},
		{{{SPACE_EXHAUSTED, SPACE_EXHAUSTED}}, VERDICT_FAILED, "SpaceExhausted", "full: 1.0 MiB of 64.0 MiB left for ordinary users"},
	};
	static const struct space space = {64 << 20, 1 << 20, 2000, 3, false};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct verdict_input input = verdict_judge_space(&space, row[i].levels);
		assert_int_equal(input.event, row[i].event);
		assert_string_equal(input.reason, row[i].reason);
		assert_string_equal(input.message, row[i].message);
	}
	const struct finding full = {.step = PROBE_CREATE, .errnum = ENOSPC, .space = {64 << 20, 1 << 20, 2000, 0, false}};
	assert_string_equal(verdict_judge(&full).message, "out of inodes: making a file failed with ENOSPC, 0 of 2000 inodes left for ordinary users");
}

/* The same cause from what is left and from a write that failed, and the words that tell what to enlarge. */
static void test_a_shortage_is_named_by_its_cause(void **unused)
{
	static const struct {
		struct space space;
		struct space_levels levels;
		enum probe_step step;
		const char *reason, *left, *failed;
	} row[] = {
		{{64 << 20, 4096, 2000, 9, 0, 12 << 20, SPACE_ON_EXT4}, {{SPACE_EXHAUSTED, SPACE_ENOUGH}}, PROBE_WRITE, "ReservedBlocks",
		 "full, what is free is reserved for root: 4.0 KiB of 64.0 MiB left for ordinary users, 12.0 MiB for root",
		 "full, what is free is reserved for root: writing failed with ENOSPC, 4.0 KiB of 64.0 MiB left for ordinary users, 12.0 MiB for root"},
		{{8 << 20, 0, 2000, 9, 0, 0, SPACE_ON_TMPFS}, {{SPACE_EXHAUSTED, SPACE_ENOUGH}}, PROBE_WRITE, "TmpfsSize",
		 "full to the size= of this tmpfs: 0 B of 8.0 MiB left for ordinary users",
		 "full to the size= of this tmpfs: writing failed with ENOSPC, 0 B of 8.0 MiB left for ordinary users"},
		{{8 << 20, 4 << 20, 64, 0, 0, 4 << 20, SPACE_ON_TMPFS}, {{SPACE_ENOUGH, SPACE_EXHAUSTED}}, PROBE_CREATE, "TmpfsInodes",
		 "out of inodes, by the nr_inodes= of this tmpfs: 0 of 64 inodes left for ordinary users",
		 "out of inodes, by the nr_inodes= of this tmpfs: making a file failed with ENOSPC, 0 of 64 inodes left for ordinary users"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct finding f = {.step = row[i].step, .errnum = ENOSPC, .space = row[i].space};
		assert_string_equal(verdict_judge_space(&row[i].space, row[i].levels).reason, row[i].reason);
		assert_string_equal(verdict_judge_space(&row[i].space, row[i].levels).message, row[i].left);
		assert_string_equal(verdict_judge(&f).reason, row[i].reason);
		assert_string_equal(verdict_judge(&f).message, row[i].failed);
	}
	const struct finding other = {.step = PROBE_CREATE, .errnum = ENOSPC, .space = {1 << 30, 1 << 29, 0, 0, 0, 1 << 29, SPACE_ON_OTHER}};
	assert_string_equal(verdict_judge(&other).reason, "SpaceExhausted");
	assert_non_null(strstr(verdict_judge(&other).message, "another limit (stoker why-enospc tells which)"));
	assert_int_equal(verdict_shortage("ReservedBlocks"), SPACE_BYTES);
	assert_int_equal(verdict_shortage("TmpfsInodes"), SPACE_INODES);
	assert_int_equal(verdict_shortage("QuotaExhausted"), -1);
	assert_int_equal(verdict_shortage("IOErrors"), -1);
}

/* What was said of a shortage stays, though the next probe sees the same a little differently. */
static void test_a_shortage_is_said_once(void **unused)
{
	struct verdict_input input = {.event = VERDICT_FAILED, .reason = "SpaceExhausted", .message = "full"};
	struct verdict v = verdict_step((struct verdict){.state = VERDICT_HEALTHY}, &input, &rules, S);

	(void)unused;
	strcpy(input.reason, "ReservedBlocks");
	v = verdict_step(v, &input, &rules, 2 * S);
	assert_string_equal(v.reason, "SpaceExhausted");
	strcpy(input.reason, "InodesExhausted");
	v = verdict_step(v, &input, &rules, 3 * S);
	assert_string_equal(v.reason, "InodesExhausted");
}

static void test_the_kernel_supplies_the_reason_of_an_io_error(void **unused)
{
	struct verdict_input hint = {.event = VERDICT_HINT, .reason = "FilesystemShutdown", .message = "XFS (loop1): Shutting down filesystem."};
	struct verdict_input failed = {.event = VERDICT_FAILED, .reason = "IOErrors", .message = "gives I/O errors"};
	struct verdict v = {.state = VERDICT_HEALTHY, .since_us = S};

	(void)unused;
	/* in either order */
	struct verdict a = verdict_step(verdict_step(v, &hint, &rules, 10 * S), &failed, &rules, 11 * S);
	struct verdict b = verdict_step(verdict_step(v, &failed, &rules, 10 * S), &hint, &rules, 11 * S);
	assert_string_equal(a.reason, "FilesystemShutdown");
	assert_string_equal(b.reason, "FilesystemShutdown");
	assert_non_null(strstr(a.message, "Shutting down"));
	/* an hour later each probe still says only EIO */
	a = verdict_step(a, &failed, &rules, 3600 * S);
	assert_string_equal(a.reason, "FilesystemShutdown");
	assert_non_null(strstr(a.message, "Shutting down"));
	/* not when it is old */
	struct verdict c = verdict_step(verdict_step(v, &hint, &rules, 10 * S), &failed, &rules, 80 * S);
	assert_string_equal(c.reason, "IOErrors");
	/* and never against what the probe itself has seen */
	strcpy(failed.reason, "SpaceExhausted");
	struct verdict d = verdict_step(verdict_step(v, &hint, &rules, 10 * S), &failed, &rules, 11 * S);
	assert_string_equal(d.reason, "SpaceExhausted");
}

static void test_since_stays_while_the_fault_lasts(void **unused)
{
	struct verdict v = run((struct verdict){0}, "fggf", 100 * S, S);

	(void)unused;
	assert_int_equal(v.state, VERDICT_BAD);
	assert_int_equal(v.bad_since_us, 100 * S); /* one fault, not two: the dwell counts from its begin */
}

static void test_findings_are_judged(void **unused)
{
	static const struct {
		struct finding finding;
		enum verdict_event event;
		const char *reason;
	} row[] = {
		{{.step = PROBE_DONE}, VERDICT_GOOD, ""},
		{{.step = PROBE_RESOLVE, .errnum = ENOENT}, VERDICT_UNSURE, "WatchPathMissing"},
		{{.step = PROBE_RESOLVE, .errnum = ENODEV}, VERDICT_UNSURE, "NotMounted"},
		/* a path, or a pattern's directory, that cannot be looked up: the disk may be well */
		{{.step = PROBE_RESOLVE, .errnum = ELOOP}, VERDICT_UNSURE, "WatchPathMissing"},
		{{.step = PROBE_RESOLVE, .errnum = ENAMETOOLONG}, VERDICT_UNSURE, "WatchPathMissing"},
		{{.step = PROBE_RESOLVE, .errnum = E2BIG}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_RESOLVE, .errnum = EINVAL}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_RESOLVE, .errnum = EIO}, VERDICT_FAILED, "IOErrors"},
		{{.step = PROBE_CREATE, .errnum = EROFS}, VERDICT_FAILED, "ReadOnlyFilesystem"},
		{{.step = PROBE_DIRECTORY, .errnum = EROFS}, VERDICT_FAILED, "ReadOnlyFilesystem"},
		{{.step = PROBE_CREATE, .errnum = EIO}, VERDICT_FAILED, "IOErrors"},
		{{.step = PROBE_SYNC, .errnum = EIO}, VERDICT_FAILED, "IOErrors"},
		{{.step = PROBE_CREATE, .errnum = ENOSPC, .space = {.total_inodes = 100, .available_inodes = 0}}, VERDICT_FAILED, "InodesExhausted"},
		{{.step = PROBE_WRITE, .errnum = ENOSPC, .space = {.total_inodes = 100, .available_inodes = 5}}, VERDICT_FAILED, "SpaceExhausted"},
		/* XFS without blocks has no inodes either; with blocks it has reached its limit of inodes */
		{{.step = PROBE_CREATE, .errnum = ENOSPC, .space = {1 << 30, 4096, 100, 0, true}}, VERDICT_FAILED, "SpaceExhausted"},
		{{.step = PROBE_CREATE, .errnum = ENOSPC, .space = {1 << 30, 1 << 29, 100, 0, true}}, VERDICT_FAILED, "InodesExhausted"},
		{{.step = PROBE_WRITE, .errnum = ENOSPC}, VERDICT_FAILED, "SpaceExhausted"},
		{{.step = PROBE_WRITE, .errnum = EDQUOT}, VERDICT_FAILED, "QuotaExhausted"},
		/* whose, NFS does not say, if what is left does not: perhaps only the probe's user's */
		{{.step = PROBE_WRITE, .errnum = EDQUOT, .space = {1 << 30, 1 << 29, 100, 50, .kind = SPACE_ON_NFS}}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_WRITE, .errnum = EDQUOT, .space = {1 << 30, 0, 100, 50, .kind = SPACE_ON_NFS}}, VERDICT_FAILED, "QuotaExhausted"},
		{{.step = PROBE_WRITE, .errnum = EDQUOT, .space = {1 << 30, 1 << 29, 100, 50, .kind = SPACE_ON_OTHER}}, VERDICT_FAILED, "QuotaExhausted"},
		{{.step = PROBE_WRITE, .errnum = ESTALE}, VERDICT_UNSURE, "ProbeDenied"}, /* another node removed the file */
		{{.step = PROBE_SYNC, .errnum = ESTALE}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_CREATE, .errnum = ETIMEDOUT}, VERDICT_FAILED, "FilesystemHung"},
		{{.step = PROBE_CREATE, .errnum = EACCES}, VERDICT_UNSURE, "ProbeDenied"},
		/* what somebody else does to the probe's directory and file says nothing of the disk */
		{{.step = PROBE_DIRECTORY, .errnum = ENOTDIR}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_DIRECTORY, .errnum = ELOOP}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_CREATE, .errnum = ENOENT}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_CREATE, .errnum = EEXIST}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_DIRECTORY, .errnum = ENOENT}, VERDICT_FAILED, "WriteFailed"}, /* the top itself was removed */
		{{.step = PROBE_CLONE, .errnum = EPERM}, VERDICT_UNSURE, "ProbeDenied"},
		{{.step = PROBE_CREATE, .errnum = EMFILE}, VERDICT_NOTHING, "ProbeUnavailable"},
		{{.step = PROBE_CREATE, .errnum = EUCLEAN}, VERDICT_FAILED, "FilesystemCorrupted"},
		{{.step = PROBE_CREATE, .errnum = EFBIG}, VERDICT_FAILED, "WriteFailed"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct verdict_input input = verdict_judge(&row[i].finding);
		assert_int_equal(input.event, row[i].event);
		assert_string_equal(input.reason, row[i].reason);
	}
	struct verdict v = {.state = VERDICT_HEALTHY};
	struct verdict_input nothing = {.event = VERDICT_NOTHING};
	assert_int_equal(verdict_step(v, &nothing, &rules, S).state, VERDICT_HEALTHY);
	assert_false(verdict_step(v, &nothing, &rules, S).answered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair_has_an_answer),
		cmocka_unit_test(test_recovery_takes_three_good_probes_in_a_row_and_the_minimum_dwell),
		cmocka_unit_test(test_a_kernel_line_warns_and_the_warning_goes),
		cmocka_unit_test(test_little_left_warns_and_its_words_stand_still),
		cmocka_unit_test(test_what_is_left_is_judged),
		cmocka_unit_test(test_a_shortage_is_named_by_its_cause),
		cmocka_unit_test(test_a_shortage_is_said_once),
		cmocka_unit_test(test_the_kernel_supplies_the_reason_of_an_io_error),
		cmocka_unit_test(test_since_stays_while_the_fault_lasts),
		cmocka_unit_test(test_findings_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
