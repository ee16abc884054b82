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

void executors_started(struct executors *x, const struct wire_container *who, struct moment now)
{
	struct executors_entry *entry = executors_find(x, who->container_id);

	if (!entry)
		return;
	if (who->pid)
		entry->executor.pid = who->pid;
	if (!entry->started.us)
		entry->started = now;
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
	for (struct executors_pod *pod = x->pods; pod; pod = pod->next)
		if (strcmp(pod->uid, who->pod_uid) == 0 && !pod->stopping.us)
			pod->stopping = now;
}

void executors_synchronized(struct executors *x, struct moment now)
{
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

/* Of more than ten kills in 5 s the kernel says no cgroup, only the process. */
static struct executors_entry *find_by_pid(const struct executors *x, uint32_t pid)
{
	for (unsigned i = 0; i < x->count; i++)
		if (pid != 0 && x->entries[i]->executor.pid == pid && !x->entries[i]->ended.us)
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
	struct executors_entry *entry = *kill->task_memcg ? find_victim(x, kill->task_memcg, &name) : find_by_pid(x, kill->pid);

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

/* --- what the broker tells --- */

static struct executors_words *words_of(struct executors_entry *entry)
{
	if (!entry->words)
		entry->words = calloc(1, sizeof(*entry->words));
	return entry->words;
}

void executors_processes(struct executors *x, const struct wire_processes *p, struct moment now)
{
	struct executors_entry *entry = executors_find(x, p->who.container_id);

	if (entry && !p->errnum)
		executors_verify_processes(entry, p);
	/* After a kill those are missing that it is about. */
	if (!entry || p->errnum || entry->killed_us || entry->ended.us)
		return;
	entry->processes = (struct death_processes){.time_us = now.us,
						    .jvm_bytes = p->jvm_bytes,
						    .python_bytes = p->python_bytes,
						    .r_bytes = p->r_bytes,
						    .other_bytes = p->other_bytes,
						    .jvm_count = p->jvm_count,
						    .python_count = p->python_count,
						    .r_count = p->r_count,
						    .other_count = p->other_count};
}

bool executors_suspect(struct executors_entry *entry, const char *volume, uint64_t volume_bytes, struct moment now)
{
	struct executors *x = entry->table;

	if (entry->ended.us || entry->killed_us || !x->ops->tail || (entry->suspected_us && now.us - entry->suspected_us < EXECUTORS_SUSPECT_US) ||
	    (entry->failing_us && now.us - entry->failing_us < EXECUTORS_FAILING_US))
		return false;
	str_copy(entry->scratch_name, sizeof(entry->scratch_name), volume);
	entry->scratch_total_bytes = volume_bytes;
	entry->suspected_us = now.us;
	entry->suspect_id = x->ops->tail(x, entry);
	return entry->suspect_id != 0;
}

void executors_tail(struct executors *x, uint64_t id, const struct wire_log *log, struct moment now)
{
	struct executors_entry *entry = executors_find(x, log->who.container_id);

	if (!entry)
		return;
	if (entry->suspect_id && entry->suspect_id == id) { /* of its life; its end has words of its own */
		entry->suspect_id = 0;
		executors_tell_failing(entry, log, now);
		return;
	}
	entry->tail_is_there = true;
	if (log->errnum == 0) {
		struct executors_words *words = words_of(entry);
		entry->tail_was_read = true;
		entry->log_bits |= log->bits;
		if (words)
			str_copy(words->log_line, sizeof(words->log_line), log->line);
	}
	executors_changed(x);
}

void executors_status(struct executors *x, const struct wire_status *status, struct moment now)
{
	struct executors_entry *entry = executors_find(x, status->who.container_id);
	char line[sizeof(status->message)];

	if (!entry)
		return;
	entry->status_awaited = false;
	/* One that still runs, for the runtime, is asked again. */
	entry->status_is_known = status->errnum != 0 || status->who.has_exit;
	if (status->errnum == 0 && status->who.has_exit && !entry->has_code) {
		struct executors_words *words = words_of(entry);
		entry->code_is_runtimes = true;
		if (words) {
			str_copy(words->runtime_reason, sizeof(words->runtime_reason), status->reason);
			str_copy(words->runtime_message, sizeof(words->runtime_message), status->message);
		}
		entry->log_bits |= death_read_log(status->message, strlen(status->message), line, sizeof(line)); /* "exec format error" */
		executors_stopped(x, &status->who, now);
	}
	executors_changed(x);
}

/* It has nothing more to say once the pod is gone or over, or somebody wanted it to go. */
static bool is_all(const struct wire_pod_told *told)
{
	return told->errnum != 0 || told->end.over || *told->end.reason || *told->end.disruption || told->end.kill_wall_us;
}

void executors_api(struct executors *x, uint64_t id, const struct wire_pod_told *told)
{
	for (unsigned i = 0; i < x->count; i++) {
		struct executors_entry *entry = x->entries[i];
		if (!entry->api_awaited || entry->api_id != id)
			continue;
		entry->api_awaited = false;
		entry->api_is_known = is_all(told);
		if (told->errnum == 0 && words_of(entry))
			entry->words->api = told->end;
	}
	executors_changed(x);
}

void executors_refused(struct executors *x, uint64_t id)
{
	for (unsigned i = 0; i < x->count; i++) {
		struct executors_entry *entry = x->entries[i];
		entry->tail_is_there = entry->tail_is_there || entry->tail_id == id; /* it will not come */
		entry->status_is_known = entry->status_is_known || entry->status_id == id;
		entry->status_awaited = entry->status_awaited && entry->status_id != id;
	}
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
