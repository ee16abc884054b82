/* executors_explain.c - what is known about one container's end or a kill in it, put together and told. When: executors_evidence.c, settle.h. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/executor_view.h"
#include "health/executors_inside.h"

#define PEAK_US	       60000000ULL
#define SIBLING_US     60000000ULL
#define LOWERED_US     60000000ULL
#define GAP_US	       60000000ULL
#define STALLED_US     10000000ULL /* pressures are averages of so long */

/* --- the facts --- */

/* No OOM kill was counted: is that sure? The kernel's log says of each one, unless records were lost. */
static bool is_final(const struct executors_entry *entry, uint64_t now_us)
{
	const struct executors *x = entry->table;
	const struct executors_pod *pod = entry->pod;
	const bool of_pod = pod && pod->open && pod->cgroup.versions[CGROUP_MEMORY] == 2 && pod->counted_us >= entry->ended.us;

	return entry->counted_at_end || of_pod || (x->kmsg && (x->gap_us == 0 || now_us - x->gap_us > GAP_US));
}

static bool is_recent(const struct footprint *f, uint64_t now_us)
{
	return f->have && f->time_us + PEAK_US > now_us;
}

static void find_peak(const struct executors_entry *entry, uint64_t now_us, struct sample *ret)
{
	*ret = entry->last;
	for (unsigned i = 0; i < EXECUTORS_RING; i++)
		if (is_recent(&entry->ring[i], now_us) && footprint_current_bytes(&entry->ring[i]) > ret->current_bytes)
			*ret = footprint_sample(&entry->ring[i]);
}

/* How much its use rose in the last minute: from the lowest of the highest of each ten seconds. */
static uint64_t find_growth(const struct executors_entry *entry, uint64_t now_us, uint64_t peak_bytes)
{
	uint64_t lowest = UINT64_MAX;

	for (unsigned i = 0; i < EXECUTORS_RING; i++) {
		const uint64_t bytes = footprint_current_bytes(&entry->ring[i]);
		if (is_recent(&entry->ring[i], now_us) && bytes < lowest)
			lowest = bytes;
	}
	return lowest < peak_bytes ? peak_bytes - lowest : 0;
}

/* Of the last minute: since the oldest sample of it. Where there is none, or one of a moment ago, since it began. */
static void find_throttling(const struct executors_entry *entry, uint64_t now_us, struct death_facts *f)
{
	const struct sample *last = &entry->last;
	const struct footprint none = {0}, *oldest = &none;

	for (unsigned i = 0; i < EXECUTORS_RING; i++) {
		const struct footprint *one = &entry->ring[i];
		if (is_recent(one, now_us) && one->have & SAMPLE_HAS_CPU && one->cpu_periods + DEATH_PERIODS_LEAST <= last->periods && (!oldest->have || one->time_us < oldest->time_us))
			oldest = one;
	}
	if (!(last->have & SAMPLE_HAS_CPU) || last->periods < oldest->cpu_periods || last->throttled_periods < oldest->throttled_periods)
		return;
	f->cpu_periods = last->periods - oldest->cpu_periods;
	f->throttled_periods = last->throttled_periods - oldest->throttled_periods;
}

static enum death_exit_source exit_source(const struct executors_entry *entry)
{
	if (!entry->has_code)
		return DEATH_EXIT_UNKNOWN;
	return entry->executor.source == EXECUTOR_FROM_RUN ? DEATH_EXIT_WAITED : entry->code_is_runtimes ? DEATH_EXIT_RUNTIME : DEATH_EXIT_NRI;
}

static void exit_facts(const struct executors_entry *entry, bool lives, struct death_facts *f)
{
	f->exit_code = entry->has_code ? entry->exit_code : -1;
	f->exit_source = exit_source(entry);
	if (entry->words) {
		str_copy(f->runtime_reason, sizeof(f->runtime_reason), entry->words->runtime_reason);
		str_copy(f->runtime_message, sizeof(f->runtime_message), entry->words->runtime_message);
		str_copy(f->log_line, sizeof(f->log_line), entry->words->log_line);
		f->api = entry->words->api;
	}
	/* The kernel's SIGKILL of the first process is its exit code. */
	for (uint32_t i = 0; !lives && !entry->has_code && i < f->oom_count; i++)
		if (entry->executor.pid && f->ooms[i].pid == entry->executor.pid)
			f->exit_code = EXIT_OF_SIGKILL;
}

void executors_facts(const struct executors_entry *entry, bool lives, struct moment now, struct death_facts *f)
{
	const struct executors_pod *pod = entry->pod;
	const struct executors *x = entry->table;

	memset(f, 0, sizeof(*f));
	f->executor = entry->executor;
	f->lives = lives;
	f->last = entry->last;
	find_peak(entry, now.us, &f->at_peak);
	f->container = sample_events_minus(&entry->counted, &entry->explained_events);
	f->pod = executors_pod_left(x, entry);
	f->pod_limit_bytes = pod && pod->limit_bytes ? pod->limit_bytes : entry->executor.pod_limit_bytes;
	if (entry->limit_lowered_us && now.us - entry->limit_lowered_us < LOWERED_US && entry->limit_was_bytes != UINT64_MAX)
		f->limit_was_bytes = entry->limit_was_bytes;
	f->oom_count = !entry->ooms ? 0 : entry->oom_count < DEATH_OOM_MAX ? entry->oom_count : DEATH_OOM_MAX;
	if (f->oom_count)
		memcpy(f->ooms, entry->ooms, f->oom_count * sizeof(f->ooms[0]));
	f->sibling_oom = pod && pod->oom_us && *pod->oom_container && now.us - pod->oom_us < SIBLING_US &&
			 strcmp(pod->oom_container, entry->executor.container_id) != 0;
	f->counters_are_final = !lives && is_final(entry, now.us);
	if (!entry->counted_at_end && !entry->killed_us && now.us - entry->last.time_us > STALLED_US)
		f->last.memory = f->last.io = f->last.cpu = (struct sample_pressure){0};
	find_throttling(entry, now.us, f);
	f->growth_bytes = find_growth(entry, now.us, f->at_peak.current_bytes);
	f->processes = entry->processes;
	f->scratch_bytes = entry->last.shmem_bytes;
	f->log_is_read = entry->log_was_read;
	f->log_bits = entry->log_bits;
	if (x->ops->storage)
		x->ops->storage(entry->table, &entry->executor, &f->disk);
	f->deleted = entry->stopping_us && (lives || !entry->ended.us || entry->stopping_us <= entry->ended.us);
	f->started_wall_us = entry->started.wall_us ? entry->started.wall_us : entry->executor.created_wall_us;
	f->ended_wall_us = lives || !entry->ended.wall_us ? now.wall_us : entry->ended.wall_us;
	exit_facts(entry, lives, f);
}

/* --- for people --- */

void executors_view(const struct executors_entry *entry, struct executor_view *v)
{
	const struct executor *x = &entry->executor;
	const struct sample *s = &entry->last;

	*v = (struct executor_view){
		.sidecar = x->sidecar,
		.watched = entry->open,
		.started_wall_us = entry->started.wall_us ? entry->started.wall_us : x->created_wall_us,
		.used_bytes = s->current_bytes,
		.working_set_bytes = executors_working_set(s),
		.limit_bytes = s->limit_bytes ? s->limit_bytes : x->limit_bytes,
		.peak_bytes = s->peak_bytes,
		.anon_bytes = s->anon_bytes,
		.shmem_bytes = s->shmem_bytes,
		.cache_bytes = s->file_bytes > s->shmem_bytes ? s->file_bytes - s->shmem_bytes : 0,
		.kernel_bytes = s->kernel_bytes,
		.heap_bytes = x->heap_bytes,
		.jvm_bytes = entry->processes.jvm_bytes,
		.python_bytes = entry->processes.python_bytes,
		.r_bytes = entry->processes.r_bytes,
		.other_bytes = entry->processes.other_bytes,
		.oom_kills = sample_events_minus(&entry->counted, &entry->first).oom_kill,
	};
	str_copy(v->name_space, sizeof(v->name_space), x->name_space);
	str_copy(v->pod, sizeof(v->pod), x->pod);
	str_copy(v->pod_uid, sizeof(v->pod_uid), x->pod_uid);
	str_copy(v->container, sizeof(v->container), x->container);
	str_copy(v->container_id, sizeof(v->container_id), x->container_id);
	str_copy(v->app_id, sizeof(v->app_id), x->app_id);
	str_copy(v->app_name, sizeof(v->app_name), x->app_name);
	str_copy(v->executor_id, sizeof(v->executor_id), x->executor_id);
	str_copy(v->spark_version, sizeof(v->spark_version), x->spark_version);
	str_copy(v->queue, sizeof(v->queue), x->queue);
	str_copy(v->role, sizeof(v->role), executor_role_name((enum executor_role)x->role));
	str_copy(v->language, sizeof(v->language), executor_language_name((enum executor_language)x->language));
	str_copy(v->qos, sizeof(v->qos), executor_qos_name((enum executor_qos)x->qos));
}

/* --- telling --- */

/* What the facts say. */
static void tell_facts(struct executors *x, uint64_t since_us, struct moment now)
{
	struct death death = {0};

	death_explain(&x->facts, &death);
	death.explained_after_us = now.us - since_us;
	x->ops->death(x, &death);
}

static void tell(struct executors_entry *entry, bool lives, struct moment now)
{
	uint64_t first_us = entry->killed_us ? entry->killed_us : entry->ended.us;

	if (entry->ended.us && entry->ended.us < first_us)
		first_us = entry->ended.us;
	executors_facts(entry, lives, now, &entry->table->facts);
	tell_facts(entry->table, first_us, now);
}

void executors_tell_failing(struct executors_entry *entry, const struct wire_log *log, struct moment now)
{
	const struct suspicion *s = entry->suspicion;
	struct death_facts *f = &entry->table->facts;

	executors_facts(entry, true, now, f);
	f->log_is_read = true;
	f->log_bits = log->bits;
	str_copy(f->log_line, sizeof(f->log_line), log->line);
	str_copy(f->scratch_name, sizeof(f->scratch_name), s->of.scratch);
	f->scratch_total_bytes = s->of.scratch_bytes;
	tell_facts(entry->table, s->asked_us, now);
}

/* The next kill is another matter: what was explained does not count for it. */
static void worker_told(struct executors_entry *entry, struct moment now)
{
	entry->told_events = entry->explained_events;
	entry->told_ooms = entry->oom_count;
	entry->explained_events = entry->counted;
	entry->killed_us = entry->reaped_us = 0;
	entry->oom_count = 0;
	entry->worker_told_us = now.us;
}

/* Soon after a kill that was told as survived it ended with the code of one: whoever started the victim took its time to go too. */
static void remember_told(struct executors_entry *entry)
{
	const bool soon = entry->worker_told_us && entry->ended.us - entry->worker_told_us < SETTLE_MAIN_US;

	if (!soon || entry->killed_us || !death_lives_by_any(&entry->executor) || !entry->has_code || entry->exit_code != EXIT_OF_SIGKILL)
		return;
	entry->explained_events = entry->told_events;
	entry->oom_count = entry->told_ooms;
}

static void ask(struct executors_entry *entry, enum settle_whom whom, struct moment now)
{
	struct settle_question *q = &entry->questions[whom];

	q->asked_us = now.us;
	q->awaited = true;
	q->id = entry->table->ops->ask(entry->table, entry, whom); /* it may be answered within */
	if (q->id == 0) /* what cannot be asked for it goes without */
		q->is_known = true;
	if (q->is_known)
		entry->settle_us = now.us;
}

bool executors_settle(struct executors_entry *entry, struct moment now)
{
	if (entry->unread && (entry->killed_us || entry->ended.us))
		executors_count(entry, now);
	if (!entry->killed_us && !entry->ended.us)
		return false;
	const bool victims_left = executors_look_at_victims(entry, now);
	if (entry->ended.us && entry->pod)
		executors_pod_read(entry->pod, now);
	const struct settle_evidence evidence = executors_evidence(entry, now.us, victims_left);
	const struct settle settle = settle_decide(&evidence);
	entry->settle_us = settle.until_us;
	for (unsigned i = 0; i < SETTLE_WHOM_MAX_; i++)
		if (settle.ask[i])
			ask(entry, (enum settle_whom)i, now);
	if (settle.what == SETTLE_WORKER) {
		/* Each of many kills in a row: the first at once, the others together. */
		entry->settle_us = entry->worker_told_us ? entry->worker_told_us + EXECUTORS_MERGE_US : now.us;
		if (entry->settle_us <= now.us) {
			tell(entry, true, now);
			worker_told(entry, now);
		}
	}
	if (settle.what != SETTLE_END)
		return false;
	remember_told(entry);
	tell(entry, false, now);
	executors_forget(entry->table, entry, true);
	return true;
}

/* --- the clock --- */

/* Who has ended comes first. Hundreds are due for a sample at once: only some at a time, then whoever else the loop serves has a turn, since the
 * kernel may just be saying why the next one dies. */
void executors_run(struct executors *x, struct moment now)
{
	unsigned sampled = 0;

	for (unsigned i = 0; i < x->count;)
		i += !executors_settle(x->entries[i], now); /* another takes the place of one that is gone */
	for (unsigned left = x->count; left > 0 && sampled < EXECUTORS_SLICE; left--) {
		x->turn = x->turn < x->count ? x->turn : 0;
		struct executors_entry *entry = x->entries[x->turn];
		const bool was_due = executors_sample(entry, now);
		sampled += was_due;
		x->turn += !(was_due && executors_settle(entry, now));
	}
}

uint64_t executors_due(const struct executors *x, uint64_t now_us)
{
	uint64_t due_us = UINT64_MAX;

	for (unsigned i = 0; i < x->count; i++) {
		const struct executors_entry *entry = x->entries[i];
		const bool settling = entry->killed_us || entry->ended.us;
		const uint64_t its_us = settling ? entry->settle_us : executors_sample_due(entry, now_us);
		due_us = its_us < due_us ? its_us : due_us;
	}
	return due_us;
}
