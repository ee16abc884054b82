/* What is put together for the explanation of an end, and when; what is verified after a start; the list for the CLI. */
#include <errno.h>

#include "base/scoped.h"
#include "health/executor_view.h"
#include "tests/unit/executors_stage.h"

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

/* The broker could not read it: then a word that is missing is not missing in it. One that could be read and was empty says something. */
static void test_an_end_whose_log_cannot_be_read(void **state)
{
	struct stage *s = *state;

	for (int errnum = 0; errnum <= EACCES; errnum += EACCES) {
		const char *id = errnum ? ID2 : ID;
		const struct wire_log log = {.who = container(id), .errnum = (uint32_t)errnum, .bits = errnum ? DEATH_LOG_HEAP_OOM : 0, .line = "not to be kept"};
		begin(s, id);
		executors_find(&s->table, id)->executor.flags = EXECUTOR_DECOMMISSION;
		stop(s, id, 0);
		run(s, 10 * MS);
		executors_tail(&s->table, s->last_id, &log, at(s));
		run(s, 1 * MS);
		assert_int_equal(s->last.cause, DEATH_FINISHED);
		assert_int_equal(s->last.confidence, errnum ? DEATH_GUESS : DEATH_CERTAIN);
		assert_int_equal(strstr(s->last.evidence, "not to be kept") == NULL, errnum != 0);
	}
	assert_int_equal(s->deaths, 2);
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
	/* and one that is never answered does not take the answer of the end */
	begin(s, ID2);
	executors_suspect(executors_find(&s->table, ID2), &scratch, at(s));
	stop(s, ID2, 0);
	run(s, 10 * MS);
	answer_tail(s, ID2, DEATH_LOG_DECOMMISSION, "");
	run(s, 10 * MS);
	assert_int_equal(s->deaths, 3);
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

/* On a machine of several nodes the cgroups show those of the others, too. */
static void test_who_was_found_and_is_not_named_is_anothers(void **state)
{
	struct stage *s = *state;
	struct executor one = new_executor(ID), two = new_executor(ID2);

	one.source = two.source = EXECUTOR_FROM_CGROUPFS;
	executors_add(&s->table, &one, at(s));
	executors_add(&s->table, &two, at(s));
	executors_find(&s->table, ID)->named = executors_find(&s->table, ID2)->named = false; /* the look is over */
	two.source = EXECUTOR_FROM_NRI;
	executors_add(&s->table, &two, at(s)); /* the runtime is there */
	executors_synchronized(&s->table, at(s));
	run(s, 2 * SEC);
	assert_int_equal(s->deaths, 0);
	assert_null(executors_find(&s->table, ID));
	assert_non_null(executors_find(&s->table, ID2));
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

/* kubelet makes a pod's sandbox anew (a reboot, a network that failed): the stop was of the one before. */
static void test_a_pod_that_is_stopped_and_made_again(void **state)
{
	struct stage *s = *state;
	const struct wire_container pod = container("");
	struct death_facts facts;

	begin(s, ID);
	executors_pod_stopping(&s->table, &pod, at(s));
	run(s, 100 * MS);
	begin(s, ID2);
	executors_facts(executors_find(&s->table, ID2), true, at(s), &facts);
	assert_false(facts.deleted);
	executors_facts(executors_find(&s->table, ID), true, at(s), &facts);
	assert_true(facts.deleted);
	executors_pod_stopping(&s->table, &pod, at(s));
	executors_facts(executors_find(&s->table, ID2), true, at(s), &facts);
	assert_true(facts.deleted);
}

/* It was there before us: it did not start when we did. */
static void test_who_lived_before_us(void **state)
{
	struct stage *s = *state;
	struct executor x = new_executor(ID);
	const struct wire_container who = container(ID);
	struct death_facts facts;

	x.created_wall_us = at(s).wall_us - 2 * 86400 * SEC;
	executors_add(&s->table, &x, at(s));
	executors_started(&s->table, &who, at(s));
	executors_facts(executors_find(&s->table, ID), true, at(s), &facts);
	assert_int_equal(facts.started_wall_us, x.created_wall_us);
	/* two days old, it had registered once, whatever the end of its log still has */
	stop(s, ID, 1);
	run(s, 10 * MS);
	answer_tail(s, ID, DEATH_LOG_REFUSED, "Connection refused");
	run(s, 10 * MS);
	assert_int_equal(s->last.cause, DEATH_DRIVER_GONE);
	/* of one that is new the start counts: an image may be long in coming */
	x = new_executor(ID2);
	x.created_wall_us = at(s).wall_us - 2 * SEC;
	executors_add(&s->table, &x, at(s));
	const struct wire_container second = container(ID2);
	executors_started(&s->table, &second, at(s));
	executors_facts(executors_find(&s->table, ID2), true, at(s), &facts);
	assert_int_equal(facts.started_wall_us, at(s).wall_us);
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
		cmocka_unit_test_setup_teardown(test_a_plain_kill_is_no_oom, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_the_last_words_may_not_come, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_end_whose_log_is_gone, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_end_whose_log_cannot_be_read, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_full_scratch_of_one_that_lives, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_sick_disk_of_one_that_lives, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_who_is_named_no_more_is_gone, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_who_was_found_and_is_not_named_is_anothers, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_pod_that_is_stopped, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_pod_that_is_stopped_and_made_again, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_who_lived_before_us, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_more_than_the_table_holds_are_counted, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_was_set_is_verified_once, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_was_set_and_is_so, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_the_list_comes_back_as_it_was, open_stage, close_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
