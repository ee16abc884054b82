/* finding.h - what one write probe found. A plain value: the broker's answer, the verdict's input. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "volumes/space.h"

/* The step at which the probe ended; PROBE_DONE = everything worked. */
enum probe_step {
	PROBE_RESOLVE,	 /* finding the watched path */
	PROBE_CLONE,	 /* the detached clone of its mount */
	PROBE_DIRECTORY, /* making or opening the probe directory */
	PROBE_CREATE,	 /* O_TMPFILE, or O_CREAT|O_EXCL and unlink */
	PROBE_WRITE,
	PROBE_SYNC,	 /* fdatasync */
	PROBE_DONE,
	PROBE_STEP_MAX_
};

struct finding {
	uint32_t watch;	      /* index in the config */
	uint32_t step;	      /* enum probe_step */
	int32_t errnum;	      /* 0 when done; ETIMEDOUT when the deadline passed */
	uint32_t mount_root;  /* bool: the path is the root of a mount (a disk of its own), not a directory of its parent's filesystem */
	uint64_t duration_us; /* of the whole probe as the child measured it; the deadline if it passed */
	uint64_t started_wall_us;
	uint64_t mount_id;    /* of the mount at the path (statx), 0 = unknown */
	uint32_t device_major, device_minor;
	struct space space;   /* before the probe made its file; after ENOSPC or EDQUOT once more; zero if it did not get so far */
};

const char *probe_step_name(enum probe_step step);
bool finding_is_good(const struct finding *finding);
