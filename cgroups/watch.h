/* watch.h - tells at once when something happens to many cgroups, for next to nothing. On the loop.
 *
 * v2: one inotify instance, IN_MODIFY on the *file* memory.events (a directory watch loses events after drop_caches: measured),
 * IN_DELETE of the parent for the end. v1: eventfd on memory.oom_control; inotify never fires there. When the kernel has no
 * watch left (ENOSPC) that cgroup is polled, and `polled` says so. Pressure: one unprivileged PSI trigger (window 2 s).
 * Closing a trigger costs 8 ms (synchronize_rcu), so it is done apart from the loop. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "cgroups/cgroup.h"

struct cgroup_watcher;
struct cgroup_watch;

struct cgroup_watch_ops {
	void (*on_events)(struct cgroup_watch *watch);	 /* memory.events changed (or v1's oom eventfd, or it may have) */
	void (*on_pressure)(struct cgroup_watch *watch); /* memory stall; may be NULL */
	void (*on_gone)(struct cgroup_watch *watch);	 /* the directory is removed */
};

struct cgroup_watch { /* embedded by the owner; zeroed before the first use */
	const struct cgroup_watch_ops *ops;
	void *owner;
	struct cgroup_watcher *watcher;
	const struct cgroup *cgroup;
	int events_wd, parent_wd; /* -1 = none */
	int event_fd;		  /* v1 */
	bool polled, active;
	struct cgroup_watch *next;
};

struct cgroup_watcher {
	uv_loop_t *loop;
	int inotify_fd;
	uv_poll_t poll;
	uv_timer_t poll_timer; /* runs only while something is polled */
	struct cgroup_watch *first;
	unsigned count, polled_count;
};

int cgroup_watcher_start(struct cgroup_watcher *watcher, uv_loop_t *loop, struct err *e);
void cgroup_watcher_stop(struct cgroup_watcher *watcher);
int cgroup_watch_add(struct cgroup_watcher *watcher, struct cgroup_watch *watch, const struct cgroup *cgroup, const char *path, const struct cgroup_layout *layout, struct err *e);
void cgroup_watch_remove(struct cgroup_watch *watch);
