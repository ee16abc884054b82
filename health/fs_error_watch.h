/* fs_error_watch.h - the fanotify group for FAN_FS_ERROR on the loop: which watched filesystem is marked, and whose error an
 * event is. The kernel's second way to tell of an error: it needs no words, and works where the kernel log cannot be read.
 *
 * A mark goes with its filesystem. So the group's own list of marks (fdinfo) is compared with what is wanted, and the broker
 * is asked for what is missing, one after the other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/config.h"
#include "base/err.h"
#include "volumes/fs_error.h"
#include "volumes/fs_error_mark.h"

#define FS_ERROR_NO_WATCH UINT32_MAX

struct fs_error_watch;

struct fs_error_watch_ops {
	bool (*mark)(struct fs_error_watch *watch, uint32_t index, int group_fd); /* asks the broker; false: not possible now */
	void (*on_error)(struct fs_error_watch *watch, uint32_t index, const struct fs_error *error); /* or FS_ERROR_NO_WATCH: any could be meant */
	void (*on_lost)(struct fs_error_watch *watch, const struct err *why);			       /* the input is dead; ask for it again */
};

/* Where a watched path lies now, and whether a mark is wanted there. */
struct fs_error_place {
	bool wanted;
	uint64_t mount_id;
	uint32_t major, minor;
};

enum fs_error_state { FS_ERROR_NEW, FS_ERROR_MARKED, FS_ERROR_REFUSED };

struct fs_error_entry {
	enum fs_error_state state;
	int32_t errnum; /* why it is refused */
	uint64_t fsid;
	struct fs_error_place place;   /* as the child that marked it found it */
	struct fs_error_device device; /* under which the group lists it; 0:0 = not known */
};

struct fs_error_watch {
	const struct fs_error_watch_ops *ops;
	void *owner;
	int fd; /* -1 = none */
	uv_poll_t poll;
	uint32_t count;
	struct fs_error_place wanted[CONFIG_WATCH_MAX];
	struct fs_error_entry entry[CONFIG_WATCH_MAX];
	uint32_t next;	/* of the round under way */
	uint32_t asked; /* FS_ERROR_NO_WATCH = none */
	bool again;	/* a new round when this one ends */
	uint64_t events_total;
};

/* Owns fd. */
int fs_error_watch_start(struct fs_error_watch *watch, uv_loop_t *loop, int fd, const struct fs_error_watch_ops *ops, void *owner, struct err *e);

/* A round: what is wanted and not marked is asked for. */
void fs_error_watch_scan(struct fs_error_watch *watch, const struct fs_error_place *wanted, uint32_t count);
void fs_error_watch_marked(struct fs_error_watch *watch, const struct fs_error_mark *mark);
void fs_error_watch_refused(struct fs_error_watch *watch, int errnum); /* the one that was asked for */
void fs_error_watch_forget(struct fs_error_watch *watch);		 /* indexes mean something else now, or the broker is gone */

struct fs_error_summary {
	uint32_t wanted, marked, refused;
	uint32_t refused_index; /* the first */
	int32_t refused_errnum;
};
struct fs_error_summary fs_error_watch_summary(const struct fs_error_watch *watch);
