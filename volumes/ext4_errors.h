/* ext4_errors.h - ext4's own count of errors, in /sys/fs/ext4/DEVICE. Reads sysfs only, never a disk. The count lies in the
 * superblock: it outlives an umount, and only fsck sets it back. So only a rise means something. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* `device` is the kernel's name for it ("sda1", "cciss/c0d0"). -ENOENT if no ext4 is mounted from it. */
int ext4_errors_count(const char *sys_root, const char *device, uint64_t *ret, struct err *e);

/* What is known of the last one, "EUCLEAN in ext4_find_entry"; says so if nothing is (before Linux 5.8). */
void ext4_errors_last(const char *sys_root, const char *device, char *words, size_t size);

/* When the last one was, seconds since 1970 by this machine's clock; 0 = there was none, or it is not known. */
uint64_t ext4_errors_last_time(const char *sys_root, const char *device);

/* Digits and a newline, no more. -EBADMSG. */
int ext4_errors_parse(const char *text, uint64_t *ret);
