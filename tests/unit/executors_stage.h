/* executors_stage.h - the table of executors without a kernel: who asks it and whom it tells is counted. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"
#include "health/executors_inside.h"

#define MS  1000ULL
#define SEC 1000000ULL
#define MIB (1024ULL * 1024)
#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "5ab0f1c2-1111-2222-3333-444455556666"
#define T0  (1000 * SEC)

struct stage {
	struct executors table;
	struct log log;
	unsigned deaths, asked, unverified;
	unsigned questions[SETTLE_WHOM_MAX_];
	bool has_api; /* somebody can ask the API server */
	char what[96];
	uint64_t last_id; /* of a question */
	struct death last;
	uint64_t now_us;
};

static inline bool take_processes(struct executors *x, const struct executors_entry *entry)
{
	(void)entry;
	((struct stage *)x->owner)->asked++;
	return true;
}

static inline uint64_t take_question(struct executors *x, const struct executors_entry *entry, enum settle_whom whom)
{
	struct stage *s = x->owner;

	(void)entry;
	if (whom == SETTLE_API && !s->has_api)
		return 0;
	s->questions[whom]++;
	return ++s->last_id;
}

static inline void take_unverified(struct executors *x, const struct executors_entry *entry, const char *what)
{
	struct stage *s = x->owner;

	(void)entry;
	s->unverified++;
	str_copy(s->what, sizeof(s->what), what);
}

static inline void take_death(struct executors *x, const struct death *death)
{
	struct stage *s = x->owner;

	s->deaths++;
	s->last = *death;
}

static inline void nothing(struct executors *x)
{
	(void)x;
}

static inline struct moment at(const struct stage *s)
{
	return (struct moment){T0 + s->now_us, 1795680900 * SEC + s->now_us};
}

static inline int open_stage(void **state)
{
	static const struct executors_ops ops = {.processes = take_processes, .ask = take_question, .unverified = take_unverified, .death = take_death, .changed = nothing};
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

static inline int close_stage(void **state)
{
	struct stage *s = *state;

	executors_stop(&s->table);
	assert_null(s->table.pods);
	free(s);
	return 0;
}

static inline struct executor new_executor(const char *id)
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

static inline struct wire_container container(const char *id)
{
	struct wire_container who = {0};

	str_copy(who.container_id, sizeof(who.container_id), id);
	str_copy(who.pod_uid, sizeof(who.pod_uid), UID);
	return who;
}

static inline struct oom_kill kill_of(const char *id, unsigned pid, const char *comm)
{
	struct oom_kill kill = {.scope = OOM_MEMCG, .pid = pid, .anon_rss_bytes = 1300 * MIB};

	snprintf(kill.oom_memcg, sizeof(kill.oom_memcg), "/kubepods/burstable/pod" UID "/%s", id);
	snprintf(kill.task_memcg, sizeof(kill.task_memcg), "/kubepods/burstable/pod" UID "/%s", id);
	str_copy(kill.comm, sizeof(kill.comm), comm);
	return kill;
}

/* Runs the table from due to due, `us` long. */
static inline void run(struct stage *s, uint64_t us)
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

static inline void begin(struct stage *s, const char *id)
{
	const struct executor x = new_executor(id);
	const struct wire_container who = container(id);

	executors_add(&s->table, &x, at(s));
	executors_started(&s->table, &who, at(s));
	run(s, 1 * MS);
}

static inline void answer_tail(struct stage *s, const char *id, uint32_t bits, const char *line)
{
	struct wire_log log = {.who = container(id), .bits = bits};

	str_copy(log.line, sizeof(log.line), line);
	executors_tail(&s->table, s->last_id, &log, at(s));
}

static inline void stop(struct stage *s, const char *id, int code)
{
	struct wire_container who = container(id);

	who.has_exit = code >= 0;
	who.exit_code = code;
	executors_stopped(&s->table, &who, at(s));
}

