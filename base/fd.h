/* fd.h - descriptors: dropped at the end of a scope, taken to hand over, opened beneath a kept directory.
 *
 * Every descriptor is CLOEXEC from birth. close() is never retried: on Linux the number is released even on EINTR.
 * EINTR of read and write lives here. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/scoped.h"

void fd_drop(int *fd); /* closes *fd if it is not negative, sets it to -1, keeps errno */
int fd_take(int *fd);  /* hands over: returns *fd and sets it to -1 */

/* openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS; Linux 5.6. -EXDEV says "leaves its directory". */
int fd_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, struct err *e);

/* The same, and never onto another mount (RESOLVE_NO_XDEV): -EXDEV says that one lies there. Nothing of what is mounted is touched. */
int fd_open_same_mount(int dir_fd, const char *path, int flags, struct err *e);

/* Reads to the end, at most `capacity - 1` bytes, and ends the buffer with NUL. -EFBIG if there is more. Returns the length. */
ssize_t fd_read_all(int fd, char *buffer, size_t capacity, struct err *e);

/* Opens a path of the agent's own (never of a watched filesystem) and reads it all. `purpose` names it in the error. */
ssize_t fd_read_path(const char *path, char *buffer, size_t capacity, struct err *e);

/* Writes everything. */
int fd_write_all(int fd, const void *data, size_t length, struct err *e);

/* Opens the file, makes it if need be, and locks it (flock): held until the descriptor is closed. -EWOULDBLOCK: somebody else has it. */
int fd_lock_file(const char *path, struct err *e);

/* mkdir(2) that is content when the directory is there. */
int fd_make_directory(const char *path, mode_t mode, struct err *e);

/* Gives a directory or socket that is ours this mode and group, whoever made it (kubelet makes hostPath directories 0755).
 * Without CAP_CHOWN the process must be a member of the group: in a pod, supplementalGroups. */
int fd_hand_to_group(const char *path, mode_t mode, gid_t group, struct err *e);

/* Replaces the file by a whole new one (a temporary name beside it, then rename): readers see the old or the new one. */
int fd_replace_file(const char *path, const void *data, size_t length, mode_t mode, struct err *e);
