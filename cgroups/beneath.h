/* beneath.h - opens a cgroup's directory beneath a hierarchy's mount, and nothing else. */
#pragma once

#include "base/err.h"

/* An O_PATH directory. openat2 with RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV; where the kernel (before 5.6) or an old
 * seccomp profile has no openat2, part by part. -EXDEV: the path leaves the directory or its filesystem. */
int cgroup_open_beneath(int dir_fd, const char *path, struct err *e);

/* The second way by itself. "." and ".." are refused; no symbolic link is followed. */
int cgroup_walk_beneath(int dir_fd, const char *path, struct err *e);
