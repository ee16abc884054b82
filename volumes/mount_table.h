/* mount_table.h - what is mounted where, from the text of /proc/PID/mountinfo.
 *
 * The strings lie in that text, which the table keeps: a node with 1,200 mounts costs 0.3 MiB while they are looked at. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/names.h"

#define MOUNT_TABLE_MAX_BYTES (4 * 1024 * 1024) /* 20,000 mounts: a node with 250 pods has about 3,000 */
#define MOUNT_TABLE_MAX	      32768

struct mount {
	uint64_t id;
	uint32_t device_major, device_minor;
	const char *mount_point;   /* unescaped: may hold spaces and newlines; shorter than NAME_PATH_BYTES, as is root */
	const char *root;	   /* what of the filesystem is mounted: "/" or the directory of a bind mount */
	const char *type, *source;
	const char *super_options; /* the filesystem's own, still escaped */
	bool read_only;		   /* by the mount's own flag: a read-only bind, or the whole filesystem */
	bool super_read_only;	   /* by the filesystem's */
};

struct mount_table {
	size_t count;
	struct mount *mounts; /* owned */
	char *text;	      /* owned */
};

/* From the descriptor's position to its end. */
int mount_table_read(int fd, struct mount_table *ret, struct err *e);
/* Pure. */
int mount_table_parse(const char *text, size_t length, struct mount_table *ret, struct err *e);
void mount_table_free(struct mount_table *table);

/* Is this one of its filesystem's own options ("rw,errors=remount-ro,emergency_ro")? */
bool mount_has_option(const struct mount *mount, const char *option);

/* The mount on which an absolute path without symbolic links lies: the last of the longest mount points; NULL if there is none. */
const struct mount *mount_table_at(const struct mount_table *table, const char *path);

/* By mount id and device together (an id is given again after an umount); NULL if there is none. Where a filesystem gives its
 * subvolumes device numbers of their own (btrfs), the id alone. */
const struct mount *mount_table_find(const struct mount_table *table, uint64_t id, uint32_t device_major, uint32_t device_minor);
