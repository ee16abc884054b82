/* Kills for memory: whose they were, and whether who they hit lives on. */
#include "base/scoped.h"
#include "tests/unit/executors_stage.h"

static void test_an_oom_kill_and_its_end(void **state)
{
	struct stage *s = *state;
	const struct oom_kill kill = kill_of(ID, 4711, "java");

	begin(s, ID);
	executors_oom(&s->table, &kill, at(s));
	run(s, 0);
	assert_int_equal(s->deaths, 1); /* at once: its first process was killed, and the kernel has said all */
	assert_int_equal(s->questions[SETTLE_LOG], 0);
	assert_int_equal(s->last.exit_code, 137);
	assert_false(s->last.lives);
	assert_int_equal(s->last.explained_after_us, 0);
	assert_string_equal(s->last.executor.executor_id, "7");
	assert_int_not_equal(s->last.cause, DEATH_KILLED);
	assert_int_equal(s->table.count, 0);
	stop(s, ID, 137); /* a late word makes no second death */
	const struct executor again = new_executor(ID);
	executors_add(&s->table, &again, at(s));
	assert_int_equal(s->table.count, 0);
}

/* The kernel has written of ten others: it names the process, and no cgroup. */
static void test_an_oom_kill_without_a_cgroup(void **state)
{
	struct stage *s = *state;
	struct oom_kill kill = kill_of(ID, 9999, "java");

	*kill.task_memcg = *kill.oom_memcg = '\0';
	begin(s, ID);
	executors_oom(&s->table, &kill, at(s));
	run(s, 0);
	assert_int_equal(s->deaths, 0);
	assert_int_equal(s->table.gap_us, at(s).us); /* whose it was is not known: no end is surely without one now */
	struct death_facts facts;
	executors_facts(executors_find(&s->table, ID), false, at(s), &facts);
	assert_false(facts.counters_are_final);
	executors_facts(executors_find(&s->table, ID), false, (struct moment){at(s).us + 61 * SEC, at(s).wall_us}, &facts);
	assert_true(facts.counters_are_final);
	/* nor is it of one that has ended: its number may be another's now */
	begin(s, ID2);
	executors_find(&s->table, ID2)->executor.pid = kill.pid;
	stop(s, ID2, 0);
	executors_oom(&s->table, &kill, at(s));
	assert_int_equal(executors_find(&s->table, ID2)->oom_count, 0);
	executors_refused(&s->table, s->last_id);
	kill.pid = 4711;
	executors_oom(&s->table, &kill, at(s));
	run(s, 0);
	assert_int_equal(s->deaths, 1);
	assert_int_equal(s->last.exit_code, 137);
	assert_int_equal(s->last.cause, DEATH_OVERHEAD);
}

/* … and the runtime was quicker than the kernel's log. */
static void test_an_oom_kill_without_a_cgroup_after_the_end(void **state)
{
	static const struct {
		uint64_t later_us;
		int32_t code;
		bool its;
	} rows[] = {{3 * MS, 137, true}, {3 * MS, 0, false}, {1100 * MS, 137, false}};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oom_kill kill = kill_of(ID, 4711, "java");
		const uint64_t gap_us = s->table.gap_us;
		*kill.task_memcg = *kill.oom_memcg = '\0';
		begin(s, ID);
		struct executors_entry *entry = executors_find(&s->table, ID);
		entry->ended = at(s);
		entry->has_code = true;
		entry->exit_code = rows[i].code;
		s->now_us += rows[i].later_us;
		executors_oom(&s->table, &kill, at(s));
		assert_int_equal(entry->oom_count, rows[i].its);
		assert_true((s->table.gap_us == gap_us) == rows[i].its);
		executors_forget(&s->table, entry, false);
		s->now_us += 1 * SEC;
	}
}

/* The JVM beneath an init: it may live, until the runtime says that it does not. */
static void test_an_oom_kill_beneath_an_init(void **state)
{
	struct stage *s = *state;
	const struct oom_kill kill = kill_of(ID, 4712, "java");

	begin(s, ID);
	executors_oom(&s->table, &kill, at(s));
	run(s, 400 * MS);
	assert_int_equal(s->deaths, 0);
	stop(s, ID, 1); /* what the init makes of it */
	run(s, 0);
	assert_int_equal(s->deaths, 1);
	assert_false(s->last.lives);
	assert_int_equal(s->last.explained_after_us, 400 * MS);
	assert_int_not_equal(s->last.cause, DEATH_APPLICATION);
}

static void test_a_worker_is_killed_and_the_container_lives(void **state)
{
	struct stage *s = *state;
	const struct oom_kill kill = kill_of(ID, 4790, "python3");

	begin(s, ID);
	executors_oom(&s->table, &kill, at(s));
	run(s, SETTLE_WORKER_US - 1);
	assert_int_equal(s->deaths, 0);
	run(s, 1);
	assert_int_equal(s->deaths, 1);
	assert_true(s->last.lives);
	assert_int_equal(s->table.count, 1);
	/* What was explained does not count again; the others in a row are told together. */
	executors_oom(&s->table, &kill, at(s));
	executors_oom(&s->table, &kill, at(s));
	run(s, 1 * SEC);
	assert_int_equal(s->deaths, 1);
	run(s, EXECUTORS_MERGE_US);
	assert_int_equal(s->deaths, 2);
	stop(s, ID, 0);
	run(s, 1 * MS);
	answer_tail(s, ID, 0, "");
	run(s, 10 * MS);
	assert_int_equal(s->deaths, 3);
	assert_false(s->last.lives);
	assert_int_equal(s->last.cause, DEATH_FINISHED);
}

/* tini, SparkSubmit, python: SparkSubmit ends with the code of its Python, as soon as it has tidied up. A neighbour's shell does the same. */
static void test_what_a_container_lives_by_is_beneath_another(void **state)
{
	static const struct {
		enum executor_role role;
		bool sidecar, run;
		const char *comm;
		enum death_cause cause;
	} rows[] = {
		{EXECUTOR_ROLE_DRIVER, false, false, "python3", DEATH_PYTHON},
		{EXECUTOR_ROLE_CLIENT_DRIVER, false, false, "python3.11", DEATH_PYTHON},
		{EXECUTOR_ROLE_EXECUTOR, true, false, "fluent-bit", DEATH_SIDECAR},
		{EXECUTOR_ROLE_EXECUTOR, false, true, "etl", DEATH_OVERHEAD}, /* stoker run -- sh -c 'etl; …' */
	};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char id[65];
		snprintf(id, sizeof(id), "%064zx", i);
		const struct oom_kill kill = kill_of(id, 4790, rows[i].comm);
		begin(s, id);
		struct executor *x = &executors_find(&s->table, id)->executor;
		x->role = rows[i].role;
		x->sidecar = rows[i].sidecar;
		if (rows[i].run) {
			x->source = EXECUTOR_FROM_RUN;
			*x->executor_id = '\0';
		}
		s->deaths = 0;
		executors_oom(&s->table, &kill, at(s));
		run(s, 900 * MS);
		assert_int_equal(s->deaths, 0);
		stop(s, id, 137);
		run(s, 0);
		assert_int_equal(s->deaths, 1);
		assert_false(s->last.lives);
		assert_int_equal(s->last.cause, rows[i].cause);
		assert_int_equal(s->last.exit_code, 137);
	}
}

/* A notebook outlives its kernel's end: that is told, late. */
static void test_a_notebook_outlives_its_python(void **state)
{
	struct stage *s = *state;
	const struct oom_kill kill = kill_of(ID, 4790, "python3");

	begin(s, ID);
	executors_find(&s->table, ID)->executor.role = EXECUTOR_ROLE_CLIENT_DRIVER;
	executors_oom(&s->table, &kill, at(s));
	run(s, SETTLE_MAIN_US);
	assert_int_equal(s->deaths, 1);
	assert_true(s->last.lives);
	assert_int_equal(s->last.cause, DEATH_PYTHON);
}

/* Those that are killed are missing in what is looked at afterwards. */
static void test_processes_are_those_before_the_kill(void **state)
{
	struct stage *s = *state;
	struct wire_processes p = {.who = container(ID), .jvm_bytes = 300 * MIB, .python_bytes = 900 * MIB, .jvm_count = 1, .python_count = 2};
	const struct oom_kill kill = kill_of(ID, 4790, "python3");
	const struct executors_entry *entry;

	begin(s, ID);
	entry = executors_find(&s->table, ID);
	executors_processes(&s->table, &p, at(s));
	assert_int_equal(entry->processes.python_bytes, 900 * MIB);
	executors_oom(&s->table, &kill, at(s));
	p.python_bytes = p.python_count = 0;
	executors_processes(&s->table, &p, at(s));
	assert_int_equal(entry->processes.python_bytes, 900 * MIB);
}

static void test_a_siblings_kill_is_a_fact(void **state)
{
	struct stage *s = *state;
	struct executor sidecar = new_executor(ID2);
	const struct oom_kill kill = kill_of(ID2, 99, "envoy");
	struct death_facts facts;

	sidecar.sidecar = 1;
	begin(s, ID);
	executors_add(&s->table, &sidecar, at(s));
	executors_oom(&s->table, &kill, at(s));
	executors_facts(executors_find(&s->table, ID), false, at(s), &facts);
	assert_true(facts.sibling_oom);
	assert_int_equal(facts.oom_count, 0);
	executors_facts(executors_find(&s->table, ID), false, (struct moment){at(s).us + 60 * SEC, at(s).wall_us}, &facts);
	assert_false(facts.sibling_oom); /* long ago */
	executors_facts(executors_find(&s->table, ID2), false, at(s), &facts);
	assert_false(facts.sibling_oom);
	assert_int_equal(facts.oom_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_oom_kill_and_its_end, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_oom_kill_without_a_cgroup, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_oom_kill_without_a_cgroup_after_the_end, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_oom_kill_beneath_an_init, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_worker_is_killed_and_the_container_lives, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_a_container_lives_by_is_beneath_another, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_notebook_outlives_its_python, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_processes_are_those_before_the_kill, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_siblings_kill_is_a_fact, open_stage, close_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
