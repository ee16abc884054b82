/* fs_error_mark.h - a fanotify group for FAN_FS_ERROR, and its marks on watched filesystems.
 *
 * Both run in a disposable child with CAP_SYS_ADMIN. The mark is made through a detached clone of the watched mount, like
 * a probe. It holds nothing: `umount` goes at once, and the mark with it. Marking what is marked already changes nothing. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "volumes/write_probe.h"

struct fs_error_mark {
	uint32_t watch;
	int32_t errnum; /* 0 = marked */
	uint64_t fsid;	/* as fs_error_id() has it; 0 = unknown */
	uint64_t mount_id;
	uint32_t device_major, device_minor;
};

/* Touches no path. The descriptor, or -errno: EPERM without the right, ENOSYS or EINVAL where the kernel does not have it. */
int fs_error_group(struct err *e);

/* Where and how is told by the same struct as for a probe. */
void fs_error_mark_run(const struct write_probe *where, int group_fd, struct fs_error_mark *ret);
