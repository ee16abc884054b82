#include "health/executors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "health/executors_inside.h"

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

struct sample_events sample_events_minus(const struct sample_events *a, const struct sample_events *b)
{
	return (struct sample_events){
		.low = minus(a->low, b->low),
		.high = minus(a->high, b->high),
		.max = minus(a->max, b->max),
		.oom = minus(a->oom, b->oom),
		.oom_kill = minus(a->oom_kill, b->oom_kill),
		.oom_group_kill = minus(a->oom_group_kill, b->oom_group_kill),
	};
}

static struct sample_events plus(const struct sample_events *a, const struct sample_events *b)
{
	return (struct sample_events){a->low + b->low, a->high + b->high,	  a->max + b->max,
				      a->oom + b->oom, a->oom_kill + b->oom_kill, a->oom_group_kill + b->oom_group_kill};
}

void executors_changed(struct executors *x)
{
	if (x->ops->changed)
		x->ops->changed(x);
}

/* --- the table --- */

struct executors_entry *executors_find(const struct executors *x, const char *container_id)
{
	for (unsigned i = 0; i < x->count; i++)
		if (strcmp(x->entries[i]->executor.container_id, container_id) == 0)
			return x->entries[i];
	return NULL;
}

static uint64_t id_of(const char *container_id)
{
	return hash_fnv1a(HASH_START, container_id, strlen(container_id));
}

static bool was_told(const struct executors *x, const char *container_id)
{
	const uint64_t id = id_of(container_id);
	bool told = false;

	for (unsigned i = 0; i < EXECUTORS_TOLD; i++)
		told = told || x->told[i] == id;
	return told;
}

bool executors_knows(const struct executors *x, const char *container_id)
{
	return executors_find(x, container_id) || was_told(x, container_id);
}

void executors_forget(struct executors *x, struct executors_entry *entry, bool told)
{
	unsigned i = 0;

	while (x->entries[i] != entry)
		i++;
	x->entries[i] = x->entries[--x->count];
	if (told)
		x->told[x->told_next++ % EXECUTORS_TOLD] = id_of(entry->executor.container_id);
	if (entry->pod) { /* what was left of the pod's counts was taken for its own, too */
		const struct sample_events its = sample_events_minus(&entry->counted, &entry->first), left = executors_pod_left(x, entry);
		const struct sample_events own = sample_events_minus(&entry->counted, &entry->explained_events);
		const struct sample_events more = sample_events_minus(&left, &own);
		entry->pod->told = plus(&entry->pod->told, &its);
		entry->pod->told = plus(&entry->pod->told, &more);
	}
	executors_close(entry);
	executors_pod_put(x, entry->pod);
	free(entry->ooms);
	free(entry->words);
	free(entry->suspicion);
	free(entry);
}

static struct executors_entry *make_entry(struct executors *x, const struct executor *executor)
{
	struct executors_entry *entry = NULL;

	if (x->count < EXECUTORS_MAX)
		entry = calloc(1, sizeof(*entry));
	if (!entry) {
		x->beyond_total++;
		log_warn(x->log, "a container is not watched: too many", "pod", executor->pod, "beyond_total", log_number(x->beyond_total));
		return NULL;
	}
	entry->table = x;
	entry->executor = *executor;
	entry->exit_code = -1;
	entry->pod = executors_pod_get(x, executor);
	x->entries[x->count++] = entry;
	return entry;
}

/* --- what the runtime tells --- */

void executors_add(struct executors *x, const struct executor *executor, struct moment now)
{
	struct executors_entry *entry = executors_find(x, executor->container_id);

	if (was_told(x, executor->container_id))
		return;
	if (entry) {
		const uint32_t pid = entry->executor.pid;
		entry->executor = *executor;
		if (!executor->pid)
			entry->executor.pid = pid;
	} else {
		entry = make_entry(x, executor);
	}
	if (!entry)
		return;
	entry->named = true;
	executors_open(entry, false, now);
	executors_changed(x);
}

#define START_US 60000000ULL /* from its creation to its start no runtime takes so long */

bool executors_was_before(const struct executors_entry *entry, struct moment now)
{
	const uint64_t created_us = entry->executor.created_wall_us;

	return created_us && created_us + START_US < now.wall_us;
}

void executors_started(struct executors *x, const struct wire_container *who, struct moment now)
{
	struct executors_entry *entry = executors_find(x, who->container_id);

	if (!entry)
		return;
	if (who->pid)
		entry->executor.pid = who->pid;
	if (!entry->started.us) {
		entry->started = now;
		if (executors_was_before(entry, now))
			entry->started.wall_us = entry->executor.created_wall_us;
	}
	executors_open(entry, true, now);
	executors_verify(entry);
	executors_changed(x);
}

void executors_end(struct executors_entry *entry, struct moment now)
{
	if (!entry->gone_us && entry->open)
		entry->gone_us = now.us;
	if (!entry->ended.us)
		entry->ended = now;
	executors_changed(entry->table);
}

void executors_stopped(struct executors *x, const struct wire_container *who, struct moment now)
{
	struct executors_entry *entry = executors_find(x, who->container_id);

	if (!entry)
		return;
	if (!entry->ended.us)
		entry->ended = now;
	if (who->has_exit) {
		entry->has_code = true;
		entry->exit_code = who->exit_code;
	}
	if (who->finished_wall_us && who->finished_wall_us <= now.wall_us)
		entry->ended.wall_us = who->finished_wall_us;
	executors_count(entry, now); /* the counters are there for a moment yet */
	executors_changed(x);
}

void executors_removed(struct executors *x, const struct wire_container *who, struct moment now)
{
	struct executors_entry *entry = executors_find(x, who->container_id);

	if (!entry)
		return;
	entry->removed = true;
	executors_end(entry, now);
}

void executors_pod_stopping(struct executors *x, const struct wire_container *who, struct moment now)
{
	for (unsigned i = 0; i < x->count; i++)
		if (strcmp(x->entries[i]->executor.pod_uid, who->pod_uid) == 0 && !x->entries[i]->stopping_us)
			x->entries[i]->stopping_us = now.us;
}

/* Found in cgroups while the runtime was away, which does not have it: of another runtime, of another node on the same machine. */
static bool is_anothers(const struct executors_entry *entry)
{
	return entry->executor.source == EXECUTOR_FROM_CGROUPFS && !entry->named && !entry->ended.us && !entry->killed_us;
}

void executors_synchronized(struct executors *x, struct moment now)
{
	for (unsigned i = x->count; i-- > 0;) /* the last one takes the place of who goes */
		if (is_anothers(x->entries[i]))
			executors_forget(x, x->entries[i], false);
	for (unsigned i = 0; i < x->count; i++) {
		struct executors_entry *entry = x->entries[i];
		if (entry->executor.source == EXECUTOR_FROM_NRI && !entry->named) {
			entry->removed = true;
			executors_end(entry, now);
		}
		entry->named = false;
		if (entry->executor.pid && !entry->ended.us)
			executors_open(entry, true, now); /* says so if it is not found */
	}
	log_info(x->log, "the runtime has named its containers", "executors", log_number(x->count));
}

void executors_nri(struct executors *x, bool live, bool codes)
{
	x->nri = live;
	x->codes = codes;
}

/* --- what the kernel tells --- */

/* "/kubepods/burstable/podUID/ID", perhaps beneath other directories (nested nodes), perhaps with one of crun's below. */
static struct executors_entry *find_victim(const struct executors *x, const char *task_memcg, struct cgroup_name *name)
{
	char path[EXECUTOR_CGROUP_BYTES];

	if (cgroup_name_parse(task_memcg, name) && *name->container_id)
		return executors_find(x, name->container_id);
	for (unsigned i = 0; i < x->count; i++) {
		if (cgroup_path_of(&x->entries[i]->executor, path, sizeof(path), NULL) < 0)
			continue;
		const char *at = strstr(task_memcg, path);
		if (at && (at == task_memcg || at[-1] == '/') && (at[strlen(path)] == '\0' || at[strlen(path)] == '/'))
			return x->entries[i];
	}
	return NULL;
}

#define LATE_LOG_US 1000000ULL

/* The runtime may say that it has ended before the kernel's log is read (1 in 20 of those who die in a hurry); soon after that its number may be
 * another's. */
static bool may_be_victim(const struct executors_entry *entry, struct moment now)
{
	if (!entry->ended.us)
		return true;
	return now.us - entry->ended.us < LATE_LOG_US && (!entry->has_code || entry->exit_code == EXIT_OF_SIGKILL);
}

/* Of more than ten kills in 5 s the kernel says no cgroup, only the process. */
static struct executors_entry *find_by_pid(const struct executors *x, uint32_t pid, struct moment now)
{
	for (unsigned i = 0; i < x->count; i++)
		if (pid != 0 && x->entries[i]->executor.pid == pid && may_be_victim(x->entries[i], now))
			return x->entries[i];
	return NULL;
}

static void pod_had_oom(struct executors *x, const struct cgroup_name *name, struct moment now)
{
	for (struct executors_pod *pod = x->pods; pod; pod = pod->next) {
		if (strcmp(pod->uid, name->pod_uid) != 0)
			continue;
		pod->oom_us = now.us;
		str_copy(pod->oom_container, sizeof(pod->oom_container), name->container_id);
	}
}

void executors_oom(struct executors *x, const struct oom_kill *kill, struct moment now)
{
	struct cgroup_name name = {0};
	struct executors_entry *entry = *kill->task_memcg ? find_victim(x, kill->task_memcg, &name) : find_by_pid(x, kill->pid, now);

	if (!entry) {
		if (!*kill->task_memcg)
			x->gap_us = now.us; /* it may have been of any container, as if its record were lost */
		if (*name.pod_uid)
			pod_had_oom(x, &name, now);
		return;
	}
	if (entry->pod) {
		entry->pod->oom_us = now.us;
		str_copy(entry->pod->oom_container, sizeof(entry->pod->oom_container), entry->executor.container_id);
	}
	if (!entry->ooms)
		entry->ooms = calloc(DEATH_OOM_MAX, sizeof(*entry->ooms));
	if (entry->ooms && entry->oom_count < DEATH_OOM_MAX)
		entry->ooms[entry->oom_count] = *kill;
	entry->oom_count++;
	if (!entry->killed_us)
		entry->killed_us = now.us;
	/* A container does not outlive its first process: no need to wait until somebody says so. */
	if (kill->pid != 0 && kill->pid == entry->executor.pid && !entry->ended.us)
		entry->ended = now;
	executors_count(entry, now);
	executors_changed(x);
}

/* --- start --- */

int executors_start(struct executors *x, uv_loop_t *loop, const struct log *log, const struct executors_ops *ops, void *owner, struct err *e)
{
	x->ops = ops;
	x->log = log;
	x->owner = owner;
	if (cgroup_layout_find("", &x->layout, e) < 0)
		return -e->code;
	if (x->layout.controllers[CGROUP_MEMORY].version == 0) {
		cgroup_layout_close(&x->layout);
		return err_rule(e, ENOENT, "there is no memory controller");
	}
	if (cgroup_watcher_start(&x->watcher, loop, e) < 0) {
		cgroup_layout_close(&x->layout);
		return -e->code;
	}
	x->has_cgroups = true;
	return 0;
}

void executors_stop(struct executors *x)
{
	while (x->count > 0)
		executors_forget(x, x->entries[0], false);
	if (x->has_cgroups) {
		cgroup_watcher_stop(&x->watcher);
		cgroup_layout_close(&x->layout);
	}
	x->has_cgroups = false;
}
