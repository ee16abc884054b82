/* write_probe.h - the one test of a filesystem that is right on every kernel: make a file, write, fdatasync.
 *
 * Runs in a disposable child, never in a role's loop: any step may hang in D state. It works on a detached clone of the
 * watched mount (open_tree(2), Linux 5.2), because a clone does not make `umount` of the original busy, and a plain
 * descriptor does. Nothing is left behind: the file has no name (O_TMPFILE) or loses it before it is written.
 *
 * It is written as an ordinary user and made, if possible, as root: then no quota of that user's can fail it (QuotaExhausted is a
 * project's, or the filesystem's own). */
#pragma once

#include <stdbool.h>

#include "base/names.h"
#include "base/sandbox.h"
#include "volumes/finding.h"

struct write_probe {
	uint32_t watch;
	char path[NAME_PATH_BYTES];		/* or a pattern: then `path_hash` says which of its mount points */
	uint64_t path_hash;			/* 0 = a path */
	uint64_t mount_id;			/* where it was found: on another mount nothing is done (ESTALE); 0 = any */
	char directory[64];			/* made at the top of the clone, mode 0700, owned by `uid` */
	uint64_t node_hash;			/* names the file where it needs a name: other nodes may have the same export */
	uint32_t uid;				/* an ordinary one: what the filesystem reserves for root does not count as free */
	bool must_be_mounted;			/* see wire.h */
	bool may_open_plainly;			/* without the right to clone, open the path itself (CLI without root) */
	bool without_rights;			/* nobody here can clone, chown or change uid (overlay observe-only): do what is left */
	int mount_namespace_fd;			/* the host's; -1 = this process's own */
	const struct sandbox_filter *filter;	/* applied once nothing is left to do but write; may be NULL */
	uint16_t answer_type;			/* record type of the answer on the child's channel */
	volatile uint32_t *progress;		/* shared with the parent: the step under way, so that a hang has a place; may be NULL */
};

/* For child_fork: `argument` is a struct write_probe; sends one record with a struct finding over the channel and returns 0. */
int write_probe_child(void *argument, int channel);

/* The same, but nothing is written: only where the path lies. A finding of the step "resolve", 0 when it is there. */
int write_probe_look_child(void *argument, int channel);

/* Only its first steps: the watched path, and a descriptor of the detached clone of its mount; -1 with `ret` saying why. */
int write_probe_clone(const struct write_probe *what, struct finding *ret);

/* The probe itself. Gives up rights on the way (uid, filter): the process is good for nothing else afterwards. */
void write_probe_run(const struct write_probe *what, struct finding *ret);
