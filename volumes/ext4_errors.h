/* ext4_errors.h - ext4's own count of errors, in /sys/fs/ext4/DEVICE. Reads sysfs only, never a disk. The count lies in the
 * superblock: it outlives an umount, and only fsck sets it back. So only a rise means something. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct ext4_errors {
	uint64_t count;
	int32_t last_errnum; /* positive; ext4's own numbers made errnos; 0 = not known */
	char last_function[64];
};

/* `device` is the kernel's name for it ("sda1", "cciss/c0d0"). -ENOENT if no ext4 is mounted from it. */
int ext4_errors_read(const char *sys_root, const char *device, struct ext4_errors *ret, struct err *e);

/* Digits and a newline, no more. -EBADMSG. */
int ext4_errors_parse(const char *text, uint64_t *ret);
