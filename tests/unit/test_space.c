/* What is left: the levels and their hysteresis, one shortage of XFS, the words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "volumes/space.h"

static const struct config_limits percent = {.warn = {.share = 500}, .bad = {.share = 100}};

static void test_levels_begin_below_the_amount_and_end_above_the_margin(void **unused)
{
	/* Of 1000: warn below 50 and until 60 again, bad below 10 and until 20 again (one point of the whole). */
	static const struct {
		uint64_t available;
		enum space_level want;
	} step[] = {
		{1000, SPACE_ENOUGH}, {50, SPACE_ENOUGH}, {49, SPACE_LOW}, {59, SPACE_LOW},	   {60, SPACE_ENOUGH}, {59, SPACE_ENOUGH},
		{10, SPACE_LOW},      {9, SPACE_EXHAUSTED}, {19, SPACE_EXHAUSTED}, {20, SPACE_LOW}, {19, SPACE_LOW},	{0, SPACE_EXHAUSTED},
		{59, SPACE_LOW},      {0, SPACE_EXHAUSTED}, {60, SPACE_ENOUGH},
	};
	enum space_level level = SPACE_ENOUGH;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
		level = space_level_step(step[i].available, 1000, &percent, level);
		assert_int_equal(level, step[i].want);
	}
}

static void test_the_margin(void **unused)
{
	static const struct {
		uint64_t total;
		struct config_amount bad;
		uint64_t first_bad, first_good; /* going down, going up */
	} row[] = {
		{64, {.share = 100}, 0, 2},	     /* of few inodes: one is the amount, and one the margin */
		{1000, {.share = 2000}, 199, 220},   /* a tenth of the amount, which is more than a point */
		{1000000, {.share = 10}, 999, 2000}, /* at most as much again */
		{1000000, {.most = 500}, 499, 1000}, {1000, {.most = 500}, 499, 550},
		{1ULL << 53, {.share = 9900}, (1ULL << 53) / 10000 * 9900 + 982, 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct config_limits limits = {.bad = row[i].bad};
		assert_int_equal(space_level_step(row[i].first_bad, row[i].total, &limits, SPACE_ENOUGH), SPACE_EXHAUSTED);
		assert_int_equal(space_level_step(row[i].first_bad + 1, row[i].total, &limits, SPACE_ENOUGH), SPACE_ENOUGH);
		if (row[i].first_good == 0)
			continue;
		assert_int_equal(space_level_step(row[i].first_good - 1, row[i].total, &limits, SPACE_EXHAUSTED), SPACE_EXHAUSTED);
		assert_int_equal(space_level_step(row[i].first_good, row[i].total, &limits, SPACE_EXHAUSTED), SPACE_ENOUGH);
	}
}

static void test_off_and_not_counted_are_enough(void **unused)
{
	static const struct config_limits off = {0};

	(void)unused;
	assert_int_equal(space_level_step(0, 1000, &off, SPACE_EXHAUSTED), SPACE_ENOUGH);
	assert_int_equal(space_level_step(0, 0, &percent, SPACE_EXHAUSTED), SPACE_ENOUGH); /* btrfs; a tmpfs without a limit */
	const struct config_limits only_warn = {.warn = {.share = 500}}, only_bad = {.bad = {.share = 100}};
	assert_int_equal(space_level_step(0, 1000, &only_warn, SPACE_ENOUGH), SPACE_LOW);
	assert_int_equal(space_level_step(49, 1000, &only_bad, SPACE_ENOUGH), SPACE_ENOUGH);
	/* a number against a share: which is more is known only now, and bad is bad */
	const struct config_limits crossed = {.warn = {.share = 500}, .bad = {.most = 500}};
	assert_int_equal(space_level_step(400, 1000, &crossed, SPACE_ENOUGH), SPACE_EXHAUSTED);
}

static void test_the_two_resources_and_xfs(void **unused)
{
	struct space space = {.total_bytes = 1000, .available_bytes = 5, .total_inodes = 1000, .available_inodes = 20};
	struct space_levels levels = space_judge(&space, &percent, &percent, (struct space_levels){0});

	(void)unused;
	assert_int_equal(levels.of[SPACE_BYTES], SPACE_EXHAUSTED);
	assert_int_equal(levels.of[SPACE_INODES], SPACE_LOW);
	/* XFS makes inodes from free blocks: one shortage */
	space.inodes_are_dynamic = true;
	levels = space_judge(&space, &percent, &percent, (struct space_levels){0});
	assert_int_equal(levels.of[SPACE_BYTES], SPACE_EXHAUSTED);
	assert_int_equal(levels.of[SPACE_INODES], SPACE_ENOUGH);
	/* but its limit of inodes (imaxpct) is one of its own */
	space.available_bytes = 500;
	levels = space_judge(&space, &percent, &percent, levels);
	assert_int_equal(levels.of[SPACE_BYTES], SPACE_ENOUGH);
	assert_int_equal(levels.of[SPACE_INODES], SPACE_LOW);
}

static void test_the_words(void **unused)
{
	static const struct {
		uint64_t bytes;
		const char *words;
	} row[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"}, {1536, "1.5 KiB"}, {5ULL << 30, "5.0 GiB"}, {SPACE_MOST, "8.0 PiB"}};
	const struct space space = {.total_bytes = 1000, .available_bytes = 5, .total_inodes = 2000, .available_inodes = 3};
	char text[128];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		text[0] = '\0';
		space_append_bytes(text, sizeof(text), row[i].bytes);
		assert_string_equal(text, row[i].words);
	}
	space_describe(&space, SPACE_BYTES, text, sizeof(text));
	assert_string_equal(text, "5 B of 1000 B left for ordinary users");
	space_describe(&space, SPACE_INODES, text, sizeof(text));
	assert_string_equal(text, "3 of 2000 inodes left for ordinary users");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels_begin_below_the_amount_and_end_above_the_margin),
		cmocka_unit_test(test_the_margin),
		cmocka_unit_test(test_off_and_not_counted_are_enough),
		cmocka_unit_test(test_the_two_resources_and_xfs),
		cmocka_unit_test(test_the_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
