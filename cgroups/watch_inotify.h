/* watch_inotify.h - the watcher's inside: its one inotify instance, and the marks that it makes. */
#pragma once

#include "cgroups/watch.h"

enum { CGROUP_WATCH_EVENTS = 1, CGROUP_WATCH_PRESSURE = 2, CGROUP_WATCH_GONE = 4 };

/* What is to be called is marked first and called when all marks are made, since a callback may remove any watch. */
void cgroup_watch_mark(struct cgroup_watch *watch, unsigned what);
void cgroup_watch_mark_if_gone(struct cgroup_watch *watch);
void cgroup_watch_call_marked(struct cgroup_watcher *watcher); /* sets the timer too */

void cgroup_watch_set_polled(struct cgroup_watch *watch, bool polled, const char *why);
void cgroup_watch_lost(struct cgroup_watch *watch); /* a way is no more: gone, or polled from now on */

int cgroup_inotify_start(struct cgroup_watcher *watcher); /* 0 also without an instance: inotify_fd is -1; else a libuv error */
void cgroup_inotify_stop(struct cgroup_watcher *watcher);
void cgroup_inotify_add(struct cgroup_watch *watch);
void cgroup_inotify_leave(struct cgroup_watch *watch);
