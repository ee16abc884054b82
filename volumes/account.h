/* account.h - how much pods have written, and where. A plain value that travels in a file of memory.
 *
 * By statfs(2) where a place is a filesystem of its own (tmpfs, a disk of a CSI driver) or has a project quota, else by a walk with a
 * budget, which says "at least" when it was cut. Files that have no name any more are not seen by a walk. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/executor.h"
#include "base/names.h"

#define ACCOUNT_PLACES_MAX  1024
#define ACCOUNT_ENTRIES_MIN 1000U
#define ACCOUNT_ENTRIES_MAX 1000000U
#define ACCOUNT_WALK_US	    10000000ULL /* all walks together */

enum account_kind {
	ACCOUNT_EMPTY_DIR, /* kubelet's, on its disk */
	ACCOUNT_TMPFS,	   /* kubelet's, in memory */
	ACCOUNT_CSI,
	ACCOUNT_HOST_PATH, /* Spark's directories beneath volumes.sweep.roots */
	ACCOUNT_LAYER,	   /* what a container has written to its own root: /tmp, ~/.ivy2 … */
	ACCOUNT_KIND_MAX_
};

struct account_place {
	char pod_uid[EXECUTOR_UID_BYTES]; /* "" = nobody's: ownerless */
	char name_space[EXECUTOR_NAMESPACE_BYTES], pod[NAME_NODE_BYTES]; /* "" = not known */
	char name[64];			  /* of the volume, the directory or the container's id */
	uint32_t kind;			  /* enum account_kind */
	uint32_t device_major, device_minor; /* of its filesystem, as stat has them */
	uint32_t at_least;		  /* bool: the budget was spent */
	uint64_t bytes, inodes;
};

/* Names as metrics and JSON have them: "emptyDir", "tmpfs", "csi", "hostPath", "containerLayer". */
const char *account_kind_name(enum account_kind kind);

struct account_budget {
	uint32_t entries;
	uint64_t until_mono_us;
	uint64_t seen;
};

/* What lies in the open directory, itself too, on its own filesystem. Each file with several names counts in parts. At most half of what
 * is left of the budget is spent on it, so that one giant does not hide the others. Adds to *ret. */
void account_walk(int directory_fd, struct account_budget *budget, struct account_place *ret);

/* Of a whole filesystem, or of a tree with a quota: what is used. 0, or -errno. */
int account_filesystem(int fd, struct account_place *ret);
