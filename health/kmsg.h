/* kmsg.h - kernel log records as hints (Documentation/ABI/testing/dev-kmsg). Pure: text in, struct out.
 *
 * Only records of facility 0 are the kernel's own: user space cannot write those (the kernel forces LOG_USER), so a
 * process that writes "EXT4-fs error" into /dev/kmsg triggers nothing. Parsed by tokens, without regular expressions.
 * The words differ by kernel version: facts and sources are at the table in kmsg.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/names.h"

#define KMSG_RECORD_MAX_BYTES 8192 /* the kernel's own limit is below 2 KiB of text plus the dictionary */
#define KMSG_DEVICE_BYTES     32

struct kmsg_record {
	unsigned facility, level;
	uint64_t sequence;
	uint64_t time_us;
	bool continued;	  /* flag 'c': a part of a line */
	const char *text; /* into the caller's buffer, NUL-terminated, without dictionary; escaped by the kernel (\x0a) */
};

/* Splits one record as read(2) gave it; changes the buffer (NUL at the end of the text). -EBADMSG with the rule broken. */
int kmsg_parse(char *buffer, size_t length, struct kmsg_record *ret, struct err *e);

struct kmsg_hint {
	char device[KMSG_DEVICE_BYTES]; /* kernel name: "loop0", "sda1", "dm-0"; "" = could be any: probe all */
	char reason[NAME_REASON_BYTES]; /* ReadOnlyFilesystem, FilesystemShutdown, FilesystemError, IOErrors, FilesystemHung … */
	bool is_error;			/* false: only a reason to look (a mount, a "re-mounted", a shutdown request answered) */
	char message[160];		/* the line, cut */
};

/* True if the line says something about a filesystem or block device. */
bool kmsg_is_hint(const struct kmsg_record *record, struct kmsg_hint *ret);

/* An NFS server that does not answer, or does again. No filesystem is named, and none of it is a verdict. */
#define KMSG_SERVER_BYTES 64
enum kmsg_nfs_state { KMSG_NFS_OK, KMSG_NFS_HANGS, KMSG_NFS_TIMED_OUT };

struct kmsg_nfs {
	char server[KMSG_SERVER_BYTES]; /* as the mount names it */
	enum kmsg_nfs_state state;
};
bool kmsg_is_nfs(const struct kmsg_record *record, struct kmsg_nfs *ret);

/* Lost records: how many sequence numbers lie between the last and this one (0 for the first or next). */
struct kmsg_gaps {
	bool started;
	uint64_t next_sequence;
	uint64_t lost_total, overruns_total;
};
uint64_t kmsg_count_gap(struct kmsg_gaps *gaps, uint64_t sequence);
