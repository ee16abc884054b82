#include "health/death_view.h"

#include <string.h>

#include "base/str.h"

#define MIB ((uint64_t)1 << 20)

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static uint64_t less(uint64_t value, uint64_t what)
{
	return value > what ? value - what : 0;
}

/* --- was it killed for memory, and for whose? --- */

/* "pod1234-…": kubelet's cgroup driver for systemd writes '_' for '-'. */
static bool names_pod(const char *path, const char *uid)
{
	char other[EXECUTOR_UID_BYTES];

	if (!*uid || strstr(path, uid))
		return true;
	str_copy(other, sizeof(other), uid);
	for (char *p = other; *p; p++)
		*p = *p == '-' ? '_' : *p;
	return strstr(path, other) != NULL;
}

static bool is_here(const struct death_facts *facts, const struct oom_kill *oom)
{
#ifdef STOKER_SABOTAGE_NEIGHBOUR_TAKEN
	return true;
#endif
	return !*facts->executor.container_id || !*oom->task_memcg || strstr(oom->task_memcg, facts->executor.container_id);
}

/* The one with the most numbers; of equals the first victim. */
static const struct oom_kill *best_oom(const struct death_facts *facts)
{
	const struct oom_kill *best = NULL;

	for (uint32_t i = 0; i < facts->oom_count && i < DEATH_OOM_MAX; i++) {
		const struct oom_kill *oom = &facts->ooms[i];
		if (!is_here(facts, oom))
			continue;
		if (!best || (oom->have & ~best->have) || (best->secondary && !oom->secondary))
			best = oom;
	}
	return best;
}

static void look_at_kill(struct death_view *v)
{
	const struct death_facts *f = v->facts;

	v->oom = best_oom(f);
	v->kill = DEATH_KILL_HERE;
	v->sure = DEATH_CERTAIN;
#ifdef STOKER_SABOTAGE_KILL_IS_OOM
	return;
#endif
	if (f->container.oom_kill > 0 || f->container.oom_group_kill > 0 || (v->oom && *v->oom->task_memcg))
		return;
	v->sure = DEATH_LIKELY;
	if (v->oom || (f->pod.oom_kill > 0 && !f->sibling_oom))
		return;
	/* containerd's own word comes from a notice that on v1 a neighbour's kill sends too: only where the counters are not known */
	if (!f->counters_are_final && !f->sibling_oom && strcmp(f->runtime_reason, "OOMKilled") == 0)
		return;
	v->kill = DEATH_KILL_NONE;
	v->sure = f->counters_are_final ? DEATH_CERTAIN : DEATH_GUESS;
	if (f->counters_are_final)
		return;
	if (!(f->last.have & (SAMPLE_HAS_EVENTS | SAMPLE_HAS_LOCAL)))
		v->kill = DEATH_KILL_UNKNOWN;
}

/* v1 with a limit for memory and swap of the same size, as runtimes set it, counts only that one's failures, and from some kernel on not even those
 * (6.18, measured). What it used at most is told everywhere. */
static bool has_touched_limit(const struct sample *s)
{
	return s->have & SAMPLE_HAS_PEAK && s->limit_bytes > 0 && s->peak_bytes >= s->limit_bytes - s->limit_bytes / 100;
}

/* v2 counts `oom` where the limit is. v1 has no such counter: there `max` (failcnt) must do, which on v2 rises with every page of
 * cache that has to go. Only v2 counts a container's kills in its pod as well. */
static void look_at_limit(struct death_view *v)
{
	const struct death_facts *f = v->facts;
	const struct oom_kill *oom = v->oom;
	bool is_v2 = f->pod.oom_kill > 0;
	uint64_t here = f->container.oom + (is_v2 ? 0 : f->container.max + has_touched_limit(&f->last)), pod = f->pod.oom + (is_v2 ? 0 : f->pod.max);
	bool below = f->last.have & SAMPLE_HAS_CURRENT && f->last.limit_bytes > 0 && f->last.current_bytes < f->last.limit_bytes / 10 * 9;

	if (v->kill != DEATH_KILL_HERE)
		return;
	if (oom && oom->scope == OOM_GLOBAL) {
		v->oom_was_global = true;
	} else if (oom && *oom->oom_memcg) {
		bool own = !*f->executor.container_id || strstr(oom->oom_memcg, f->executor.container_id);
		/* above the pod: the memory that kubelet leaves to all pods of the node */
		v->oom_was_global = !own && !names_pod(oom->oom_memcg, f->executor.pod_uid);
		v->oom_was_of_pod = !own && !v->oom_was_global;
	} else if (f->container.oom_kill > 0 && here == 0) {
		v->oom_was_of_pod = pod > 0;
		v->oom_was_global = pod == 0 && below && (!oom || oom->scope != OOM_MEMCG);
	}
#ifdef STOKER_SABOTAGE_WRONG_LIMIT
	v->oom_was_of_pod = v->oom_was_global = false;
#endif
}

/* The log names every victim, and each is a worker by its name: then the end has another reason. Any other name may be the JVM's,
 * which can call itself what it likes. */
static void look_at_victims(struct death_view *v)
{
	const struct death_facts *f = v->facts;
	bool has_jvm = v->processes.jvm_count > 0 || f->processes.jvm_count > 0;

	if (v->kill != DEATH_KILL_HERE || !has_jvm || f->oom_count == 0 || f->oom_count >= DEATH_OOM_MAX || f->container.oom_kill != f->oom_count)
		return;
	for (uint32_t i = 0; i < f->oom_count; i++)
		if (!death_is_worker(f->ooms[i].comm) || death_is_main(&f->executor, &f->ooms[i]))
			return;
	v->main_survived = true;
}

bool death_lives_by_any(const struct executor *x)
{
	return x->sidecar || (x->source == EXECUTOR_FROM_RUN && x->role == EXECUTOR_ROLE_EXECUTOR && !*x->executor_id);
}

bool death_is_main(const struct executor *x, const struct oom_kill *kill)
{
	const bool by_jvm = x->role != EXECUTOR_ROLE_STANDALONE_WORKER && strcmp(kill->comm, "java") == 0;
	const bool by_python = executor_is_driver(x) && death_is_worker(kill->comm);

	return death_lives_by_any(x) || by_jvm || by_python || (x->pid != 0 && kill->pid == x->pid);
}

bool death_is_worker(const char *comm)
{
	return str_starts(comm, "python") || str_starts(comm, "pypy") || strcmp(comm, "R") == 0 || strcmp(comm, "Rscript") == 0;
}

/* --- the numbers --- */

static void take_dump(struct death_view *v)
{
	const struct oom_kill *oom = v->oom;

	if (!oom || v->oom_was_global)
		return;
	if (oom->have & OOM_HAS_USAGE) {
		v->used_bytes = oom->usage_bytes;
		v->limit_bytes = oom->limit_bytes;
	}
	if (oom->have & OOM_HAS_STAT) {
		v->is_dump = true;
		v->anon_bytes = oom->anon_bytes;
		v->shmem_bytes = oom->shmem_bytes;
		v->cache_bytes = v->stuck_cache_bytes = less(oom->file_bytes, oom->shmem_bytes);
		v->kernel_bytes = oom->kernel_bytes + oom->sock_bytes;
	}
	if (oom->have & OOM_HAS_TASKS)
		v->processes = oom->tasks;
}

static void take_sample(struct death_view *v)
{
	const struct death_facts *f = v->facts;
	const struct sample *s = f->at_peak.have & SAMPLE_HAS_STAT && f->at_peak.current_bytes >= f->last.current_bytes ? &f->at_peak : &f->last;

	if (s->have & SAMPLE_HAS_CURRENT && v->used_bytes == 0)
		v->used_bytes = s->current_bytes;
	if (s->have & SAMPLE_HAS_STAT && !v->is_dump) {
		v->anon_bytes = s->anon_bytes;
		v->shmem_bytes = s->shmem_bytes;
		v->cache_bytes = less(s->file_bytes, s->shmem_bytes);
		v->stuck_cache_bytes = at_most(s->file_dirty_bytes + s->file_writeback_bytes, v->cache_bytes);
		v->kernel_bytes = (s->kernel_bytes ? s->kernel_bytes : s->slab_bytes) + s->sock_bytes;
	}
	if (v->limit_bytes == 0)
		v->limit_bytes = v->oom_was_of_pod && f->pod_limit_bytes ? f->pod_limit_bytes : s->have & SAMPLE_HAS_LIMIT ? s->limit_bytes : 0;
	if (v->limit_bytes == 0)
		v->limit_bytes = f->executor.limit_bytes;
	/* The kernel kills when the limit does not give one page more. */
	bool full = v->kill == DEATH_KILL_HERE && !v->oom_was_global && !f->lives && v->limit_bytes > 0;
	if (full && v->used_bytes < v->limit_bytes && f->limit_was_bytes == 0 && v->used_bytes > 0 && !(v->oom && v->oom->have & OOM_HAS_USAGE))
		v->used_bytes = v->limit_bytes;
}

/* From what the limit was lowered: seen by a sample, or the last sample's is above the one that the kernel names at the kill. */
static void take_limit_before(struct death_view *v)
{
	const struct death_facts *f = v->facts;
	const bool own = v->oom && v->oom->have & OOM_HAS_USAGE && !v->oom_was_of_pod && f->last.have & SAMPLE_HAS_LIMIT;

	v->limit_was_bytes = f->limit_was_bytes;
	if (v->limit_was_bytes == 0 && own && f->last.limit_bytes > v->oom->limit_bytes + MIB)
		v->limit_was_bytes = f->last.limit_bytes;
}

/* By command line (sampled) is better than by name (the dump); but the dump is of that moment. */
static void take_processes(struct death_view *v)
{
	const struct death_processes *p = &v->facts->processes;
	const struct oom_tasks *dump = &v->processes;

	if (p->time_us == 0 || dump->jvm_count + dump->python_count + dump->r_count > 0)
		return;
	v->processes = (struct oom_tasks){p->jvm_bytes, p->python_bytes, p->r_bytes, p->other_bytes, p->jvm_count, p->python_count, p->r_count, p->other_count};
}

static void take_budget(struct death_view *v)
{
	const struct executor *x = &v->facts->executor;
	const struct oom_tasks *p = &v->processes;
	uint64_t cores = x->cores > 0 ? at_most(x->cores, 1024) : 1;

	v->heap_bytes = x->heap_bytes;
	v->fixed_bytes = x->off_heap_bytes;
	if (x->flags & EXECUTOR_PYSPARK_MEMORY_SET && !(x->flags & EXECUTOR_CLIENT_MODE))
		v->fixed_bytes += at_most(x->python_worker_bytes, UINT64_MAX / 2048) * cores;
	v->overhead_bytes = less(less(v->limit_bytes, v->heap_bytes), v->fixed_bytes);
	bool known = p->jvm_count + p->python_count + p->r_count + p->other_count > 0;
	uint64_t beside = known ? less(p->jvm_bytes, v->heap_bytes) + p->python_bytes + p->r_bytes + p->other_bytes : less(v->anon_bytes, v->heap_bytes);
	v->outside_bytes = at_most(beside + v->shmem_bytes + v->stuck_cache_bytes + v->kernel_bytes, v->used_bytes);
}

void death_look(const struct death_facts *facts, struct death_view *ret)
{
	*ret = (struct death_view){.facts = facts};
	look_at_kill(ret);
	look_at_limit(ret);
	take_dump(ret);
	take_sample(ret);
	take_limit_before(ret);
	take_processes(ret);
	take_budget(ret);
	look_at_victims(ret);
}

unsigned death_parts(const struct death_view *v, struct death_part parts[DEATH_PARTS_MAX])
{
	const struct oom_tasks *p = &v->processes;
	bool known = p->jvm_count + p->python_count + p->r_count + p->other_count > 0;
	uint64_t scratch = v->facts->scratch_bytes > v->shmem_bytes ? v->facts->scratch_bytes : v->shmem_bytes;
	uint64_t beyond = known ? less(p->jvm_bytes, v->heap_bytes) : less(v->anon_bytes, v->heap_bytes);
	const char *who = p->other_bytes > beyond ? "other processes" : v->heap_bytes > 0 ? "the JVM outside its heap" : known ? "the JVM" : "its processes";
	const struct death_part all[DEATH_PARTS_MAX] = {
		{DEATH_OVERHEAD, beyond + p->other_bytes, who},
		{DEATH_PYTHON, p->python_bytes, "Python"},
		{DEATH_R, p->r_bytes, "R"},
		{DEATH_SCRATCH_MEMORY, scratch, "files in memory (tmpfs)"},
		{DEATH_PAGE_CACHE, v->stuck_cache_bytes, "page cache"},
		{DEATH_KERNEL_MEMORY, v->kernel_bytes, "kernel and sockets"},
	};
	unsigned n = 0;

	for (unsigned i = 0; i < DEATH_PARTS_MAX; i++) {
		unsigned at = n;
		if (all[i].bytes == 0)
			continue;
		for (; at > 0 && parts[at - 1].bytes < all[i].bytes; at--)
			parts[at] = parts[at - 1];
		parts[at] = all[i];
		n++;
	}
	return n;
}
