/* What is left, from findings to what the node says: levels, recovery with the margin, the memory of a restart, the forecast. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/monitor.h"

#define S     1000000ULL
#define TOTAL 100000

struct stage {
	struct monitor monitor;
	struct health health;
	struct config config;
	unsigned published;
	uint64_t now_us;
};

static bool stage_probe(struct monitor *m, uint32_t index, bool must_be_mounted)
{
	(void)m;
	(void)index;
	(void)must_be_mounted;
	return true;
}

static void stage_changed(struct monitor *m)
{
	struct stage *s = m->owner;

	s->published += monitor_publish(m, s->now_us + 1000 * S, &s->health);
}

static void stage_describe(struct monitor *m)
{
	(void)m;
}

static const struct monitor_ops ops = {.probe = stage_probe, .describe = stage_describe, .changed = stage_changed};

static int stage_open(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	config_defaults(&s->config);
	strcpy(s->config.node, "n1");
	s->config.discover = CONFIG_DISCOVER_OFF;
	s->config.watch_count = 1;
	strcpy(s->config.watch[0].path, "/data");
	strcpy(s->config.watch[0].role, "scratch");
	s->config.space = (struct config_limits){.warn = {.share = 1000}, .bad = {.share = 200}};
	s->now_us = 1000 * S;
	monitor_init(&s->monitor, &ops, NULL, s);
	monitor_configure(&s->monitor, &s->config, s->now_us);
	*state = s;
	return 0;
}

static int stage_close(void **state)
{
	free(*state);
	return 0;
}

/* Five seconds later a probe ends, with so much left on device 7:device. */
static enum verdict_state probe_of(struct stage *s, unsigned device, uint64_t left, enum probe_step step, int errnum)
{
	const struct finding f = {
		.step = step, .errnum = errnum, .mount_id = 100 + device, .device_major = 7, .device_minor = device, .mount_root = true,
		.started_wall_us = 5 * S, .duration_us = 500, .space = {TOTAL, left, 1000, 900, false},
	};

	s->now_us += 5 * S;
	monitor_finding(&s->monitor, &f, s->now_us, s->now_us + 1000 * S);
	return s->monitor.watch[0].verdict.state;
}

static enum verdict_state probe(struct stage *s, uint64_t left)
{
	return probe_of(s, 1, left, PROBE_DONE, 0);
}

static const char *reason(const struct stage *s)
{
	return s->monitor.watch[0].verdict.reason;
}

static void test_low_bad_and_back(void **state)
{
	struct stage *s = *state;

	assert_int_equal(probe(s, 50000), VERDICT_HEALTHY);
	assert_int_equal(probe(s, 9999), VERDICT_WARNING);
	assert_string_equal(reason(s), "SpaceLow");
	assert_string_equal(s->monitor.report.taint.effect, "PreferNoSchedule");
	assert_int_equal(probe(s, 1999), VERDICT_BAD);
	assert_string_equal(reason(s), "SpaceExhausted");
	assert_string_equal(s->monitor.report.taint.effect, "NoSchedule");
	unsigned published = s->published;
	for (int i = 0; i < 20; i++) /* within the margin, for long */
		assert_int_equal(probe(s, 2999), VERDICT_BAD);
	assert_int_equal(s->published, published); /* and nothing is written again */
	assert_int_equal(probe(s, 3000), VERDICT_RECOVERING);
	assert_int_equal(probe(s, 1000), VERDICT_BAD);
	assert_int_equal(probe(s, 3000), VERDICT_RECOVERING);
	assert_int_equal(probe(s, 3000), VERDICT_RECOVERING);
	assert_int_equal(probe(s, 3000), VERDICT_WARNING); /* the third */
	assert_string_equal(reason(s), "SpaceLow");
	assert_int_equal(probe(s, 10999), VERDICT_WARNING);
	assert_int_equal(probe(s, 11000), VERDICT_HEALTHY);
}

static void test_a_write_that_failed_asks_for_the_margin_too(void **state)
{
	struct stage *s = *state;

	assert_int_equal(probe(s, 50000), VERDICT_HEALTHY);
	assert_int_equal(probe_of(s, 1, 0, PROBE_WRITE, ENOSPC), VERDICT_BAD);
	for (int i = 0; i < 5; i++)
		assert_int_equal(probe(s, 2500), VERDICT_BAD);
	assert_int_equal(probe(s, 3000), VERDICT_RECOVERING);
	/* another cause leaves no level behind */
	assert_int_equal(probe_of(s, 1, 50000, PROBE_CREATE, EROFS), VERDICT_BAD);
	assert_int_equal(probe(s, 50000), VERDICT_RECOVERING);
}

static void test_a_restart_remembers_what_was_exhausted(void **state)
{
	struct stage *s = *state;
	struct health *before = calloc(1, sizeof(*before));

	before->filesystem_count = 1;
	strcpy(before->filesystems[0].path, "/data");
	before->filesystems[0].state = VERDICT_BAD;
	strcpy(before->filesystems[0].reason, "SpaceExhausted");
	monitor_restore(&s->monitor, before, s->now_us, s->now_us);
	free(before);
	for (int i = 0; i < 5; i++)
		assert_int_equal(probe(s, 2500), VERDICT_BAD);
	assert_int_equal(probe(s, 3000), VERDICT_RECOVERING);
}

static void test_another_filesystem_there_is_judged_anew(void **state)
{
	struct stage *s = *state;

	assert_int_equal(probe(s, 9000), VERDICT_WARNING);
	assert_int_equal(probe(s, 10500), VERDICT_WARNING);
	assert_int_equal(probe_of(s, 2, 10500, PROBE_DONE, 0), VERDICT_HEALTHY);
}

static void test_filling_up_warns_without_a_taint(void **state)
{
	struct stage *s = *state;
	double left = 60000;

	assert_int_equal(probe(s, (uint64_t)left), VERDICT_HEALTHY);
	for (int i = 0; i < 300 && s->monitor.watch[0].verdict.state == VERDICT_HEALTHY; i++)
		probe(s, (uint64_t)(left -= 150)); /* full after 2000 s */
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_WARNING);
	assert_string_equal(reason(s), "SpaceFillingUp");
	/* (left - 2 %) / 30 a second */
	assert_in_range(s->health.filesystems[0].space_full_low_s, (left - 2000) / 30 - 40, (left - 2000) / 30 + 1);
	assert_in_range(s->health.filesystems[0].space_full_high_s, (left - 2000) / 30 - 1, (left - 2000) / 30 + 40);
	assert_true(s->health.filesystems[0].space_full_low_s > 900);
	assert_string_equal(s->monitor.report.condition.reason, "SpaceFillingUp");
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
	assert_false(s->monitor.report.taint.wanted);
	/* as long as it goes on, the node object is left alone; the minutes are of now */
	unsigned published = s->published;
	char minutes[256];
	strcpy(minutes, s->health.filesystems[0].message);
	while (left > 20000)
		assert_int_equal(probe(s, (uint64_t)(left -= 150)), VERDICT_WARNING);
	assert_int_equal(s->published, published);
	monitor_snapshot(&s->monitor, s->now_us, &s->health);
	assert_non_null(strstr(s->health.filesystems[0].message, "space is filling up: full in "));
	assert_string_not_equal(s->health.filesystems[0].message, minutes);
	/* what is low is low, whatever comes */
	while (left > 9000)
		probe(s, (uint64_t)(left -= 150));
	assert_string_equal(reason(s), "SpaceLow");
	/* and it is over */
	for (int i = 0; i < 200; i++)
		probe(s, 60000);
	assert_int_equal(s->monitor.watch[0].verdict.state, VERDICT_HEALTHY);
	assert_int_equal(s->monitor.report.condition.status, CONDITION_TRUE);
}

static void test_without_a_horizon_nothing_is_foretold(void **state)
{
	struct stage *s = *state;
	struct config next = s->config;

	next.forecast.horizon_us = 0;
	next.hash++;
	monitor_configure(&s->monitor, &next, s->now_us);
	for (uint64_t left = 60000; left > 12000; left -= 150)
		assert_int_equal(probe(s, left), VERDICT_HEALTHY);
}

#define stage_test(f) cmocka_unit_test_setup_teardown(f, stage_open, stage_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_low_bad_and_back),
		stage_test(test_a_write_that_failed_asks_for_the_margin_too),
		stage_test(test_a_restart_remembers_what_was_exhausted),
		stage_test(test_another_filesystem_there_is_judged_anew),
		stage_test(test_filling_up_warns_without_a_taint),
		stage_test(test_without_a_horizon_nothing_is_foretold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
