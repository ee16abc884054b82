/* quota.h - project quota of ext4 and xfs: bytes and inodes of a directory tree, kept by the filesystem itself (ENOSPC, or EDQUOT, for
 * who writes; statfs(2) beneath shows its numbers). quotactl_fd(2), Linux 5.14: by descriptor, no device is looked for.
 *
 * A process of the initial user namespace may give its own files another project: the bound holds whoever writes plainly, not whoever
 * cheats. CAP_SYS_RESOURCE is not bound. For the broker's children. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct quota {
	uint64_t limit_bytes, limit_inodes; /* hard; 0 = none */
	uint64_t used_bytes, used_inodes;
};

/* 0, or -EOPNOTSUPP with what has to be done to the filesystem that `fd` lies on. `path` names it in the error. */
int quota_is_enforced(int fd, const char *path, struct err *e);

/* Of a project that nothing is known of: all 0. */
int quota_get(int fd, uint32_t project, struct quota *ret, struct err *e);
int quota_set(int fd, uint32_t project, uint64_t limit_bytes, uint64_t limit_inodes, struct err *e);

/* The project of a directory; 0 = none. A new one may have its parent's. */
int quota_project_of(int dir_fd, uint32_t *ret, struct err *e);

/* To it, and to all that is made in it from now on; 0 = none of both. */
int quota_assign(int dir_fd, uint32_t project, struct err *e);

/* One that quota_choose() gives: nobody else's is ever set or taken back. */
bool quota_is_ours(uint32_t project);

/* A project that nobody uses, from `hash` on. The caller holds a lock until it is assigned. */
int quota_choose(int fd, uint64_t hash, uint32_t *ret, struct err *e);
