/* What is put together for the explanation of an end, and when; what is verified after a start. */
#include <errno.h>

#include "base/scoped.h"
#include "health/executor_view.h"
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

static void test_a_plain_kill_is_no_oom(void **state)
{
	struct stage *s = *state;

	begin(s, ID);
	stop(s, ID, 137);
	run(s, 3 * MS);
	assert_int_equal(s->questions[SETTLE_LOG], 1);
	assert_int_equal(s->deaths, 0);
	answer_tail(s, ID, DEATH_LOG_REGISTERED, "");
	run(s, SETTLE_KERNEL_US);
	assert_int_equal(s->deaths, 1);
	assert_int_equal(s->last.cause, DEATH_KILLED);
}

static void test_the_last_words_may_not_come(void **state)
{
	struct stage *s = *state;

	begin(s, ID);
	stop(s, ID, 1);
	run(s, SETTLE_TAIL_US - 1);
	assert_int_equal(s->deaths, 0);
	run(s, 1);
	assert_int_equal(s->deaths, 1);
	begin(s, ID2);
	stop(s, ID2, 1);
	run(s, 10 * MS);
	executors_refused(&s->table, s->last_id);
	run(s, 1);
	assert_int_equal(s->deaths, 2);
}

/* Only its log tells a decommissioning from an end. */
static void test_an_end_whose_log_is_gone(void **state)
{
	struct stage *s = *state;

	begin(s, ID);
	s->table.entries[0]->executor.flags = EXECUTOR_DECOMMISSION;
	stop(s, ID, 0);
	run(s, 10 * MS);
	executors_refused(&s->table, s->last_id);
	run(s, 1 * MS);
	assert_int_equal(s->deaths, 1);
	assert_int_equal(s->last.cause, DEATH_FINISHED);
	assert_int_equal(s->last.confidence, DEATH_GUESS);
}

#define LINE "26/11/26 08:00:00 ERROR Executor: Exception in task 2.0: java.io.IOException: No space left on device"
static void test_full_scratch_of_one_that_lives(void **state)
{
	const struct suspect scratch = {"scratch", 96 * MIB};
	struct stage *s = *state;

	begin(s, ID);
	struct executors_entry *entry = executors_find(&s->table, ID);
	executors_suspect(entry, &scratch, at(s));
	executors_suspect(entry, &scratch, at(s));
	assert_int_equal(s->questions[SETTLE_LOG], 1); /* not again so soon */
	answer_tail(s, ID, DEATH_LOG_REGISTERED, "");
	assert_int_equal(s->deaths, 0);
	run(s, SUSPICION_AGAIN_US);
	executors_suspect(entry, &scratch, at(s));
	answer_tail(s, ID, DEATH_LOG_NO_SPACE, LINE);
	assert_int_equal(s->deaths, 1);
	assert_int_equal(s->last.cause, DEATH_SCRATCH_FULL);
	assert_true(s->last.lives);
	assert_non_null(strstr(s->last.summary, "volume scratch, 96 MiB"));
	/* the same words are no news, and of others not too soon */
	run(s, SUSPICION_AGAIN_US);
	executors_suspect(entry, &scratch, at(s));
	assert_int_equal(s->questions[SETTLE_LOG], 2);
	run(s, SUSPICION_TOLD_US);
	executors_suspect(entry, &scratch, at(s));
	answer_tail(s, ID, DEATH_LOG_NO_SPACE, LINE);
	assert_int_equal(s->deaths, 1);
	/* what was asked while it lived is not the end of its log */
	run(s, SUSPICION_AGAIN_US);
	executors_suspect(entry, &scratch, at(s));
	const uint64_t of_life = s->last_id;
	stop(s, ID, 0);
	run(s, 1 * MS);
	const struct wire_log early = {.who = container(ID), .bits = DEATH_LOG_NO_SPACE};
	executors_tail(&s->table, of_life, &early, at(s));
	run(s, 10 * MS);
	assert_int_equal(s->deaths, 1);
	answer_tail(s, ID, DEATH_LOG_DECOMMISSION, "");
	run(s, 10 * MS);
	assert_int_equal(s->deaths, 2);
	assert_int_equal(s->last.cause, DEATH_DECOMMISSIONED);
}

/* The node's verdict: no volume is named, and it may be any fault of a disk. */
static void test_a_sick_disk_of_one_that_lives(void **state)
{
	const struct suspect disk = {"", 0};
	struct stage *s = *state;

	begin(s, ID);
	executors_suspect(executors_find(&s->table, ID), &disk, at(s));
	answer_tail(s, ID, DEATH_LOG_READ_ONLY, "java.io.IOException: Read-only file system");
	assert_int_equal(s->deaths, 1);
	assert_int_equal(s->last.cause, DEATH_DISK_READ_ONLY);
	assert_true(s->last.lives);
	assert_int_equal(s->table.count, 1);
}

static void test_who_is_named_no_more_is_gone(void **state)
{
	struct stage *s = *state;
	const struct executor one = new_executor(ID), two = new_executor(ID2);

	executors_add(&s->table, &one, at(s));
	executors_add(&s->table, &two, at(s));
	executors_synchronized(&s->table, at(s));
	executors_add(&s->table, &two, at(s)); /* the runtime came back */
	executors_synchronized(&s->table, at(s));
	run(s, 1 * MS);
	answer_tail(s, ID, 0, "");
	run(s, 2 * SEC);
	assert_int_equal(s->deaths, 1);
	assert_string_equal(s->last.executor.container_id, ID);
	assert_int_equal(s->last.exit_code, -1);
	assert_int_equal(s->table.count, 1);
}

static void test_a_pod_that_is_stopped(void **state)
{
	struct stage *s = *state;
	const struct wire_container pod = container("");

	begin(s, ID);
	executors_pod_stopping(&s->table, &pod, at(s));
	run(s, 100 * MS);
	stop(s, ID, 143);
	run(s, 1 * MS);
	answer_tail(s, ID, DEATH_LOG_SIGTERM, "RECEIVED SIGNAL TERM");
	run(s, 10 * MS);
	assert_int_equal(s->last.cause, DEATH_DELETED);
	assert_int_equal(s->last.confidence, DEATH_CERTAIN);
	/* what is tidied up after an end is no reason for it, nor is another pod */
	struct death_facts facts;
	struct wire_container other = pod;
	begin(s, ID2);
	other.pod_uid[0] = 'f';
	executors_pod_stopping(&s->table, &other, at(s));
	executors_facts(executors_find(&s->table, ID2), true, at(s), &facts);
	assert_false(facts.deleted);
	stop(s, ID2, 137);
	s->now_us += 1 * MS;
	executors_pod_stopping(&s->table, &pod, at(s));
	executors_facts(executors_find(&s->table, ID2), false, at(s), &facts);
	assert_false(facts.deleted);
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

static void test_more_than_the_table_holds_are_counted(void **state)
{
	struct stage *s = *state;
	char id[65];

	for (unsigned i = 0; i <= EXECUTORS_MAX; i++) {
		snprintf(id, sizeof(id), "%064x", i);
		const struct executor x = new_executor(id);
		executors_add(&s->table, &x, at(s));
	}
	assert_int_equal(s->table.count, EXECUTORS_MAX);
	assert_int_equal(s->table.beyond_total, 1);
}

/* --- what the runtime says of an end --- */

static struct wire_status status_of(const char *id, int errnum, int code, const char *reason)
{
	struct wire_status status = {.who = container(id), .errnum = errnum};

	status.who.has_exit = code >= 0;
	status.who.exit_code = code;
	str_copy(status.reason, sizeof(status.reason), reason);
	return status;
}

/* One whose cgroup is gone, and of which NRI tells no code. */
static void end_unheard(struct stage *s, const char *id)
{
	const struct wire_container who = container(id);

	executors_nri(&s->table, true, false);
	begin(s, id);
	executors_removed(&s->table, &who, at(s));
	run(s, 0);
}

static void test_a_code_that_nobody_told_is_asked_for(void **state)
{
	struct stage *s = *state;
	const struct wire_status runs = status_of(ID, 0, -1, ""), ended = status_of(ID, 0, 52, "Error");

	end_unheard(s, ID);
	assert_int_equal(s->questions[SETTLE_RUNTIME], 1);
	executors_status(&s->table, &runs, at(s));
	answer_tail(s, ID, 0, "");
	run(s, SETTLE_ASK_US - 1 * MS);
	assert_int_equal(s->questions[SETTLE_RUNTIME], 1);
	run(s, 2 * MS);
	assert_int_equal(s->questions[SETTLE_RUNTIME], 2);
	assert_int_equal(s->deaths, 0);
	executors_status(&s->table, &ended, at(s));
	run(s, 1 * MS);
	assert_int_equal(s->deaths, 1);
	assert_int_equal(s->last.exit_code, 52);
	assert_int_equal(s->last.cause, DEATH_HEAP);
	executors_status(&s->table, &ended, at(s)); /* of one that is forgotten */
	assert_int_equal(s->deaths, 1);
	/* what it says in words counts too */
	struct wire_status not_started = status_of(ID2, 0, 128, "StartError");
	str_copy(not_started.message, sizeof(not_started.message), "exec /opt/entrypoint.sh: exec format error");
	end_unheard(s, ID2);
	answer_tail(s, ID2, 0, "");
	executors_status(&s->table, &not_started, at(s));
	run(s, 10 * MS);
	assert_int_equal(s->deaths, 2);
	assert_int_equal(s->last.cause, DEATH_WRONG_ARCHITECTURE);
	assert_non_null(strstr(s->last.evidence, "exec format error"));
}

static void test_a_runtime_that_knows_it_not(void **state)
{
	struct stage *s = *state;
	const struct wire_status gone = status_of(ID, ESRCH, -1, "");

	end_unheard(s, ID);
	executors_status(&s->table, &gone, at(s));
	answer_tail(s, ID, 0, "");
	run(s, SETTLE_KERNEL_US);
	assert_int_equal(s->deaths, 1);
	assert_int_equal(s->last.exit_code, -1);
	end_unheard(s, ID2);
	executors_refused(&s->table, s->last_id); /* the broker does not ask */
	answer_tail(s, ID2, 0, "");
	run(s, SETTLE_KERNEL_US);
	assert_int_equal(s->deaths, 2);
	assert_int_equal(s->questions[SETTLE_RUNTIME], 2);
}

/* --- what was set at a creation --- */

static void adjust(struct stage *s, int score)
{
	const struct executor x = new_executor(ID);
	const struct wire_adjusted adjusted = {.who = container(ID), .has_oom_score_adj = true, .oom_score_adj = score};
	const struct wire_container who = container(ID);

	executors_add(&s->table, &x, at(s));
	executors_adjusted(&s->table, &adjusted, at(s));
	assert_int_equal(s->asked, 0);
	executors_started(&s->table, &who, at(s));
	assert_int_equal(s->asked, 1);
}

static void answer_api(struct stage *s, int errnum, const struct pod_end *end)
{
	const struct wire_pod_told told = {.errnum = errnum, .end = end ? *end : (struct pod_end){0}};

	executors_api(&s->table, s->last_id, &told);
}

static void test_who_acts_through_the_api_server_is_asked_for(void **state)
{
	struct stage *s = *state;
	const struct pod_end nothing_yet = {0}, preempted = {.disruption = "PreemptionByScheduler", .kill_wall_us = 1795680990 * SEC, .deleted_first = 1};

	s->has_api = true;
	begin(s, ID);
	stop(s, ID, 143);
	run(s, 1 * MS);
	answer_tail(s, ID, DEATH_LOG_SIGTERM, "RECEIVED SIGNAL TERM");
	assert_int_equal(s->questions[SETTLE_API], 1);
	/* it does not know of the end: again, and only then it is told */
	answer_api(s, 0, &nothing_yet);
	run(s, SETTLE_API_AGAIN_US);
	assert_int_equal(s->questions[SETTLE_API], 2);
	assert_int_equal(s->deaths, 0);
	answer_api(s, 0, &preempted);
	run(s, 1 * MS);
	assert_int_equal(s->deaths, 1);
	assert_int_equal(s->last.cause, DEATH_PREEMPTED);
	assert_string_equal(s->last.pod_reason, "PreemptionByScheduler");
}

/* Each answer is one question's; without Kubernetes there is none. */
static void test_the_answer_about_another_pod_is_not_its_own(void **state)
{
	const struct wire_pod_told told = {.end = {.over = 1, .reason = "Evicted"}};
	struct stage *s = *state;

	s->has_api = true;
	begin(s, ID);
	stop(s, ID, 143);
	run(s, 1 * MS);
	const struct executors_entry *entry = executors_find(&s->table, ID);
	const uint64_t id = entry->questions[SETTLE_API].id;
	executors_api(&s->table, id + 1, &told);
	assert_true(entry->questions[SETTLE_API].awaited);
	executors_api(&s->table, id, &told);
	assert_false(entry->questions[SETTLE_API].awaited);
	answer_tail(s, ID, 0, "");
	run(s, 10 * MS);
	assert_int_equal(s->last.cause, DEATH_EVICTED);
	begin(s, ID2);
	executors_find(&s->table, ID2)->executor.source = EXECUTOR_FROM_RUN;
	stop(s, ID2, 143);
	run(s, 1 * MS);
	assert_int_equal(s->questions[SETTLE_API], 1);
}

/* Refused, gone, late, or nobody to be asked: as if there were no such right. An end that is nobody's work is not asked for. */
static void test_without_the_api_server_all_goes_on(void **state)
{
	static const struct {
		bool has_api;
		int code, errnum; /* -1: no answer */
		unsigned asked;
		uint64_t told_within_us;
	} row[] = {
		{false, 143, -1, 0, 50 * MS}, {true, 143, EACCES, 1, 50 * MS}, {true, 143, ENOENT, 1, 50 * MS}, {true, 137, EIO, 1, 50 * MS},
		{true, 143, -1, 1, SETTLE_API_US + 50 * MS}, {true, 52, -1, 0, 50 * MS}, {true, 0, -1, 0, 50 * MS},
	};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char id[65];
		snprintf(id, sizeof(id), "%064zx", i);
		s->has_api = row[i].has_api;
		s->questions[SETTLE_API] = s->deaths = 0;
		begin(s, id);
		stop(s, id, row[i].code);
		run(s, 1 * MS);
		assert_int_equal(s->questions[SETTLE_API], row[i].asked);
		if (row[i].errnum >= 0)
			answer_api(s, row[i].errnum, NULL);
		answer_tail(s, id, DEATH_LOG_REGISTERED, "");
		run(s, row[i].told_within_us);
		if (s->deaths != 1)
			fail_msg("row %zu: %u deaths told", i, s->deaths);
		assert_string_equal(s->last.pod_reason, "");
	}
}

static void test_what_was_set_is_verified_once(void **state)
{
	struct stage *s = *state;
	struct wire_processes p = {.who = container(ID), .oom_score_adj = 950};

	adjust(s, 3);
	executors_processes(&s->table, &p, at(s)); /* its process was not among them: nothing can be said */
	assert_int_equal(s->unverified, 0);
	p.has_oom_score_adj = true;
	executors_processes(&s->table, &p, at(s));
	assert_int_equal(s->unverified, 1);
	assert_string_equal(s->what, "oom_score_adj was set to 3 at its creation and is 950");
	executors_processes(&s->table, &p, at(s));
	assert_int_equal(s->unverified, 1);
}

static void test_what_was_set_and_is_so(void **state)
{
	struct stage *s = *state;
	const struct wire_processes p = {.who = container(ID), .has_oom_score_adj = true, .oom_score_adj = 3};

	adjust(s, 3);
	executors_processes(&s->table, &p, at(s));
	assert_int_equal(s->unverified, 0);
}

/* --- the list for the CLI --- */

static void test_the_list_comes_back_as_it_was(void **state)
{
	struct stage *s = *state;
	struct executor_view view;
	scoped(scoped_free) char *text = NULL;
	size_t count = 0;

	begin(s, ID);
	executors_view(executors_find(&s->table, ID), &view);
	view.used_bytes = 1234567890123;
	view.sidecar = true;
	view.started_wall_us = 1795680900 * SEC;
	assert_int_equal(executor_views_to_json(&view, 1, "node-1", 1795680900 * SEC, &text, NULL), 0);
	struct executor_view *back = view_list_from_json(&executor_list, text, strlen(text), &count, NULL);
	assert_non_null(back);
	assert_int_equal(count, 1);
	assert_memory_equal(&view, back, sizeof(view));
	free(back);
	struct err e = {0};
	static const char wrong[] = "{\"apiVersion\":\"stoker.dev/v1alpha1\",\"kind\":\"ExecutorList\",\"items\":[{\"usedBytes\":-1}]}";
	assert_null(view_list_from_json(&executor_list, wrong, strlen(wrong), &count, &e));
	assert_int_equal(e.code, EBADMSG);
	assert_non_null(strstr(e.text, "usedBytes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_oom_kill_and_its_end, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_oom_kill_without_a_cgroup, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_oom_kill_beneath_an_init, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_worker_is_killed_and_the_container_lives, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_a_container_lives_by_is_beneath_another, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_notebook_outlives_its_python, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_plain_kill_is_no_oom, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_the_last_words_may_not_come, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_end_whose_log_is_gone, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_full_scratch_of_one_that_lives, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_sick_disk_of_one_that_lives, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_who_is_named_no_more_is_gone, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_pod_that_is_stopped, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_processes_are_those_before_the_kill, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_siblings_kill_is_a_fact, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_more_than_the_table_holds_are_counted, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_code_that_nobody_told_is_asked_for, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_runtime_that_knows_it_not, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_who_acts_through_the_api_server_is_asked_for, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_the_answer_about_another_pod_is_not_its_own, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_without_the_api_server_all_goes_on, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_was_set_is_verified_once, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_was_set_and_is_so, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_the_list_comes_back_as_it_was, open_stage, close_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
