/* fs_error.h - what a fanotify group for FAN_FS_ERROR says (fanotify(7), Linux 5.16): its events, and which filesystems it
 * has marks on. Pure: bytes in, structs out, every length checked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FS_ERROR_READ_BYTES 4096 /* an event without a name takes 56 bytes, with the largest file handle below 200 */

struct fs_error {
	uint64_t fsid;	   /* as statfs(2) has it; 0 = the event names none */
	int32_t errnum;	   /* positive; 0 = the event names none */
	uint32_t count;	   /* errors of this filesystem since the last event that was read */
	bool is_overflow;  /* events were lost */
};

/* The event at *p, which moves past it: 1; 0 at the end; -EBADMSG for what is no event: nothing after it can be read. */
int fs_error_next(const unsigned char **p, size_t *left, struct fs_error *ret, struct err *e);

/* The two halves of statfs' f_fsid as one number. */
uint64_t fs_error_id(const void *fsid_of_8_bytes);

struct fs_error_device {
	uint32_t major, minor; /* of the filesystem itself, as the mount table has it */
};

/* From the text of /proc/self/fdinfo/N of the group: the filesystems that are marked now (a mark goes with its
 * filesystem, at the last umount). Returns how many, at most `capacity`; lines that are none of those are passed over. */
size_t fs_error_marks(const char *text, struct fs_error_device *ret, size_t capacity);
