/* Who is asked about an end, and what becomes of the answers: the runtime, the API server. */
#include <errno.h>

#include "tests/unit/executors_stage.h"

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

#define ID3 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
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
	/* whichever comes first */
	struct wire_status first = status_of(ID3, 0, 128, "");
	str_copy(first.message, sizeof(first.message), "exec /opt/entrypoint.sh: exec format error");
	end_unheard(s, ID3);
	executors_status(&s->table, &first, at(s));
	answer_tail(s, ID3, DEATH_LOG_EXCEPTION, "");
	run(s, 10 * MS);
	assert_int_equal(s->deaths, 3);
	assert_int_equal(s->last.cause, DEATH_WRONG_ARCHITECTURE);
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

/* --- who acts through the API server --- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_code_that_nobody_told_is_asked_for, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_runtime_that_knows_it_not, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_who_acts_through_the_api_server_is_asked_for, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_the_answer_about_another_pod_is_not_its_own, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_without_the_api_server_all_goes_on, open_stage, close_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
