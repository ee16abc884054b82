/* volume_mark.h - what says that a directory is the root of a volume of ours: an attribute on it that only CAP_SYS_ADMIN can see and
 * set (trusted.stoker, xattr(7)), with type, pod, name and digest.
 *
 * Read from the mounted root in a microsecond, however many mounts there are (mountinfo of 1,000 mounts costs 2.6 ms), on every kernel,
 * and gone with the directory. No filesystem asks a server for it: NFS knows no trusted attributes. tmpfs, ext4 and xfs have them. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "volumes/volume.h"

struct volume_mark {
	enum volume_type type;
	char pod_uid[EXECUTOR_UID_BYTES];
	char name[VOLUME_NAME_BYTES];
	uint64_t digest;
};

/* On an open directory. */
int volume_mark_write(int dir_fd, const struct volume *volume, struct err *e);

/* Of a directory opened with O_PATH. 1 = marked, 0 = not by us; an error is the kernel's. */
int volume_mark_read(int path_fd, struct volume_mark *ret, struct err *e);

/* Does it belong to this place? */
bool volume_mark_is_of(const struct volume_mark *mark, const struct volume_at *at);
