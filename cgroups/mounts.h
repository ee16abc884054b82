/* mounts.h - which mount serves which cgroup controller: asked of libcgroup, or read from the text of a mount table. */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define CGROUP_MOUNTS_MAX	  32
#define CGROUP_MOUNT_BYTES	  128
#define CGROUP_MOUNTS_TEXT_BYTES (4 * 1024 * 1024) /* a node with 5,000 mounts has 0.8 MiB */

struct cgroup_mount {
	char controller[16]; /* "memory", "io", "blkio" …; "" = a v2 mount itself */
	char path[CGROUP_MOUNT_BYTES];
};

struct cgroup_mounts {
	unsigned count;
	struct cgroup_mount entries[CGROUP_MOUNTS_MAX];
};

/* Pure. /proc/self/mounts: the first mount of each v1 controller, and the first of type cgroup2 with controller "". Entries that
 * do not fit are left out: nothing of ours has such names. */
void cgroup_mounts_parse(const char *text, size_t length, struct cgroup_mounts *ret);

/* Pure. Adds an entry for each word of cgroup.controllers. */
void cgroup_mounts_add_words(struct cgroup_mounts *mounts, const char *words, const char *path);

/* libcgroup's own list, without the v2 mount itself. In a child that ends at once: its table of mounts would stay in this
 * process (0.9 MiB, measured), and it is for one answer. -ENOENT when it finds none. */
int cgroup_mounts_ask(struct cgroup_mounts *ret, struct err *e);

const char *cgroup_mounts_get(const struct cgroup_mounts *mounts, const char *controller); /* NULL = not mounted */
