/* executors_evidence.c - what there is of a container's end or of a kill in it so far: is it enough to explain it (settle.h)? */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "health/executors_inside.h"

#define PIDS_MAX	512
#define EXIT_OF_SIGTERM 143

static bool main_was_killed(const struct executors_entry *entry)
{
	bool killed = false;

	for (uint32_t i = 0; i < entry->oom_count && i < DEATH_OOM_MAX && entry->ooms; i++)
		killed = killed || death_is_main(&entry->executor, &entry->ooms[i]);
	return killed;
}

/* Kills that are not explained: of the container's own counters; if it went too fast for them, of its pod's. */
static uint64_t count_kills(const struct executors_entry *entry)
{
	const struct sample_events own = sample_events_minus(&entry->counted, &entry->explained_events);
	uint64_t left = 0;

	if (entry->gone_us && entry->pod && entry->pod->open && entry->pod->cgroup.versions[CGROUP_MEMORY] == 2)
		left = executors_pod_left(entry->table, entry).oom_kill;
	return own.oom_kill > left ? own.oom_kill : left;
}

/* Who acts through the API server is obeyed by kubelet with signals, or leaves time to hand over. */
static bool may_be_by_api(const struct executors_entry *entry)
{
	const struct executor *x = &entry->executor;

	if (x->source == EXECUTOR_FROM_RUN || !*x->pod_uid)
		return false;
	return !entry->has_code || entry->exit_code == EXIT_OF_SIGKILL || entry->exit_code == EXIT_OF_SIGTERM ||
	       (entry->exit_code == 0 && x->flags & EXECUTOR_DECOMMISSION);
}

struct settle_evidence executors_evidence(const struct executors_entry *entry, uint64_t now_us, bool victims_left)
{
	const uint64_t counted = count_kills(entry);
	const uint64_t killed_us = entry->killed_us ? entry->killed_us : counted ? entry->ended.us : 0;

	struct settle_evidence evidence = {
		.now_us = now_us,
		.killed_us = killed_us,
		.counted = counted,
		.logged = entry->oom_count,
		.log_is_read = entry->table->kmsg,
		.main_killed = main_was_killed(entry),
		.victims_left = victims_left,
		.reaped_us = entry->reaped_us,
		.ended_us = entry->ended.us,
		.gone_us = entry->gone_us,
		.has_code = entry->has_code,
		.code_may_come = entry->table->nri && entry->table->codes && !entry->removed && entry->executor.source == EXECUTOR_FROM_NRI,
		.api_wanted = may_be_by_api(entry),
	};
	memcpy(evidence.questions, entry->questions, sizeof(evidence.questions));
	return evidence;
}

static bool is_reaped(uint32_t pid)
{
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* A shell or an init that ends with its child does so when it has reaped it. */
static void look_at_reaper(struct executors_entry *entry, const uint32_t *pids, int count, struct moment now)
{
	const uint32_t first = entry->executor.pid;
	bool all = first != 0 && entry->ooms && entry->oom_count > 0 && entry->oom_count <= DEATH_OOM_MAX && death_lives_by_any(&entry->executor), is_there = false;

	for (int i = 0; i < count; i++)
		is_there = is_there || pids[i] == first;
	for (uint32_t i = 0; all && i < entry->oom_count; i++)
		all = entry->ooms[i].pid != 0 && entry->ooms[i].pid != first && is_reaped(entry->ooms[i].pid);
	if (!all || !is_there)
		entry->reaped_us = 0;
	else if (!entry->reaped_us)
		entry->reaped_us = now.us;
}

bool executors_look_at_victims(struct executors_entry *entry, struct moment now)
{
	uint32_t pids[PIDS_MAX];
	struct err e = {0};
	bool left = false;

	if (!entry->open || entry->gone_us || entry->ended.us || !entry->killed_us)
		return false;
	const int n = cgroup_pids(&entry->cgroup, pids, PIDS_MAX, &e);
	if (n == -ENODEV || n == 0) {
		if (n < 0)
			entry->gone_us = now.us;
		entry->ended = now;
	}
	look_at_reaper(entry, pids, n, now);
	for (int i = 0; i < n; i++)
		for (uint32_t k = 0; k < entry->oom_count && k < DEATH_OOM_MAX && entry->ooms; k++)
			left = left || entry->ooms[k].pid == pids[i];
	return left;
}
