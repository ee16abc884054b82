/* death_view.h - inside of death.c: the facts of a death as the rules see them. Pure.
 *
 * Derived once: which numbers count (the kernel's own dump at the kill before samples, samples before nothing), and whether the
 * kernel killed for memory, and for whose. */
#pragma once

#include "health/death.h"

enum death_kill {
	DEATH_KILL_UNKNOWN, /* nothing tells */
	DEATH_KILL_NONE,    /* the counters were read after the end, and there is none */
	DEATH_KILL_HERE,    /* a process of this container was killed for memory */
};

struct death_view {
	const struct death_facts *facts;
	enum death_kill kill;
	enum death_confidence sure; /* of DEATH_KILL_HERE */
	const struct oom_kill *oom; /* of this container, the one that says most; NULL = none in the kernel's log */
	bool oom_was_global, oom_was_of_pod; /* whose limit it was, if not the container's */
	bool main_survived;		     /* the victims are known, and the JVM is not among them */
	bool is_dump;			     /* the numbers are of the kernel's dump at the kill */
	uint64_t limit_bytes, used_bytes; /* of what was full: the container, or the pod if it was the pod's limit */
	uint64_t anon_bytes, shmem_bytes, cache_bytes /* what could not be given back, of a dump; all of it, of a sample */, kernel_bytes;
	uint64_t stuck_cache_bytes; /* page cache that the kernel could not take back */
	struct oom_tasks processes;
	uint64_t limit_was_bytes; /* before it was lowered; 0 = it was not */
	uint64_t heap_bytes, fixed_bytes; /* -Xmx; off-heap and PySpark memory that the limit has room for besides */
	uint64_t overhead_bytes;	  /* in force: limit - heap - fixed */
	uint64_t outside_bytes;		  /* used beside the heap, as measured */
};

bool death_is_worker(const char *comm); /* Python or R by its name */

void death_look(const struct death_facts *facts, struct death_view *ret);

/* The parts of memory that may have grown; the largest names the cause. */
struct death_part {
	enum death_cause cause;
	uint64_t bytes;
	const char *what; /* "Python workers" */
};
#define DEATH_PARTS_MAX 6

/* Sorted, largest first; returns how many. */
unsigned death_parts(const struct death_view *view, struct death_part parts[DEATH_PARTS_MAX]);

void death_judge(const struct death_view *view, struct death *death);  /* cause, confidence, evidence */
void death_judge_memory(const struct death_view *view, struct death *death); /* of a kill for memory */
void death_advise(const struct death_view *view, struct death *death); /* setting, value, advice */
void death_say(const struct death_view *view, struct death *death);    /* summary */

/* Adds to the evidence, "; " between. */
void death_prove(struct death *death, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What has to be given where `used_bytes` were used at the end and more was wanted: docs/executors.md has the rule. */
uint64_t death_need(uint64_t used_bytes, uint64_t growth_bytes, uint64_t in_force_bytes);
