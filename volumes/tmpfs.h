/* tmpfs.h - a filesystem in memory with bounds in bytes and inodes and an owner, built before it is anywhere; and new bounds for one
 * that is there.
 *
 * Built detached (fsopen(2), fsmount(2); Linux 5.2): nobody ever sees it half made, and closing the descriptor undoes it. The kernel says
 * in words which option it refuses, and these words are the error. Always nosuid and nodev; not noexec: Spark and its libraries (snappy,
 * zstd, netty) load native code from there. What pods write is charged to them. For the broker's children. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "volumes/volume.h"
#include "volumes/volume_spot.h"

/* A descriptor of the detached mount, marked as the volume's. -ENOSYS: the kernel cannot build one detached. */
int tmpfs_build(const struct volume *volume, struct err *e);

/* For such a kernel: mounted beside, in the runtime directory, marked, and bound to its place in one step. */
int tmpfs_place_without_build(const char *runtime_dir, const struct volume *volume, const struct volume_spot *spot, struct err *e);

/* Of the filesystem of this root (O_PATH). One that holds more keeps its bounds, and the error says what the kernel says of it. */
int tmpfs_bound(int root_fd, uint64_t size_bytes, uint64_t inodes, struct err *e);
