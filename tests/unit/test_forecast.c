/* When it will be full: recorded and generated traces, each filling one warned of in time, and no other one ever. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/forecast.h"

#define MIN	  60
#define HORIZON_S (30 * MIN)
#define AHEAD_S	  (15 * MIN)
#define LINES_MAX 4096

struct line {
	uint64_t at_s;
	struct space space;
};

struct trace {
	size_t count;
	struct line lines[LINES_MAX];
};

static struct trace *read_trace(const char *name)
{
	const char *fixtures = getenv("STOKER_FIXTURES");
	struct trace *trace = calloc(1, sizeof(*trace));
	char path[512];

	assert_non_null(trace);
	snprintf(path, sizeof(path), "%s/forecast/%s.csv", fixtures ? fixtures : "tests/fixtures", name);
	FILE *in = fopen(path, "r");
	if (!in)
		fail_msg("cannot open %s", path);
	for (struct line *l = trace->lines; trace->count < LINES_MAX; trace->count++, l++)
		if (fscanf(in, "%" SCNu64 ",%" SCNu64 ",%" SCNu64 ",%" SCNu64 ",%" SCNu64, &l->at_s, &l->space.total_bytes, &l->space.available_bytes,
			   &l->space.total_inodes, &l->space.available_inodes) != 5)
			break;
	assert_true(feof(in));
	fclose(in);
	assert_true(trace->count > 150);
	return trace;
}

static uint64_t left_of(const struct space *space, enum space_resource r)
{
	return r == SPACE_BYTES ? space->available_bytes : space->available_inodes;
}

static void floors_of(const struct space *space, uint64_t floors[SPACE_RESOURCE_MAX_])
{
	floors[SPACE_BYTES] = space->total_bytes / 100;
	floors[SPACE_INODES] = space->total_inodes / 100;
}

/* The alarms of a trace: when the one began that still stood when it was full, and whether there was any other. */
struct alarms {
	uint64_t full_s; /* 0 = never */
	uint64_t begin_s;
	unsigned begun;
	bool stood;
};

static struct alarms replay(const struct trace *trace, enum space_resource r, uint64_t offset_s)
{
	struct forecast f = {0};
	struct alarms a = {0};

	for (size_t i = 0; i < trace->count && !a.full_s; i++) {
		const struct line *l = &trace->lines[i];
		uint64_t floors[SPACE_RESOURCE_MAX_];
		floors_of(&l->space, floors);
		forecast_step(&f, &l->space, floors, HORIZON_S, offset_s + l->at_s);
		if (left_of(&l->space, r) < floors[r])
			a.full_s = l->at_s;
		else if (f.outlook[r].alarm != a.stood) {
			a.stood = f.outlook[r].alarm;
			a.begun += a.stood;
			a.begin_s = l->at_s;
		}
		for (int other = 0; other < SPACE_RESOURCE_MAX_; other++)
			if (other != (int)r && f.outlook[other].alarm)
				fail_msg("an alarm of the other resource at %" PRIu64, l->at_s);
		assert_true(f.count <= FORECAST_SAMPLES);
		for (uint32_t k = 1; k < f.count; k++)
			assert_true(f.samples[k].at_s > f.samples[k - 1].at_s);
	}
	return a;
}

static void test_what_fills_is_said_a_quarter_of_an_hour_before(void **unused)
{
	static const struct {
		const char *name;
		enum space_resource resource;
	} row[] = {
		{"ext4-bytes-filling", SPACE_BYTES},	   {"ext4-inodes-filling", SPACE_INODES},  {"flat-then-filling", SPACE_BYTES},
		{"slow-filling", SPACE_BYTES},		   {"faster-and-faster-filling", SPACE_BYTES}, {"sawtooth-over-a-leak-filling", SPACE_BYTES},
		{"staircase-filling", SPACE_BYTES},
	};

	unsigned wrong = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		scoped(scoped_free) struct trace *trace = read_trace(row[i].name);
		struct alarms a = replay(trace, row[i].resource, 1000);
		print_message("# %s: full after %" PRIu64 " s, said %" PRIu64 " s before, begun %u times\n", row[i].name, a.full_s, a.full_s - a.begin_s, a.begun);
		/* In time, once, and not long before it is true: */
		wrong += !a.full_s || !a.stood || a.begun != 1 || a.full_s - a.begin_s < AHEAD_S || a.full_s - a.begin_s > HORIZON_S * 3 / 2;
	}
	assert_int_equal(wrong, 0);
}

static void test_what_does_not_fill_is_never_said_to(void **unused)
{
	static const char *const names[] = {
		"ext4-shuffle-sawtooth", "ext4-noisy-flat",   "flat",		      "noisy-flat", "wandering",	       "shuffle-sawtooth",
		"irregular-sawtooth",	 "long-sawtooth",     "one-step", "one-copy-of-seven-minutes", "slow-growth-and-rotation", "nearly-full-and-flat",
	};

	unsigned wrong = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		scoped(scoped_free) struct trace *trace = read_trace(names[i]);
		struct alarms a = replay(trace, SPACE_BYTES, 1000);
		if (a.begun)
			print_message("# %s: %u false alarms, the last change of one at %" PRIu64 " s\n", names[i], a.begun, a.begin_s);
		wrong += a.begun;
	}
	assert_int_equal(wrong, 0);
}

/* `per_s` of 100000 bytes go each second, a sample each `every_s`. */
static void fill(struct forecast *f, uint64_t from_s, uint64_t seconds, uint64_t every_s, double left, double per_s)
{
	static const uint64_t floors[SPACE_RESOURCE_MAX_] = {0};

	for (uint64_t t = 0; t <= seconds; t += every_s) {
		double now = left - per_s * (double)t;
		const struct space space = {.total_bytes = 100000, .available_bytes = now > 0 ? (uint64_t)now : 0};
		forecast_step(f, &space, floors, HORIZON_S, from_s + t);
	}
}

static void test_the_interval_holds_the_truth(void **unused)
{
	struct forecast f = {0};

	(void)unused;
	fill(&f, 7, 11 * MIN, 5, 50000, 25); /* full after 2000 s */
	assert_int_equal(f.outlook[SPACE_BYTES].high_s, 0); /* not yet sustained */
	memset(&f, 0, sizeof(f));
	fill(&f, 7, 13 * MIN, 5, 50000, 25);
	struct forecast_outlook o = f.outlook[SPACE_BYTES];
	assert_true(o.alarm);
	assert_in_range(o.low_s, 1180, 1221);
	assert_in_range(o.high_s, 1220, 1260);
	/* beyond the horizon it is shown, and no alarm */
	memset(&f, 0, sizeof(f));
	fill(&f, 7, 13 * MIN, 5, 50000, 10);
	assert_false(f.outlook[SPACE_BYTES].alarm);
	assert_in_range(f.outlook[SPACE_BYTES].high_s, 4180, 4280);
	/* a trend that would take years is none */
	memset(&f, 0, sizeof(f));
	fill(&f, 7, 60 * MIN, 5, 90000, 0.0005);
	assert_int_equal(f.outlook[SPACE_BYTES].high_s, 0);
}

static void test_periods_short_and_long(void **unused)
{
	static const uint64_t periods[] = {1, 5, 17, 45};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(periods); i++) {
		struct forecast f = {0};
		fill(&f, 7, 15 * MIN, periods[i], 50000, 25);
		assert_true(f.outlook[SPACE_BYTES].alarm);
	}
	/* Ten minutes between two probes are too few of them. */
	struct forecast f = {0};
	fill(&f, 7, 30 * MIN, 600, 90000, 25);
	assert_false(f.outlook[SPACE_BYTES].alarm);
}

static void test_an_alarm_ends_when_the_filling_does(void **unused)
{
	struct forecast f = {0};

	(void)unused;
	fill(&f, 0, 13 * MIN, 5, 50000, 25);
	assert_true(f.outlook[SPACE_BYTES].alarm);
	fill(&f, 13 * MIN + 5, 7 * MIN, 5, 30500, 0);
	assert_false(f.outlook[SPACE_BYTES].alarm);
	assert_int_equal(f.outlook[SPACE_BYTES].high_s, 0);
}

static void test_another_size_is_another_filesystem(void **unused)
{
	static const uint64_t floors[SPACE_RESOURCE_MAX_] = {0};
	struct forecast f = {0};

	(void)unused;
	fill(&f, 0, 13 * MIN, 5, 50000, 25);
	const struct space grown = {.total_bytes = 200000, .available_bytes = 132000};
	forecast_step(&f, &grown, floors, HORIZON_S, 14 * MIN);
	assert_false(f.outlook[SPACE_BYTES].alarm);
	assert_int_equal(f.count, 1);
}

static void test_full_has_no_outlook_and_off_has_no_alarm(void **unused)
{
	static const uint64_t floors[SPACE_RESOURCE_MAX_] = {40000, 0};
	struct forecast f = {0}, off = {0};

	(void)unused;
	for (uint64_t t = 0; t < 15 * MIN; t += 5) {
		const struct space space = {.total_bytes = 100000, .available_bytes = 50000 - 20 * t, .total_inodes = 1000, .available_inodes = 1000 - t,
					    .inodes_are_dynamic = true};
		forecast_step(&f, &space, floors, HORIZON_S, t);
		forecast_step(&off, &space, (uint64_t[SPACE_RESOURCE_MAX_]){0}, 0, t);
	}
	assert_int_equal(f.outlook[SPACE_BYTES].high_s, 0); /* below the floor: it counts as full already */
	assert_false(f.outlook[SPACE_BYTES].alarm);
	assert_int_equal(f.outlook[SPACE_INODES].high_s, 0); /* of XFS */
	assert_false(off.outlook[SPACE_BYTES].alarm);
	assert_true(off.outlook[SPACE_BYTES].high_s > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_fills_is_said_a_quarter_of_an_hour_before),
		cmocka_unit_test(test_what_does_not_fill_is_never_said_to),
		cmocka_unit_test(test_the_interval_holds_the_truth),
		cmocka_unit_test(test_periods_short_and_long),
		cmocka_unit_test(test_an_alarm_ends_when_the_filling_does),
		cmocka_unit_test(test_another_size_is_another_filesystem),
		cmocka_unit_test(test_full_has_no_outlook_and_off_has_no_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
