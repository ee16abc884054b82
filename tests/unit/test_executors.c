/* When an end is settled, what is put together for its explanation, and what is kept of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/death_ring.h"
#include "health/executor_counts.h"
#include "health/executor_view.h"
#include "health/executors_inside.h"
#include "health/process_status.h"

#define MS  1000ULL
#define SEC 1000000ULL
#define MIB (1024ULL * 1024)
#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "5ab0f1c2-1111-2222-3333-444455556666"
#define T0  (1000 * SEC)

/* --- settle.h --- */

static const struct {
	const char *name;
	struct settle_evidence evidence; /* times are after T0; 0 stays 0 */
	enum settle_what what;
	uint64_t until_us; /* after T0; 0 = not looked at */
	bool ask_tail, ask_status;
} settles[] = {
	{"nothing has happened", {.now_us = 1}, SETTLE_IDLE, 0, false},
	{"a kill just now: it may be the end", {.now_us = 1, .killed_us = 1, .counted = 1, .logged = 1}, SETTLE_WAIT, 1 + SETTLE_POLL_US, false},
	{"a kill 49 ms ago", {.now_us = 49 * MS, .killed_us = 1, .counted = 1, .logged = 1}, SETTLE_WAIT, 1 + SETTLE_WORKER_US, false},
	{"a kill 50 ms ago was survived", {.now_us = 1 + SETTLE_WORKER_US, .killed_us = 1, .counted = 1, .logged = 1}, SETTLE_WORKER, 0, false},
	{"the victim is on its way out", {.now_us = 90 * MS, .killed_us = 1, .counted = 1, .logged = 1, .victims_left = true}, SETTLE_WAIT, 100 * MS, false},
	{"what it lives by was killed", {.now_us = 90 * MS, .killed_us = 1, .counted = 1, .logged = 1, .main_killed = true}, SETTLE_WAIT, 100 * MS, false},
	{"… and yet it lives", {.now_us = 1 + SETTLE_MAIN_US, .killed_us = 1, .counted = 1, .logged = 1, .main_killed = true}, SETTLE_WORKER, 0, false},
	{"killed and ended: nothing else is needed",
	 {.now_us = 2 * MS, .killed_us = 1, .counted = 1, .logged = 1, .log_is_read = true, .main_killed = true, .ended_us = 2 * MS, .code_may_come = true},
	 SETTLE_END, 0, false},
	{"the counter is faster than the kernel's log",
	 {.now_us = 2 * MS, .killed_us = 1 * MS, .counted = 1, .log_is_read = true, .main_killed = true, .ended_us = 2 * MS},
	 SETTLE_WAIT, 1 * MS + SETTLE_LOG_LAG_US, false},
	{"the kernel's log never told",
	 {.now_us = 1 * MS + SETTLE_LOG_LAG_US, .killed_us = 1 * MS, .counted = 1, .log_is_read = true, .main_killed = true, .ended_us = 2 * MS},
	 SETTLE_END, 0, false},
	{"without a kernel's log nobody waits for it", {.now_us = 2 * MS, .killed_us = 1 * MS, .counted = 1, .main_killed = true, .ended_us = 2 * MS}, SETTLE_END, 0, false},
	{"an exit with its code: its last words are asked for",
	 {.now_us = 2 * MS, .ended_us = 2 * MS, .has_code = true, .log_is_read = true}, SETTLE_WAIT, 2 * MS + SETTLE_KERNEL_US, true},
	{"… and come, but the kernel may have more to say",
	 {.now_us = 3 * MS, .ended_us = 2 * MS, .has_code = true, .log_is_read = true, .tail_asked_us = 2 * MS, .tail_is_there = true},
	 SETTLE_WAIT, 2 * MS + SETTLE_KERNEL_US, false},
	{"… and all is there",
	 {.now_us = 2 * MS + SETTLE_KERNEL_US, .ended_us = 2 * MS, .has_code = true, .log_is_read = true, .tail_asked_us = 2 * MS, .tail_is_there = true},
	 SETTLE_END, 0, false},
	{"the last words do not come",
	 {.now_us = 2 * MS + SETTLE_TAIL_US, .ended_us = 2 * MS, .has_code = true, .log_is_read = true, .tail_asked_us = 2 * MS}, SETTLE_END, 0, false},
	{"without a code, the cgroup still there",
	 {.now_us = 300 * MS, .ended_us = 2 * MS, .code_may_come = true, .tail_is_there = true}, SETTLE_WAIT, 2 * MS + SETTLE_CODE_US, false},
	{"without a code, the cgroup gone: a second from then",
	 {.now_us = 500 * MS, .ended_us = 2 * MS, .gone_us = 400 * MS, .code_may_come = true, .tail_is_there = true}, SETTLE_WAIT, 400 * MS + SETTLE_CODE_US, false},
	{"without a code for good",
	 {.now_us = 400 * MS + SETTLE_CODE_US, .ended_us = 2 * MS, .gone_us = 400 * MS, .code_may_come = true, .tail_is_there = true, .status_is_known = true}, SETTLE_END, 0, false},
	{"a runtime that tells no codes is not waited for",
	 {.now_us = 500 * MS, .ended_us = 2 * MS, .gone_us = 400 * MS, .tail_is_there = true, .status_is_known = true}, SETTLE_END, 0, false},
	{"no code comes by itself: the runtime is asked", {.now_us = 2 * MS, .ended_us = 2 * MS, .tail_is_there = true}, SETTLE_WAIT, 2 * MS + SETTLE_STATUS_US, false, true},
	{"… and thinks", {.now_us = 3 * MS, .ended_us = 2 * MS, .tail_is_there = true, .status_asked_us = 2 * MS, .status_awaited = true},
	 SETTLE_WAIT, 2 * MS + SETTLE_STATUS_US, false, false},
	{"… and says that it runs: in a moment again", {.now_us = 3 * MS, .ended_us = 2 * MS, .tail_is_there = true, .status_asked_us = 2 * MS},
	 SETTLE_WAIT, 2 * MS + SETTLE_ASK_US, false, false},
	{"… which is now", {.now_us = 2 * MS + SETTLE_ASK_US, .ended_us = 2 * MS, .tail_is_there = true, .status_asked_us = 2 * MS},
	 SETTLE_WAIT, 2 * MS + SETTLE_STATUS_US, false, true},
	{"… and never says more", {.now_us = 2 * MS + SETTLE_STATUS_US, .ended_us = 2 * MS, .tail_is_there = true, .status_asked_us = 2 * MS}, SETTLE_END, 0, false, false},
	{"… and knows it not", {.now_us = 3 * MS, .ended_us = 2 * MS, .tail_is_there = true, .status_asked_us = 2 * MS, .status_is_known = true}, SETTLE_END, 0, false, false},
	{"a code that should have come did not: the runtime is asked",
	 {.now_us = 400 * MS + SETTLE_CODE_US, .ended_us = 2 * MS, .gone_us = 400 * MS, .code_may_come = true, .tail_is_there = true},
	 SETTLE_WAIT, 400 * MS + SETTLE_CODE_US + SETTLE_STATUS_US, false, true},
	{"a worker was killed, and it ended of something: the code counts",
	 {.now_us = 2 * MS, .killed_us = 1, .counted = 1, .logged = 1, .log_is_read = true, .ended_us = 2 * MS, .code_may_come = true, .tail_is_there = true},
	 SETTLE_WAIT, 2 * MS + SETTLE_CODE_US, false},
};

static void later(uint64_t *time_us)
{
	*time_us += *time_us ? T0 : 0;
}

static void test_when_an_end_is_settled(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(settles); i++) {
		struct settle_evidence v = settles[i].evidence;
		uint64_t *const times[] = {&v.now_us, &v.killed_us, &v.ended_us, &v.gone_us, &v.tail_asked_us, &v.status_asked_us};
		for (size_t t = 0; t < ARRAY_SIZE(times); t++)
			later(times[t]);
		const struct settle s = settle_decide(&v);
		if (s.what != settles[i].what || s.ask_tail != settles[i].ask_tail || s.ask_status != settles[i].ask_status || (settles[i].until_us && s.until_us != T0 + settles[i].until_us))
			fail_msg("%s: is %d until %lld (%s), ask %d %d", settles[i].name, (int)s.what, (long long)(s.until_us - T0), s.waits_for ? s.waits_for : "",
				 s.ask_tail, s.ask_status);
	}
}

/* Whatever the evidence, an end is told within the longest wait, and every wait has an end. */
static void test_no_wait_is_for_ever(void **unused)
{
	(void)unused;
	for (unsigned bits = 0; bits < 4096; bits++) {
		struct settle_evidence v = {
			.killed_us = bits & 1 ? T0 : 0, .counted = bits & 1, .logged = (bits >> 1) & 1, .log_is_read = (bits >> 2) & 1, .main_killed = (bits >> 3) & 1,
			.victims_left = (bits >> 4) & 1, .ended_us = bits & 32 ? T0 + 1 : 0, .gone_us = bits & 64 ? T0 + 2 : 0, .has_code = (bits >> 7) & 1,
			.code_may_come = (bits >> 8) & 1, .tail_is_there = (bits >> 9) & 1,
			.status_is_known = (bits >> 10) & 1,
		};
		unsigned steps = 0;
		for (v.now_us = T0 + 2; steps < 1000; steps++) {
			const struct settle s = settle_decide(&v);
			if (s.what != SETTLE_WAIT)
				break;
			assert_true(s.until_us > v.now_us);
			if (s.ask_tail)
				v.tail_asked_us = v.now_us;
			if (s.ask_status) {
				v.status_asked_us = v.now_us;
				v.status_awaited = (bits >> 11) & 1; /* else it says that the container runs */
			}
			v.now_us = s.until_us;
		}
		assert_true(steps < 1000 && v.now_us <= T0 + 2 + SETTLE_TAIL_US);
	}
}

/* --- the table, without a kernel --- */

struct stage {
	struct executors table;
	struct log log;
	unsigned deaths, tails, asked;
	struct death last;
	uint64_t now_us;
};

static bool take_processes(struct executors *x, const struct executors_entry *entry)
{
	(void)entry;
	((struct stage *)x->owner)->asked++;
	return true;
}

static uint64_t take_tail(struct executors *x, const struct executors_entry *entry)
{
	struct stage *s = x->owner;

	(void)entry;
	return ++s->tails;
}

static const char *healthy(struct executors *x)
{
	(void)x;
	return "";
}

static void take_death(struct executors *x, const struct death *death)
{
	struct stage *s = x->owner;

	s->deaths++;
	s->last = *death;
}

static void nothing(struct executors *x)
{
	(void)x;
}

static struct moment at(const struct stage *s)
{
	return (struct moment){T0 + s->now_us, 1795680900 * SEC + s->now_us};
}

static int open_stage(void **state)
{
	static const struct executors_ops ops = {.processes = take_processes, .tail = take_tail, .storage = healthy, .death = take_death, .changed = nothing};
	struct stage *s = calloc(1, sizeof(*s));

	*state = s;
	if (!s)
		return -1;
	s->log = (struct log){"test", LOG_LEVEL_MAX_, 2};
	s->table.ops = &ops;
	s->table.log = &s->log;
	s->table.owner = s;
	s->table.kmsg = true;
	executors_nri(&s->table, true, true);
	return 0;
}

static int close_stage(void **state)
{
	struct stage *s = *state;

	executors_stop(&s->table);
	assert_null(s->table.pods);
	free(s);
	return 0;
}

static struct executor new_executor(const char *id)
{
	struct executor x = {.role = EXECUTOR_ROLE_EXECUTOR, .pid = 4711, .heap_bytes = 1024 * MIB, .limit_bytes = 1408 * MIB, .language = EXECUTOR_LANGUAGE_JVM};

	str_copy(x.container_id, sizeof(x.container_id), id);
	str_copy(x.pod_uid, sizeof(x.pod_uid), UID);
	str_copy(x.name_space, sizeof(x.name_space), "team-a");
	str_copy(x.pod, sizeof(x.pod), "etl-exec-7");
	str_copy(x.container, sizeof(x.container), "spark-kubernetes-executor");
	str_copy(x.app_name, sizeof(x.app_name), "etl");
	str_copy(x.executor_id, sizeof(x.executor_id), "7");
	snprintf(x.cgroups_path, sizeof(x.cgroups_path), "/kubepods/burstable/pod" UID "/%s", id);
	return x;
}

static struct wire_container container(const char *id)
{
	struct wire_container who = {0};

	str_copy(who.container_id, sizeof(who.container_id), id);
	str_copy(who.pod_uid, sizeof(who.pod_uid), UID);
	return who;
}

static struct oom_kill kill_of(const char *id, unsigned pid, const char *comm)
{
	struct oom_kill kill = {.scope = OOM_MEMCG, .pid = pid, .anon_rss_bytes = 1300 * MIB};

	snprintf(kill.oom_memcg, sizeof(kill.oom_memcg), "/kubepods/burstable/pod" UID "/%s", id);
	snprintf(kill.task_memcg, sizeof(kill.task_memcg), "/kubepods/burstable/pod" UID "/%s", id);
	str_copy(kill.comm, sizeof(kill.comm), comm);
	return kill;
}

/* Runs the table from due to due, `us` long. */
static void run(struct stage *s, uint64_t us)
{
	const uint64_t end_us = s->now_us + us;

	for (;;) {
		executors_run(&s->table, at(s));
		const uint64_t due_us = executors_due(&s->table, at(s).us);
		if (due_us == UINT64_MAX || due_us > T0 + end_us)
			break;
		s->now_us = due_us <= T0 + s->now_us ? s->now_us + 1 : due_us - T0;
	}
	s->now_us = end_us;
}

static void begin(struct stage *s, const char *id)
{
	const struct executor x = new_executor(id);
	const struct wire_container who = container(id);

	executors_add(&s->table, &x, at(s));
	executors_started(&s->table, &who, at(s));
	run(s, 1 * MS);
}

static void answer_tail(struct stage *s, const char *id, uint32_t bits, const char *line)
{
	struct wire_log log = {.who = container(id), .bits = bits};

	str_copy(log.line, sizeof(log.line), line);
	executors_tail(&s->table, &log, at(s));
}

static void stop(struct stage *s, const char *id, int code)
{
	struct wire_container who = container(id);

	who.has_exit = code >= 0;
	who.exit_code = code;
	executors_stopped(&s->table, &who, at(s));
}

static void test_an_oom_kill_and_its_end(void **state)
{
	struct stage *s = *state;
	const struct oom_kill kill = kill_of(ID, 4711, "java");

	begin(s, ID);
	executors_oom(&s->table, &kill, at(s));
	run(s, 0);
	assert_int_equal(s->deaths, 1); /* at once: its first process was killed, and the kernel has said all */
	assert_int_equal(s->tails, 0);
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

static void test_a_plain_kill_is_no_oom(void **state)
{
	struct stage *s = *state;

	begin(s, ID);
	stop(s, ID, 137);
	run(s, 3 * MS);
	assert_int_equal(s->tails, 1);
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
	executors_refused(&s->table, s->tails);
	run(s, 1);
	assert_int_equal(s->deaths, 2);
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

/* --- samples --- */

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
	assert_int_equal(facts.last.limit_bytes, 512 * MIB);
	assert_int_equal(facts.last.current_bytes, 900 * MIB);
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

/* --- counts --- */

static void test_namespaces_are_bounded(void **unused)
{
	scoped(scoped_free) struct executor_counts *c = calloc(1, sizeof(*c));
	char name[32];
	uint64_t total = 0;
	bool other = false;

	(void)unused;
	for (unsigned i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "team-%u", i);
		executor_counts_add(c, i % 2 ? "heap" : "overhead", name);
		executor_counts_add(c, "python", "team-0");
	}
	for (uint32_t i = 0; i < c->death_count; i++) {
		total += c->deaths[i].count;
		other = other || strcmp(c->deaths[i].name_space, EXECUTOR_COUNTS_OTHER) == 0;
	}
	assert_int_equal(total, 800);
	assert_true(other);
	assert_in_range(c->death_count, EXECUTOR_COUNTS_NAMESPACES, EXECUTOR_COUNTS_NAMESPACES + 5);
}

/* --- the ring --- */

static void make_line(struct death *d, unsigned number, char **ret)
{
	const struct executor x = new_executor(ID);

	*d = (struct death){.executor = x, .number = number, .cause = DEATH_HEAP, .exit_code = 52, .ended_wall_us = 1795680900 * SEC};
	str_copy(d->summary, sizeof(d->summary), "the heap of 1024 MiB was full");
	assert_int_equal(death_to_json(d, ret, NULL), 0);
}

static void add_deaths(struct death_ring *ring, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		scoped(scoped_free) char *line = NULL;
		struct death d;
		make_line(&d, (unsigned)ring->last_number + 1, &line);
		assert_int_equal(death_ring_add(ring, line, NULL), 0);
	}
}

static void append_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_the_ring(void **unused)
{
	char directory[] = "/tmp/stoker-ring.XXXXXX", path[64];
	struct death_ring ring;
	scoped(scoped_free) char *list = NULL;
	struct stat st;

	(void)unused;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/deaths.json", directory);
	assert_int_equal(death_ring_open(&ring, directory, 8, 1 << 20, NULL), 0);
	assert_int_equal(ring.count, 0);
	add_deaths(&ring, 8);
	assert_int_equal(ring.count, 8);
	add_deaths(&ring, 1); /* a quarter goes */
	assert_int_equal(ring.count, 7);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, ring.bytes);
	assert_int_equal(st.st_mode & 0777, 0600);

	/* What another life left: a line that is none, half a line, a good one. */
	append_to(path, "{\"no\":\"death\"}\n\n{\"apiVersion\":\"stoker.dev/v1alpha1\",\"ki");
	assert_int_equal(death_ring_open(&ring, directory, 8, 1 << 20, NULL), 0);
	assert_int_equal(ring.bad_total, 2);
	assert_int_equal(ring.count, 7);
	assert_int_equal(ring.last_number, 9); /* numbers go on */
	add_deaths(&ring, 1);
	assert_int_equal(death_ring_open(&ring, directory, 8, 1 << 20, NULL), 0);
	assert_int_equal(ring.bad_total, 0);
	assert_int_equal(ring.count, 8);

	assert_int_equal(death_ring_list(&ring, &list, NULL), 0);
	const char *newest = strstr(list, "\"number\":10"), *older = strstr(list, "\"number\":9");
	assert_true(newest && older && newest < older);
	assert_int_equal(death_ring_open(&ring, directory, 3, 1 << 20, NULL), 0); /* a smaller one */
	assert_int_equal(ring.count, 3);
	assert_int_equal(death_ring_open(&ring, directory, 8, ring.bytes - 1, NULL), 0); /* fewer bytes */
	assert_int_equal(ring.count, 2);
	unlink(path);
	rmdir(directory);
}

/* --- the list for the CLI --- */

static void test_the_list_comes_back_as_it_was(void **state)
{
	struct stage *s = *state;
	struct executor_view view, *back = NULL;
	scoped(scoped_free) char *text = NULL;
	size_t count = 0;

	begin(s, ID);
	executors_view(executors_find(&s->table, ID), &view);
	view.used_bytes = 1234567890123;
	view.sidecar = true;
	view.started_wall_us = 1795680900 * SEC;
	assert_int_equal(executor_views_to_json(&view, 1, "node-1", 1795680900 * SEC, &text, NULL), 0);
	assert_int_equal(executor_views_from_json(text, strlen(text), &back, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_memory_equal(&view, back, sizeof(view));
	free(back);
	struct err e = {0};
	static const char wrong[] = "{\"apiVersion\":\"stoker.dev/v1alpha1\",\"kind\":\"ExecutorList\",\"items\":[{\"usedBytes\":-1}]}";
	assert_int_equal(executor_views_from_json(wrong, strlen(wrong), &back, &count, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "usedBytes"));
}

/* --- processes --- */

static void test_the_status_of_a_process(void **unused)
{
	static const char text[] = "Name:\tpython3\nUmask:\t0022\nState:\tS (sleeping)\nVmPeak:\t  120000 kB\nVmRSS:\t   58368 kB\nRssAnon:\t 40000 kB\n";
	static const char *const bad[] = {"", "VmRSS:\t1 kB\n", "Name:\tx\nVmRSS:\tlots kB\n", "Name:\tx\nVmRSS:\t1 MB\n", "Name:\tx\nVmRSS:\t99999999999999999999 kB\n"};
	struct process_status st;
	struct err e = {0};

	(void)unused;
	assert_int_equal(process_status_parse(text, strlen(text), &st, &e), 0);
	assert_string_equal(st.name, "python3");
	assert_int_equal(st.rss_bytes, 58368 * 1024);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(process_status_parse(bad[i], strlen(bad[i]), &st, &e), -EBADMSG);
	assert_int_equal(process_status_parse("Name:\tzombie\n", 13, &st, &e), 0);
	assert_int_equal(st.rss_bytes, 0);
	assert_int_equal(process_kind("java", "/usr/lib/jvm/java-17/bin/java"), PROCESS_JVM);
	assert_int_equal(process_kind("worker", "/opt/venv/bin/python3.11"), PROCESS_PYTHON);
	assert_int_equal(process_kind("R", ""), PROCESS_R);
	assert_int_equal(process_kind("Rust", "/bin/Rusty"), PROCESS_OTHER);
	assert_int_equal(process_kind("javascript", ""), PROCESS_OTHER);
	assert_int_equal(process_kind("", ""), PROCESS_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when_an_end_is_settled),
		cmocka_unit_test(test_no_wait_is_for_ever),
		cmocka_unit_test_setup_teardown(test_an_oom_kill_and_its_end, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_oom_kill_without_a_cgroup, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_an_oom_kill_beneath_an_init, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_worker_is_killed_and_the_container_lives, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_plain_kill_is_no_oom, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_the_last_words_may_not_come, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_who_is_named_no_more_is_gone, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_pod_that_is_stopped, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_siblings_kill_is_a_fact, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_more_than_the_table_holds_are_counted, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_samples_before_and_after_a_kill, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_a_limit_that_is_lowered, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_page_cache_makes_nobody_busy, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_what_is_left_of_a_pods_counters, open_stage, close_stage),
		cmocka_unit_test_setup_teardown(test_the_list_comes_back_as_it_was, open_stage, close_stage),
		cmocka_unit_test(test_namespaces_are_bounded),
		cmocka_unit_test(test_the_ring),
		cmocka_unit_test(test_the_status_of_a_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
