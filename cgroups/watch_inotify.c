/* watch_inotify.c - see watch_inotify.h. */
#include "cgroups/watch_inotify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/scoped.h"
#include "base/str.h"

#define READS_MAX     64 /* then the loop's others have their turn */
#define INOTIFY_BYTES 16384

static struct cgroup_watch_list *bucket_of(struct cgroup_watch_list *table, int wd)
{
	return &table[(unsigned)wd % CGROUP_WATCH_BUCKETS];
}

static bool is_last_of_events(const struct cgroup_watcher *w, int wd)
{
	const struct cgroup_watch *watch;

	LIST_FOREACH (watch, &w->by_events[(unsigned)wd % CGROUP_WATCH_BUCKETS], by_events)
		if (watch->events_wd == wd)
			return false;
	return true;
}

static bool is_last_of_parent(const struct cgroup_watcher *w, int wd)
{
	const struct cgroup_watch *watch;

	LIST_FOREACH (watch, &w->by_parent[(unsigned)wd % CGROUP_WATCH_BUCKETS], by_parent)
		if (watch->parent_wd == wd)
			return false;
	return true;
}

/* The kernel may hold a watch of the same inode for another of ours: the number is given back with the last. */
static void leave_events(struct cgroup_watch *watch, bool tell_kernel)
{
	struct cgroup_watcher *w = watch->watcher;
	int wd = watch->events_wd;

	if (wd < 0)
		return;
	LIST_REMOVE(watch, by_events);
	watch->events_wd = -1;
	if (tell_kernel && is_last_of_events(w, wd))
		inotify_rm_watch(w->inotify_fd, wd);
}

static void leave_parent(struct cgroup_watch *watch, bool tell_kernel)
{
	struct cgroup_watcher *w = watch->watcher;
	int wd = watch->parent_wd;

	if (wd < 0)
		return;
	LIST_REMOVE(watch, by_parent);
	watch->parent_wd = -1;
	if (tell_kernel && is_last_of_parent(w, wd))
		inotify_rm_watch(w->inotify_fd, wd);
}

static void take_parent_event(struct cgroup_watcher *w, const struct inotify_event *event, const char *name)
{
	uint64_t hash = event->len > 0 ? hash_fnv1a(HASH_START, name, strnlen(name, event->len)) : 0;
	struct cgroup_watch *watch, *next;

	for (watch = LIST_FIRST(bucket_of(w->by_parent, event->wd)); watch; watch = next) {
		next = LIST_NEXT(watch, by_parent);
		if (watch->parent_wd != event->wd)
			continue;
		if (event->mask & IN_IGNORED) {
			leave_parent(watch, false);
			cgroup_watch_lost(watch);
		} else if (watch->name_hash == hash) {
			cgroup_watch_mark_if_gone(watch); /* not so if one of that name was made, removed, and ours is another */
		}
	}
}

static void take_file_event(struct cgroup_watcher *w, const struct inotify_event *event)
{
	struct cgroup_watch *watch, *next;

	for (watch = LIST_FIRST(bucket_of(w->by_events, event->wd)); watch; watch = next) {
		next = LIST_NEXT(watch, by_events);
		if (watch->events_wd != event->wd)
			continue;
		if (event->mask & IN_IGNORED) {
			leave_events(watch, false);
			cgroup_watch_lost(watch);
		} else {
			cgroup_watch_mark(watch, CGROUP_WATCH_EVENTS);
		}
	}
}

static void take_overflow(struct cgroup_watcher *w)
{
	struct cgroup_watch *watch;

	w->overflows++;
	LIST_FOREACH (watch, &w->all, all) {
		cgroup_watch_mark(watch, CGROUP_WATCH_EVENTS);
		cgroup_watch_mark_if_gone(watch);
	}
}

static void read_inotify(uv_poll_t *poll, int status, int events)
{
	struct cgroup_watcher *w = poll->data;
	_Alignas(struct inotify_event) char buffer[INOTIFY_BYTES];

	(void)status;
	(void)events;
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(w->inotify_fd, buffer, sizeof(buffer));
		if (n <= 0)
			break;
		for (const char *p = buffer; p < buffer + n;) {
			const struct inotify_event *event = (const void *)p;
			p += sizeof(*event) + event->len;
			if (event->mask & IN_Q_OVERFLOW) {
				take_overflow(w);
			} else {
				take_file_event(w, event);
				take_parent_event(w, event, event->name);
			}
		}
	}
	cgroup_watch_call_marked(w);
}

/* By descriptor, so that what is watched is what was opened beneath the mount. -errno. */
static int add_wd(const struct cgroup_watcher *w, int dir_fd, const char *name, int flags, uint32_t mask)
{
	char path[32];

	scoped(fd_drop) int fd = openat(dir_fd, name, O_PATH | O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int wd = inotify_add_watch(w->inotify_fd, path, mask);
	return wd < 0 ? -errno : wd;
}

static void say_errno(char *text, size_t size, int r)
{
	*text = '\0';
	if (r == -ENOSPC)
		str_append(text, size, "no inotify watch is left (fs.inotify.max_user_watches)");
	else
		str_append(text, size, "inotify: %s", strerror(-r));
}

void cgroup_inotify_add(struct cgroup_watch *watch)
{
	struct cgroup_watcher *w = watch->watcher;
	int memory = watch->cgroup->fds[CGROUP_MEMORY];
	bool has_file = watch->cgroup->versions[CGROUP_MEMORY] == 2;
	int file = has_file ? add_wd(w, memory, "memory.events", O_NOFOLLOW, IN_MODIFY) : -ENOENT;
	int parent = add_wd(w, memory, "..", O_DIRECTORY, IN_DELETE | IN_ONLYDIR);
	char why[128];

	if (file >= 0) {
		watch->events_wd = file;
		LIST_INSERT_HEAD(bucket_of(w->by_events, file), watch, by_events);
	}
	if (parent >= 0) {
		watch->parent_wd = parent;
		LIST_INSERT_HEAD(bucket_of(w->by_parent, parent), watch, by_parent);
	}
	/* no memory.events: v1, or the controller is off here, and then there is nothing to poll for */
	if (parent < 0 || (file < 0 && file != -ENOENT)) {
		say_errno(why, sizeof(why), parent < 0 ? parent : file);
		cgroup_watch_set_polled(watch, true, why);
	}
}

void cgroup_inotify_leave(struct cgroup_watch *watch)
{
	leave_events(watch, true);
	leave_parent(watch, true);
}

int cgroup_inotify_start(struct cgroup_watcher *w)
{
	w->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->inotify_fd < 0)
		return 0;
	w->poll.data = w;
	int r = uv_poll_init(w->loop, &w->poll, w->inotify_fd);
	return r < 0 ? r : uv_poll_start(&w->poll, UV_READABLE, read_inotify);
}

void cgroup_inotify_stop(struct cgroup_watcher *w)
{
	if (w->inotify_fd < 0)
		return;
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, NULL);
	fd_drop(&w->inotify_fd);
}
