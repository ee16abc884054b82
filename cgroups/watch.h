/* watch.h - tells at once when something happens to many cgroups, for next to nothing. On the loop.
 *
 * v2: one inotify instance, IN_MODIFY on the *file* memory.events (a watch on the directory loses events after drop_caches:
 * measured), IN_DELETE on the parent directory for the end (no IN_DELETE_SELF comes while a descriptor is open: measured);
 * cgroups of one parent share that watch. The kernel tells of a file at most every 10 ms, and of the last change always.
 * v1: an eventfd on memory.oom_control, since inotify never fires on v1's files. It tells every cgroup beneath the one that ran
 * out, and *before* a victim is chosen and counted: so on_events comes again some times in the next 2.5 s.
 * Pressure, where wanted: one PSI trigger without rights ("some 200000 2000000", 0.2 s of stall in 2 s; Linux 6.4, 6.1.192), which
 * needs cgroupfs writable. It has a price: letting go of one takes 8 ms and more (synchronize_rcu), for us (so it is
 * done apart from the loop) or, if it is still there at the end, for whoever removes the cgroup: the container runtime (measured:
 * its rmdir takes 12 ms and more instead of 0.03). On v1 without PSI: the usage crosses 7/8 of the limit.
 * Where a way is missing the cgroup is looked at once a second; `polled` and cgroup_watcher_say() tell. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/err.h"
#include "cgroups/cgroup.h"

#define CGROUP_WATCH_BUCKETS 256

struct cgroup_watch;
struct cgroup_source; /* watch_source.h */

/* A callback may remove any watch, its own too, and add others. on_events comes before on_gone. */
struct cgroup_watch_ops {
	void (*on_events)(struct cgroup_watch *watch);	 /* memory.events changed, or it may have: read it */
	void (*on_pressure)(struct cgroup_watch *watch); /* memory stall, or v1's usage; may be NULL */
	void (*on_gone)(struct cgroup_watch *watch);	 /* the directory is removed; once */
};

struct cgroup_watch { /* embedded by the owner, who sets the first four fields; zeroed before the first use */
	const struct cgroup_watch_ops *ops;
	void *owner;
	bool want_pressure;
	const struct cgroup *cgroup; /* stays open while it is watched */

	struct cgroup_watcher *watcher; /* NULL = not watched */
	uint64_t name_hash;		/* of the directory's own name */
	int events_wd, parent_wd;	/* of inotify; -1 = none */
	struct cgroup_source *oom;	/* v1: the eventfd; NULL = none */
	struct cgroup_source *pressure; /* the trigger, or v1's eventfd; NULL = none */
	bool polled, no_pressure, gone;
	unsigned pending;      /* bits: what is to be called */
	unsigned again;	       /* v1: looks that are left */
	uint64_t again_due_ms; /* of the loop's clock */
	LIST_ENTRY(cgroup_watch) all, by_events, by_parent;
	TAILQ_ENTRY(cgroup_watch) queue;
};

LIST_HEAD(cgroup_watch_list, cgroup_watch);
TAILQ_HEAD(cgroup_watch_queue, cgroup_watch);

struct cgroup_watcher {
	uv_loop_t *loop;
	int inotify_fd; /* -1 = none: everything is polled */
	uv_poll_t poll;
	uv_timer_t timer; /* runs only while something is polled or is looked at again */
	uint64_t timer_ms, polled_ms;
	struct cgroup_watch *current; /* whose callbacks run */
	struct cgroup_watch_list all, by_events[CGROUP_WATCH_BUCKETS], by_parent[CGROUP_WATCH_BUCKETS];
	struct cgroup_watch_queue queue;
	unsigned count, polled_count, again_count, no_pressure_count;
	uint64_t overflows;   /* inotify's queue ran over: everything was looked at */
	char why_polled[160]; /* the first reason; "" = none is */
	char why_no_pressure[160];
};

/* Without inotify (no instance left) it still starts, and polls. */
int cgroup_watcher_start(struct cgroup_watcher *watcher, uv_loop_t *loop, struct err *e);
void cgroup_watcher_stop(struct cgroup_watcher *watcher); /* closes the handles: run the loop once more before its end */

/* `path` is what the cgroup was opened by. -ENODEV when it is gone already. Read its events after this: what came before is not
 * told. */
int cgroup_watch_add(struct cgroup_watcher *watcher, struct cgroup_watch *watch, const char *path, struct err *e);
void cgroup_watch_remove(struct cgroup_watch *watch); /* also of one that is not watched */

/* What is missing, for people: "12 cgroups are polled each second: no inotify watch left (…)". "" = nothing. */
void cgroup_watcher_say(const struct cgroup_watcher *watcher, char *text, size_t size);
