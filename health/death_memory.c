/* death_memory.c - the kernel killed for memory: whose limit, and who grew. */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "health/death_view.h"

#define MIB ((uint64_t)1 << 20)
#define LITTLE 16 /* a part of the limit that is smaller than that does not explain why it was full: Spark leaves a tenth of the heap and more beside it */

static void name(struct death *death, enum death_cause cause, enum death_confidence confidence)
{
	death->cause = cause;
	death->confidence = confidence;
}

static enum death_confidence weaker(enum death_confidence a, enum death_confidence b)
{
	return a < b ? a : b;
}

/* --- the evidence --- */

static void prove_kill(const struct death_view *v, struct death *death)
{
	const struct death_facts *f = v->facts;

	if (f->container.oom_kill > 0)
		death_prove(death, "oom_kill +%" PRIu64 " in its cgroup", f->container.oom_kill);
	else if (f->pod.oom_kill > 0)
		death_prove(death, "oom_kill +%" PRIu64 " in its pod's cgroup, no other container was", f->pod.oom_kill);
	if (f->container.oom_group_kill > 0)
		death_prove(death, "memory.oom.group killed all its processes");
	if (v->oom) {
		char comm[96];
		str_escape(comm, sizeof(comm), v->oom->comm);
		death_prove(death, "kernel log: killed process %" PRIu32 " (%s), %" PRIu64 " MiB%s", v->oom->pid, comm,
			    (v->oom->anon_rss_bytes + v->oom->shmem_rss_bytes) / MIB, v->oom->secondary ? ", with its group" : "");
	}
	if (!v->oom && f->container.oom_kill == 0 && f->pod.oom_kill == 0 && *f->runtime_reason)
		death_prove(death, "the runtime says %s", f->runtime_reason);
}

static void prove_parts(const struct death_view *v, const struct death_part *parts, unsigned n, struct death *death)
{
	char text[256] = "";

	if (v->processes.jvm_count > 0)
		str_append(text, sizeof(text), "JVM %" PRIu64, v->processes.jvm_bytes / MIB);
	for (unsigned i = 0; i < n; i++)
		if (parts[i].bytes >= MIB)
			str_append(text, sizeof(text), "%s%s %" PRIu64, *text ? ", " : "", parts[i].what, parts[i].bytes / MIB);
	if (*text)
		death_prove(death, "MiB %s: %s", v->is_dump ? "at the kill" : "at the last sample", text);
}

/* --- who grew --- */

static bool is_python(const char *comm)
{
	return str_starts(comm, "python") || str_starts(comm, "pypy");
}

static uint64_t victim_bytes(const struct death_view *v)
{
	return v->oom ? v->oom->anon_rss_bytes + v->oom->shmem_rss_bytes : 0;
}

static bool has_processes(const struct death_view *v)
{
	return v->processes.jvm_count + v->processes.python_count + v->processes.r_count + v->processes.other_count > 0;
}

/* The kernel writes of ten kills in 5 s who had how much; of others, it only names the victim. Then a sample from before it grew is
 * all that there is, and its largest part is whatever a process begins with. Nor did anything grow of which there is less than is told
 * (prove_parts): the JVM was within its heap, whatever made it full. */
static bool saw_little(const struct death_view *v, const struct death_part *parts, unsigned n)
{
	uint64_t seen = v->processes.jvm_bytes > v->heap_bytes ? v->heap_bytes : v->processes.jvm_bytes; /* what is beyond is a part */

	for (unsigned i = 0; i < n; i++)
		seen += parts[i].bytes;
	seen = seen > v->anon_bytes ? seen : v->anon_bytes;
	/* Taken for the JVM's, because no process was looked at; but the JVM was killed and had less. */
	if (n > 0 && !has_processes(v) && parts[0].cause == DEATH_OVERHEAD && victim_bytes(v) > 0 && victim_bytes(v) < parts[0].bytes / 2)
		return true;
	return n == 0 || parts[0].bytes < MIB || (!v->is_dump && seen < v->limit_bytes / 4);
}

/* Nothing was measured. The victim is the largest process; else what is over the limit is beside the heap, which -Xmx bounds. A
 * victim with less than half of it was not who grew; nor was the JVM, where it lives. */
static void judge_blind(const struct death_view *v, struct death *death)
{
	const struct executor *x = &v->facts->executor;
	const uint64_t victim = victim_bytes(v);
	const bool only_jvm = x->language == EXECUTOR_LANGUAGE_JVM && !(x->flags & EXECUTOR_TMPFS_LOCAL_DIRS) && x->injected_bytes == 0;

	if (v->oom && is_python(v->oom->comm)) {
		name(death, DEATH_PYTHON, DEATH_LIKELY);
	} else if (v->oom && strcmp(v->oom->comm, "R") == 0) {
		name(death, DEATH_R, DEATH_LIKELY);
	} else if ((v->oom && victim > 0 && victim < v->limit_bytes / 2) || (!v->oom && v->facts->lives)) {
		death_prove(death, "what used the memory was not seen");
		name(death, DEATH_UNKNOWN, DEATH_GUESS);
	} else {
		name(death, DEATH_OVERHEAD, only_jvm ? DEATH_LIKELY : DEATH_GUESS);
	}
}

/* The JVM is within its heap, and the heap alone fills the limit: whatever there is beside it is only what there was no room for. */
static bool heap_fills_limit(const struct death_view *v)
{
	const uint64_t little = v->limit_bytes / LITTLE;

	return v->limit_bytes > 0 && v->heap_bytes + v->fixed_bytes >= v->limit_bytes - little && v->processes.jvm_count > 0 && v->processes.jvm_bytes >= v->limit_bytes / 2;
}

static void judge_grower(const struct death_view *v, const struct death_part *parts, unsigned n, struct death *death)
{
	uint64_t second = n > 1 ? parts[1].bytes : 0;

	const bool is_little = n == 0 || parts[0].bytes < v->limit_bytes / LITTLE;

	if (is_little && heap_fills_limit(v)) {
		death_prove(death, "its heap may be %" PRIu64 " of the limit's %" PRIu64 " MiB", v->heap_bytes / MIB, v->limit_bytes / MIB);
		name(death, DEATH_OVERHEAD, weaker(DEATH_LIKELY, v->sure));
		return;
	}
	if (saw_little(v, parts, n)) {
		judge_blind(v, death);
		return;
	}
	bool victim_fits = parts[0].cause == DEATH_PYTHON && v->oom && is_python(v->oom->comm);
	/* Certain is who explains the excess: twice what is next, and not little beside what was to have room, nor beside the limit. */
	bool clear = parts[0].bytes / 2 >= second && parts[0].bytes >= v->overhead_bytes / 4 && !is_little;
	bool close = parts[0].bytes - second < parts[0].bytes / 5;
	enum death_confidence sure = clear && (v->is_dump || victim_fits) ? DEATH_CERTAIN : close && !victim_fits ? DEATH_GUESS : DEATH_LIKELY;
	name(death, parts[0].cause, weaker(sure, v->sure));
}

/* --- whose limit --- */

/* What this container is known to have used: samples, which may be seconds old, and what its victim had at the kill. */
static uint64_t own_use(const struct death_view *v)
{
	const struct death_facts *f = v->facts;
	uint64_t own = f->at_peak.current_bytes > f->last.current_bytes ? f->at_peak.current_bytes : f->last.current_bytes;
	uint64_t victim = victim_bytes(v);

	return own > victim ? own : victim;
}

/* The pod's limit is what its containers may use together. Did this one use it up? A pod of one container has that one's limit,
 * and on v1 it is the pod's that is reached first: pause lives there too (measured). */
static bool neighbours_used_it(const struct death_view *v)
{
	const struct death_facts *f = v->facts;
	uint64_t own = own_use(v);
	bool alone = f->pod_limit_bytes > 0 && f->pod_limit_bytes == f->executor.limit_bytes;

	return v->oom_was_of_pod && !alone && own > 0 && v->limit_bytes > 0 && own < v->limit_bytes / 5 * 4;
}

static void judge_limit(const struct death_view *v, const struct death_part *parts, unsigned n, struct death *death)
{
	const struct death_facts *f = v->facts;

	if (v->oom_was_global) {
		death_prove(death, v->oom ? "the kernel's log says it was the node's memory, not a limit of this pod" : "neither its limit nor its pod's was reached");
		name(death, DEATH_NODE_MEMORY, v->oom ? DEATH_CERTAIN : DEATH_LIKELY);
	} else if (v->limit_was_bytes > v->limit_bytes && v->limit_bytes > 0) {
		death_prove(death, "its memory limit was lowered from %" PRIu64 " to %" PRIu64 " MiB", v->limit_was_bytes / MIB, v->limit_bytes / MIB);
		name(death, DEATH_LIMIT_LOWERED, v->sure);
	} else if (neighbours_used_it(v)) {
		death_prove(death, "the pod's limit was reached; this container used less");
		name(death, f->sibling_oom ? DEATH_SIDECAR : DEATH_POD_LIMIT, DEATH_LIKELY);
	} else if (f->executor.sidecar) {
		name(death, DEATH_SIDECAR, v->sure);
	} else {
		judge_grower(v, parts, n, death);
	}
}

void death_judge_memory(const struct death_view *v, struct death *death)
{
	struct death_part parts[DEATH_PARTS_MAX];
	unsigned n = death_parts(v, parts);

	prove_kill(v, death);
	judge_limit(v, parts, n, death);
	prove_parts(v, parts, n, death);
}
