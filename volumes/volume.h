/* volume.h - one volume of a pod that Stoker makes, bounds or removes. A plain value that travels as a record.
 *
 * A volume is named by what it belongs to (pod UID, name, kind of place), never by a path: the child of the broker builds the
 * path beneath configured roots. There is no database: what is mounted where is read from the mount table, and what was asked
 * for is told by a digest in the mark of its root directory (volume_mark.h); a tmpfs has it in its source, too.
 * Sources: CSI spec 1.12; kubelet's paths: kubernetes/pkg/volume/csi; tmpfs(5) of Linux 5.4 to 6.18. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config_volumes.h"
#include "base/err.h"
#include "base/executor.h"
#include "base/names.h"

#define VOLUME_NAME_BYTES     64  /* a volume's name in the pod: a DNS label */
#define VOLUME_ID_BYTES	      72  /* "csi-" and 64 hex digits */
#define VOLUME_SUB_PATH_BYTES 160
#define VOLUME_SIZE_MIN_BYTES (64 * 1024ULL)
#define VOLUME_SIZE_MAX_BYTES (1ULL << 50) /* 1 Pi */
#define VOLUME_INODES_MIN     16
#define VOLUME_INODES_MAX     (1ULL << 31)
#define VOLUME_SOURCE_PREFIX  "stoker-" /* of a tmpfs that is ours: "stoker-" and 16 hex digits, the digest */

enum volume_type { VOLUME_NONE, VOLUME_SCRATCH, VOLUME_DISK, VOLUME_CHECKPOINT, VOLUME_TYPE_MAX_ };

enum volume_place {
	VOLUME_AT_CSI = 1, /* KUBELET/pods/UID/volumes/kubernetes.io~csi/NAME/mount: made and removed */
	VOLUME_AT_EMPTY_DIR, /* KUBELET/pods/UID/volumes/kubernetes.io~empty-dir/NAME: the kubelet's; only bounded or emptied */
	VOLUME_AT_NODE,	   /* RUNTIMEDIR/checkpoints/NAME: the one mount of an export on this node; no pod */
	VOLUME_PLACE_MAX_
};

enum volume_huge { VOLUME_HUGE_NEVER, VOLUME_HUGE_ALWAYS, VOLUME_HUGE_WITHIN_SIZE, VOLUME_HUGE_ADVISE, VOLUME_HUGE_MAX_ };

struct volume_at {
	uint32_t place;			    /* enum volume_place */
	uint32_t zero;
	char pod_uid[EXECUTOR_UID_BYTES];   /* "" for VOLUME_AT_NODE */
	char name[VOLUME_NAME_BYTES];
};

struct volume {
	struct volume_at at;
	uint32_t type;	   /* enum volume_type */
	uint32_t source;   /* VOLUME_DISK: index of config_volumes.disks; VOLUME_CHECKPOINT: of .checkpoints; set by stokerd */
	char source_name[CONFIG_VOLUME_NAME_BYTES]; /* the name that was asked for; "" = the only one that this namespace may have */
	uint64_t size_bytes, inodes; /* 0 = not bounded (only a checkpoint) */
	uint64_t asked; /* volume_digest() of what was asked for, before anything was filled in: what the kernel or a limit says may have
			 * changed when the same is asked again. 0 = of this */
	uint32_t mode;	   /* of the root directory: 0 to 01777 */
	uint32_t uid, gid; /* UINT32_MAX = root's */
	uint32_t huge;	   /* enum volume_huge */
	uint32_t noswap;   /* bool: where the kernel has it (6.4), else nothing */
	uint32_t read_only; /* bool; only a checkpoint: a scratch that nobody can write is a mistake */
	uint32_t zero;
	char sub_path[VOLUME_SUB_PATH_BYTES]; /* of a checkpoint, beneath the export; relative, no "..", "" = the export */
	/* for people and for the rules of who may */
	char name_space[EXECUTOR_NAMESPACE_BYTES], pod[NAME_NODE_BYTES];
};

enum volume_step {
	VOLUME_RESOLVE,	 /* finding the place beneath its root */
	VOLUME_COMPARE,	 /* what is mounted there already */
	VOLUME_PREPARE,	 /* directory, filesystem, quota */
	VOLUME_OWN,	 /* mode and owner of its root */
	VOLUME_PLACE,	 /* moving it to its place in one step */
	VOLUME_DETACH,	 /* the umount */
	VOLUME_REMOVE,	 /* directory and quota */
	VOLUME_DONE,
	VOLUME_STEP_MAX_
};

/* What became of a request. errnum 0 = done, or it was so before (`already`). EEXIST: something else of ours is there; EBUSY: a mount
 * of somebody else's is there and was not touched; EAGAIN: what is left of its files goes when it is asked again (a removed disk volume
 * is unmounted by then and out of everybody's reach). */
struct volume_result {
	struct volume_at at;
	int32_t errnum;
	uint32_t step;	  /* enum volume_step */
	uint32_t already; /* bool */
	uint32_t zero;
	uint64_t duration_us;
	uint64_t size_bytes, inodes; /* as the kernel has them now; of a volume that is there */
	uint64_t free_bytes, free_inodes;
	char text[256];	  /* the kernel's own words, or the rule broken; "". Of VOLUME_AT_NODE that is made: the server's address */
	uint64_t calls, wait_ms; /* checkpoint_look: see volumes/nfs_stats.h */
};

const char *volume_type_name(enum volume_type type);   /* "scratch", "disk", "checkpoint" */
const char *volume_step_name(enum volume_step step);
const char *volume_place_name(enum volume_place place); /* "csi", "empty-dir", "node" */

/* Every rule that holds for any volume: names, ranges, a sub path that stays beneath. The error names the field and the rule. Pure. */
int volume_check(const struct volume *volume, struct err *e);
int volume_at_check(const struct volume_at *at, struct err *e);
bool volume_at_is(const struct volume_at *a, const struct volume_at *b);

/* Only of bounds: for a remount. */
int volume_check_bounds(const struct volume *volume, struct err *e);

/* Of everything that must be the same for a second publish to be the same one: `asked` if it is set. Never 0. Pure. */
uint64_t volume_digest(const struct volume *volume);

/* The volume id that the kubelet makes for an inline volume: "csi-" and sha256 of pod UID and name, in hex. */
void volume_id(const char *pod_uid, const char *name, char ret[static VOLUME_ID_BYTES]);
