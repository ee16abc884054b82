/* What a sample changes. */
#include "base/scoped.h"
#include "tests/unit/executors_stage.h"

static struct sample new_sample(const struct stage *s, uint64_t used_mib, uint64_t shmem_mib)
{
	return (struct sample){.time_us = at(s).us, .have = SAMPLE_HAS_CURRENT | SAMPLE_HAS_LIMIT | SAMPLE_HAS_STAT | SAMPLE_HAS_EVENTS, .current_bytes = used_mib * MIB,
			       .limit_bytes = 1408 * MIB, .shmem_bytes = shmem_mib * MIB, .file_bytes = shmem_mib * MIB};
}

static void test_samples_before_and_after_a_kill(void **state)
{
	struct stage *s = *state;
	struct death_facts facts;

	begin(s, ID);
	struct executors_entry *entry = executors_find(&s->table, ID);
	struct sample sample = new_sample(s, 1400, 100);
	executors_take(entry, &sample, at(s));
	assert_true(entry->busy);
	s->now_us += 1 * SEC;
	sample = new_sample(s, 1380, 100);
	executors_take(entry, &sample, at(s));
	s->now_us += 1 * SEC;
	sample = new_sample(s, 400, 300); /* freed by the kill; files in memory stay */
	sample.events.oom_kill = 1;
	sample.peak_bytes = 1408 * MIB;
	executors_take(entry, &sample, at(s));
	assert_int_equal(entry->killed_us, at(s).us);
	executors_facts(entry, false, at(s), &facts);
	assert_int_equal(facts.last.current_bytes, 1380 * MIB);
	assert_int_equal(facts.last.shmem_bytes, 300 * MIB);
	assert_int_equal(facts.last.peak_bytes, 1408 * MIB);
	assert_int_equal(facts.at_peak.current_bytes, 1400 * MIB);
	assert_int_equal(facts.container.oom_kill, 1);
}

static void test_a_limit_that_is_lowered(void **state)
{
	struct stage *s = *state;
	struct death_facts facts;

	begin(s, ID);
	struct executors_entry *entry = executors_find(&s->table, ID);
	struct sample sample = new_sample(s, 900, 0);
	executors_take(entry, &sample, at(s));
	s->now_us += 1 * SEC;
	sample = new_sample(s, 500, 0);
	sample.limit_bytes = 512 * MIB;
	sample.events.oom_kill = 1;
	executors_take(entry, &sample, at(s));
	executors_facts(entry, false, at(s), &facts);
	assert_int_equal(facts.limit_was_bytes, 1408 * MIB);
	assert_int_equal(facts.growth_bytes, 0); /* one look tells of none */
	assert_int_equal(facts.last.limit_bytes, 512 * MIB);
	assert_int_equal(facts.last.current_bytes, 900 * MIB);
	s->now_us += 60 * SEC; /* it got along with that for a minute */
	executors_facts(entry, false, at(s), &facts);
	assert_int_equal(facts.limit_was_bytes, 0);
}

/* It was opened between its directory and its limit: the sample of that moment has none, and the next one is that of the kill. */
static void test_a_limit_that_is_lowered_before_it_was_seen(void **state)
{
	static const struct {
		uint64_t asked_bytes, seen_bytes, was_bytes;
	} rows[] = {
		{1408 * MIB, 512 * MIB, 1408 * MIB},
		{1408 * MIB, 1408 * MIB, 0},		    /* not lowered: written late */
		{1408 * MIB + 4095, 1408 * MIB, 0},	    /* cut to whole pages */
		{0, 512 * MIB, 0},			    /* from none at all: not known since when */
	};
	struct stage *s = *state;
	struct death_facts facts;

	begin(s, ID);
	struct executors_entry *entry = executors_find(&s->table, ID);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		entry->last = (struct sample){0};
		entry->killed_us = entry->counted.oom_kill = entry->limit_was_bytes = entry->limit_lowered_us = 0;
		entry->executor.limit_bytes = rows[i].asked_bytes;
		struct sample sample = new_sample(s, 30, 0);
		sample.limit_bytes = 0;
		executors_take(entry, &sample, at(s));
		sample = new_sample(s, 500, 0);
		sample.limit_bytes = rows[i].seen_bytes;
		sample.events.oom_kill = 1;
		executors_take(entry, &sample, at(s));
		executors_facts(entry, false, at(s), &facts);
		assert_int_equal(facts.limit_was_bytes, rows[i].was_bytes);
	}
}

/* Of the last minute, not of its life; of its life where nothing else was seen. */
static void test_how_much_its_cpu_was_held_up(void **state)
{
	struct stage *s = *state;
	struct death_facts facts;

	begin(s, ID);
	struct executors_entry *entry = executors_find(&s->table, ID);
	for (unsigned i = 0; i < 10; i++, s->now_us += EXECUTORS_IDLE_US) {
		struct sample sample = new_sample(s, 900, 0);
		sample.have |= SAMPLE_HAS_CPU;
		sample.periods = 5000 + 100 * i;
		sample.throttled_periods = 10 + 80 * (i > 5 ? i - 5 : 0);
		executors_take(entry, &sample, at(s));
		executors_facts(entry, false, at(s), &facts);
		if (i == 0)
			assert_true(facts.cpu_periods == 5000 && facts.throttled_periods == 10);
	}
	assert_int_equal(facts.cpu_periods, 500); /* six samples */
	assert_int_equal(facts.throttled_periods, 4 * 80);
	entry->last.periods += 50; /* read once more at its end */
	entry->last.throttled_periods += 50;
	entry->last.io.full_avg10_centi = 5000;
	s->now_us -= 5 * SEC; /* of the loop's ten */
	executors_facts(entry, false, at(s), &facts);
	assert_true(facts.cpu_periods == 550 && facts.throttled_periods == 4 * 80 + 50 && facts.last.io.full_avg10_centi == 5000);
	s->now_us += 5 * SEC + 1; /* of the last ten seconds it does not tell any more, if it was not read at the end */
	executors_facts(entry, false, at(s), &facts);
	assert_int_equal(facts.last.io.full_avg10_centi, 0);
	entry->counted_at_end = true;
	executors_facts(entry, false, at(s), &facts);
	assert_int_equal(facts.last.io.full_avg10_centi, 5000);
}

/* From the lowest of the last minute to the highest. */
static void test_how_much_it_grew(void **state)
{
	static const uint64_t used_mib[] = {100, 900, 700, 800, 950, 1000, 1100, 1200};
	struct stage *s = *state;
	struct death_facts facts;

	begin(s, ID);
	struct executors_entry *entry = executors_find(&s->table, ID);
	for (size_t i = 0; i < ARRAY_SIZE(used_mib); i++, s->now_us += EXECUTORS_IDLE_US) {
		const struct sample sample = new_sample(s, used_mib[i], 0);
		executors_take(entry, &sample, at(s));
		executors_facts(entry, false, at(s), &facts);
	}
	assert_int_equal(facts.growth_bytes, 500 * MIB);
	assert_int_equal(facts.at_peak.current_bytes, 1200 * MIB);
}

/* Its own counters went with its cgroup before they were read, and the kernel's log is not: the pod's have the kill. */
static void test_a_kill_that_only_the_pods_counters_tell(void **state)
{
	struct stage *s = *state;

	s->table.kmsg = false;
	begin(s, ID);
	struct executors_entry *entry = executors_find(&s->table, ID);
	entry->pod->open = true;
	entry->pod->cgroup = (struct cgroup){.versions = {2, 2, 2, 2}, .fds = {-1, -1, -1, -1}, .pressure_fd = -1};
	entry->pod->counted.oom_kill = 1;
	stop(s, ID, 137);
	assert_int_equal(executors_evidence(entry, at(s).us, false).counted, 0); /* its own may come */
	entry->gone_us = at(s).us;
	const struct settle_evidence evidence = executors_evidence(entry, at(s).us, false);
	assert_int_equal(evidence.counted, 1);
	assert_int_equal(evidence.killed_us, entry->ended.us);
	entry->pod->open = false;
}

static void test_page_cache_makes_nobody_busy(void **state)
{
	struct stage *s = *state;

	begin(s, ID);
	struct executors_entry *entry = executors_find(&s->table, ID);
	struct sample sample = new_sample(s, 1407, 0);
	sample.file_bytes = 1000 * MIB;
	executors_take(entry, &sample, at(s));
	assert_false(entry->busy);
	assert_int_equal(executors_working_set(&sample), 407 * MIB);
	sample.file_dirty_bytes = 900 * MIB; /* what must be written first cannot be taken back now */
	executors_take(entry, &sample, at(s));
	assert_true(entry->busy);
}

/* On v2 the pod's counters keep those of containers that are gone: only what is left is this one's. */
static void test_what_is_left_of_a_pods_counters(void **state)
{
	struct stage *s = *state;

	begin(s, ID);
	begin(s, ID2);
	struct executors_entry *one = executors_find(&s->table, ID), *two = executors_find(&s->table, ID2);
	struct executors_pod *pod = one->pod;
	assert_ptr_equal(pod, two->pod);
	pod->open = true;
	pod->cgroup = (struct cgroup){.versions = {2, 2, 2, 2}, .fds = {-1, -1, -1, -1}, .pressure_fd = -1};
	pod->first.oom_kill = 5; /* of before we came */
	pod->counted.oom_kill = 8;
	two->counted.oom_kill = 1;
	pod->told.oom_kill = 1;
	assert_int_equal(executors_pod_left(&s->table, one).oom_kill, 1);
	assert_int_equal(executors_pod_left(&s->table, two).oom_kill, 2); /* its own is not explained yet */
	pod->cgroup.versions[CGROUP_MEMORY] = 1;
	assert_int_equal(executors_pod_left(&s->table, one).oom_kill, 3); /* v1 counts only the pod's own */
	pod->open = false;
}

/* What is kept of an earlier sample is what an explanation reads of it. */
static void test_a_sample_is_kept_in_little_room(void **unused)
{
	struct sample full = {.time_us = 1 * SEC, .have = SAMPLE_HAS_CURRENT | SAMPLE_HAS_STAT | SAMPLE_HAS_LIMIT | SAMPLE_HAS_EVENTS, .current_bytes = 1400 * MIB, .limit_bytes = 3ULL << 40,
			      .anon_bytes = 900 * MIB, .file_bytes = 400 * MIB, .shmem_bytes = 300 * MIB, .kernel_bytes = 1, .sock_bytes = 4096, .slab_bytes = 4097,
			      .file_dirty_bytes = 5 * MIB, .file_writeback_bytes = 6 * MIB};
	const struct footprint f = footprint_of(&full);
	const struct sample back = footprint_sample(&f);

	(void)unused;
	full.kernel_bytes = 4096; /* whole pages, never less than it was */
	full.slab_bytes = 8192;
	full.have &= ~SAMPLE_HAS_EVENTS; /* counters are kept elsewhere */
	assert_memory_equal(&back, &full, sizeof(full));
	full.current_bytes = UINT64_MAX;
	const struct footprint saturated = footprint_of(&full);
	assert_int_equal(footprint_current_bytes(&saturated), (uint64_t)UINT32_MAX * 4096);
}

/* Hundreds are due for a sample at once: whoever ended does not wait for them, and the loop's others not for all. */
static void test_ends_come_before_samples(void **state)
{
	struct stage *s = *state;
	const unsigned count = 3 * EXECUTORS_SLICE;
	char id[65];

	for (unsigned i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "%064x", i);
		begin(s, id);
		s->table.entries[i]->open = true;
		s->table.entries[i]->cgroup = (struct cgroup){.fds = {-1, -1, -1, -1, -1}, .pressure_fd = -1};
	}
	run(s, 1 * MS);
	s->now_us += EXECUTORS_IDLE_US;
	const struct oom_kill kill = kill_of(id, 4711, "java");
	executors_oom(&s->table, &kill, at(s));
	executors_run(&s->table, at(s));
	assert_int_equal(s->deaths, 1);
	unsigned sampled = 0;
	for (unsigned i = 0; i < s->table.count; i++)
		sampled += s->table.entries[i]->sampled_us == at(s).us;
	assert_int_equal(sampled, EXECUTORS_SLICE);
	assert_true(executors_due(&s->table, at(s).us) <= at(s).us);
	for (unsigned turns = 1; turns < 3; turns++)
		executors_run(&s->table, at(s));
	assert_true(executors_due(&s->table, at(s).us) > at(s).us);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_samples_before_and_after_a_kill, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_limit_that_is_lowered, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_limit_that_is_lowered_before_it_was_seen, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_how_much_its_cpu_was_held_up, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_how_much_it_grew, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_kill_that_only_the_pods_counters_tell, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_page_cache_makes_nobody_busy, open_stage, close_stage),
		cmocka_unit_test(test_a_sample_is_kept_in_little_room),
		cmocka_unit_test_setup_teardown(test_ends_come_before_samples, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_is_left_of_a_pods_counters, open_stage, close_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
