/* executors_sample.c - reading a container's cgroup: when it is due, when it changes, and for the last time. */
#include <errno.h>
#include <string.h>

#include "health/executors_inside.h"

#define COUNT_PAUSE_US	100000ULL   /* a container that reclaims its page cache all the time changes its counters all the time */
#define FULL_PAUSE_US	60000000ULL /* of an idle one only the cheap files are read in between */
#define PROCESSES_US	10000000ULL /* of a busy one its processes are looked at so often: a fork each */
#define STALE_US	15000000ULL
#define PAGE_MOST_BYTES 65536ULL

uint64_t executors_working_set(const struct sample *s)
{
	const uint64_t clean_bytes = s->file_bytes > s->shmem_bytes + s->file_dirty_bytes + s->file_writeback_bytes
					     ? s->file_bytes - s->shmem_bytes - s->file_dirty_bytes - s->file_writeback_bytes
					     : 0;

	return s->current_bytes > clean_bytes ? s->current_bytes - clean_bytes : 0;
}

static bool is_above(uint64_t used_bytes, uint64_t limit_bytes)
{
	return limit_bytes && used_bytes > limit_bytes / 100 * EXECUTORS_BUSY_PERCENT;
}

static uint64_t limit_of(const struct executors_entry *entry)
{
	return entry->last.limit_bytes ? entry->last.limit_bytes : entry->executor.limit_bytes;
}

/* --- counters --- */

static void take_events(struct executors_entry *entry, const struct sample_events *events, struct moment now)
{
	if (events->oom_kill > entry->counted.oom_kill) {
		if (!entry->killed_us)
			entry->killed_us = now.us;
		if (entry->pod)
			entry->pod->oom_us = now.us;
	}
	entry->counted = *events;
}

/* What is left after a kill tells less than the sample before it; but files in memory stay, and so does the highest use. */
static void take_after_kill(struct executors_entry *entry, const struct sample *sample)
{
	struct sample *last = &entry->last;
	const bool stale = sample->time_us > last->time_us + STALE_US;

	if (last->have == 0) {
		*last = *sample;
		return;
	}
	if (sample->peak_bytes > last->peak_bytes)
		last->peak_bytes = sample->peak_bytes;
	if (stale || sample->shmem_bytes > last->shmem_bytes)
		last->shmem_bytes = sample->shmem_bytes;
	last->memory = sample->memory;
	last->periods = sample->periods;
	last->throttled_periods = sample->throttled_periods;
	last->throttled_us = sample->throttled_us;
}

/* A cgroup may be opened before its runtime has written the limit: then it is the one that the runtime was asked for, in whole pages. */
static uint64_t limit_so_far(const struct executors_entry *entry)
{
	return entry->last.limit_bytes ? entry->last.limit_bytes : entry->executor.limit_bytes / PAGE_MOST_BYTES * PAGE_MOST_BYTES;
}

static void take_limit(struct executors_entry *entry, const struct sample *sample, struct moment now)
{
	const uint64_t was = limit_so_far(entry);

	if (!(sample->have & SAMPLE_HAS_LIMIT) || entry->last.have == 0 || sample->limit_bytes == was)
		return;
	const bool lowered = sample->limit_bytes != 0 && (was == 0 || sample->limit_bytes < was);
	entry->limit_was_bytes = lowered ? (was ? was : UINT64_MAX) : 0;
	entry->limit_lowered_us = lowered ? now.us : 0;
	if (entry->killed_us) /* the kill is of the new limit: the sample before it has the old one */
		entry->last.limit_bytes = sample->limit_bytes;
}

static void take_ring(struct executors_entry *entry, const struct sample *sample)
{
	struct footprint *slot = &entry->ring[sample->time_us / EXECUTORS_IDLE_US % EXECUTORS_RING];
	const bool same = slot->have && slot->time_us / EXECUTORS_IDLE_US == sample->time_us / EXECUTORS_IDLE_US;

	if (!same || sample->current_bytes >= footprint_current_bytes(slot))
		*slot = footprint_of(sample);
}

void executors_take(struct executors_entry *entry, const struct sample *sample, struct moment now)
{
	if (sample->have & SAMPLE_HAS_EVENTS)
		take_events(entry, &sample->events, now);
	take_limit(entry, sample, now);
	entry->sampled_us = now.us;
	if (entry->killed_us) {
		take_after_kill(entry, sample);
		return;
	}
	entry->last = *sample;
	take_ring(entry, sample);
	if (entry->stall || is_above(executors_working_set(sample), limit_of(entry)))
		entry->busy_until_us = now.us + EXECUTORS_CALM_US;
	entry->stall = false;
	entry->busy = entry->busy_until_us > now.us;
}

/* --- reading --- */

static void read_full(struct executors_entry *entry, struct moment now)
{
	struct sample sample = {0};
	struct err e = {0};

	int r = cgroup_read(&entry->cgroup, &sample, &e);
	if (r == -ENODEV)
		executors_end(entry, now);
	entry->sampled_us = now.us;
	if (r < 0)
		return;
	sample.time_us = now.us;
	executors_take(entry, &sample, now);
	if (entry->busy && now.us - entry->processes_asked_us > PROCESSES_US && entry->table->ops->processes && entry->table->ops->processes(entry->table, entry))
		entry->processes_asked_us = now.us;
}

/* What is cheap to read, and the rest too where that says that it matters. */
static int read_cheap(struct executors_entry *entry, int (*read)(const struct cgroup *, struct sample *, struct err *), struct moment now)
{
	struct sample sample = {0};
	struct err e = {0};

	int r = read(&entry->cgroup, &sample, &e);
	if (r == -ENODEV)
		executors_end(entry, now);
	if (r < 0)
		return r;
	const bool counted = sample.have & SAMPLE_HAS_EVENTS;
	const bool full = counted && sample.events.max > entry->counted.max && now.us - entry->sampled_us > COUNT_PAUSE_US;
	const bool killed = counted && sample.events.oom_kill > entry->counted.oom_kill;
	if (counted)
		take_events(entry, &sample.events, now);
	if (sample.have & SAMPLE_HAS_CURRENT && !entry->killed_us) {
		entry->last.current_bytes = sample.current_bytes;
		entry->last.events = entry->counted;
		entry->last.peak_bytes = sample.have & SAMPLE_HAS_PEAK ? sample.peak_bytes : entry->last.peak_bytes;
	}
	/* At its limit: the kill may be next, and its parts are asked for then. */
	if (full || killed || is_above(sample.current_bytes, limit_of(entry)))
		read_full(entry, now);
	return 0;
}

void executors_count(struct executors_entry *entry, struct moment now)
{
	entry->unread = false;
	if (!entry->open || entry->gone_us)
		return;
	const bool is_last = entry->ended.us && !entry->counted_at_end;
	entry->counted_us = now.us;
	if (read_cheap(entry, cgroup_read_events, now) < 0)
		return;
	entry->counted_at_end = entry->ended.us != 0;
	if (is_last) /* the last full sample may be a minute old */
		cgroup_read_stalls(&entry->cgroup, &entry->last);
}

/* Of an idle one whose events the kernel tells, only what it uses is asked. */
static void glance(struct executors_entry *entry, struct moment now)
{
	if (entry->watch.watcher && !entry->watch.polled)
		read_cheap(entry, cgroup_read_use, now);
	else
		executors_count(entry, now);
	entry->sampled_us = now.us;
}

/* On a grid, so that hundreds of idle ones are one wake-up. */
static uint64_t next_on_grid(uint64_t last_us, uint64_t period_us)
{
	return (last_us / period_us + 1) * period_us;
}

uint64_t executors_sample_due(const struct executors_entry *entry, uint64_t now_us)
{
	if (!entry->open || entry->killed_us || entry->ended.us)
		return UINT64_MAX;
	uint64_t due_us = next_on_grid(entry->sampled_us, entry->busy ? EXECUTORS_BUSY_US : EXECUTORS_IDLE_US);
	uint64_t count_us = entry->counted_us + COUNT_PAUSE_US;
	/* With the kernel's log a kill is heard of anyway. */
	if (entry->unread && (!entry->table->kmsg || count_us < now_us))
		count_us = now_us;
	if (entry->stall)
		due_us = entry->sampled_us + EXECUTORS_BUSY_US;
	return entry->unread && count_us < due_us ? count_us : due_us;
}

bool executors_sample(struct executors_entry *entry, struct moment now)
{
	if (executors_sample_due(entry, now.us) > now.us)
		return false;
	if (entry->unread && !entry->busy)
		executors_count(entry, now);
	else if (entry->busy || entry->stall || now.us - entry->last.time_us >= FULL_PAUSE_US)
		entry->unread = false, read_full(entry, now);
	else
		glance(entry, now);
	return true;
}

/* --- opening, and what the watch tells --- */

static void events_changed(struct cgroup_watch *watch)
{
	struct executors_entry *entry = watch->owner;

	entry->unread = true;
	executors_changed(entry->table);
}

static void stalls(struct cgroup_watch *watch)
{
	struct executors_entry *entry = watch->owner;

	entry->stall = true;
	executors_changed(entry->table);
}

static void is_removed(struct cgroup_watch *watch)
{
	struct executors_entry *entry = watch->owner;

	entry->unread = true; /* the read says ENODEV, with the time */
	entry->counted_us = 0;
	executors_changed(entry->table);
}

static int try_open(struct executors_entry *entry, char *path, size_t size, struct err *e)
{
	int r = cgroup_find(&entry->table->layout, &entry->executor, path, size, e);

	return r < 0 ? r : cgroup_open(&entry->table->layout, path, &entry->cgroup, e);
}

/* Once for the first: kills are then seen up to a second late. */
static void say_polled(const struct executors *x)
{
	char text[256];

	cgroup_watcher_say(&x->watcher, text, sizeof(text));
	log_warn(x->log, "cgroups are polled", "detail", text);
}

void executors_open(struct executors_entry *entry, bool fresh, struct moment now)
{
	static const struct cgroup_watch_ops ops = {.on_events = events_changed, .on_pressure = stalls, .on_gone = is_removed};
	struct executors *x = entry->table;
	char path[EXECUTOR_CGROUP_BYTES];
	struct sample sample = {0};
	struct err e = {0};

	if (!x->has_cgroups || entry->open)
		return;
	if (try_open(entry, path, sizeof(path), &e) < 0) {
		/* At its creation it is not there yet; after its start it must be. */
		if (fresh && !entry->unreachable) {
			entry->unreachable = true;
			x->unreachable_total++;
			log_warn(x->log, "a container's cgroup is not found: its end will be explained from less", "pod", entry->executor.pod, "container",
				 entry->executor.container_id, "error", e.text);
		}
		return;
	}
	entry->open = true;
	entry->watch = (struct cgroup_watch){.ops = &ops, .owner = entry, .want_pressure = true, .cgroup = &entry->cgroup};
	if (cgroup_watch_add(&x->watcher, &entry->watch, path, &e) < 0) /* before it is read: nothing is missed in between */
		log_warn(x->log, "a container's cgroup is sampled, not watched", "pod", entry->executor.pod, "error", e.text);
	else if (entry->watch.polled && x->watcher.polled_count == 1)
		say_polled(x);
	if (cgroup_read(&entry->cgroup, &sample, &e) == 0) {
		sample.time_us = now.us;
		if (!fresh || executors_was_before(entry, now))
			entry->first = entry->explained_events = entry->counted = sample.events;
		executors_take(entry, &sample, now);
	}
}

void executors_close(struct executors_entry *entry)
{
	cgroup_watch_remove(&entry->watch);
	if (entry->open)
		cgroup_close(&entry->cgroup);
	entry->open = false;
}
