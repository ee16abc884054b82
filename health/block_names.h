/* block_names.h - the names under which the kernel's log may speak of a filesystem's device: its own, that of the whole disk
 * if it is a partition ("sda" of "sda1": the block layer names the disk), those beneath a device-mapper or md device,
 * and an NVMe disk's controller.
 * Reads sysfs only, never a disk. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "health/kmsg.h"

#define BLOCK_NAMES_MAX 16

struct block_names {
	unsigned count;
	char name[BLOCK_NAMES_MAX][KMSG_DEVICE_BYTES];
};

/* `sys_root` is "/sys", or a copy of one in a test. A filesystem without a block device (tmpfs, NFS) has no names: 0. */
int block_names_read(const char *sys_root, uint32_t major, uint32_t minor, struct block_names *ret, struct err *e);

/* For a filesystem without a device number of its own (btrfs): by the mount's source, "/dev/sda2". None: 0 names. */
void block_names_of_source(const char *sys_root, const char *source, struct block_names *ret);

bool block_names_has(const struct block_names *names, const char *device);
