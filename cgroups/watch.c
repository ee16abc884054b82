/* watch.c - see watch.h. */
#include "cgroups/watch.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "cgroups/watch_inotify.h"
#include "cgroups/watch_source.h"

#define POLL_MS	      1000
#define AGAIN_MS      20 /* then 40, 80 … */
#define AGAIN_LOOKS   7	 /* the last one 2.5 s after the eventfd */

/* --- what is to be called: marked first, called when all marks are made, since a callback may remove any watch --- */

void cgroup_watch_mark(struct cgroup_watch *watch, unsigned what)
{
	if (watch->gone)
		return;
	if (!watch->pending)
		TAILQ_INSERT_TAIL(&watch->watcher->queue, watch, queue);
	watch->pending |= what;
	watch->gone = what & CGROUP_WATCH_GONE;
}

void cgroup_watch_mark_if_gone(struct cgroup_watch *watch)
{
	if (!watch->gone && cgroup_is_gone(watch->cgroup))
		cgroup_watch_mark(watch, CGROUP_WATCH_GONE);
}

/* --- the timer: for what is polled, and for v1's second looks --- */

static void tick(uv_timer_t *timer);

static void set_timer(struct cgroup_watcher *w)
{
	uint64_t wanted = w->again_count > 0 ? AGAIN_MS : w->polled_count > 0 ? POLL_MS : 0;

	if (wanted == w->timer_ms || w->loop == NULL)
		return;
	w->timer_ms = wanted;
	if (wanted)
		uv_timer_start(&w->timer, tick, wanted, wanted);
	else
		uv_timer_stop(&w->timer);
}

void cgroup_watch_call_marked(struct cgroup_watcher *w)
{
	struct cgroup_watch *watch;

	while ((watch = TAILQ_FIRST(&w->queue)) != NULL) {
		unsigned what = watch->pending;
		TAILQ_REMOVE(&w->queue, watch, queue);
		watch->pending = 0;
		w->current = watch;
		if (what & CGROUP_WATCH_EVENTS)
			watch->ops->on_events(watch);
		if (w->current && (what & CGROUP_WATCH_PRESSURE) && watch->ops->on_pressure)
			watch->ops->on_pressure(watch);
		if (w->current && (what & CGROUP_WATCH_GONE))
			watch->ops->on_gone(watch);
		w->current = NULL;
	}
	set_timer(w);
}

static void set_again(struct cgroup_watch *watch, unsigned looks)
{
	struct cgroup_watcher *w = watch->watcher;

	w->again_count = w->again_count + (looks > 0) - (watch->again > 0);
	watch->again = looks;
	watch->again_due_ms = uv_now(w->loop) + ((uint64_t)AGAIN_MS << (AGAIN_LOOKS - looks));
}

void cgroup_watch_set_polled(struct cgroup_watch *watch, bool polled, const char *why)
{
	struct cgroup_watcher *w = watch->watcher;

	w->polled_count = w->polled_count + polled - watch->polled;
	watch->polled = polled;
	if (w->polled_count == 0)
		*w->why_polled = '\0';
	else if (polled && !*w->why_polled)
		str_copy(w->why_polled, sizeof(w->why_polled), why);
}

static void tick(uv_timer_t *timer)
{
	struct cgroup_watcher *w = timer->data;
	uint64_t now = uv_now(w->loop);
	bool poll = w->polled_count > 0 && now - w->polled_ms >= POLL_MS;
	struct cgroup_watch *watch;

	w->polled_ms = poll ? now : w->polled_ms;
	LIST_FOREACH (watch, &w->all, all) {
		if (poll && watch->polled) {
			cgroup_watch_mark(watch, CGROUP_WATCH_EVENTS);
			cgroup_watch_mark_if_gone(watch);
		}
		if (watch->again > 0 && now >= watch->again_due_ms) {
			cgroup_watch_mark(watch, CGROUP_WATCH_EVENTS);
			set_again(watch, watch->again - 1);
		}
	}
	cgroup_watch_call_marked(w);
}

/* --- sources of one cgroup --- */

/* The kernel let go of an inode: the cgroup has gone, or (never seen) it must be polled from now on. */
void cgroup_watch_lost(struct cgroup_watch *watch)
{
	cgroup_watch_mark_if_gone(watch);
	if (!watch->gone)
		cgroup_watch_set_polled(watch, true, "inotify let a cgroup go");
}

static void oom_fired(void *owner, bool broken)
{
	struct cgroup_watch *watch = owner;
	struct cgroup_watcher *w = watch->watcher;

	if (broken) {
		cgroup_source_close(&watch->oom, watch->gone);
		cgroup_watch_lost(watch);
	} else {
		cgroup_watch_mark(watch, CGROUP_WATCH_EVENTS);
		cgroup_watch_mark_if_gone(watch); /* removal fires the eventfd too */
		set_again(watch, watch->gone ? 0 : AGAIN_LOOKS);
	}
	cgroup_watch_call_marked(w);
}

static void pressure_fired(void *owner, bool broken)
{
	struct cgroup_watch *watch = owner;
	struct cgroup_watcher *w = watch->watcher;

	/* a trigger of a removed cgroup is always readable */
	cgroup_watch_mark_if_gone(watch);
	if (broken || watch->gone)
		cgroup_source_close(&watch->pressure, watch->gone);
	else
		cgroup_watch_mark(watch, CGROUP_WATCH_PRESSURE);
	cgroup_watch_call_marked(w);
}

/* v1 without PSI: the usage crosses 7/8 of the limit that is set now. */
static void add_usage(struct cgroup_watcher *w, struct cgroup_watch *watch, struct err *e)
{
	struct sample sample;

	if (watch->cgroup->versions[CGROUP_MEMORY] != 1 || cgroup_read(watch->cgroup, &sample, NULL) < 0 || sample.limit_bytes == 0)
		return;
	watch->pressure = cgroup_source_open_usage(w->loop, watch->cgroup, sample.limit_bytes / 8 * 7, pressure_fired, watch, e);
}

static void add_sources(struct cgroup_watcher *w, struct cgroup_watch *watch)
{
	struct err e = {0};

	if (watch->cgroup->versions[CGROUP_MEMORY] == 1) {
		watch->oom = cgroup_source_open_oom(w->loop, watch->cgroup, oom_fired, watch, &e);
		if (!watch->oom)
			cgroup_watch_set_polled(watch, true, e.text);
	}
	if (!watch->want_pressure)
		return;
	watch->pressure = cgroup_source_open_pressure(w->loop, watch->cgroup, pressure_fired, watch, &e);
	if (!watch->pressure)
		add_usage(w, watch, &e);
	if (!watch->pressure) {
		watch->no_pressure = true;
		w->no_pressure_count++;
		str_copy(w->why_no_pressure, sizeof(w->why_no_pressure), e.text);
	}
}

/* --- add and remove --- */

int cgroup_watch_add(struct cgroup_watcher *w, struct cgroup_watch *watch, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	watch->watcher = w;
	watch->name_hash = hash_fnv1a(HASH_START, name, strlen(name));
	watch->events_wd = watch->parent_wd = -1;
	watch->oom = watch->pressure = NULL;
	watch->polled = watch->no_pressure = watch->gone = false;
	watch->pending = watch->again = 0;
	LIST_INSERT_HEAD(&w->all, watch, all);
	w->count++;
	if (w->inotify_fd >= 0)
		cgroup_inotify_add(watch);
	else
		cgroup_watch_set_polled(watch, true, "no inotify instance is left (fs.inotify.max_user_instances)");
	add_sources(w, watch);
	set_timer(w);
	/* asked after the watch is set: a removal before it is seen here, a later one is told */
	if (cgroup_is_gone(watch->cgroup)) {
		cgroup_watch_remove(watch);
		return err_rule(e, ENODEV, "the cgroup is gone");
	}
	return 0;
}

void cgroup_watch_remove(struct cgroup_watch *watch)
{
	struct cgroup_watcher *w = watch->watcher;

	if (!w)
		return;
	cgroup_inotify_leave(watch);
	cgroup_source_close(&watch->oom, watch->gone);
	w->no_pressure_count -= watch->no_pressure;
	cgroup_source_close(&watch->pressure, watch->gone);
	cgroup_watch_set_polled(watch, false, "");
	set_again(watch, 0);
	if (watch->pending)
		TAILQ_REMOVE(&w->queue, watch, queue);
	watch->pending = 0;
	if (w->current == watch)
		w->current = NULL;
	LIST_REMOVE(watch, all);
	w->count--;
	watch->watcher = NULL;
	set_timer(w);
}

/* --- start and stop --- */

int cgroup_watcher_start(struct cgroup_watcher *w, uv_loop_t *loop, struct err *e)
{
	*w = (struct cgroup_watcher){.loop = loop};
	LIST_INIT(&w->all);
	TAILQ_INIT(&w->queue);
	for (int i = 0; i < CGROUP_WATCH_BUCKETS; i++) {
		LIST_INIT(&w->by_events[i]);
		LIST_INIT(&w->by_parent[i]);
	}
	int r = uv_timer_init(loop, &w->timer);
	w->timer.data = w;
	if (r == 0)
		r = cgroup_inotify_start(w);
	return r < 0 ? err_set(e, -r, "cannot watch cgroups") : 0;
}

void cgroup_watcher_stop(struct cgroup_watcher *w)
{
	while (!LIST_EMPTY(&w->all))
		cgroup_watch_remove(LIST_FIRST(&w->all));
	uv_close((uv_handle_t *)&w->timer, NULL);
	cgroup_inotify_stop(w);
	w->loop = NULL;
}

void cgroup_watcher_say(const struct cgroup_watcher *w, char *text, size_t size)
{
	*text = '\0';
	if (w->polled_count > 0)
		str_append(text, size, "%u of %u cgroups are polled each second: %s", w->polled_count, w->count, w->why_polled);
	if (w->no_pressure_count > 0)
		str_append(text, size, "%sthe pressure of %u is not watched: %s", *text ? "; " : "", w->no_pressure_count, w->why_no_pressure);
}
