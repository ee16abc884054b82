/* wire.h - the record types between the roles, one list. Answers repeat the id of what was asked. */
#pragma once

#include <stdint.h>

#include "health/event.h"
#include "health/report.h"
#include "volumes/finding.h"
#include "volumes/fs_error_mark.h"

enum wire_type {
	/* stokerd -> broker */
	WIRE_PROBE = 1, /* struct wire_probe */
	WIRE_MOUNTS,	/* no payload: the host's mount table */
	WIRE_KMSG,	/* no payload: the kernel log */
	/* broker -> stokerd */
	WIRE_FINDING,	  /* struct finding */
	WIRE_DESCRIPTOR,  /* struct wire_descriptor and the descriptor beside it: mountinfo (poll it for changes), kmsg or the group */
	WIRE_REFUSED,	  /* struct wire_refused */
	WIRE_CHILD_ENDED, /* struct wire_ended, unasked: an abandoned child of this watch is gone */
	/* stokerd -> reporter */
	WIRE_REPORT, /* struct report */
	/* reporter -> stokerd */
	WIRE_REPORT_STATE, /* struct report_state */
	/* stokerd -> web */
	WIRE_LISTEN,	  /* listening socket beside it; struct wire_listen */
	WIRE_HEALTH_PART, /* struct wire_part: text of JSON, answers WIRE_GET_HEALTH */
	/* web -> stokerd */
	WIRE_GET_HEALTH, /* no payload */
	/* stokerd -> broker */
	WIRE_FS_ERRORS = 32, /* no payload: a fanotify group for FAN_FS_ERROR */
	WIRE_FS_MARK,	     /* struct wire_probe, the group beside it: watch the errors of this filesystem */
	/* broker -> stokerd */
	WIRE_FS_MARKED, /* struct fs_error_mark */
	/* stokerd -> broker */
	WIRE_LOOK = 40, /* struct wire_look */
	/* broker -> stokerd */
	WIRE_LOOKED, /* struct finding of the step "resolve"; its `watch` is the place */
	/* stokerd -> reporter */
	WIRE_EVENT = 48, /* struct event */
	WIRE_TYPE_MAX_
};

struct wire_probe {
	uint64_t config_hash;
	uint32_t watch;		/* the asker's own number for it, repeated in the answer */
	uint32_t place;		/* volumes/discover.h: the same number to both that have this configuration */
	uint64_t path_hash;	/* which mount point of a place that is a pattern; else 0 */
	uint64_t mount_id;	/* on another mount nothing is probed, ESTALE is found; 0 = any */
	uint32_t must_be_mounted; /* bool: if the path is no mount root (any more), probe nothing and find ENODEV */
	uint32_t zero;
};

struct wire_look {
	uint64_t config_hash;
	uint32_t place; /* one of the known paths */
	uint32_t zero;
};

struct wire_descriptor {
	uint32_t what; /* WIRE_MOUNTS, WIRE_KMSG or WIRE_FS_ERRORS */
};

struct wire_refused {
	int32_t errnum; /* EPERM not in the table or not now, ESTALE other config, EINVAL, or the fork's errno */
	uint32_t watch; /* of a WIRE_PROBE, else UINT32_MAX */
	char text[256];
	uint32_t request; /* enum wire_type of what is refused */
};

struct wire_ended {
	uint32_t watch;
};

/* A long text in pieces, in order; the last one has last = 1. An error ends it: errnum != 0, last = 1. */
#define WIRE_PART_BYTES 8000
struct wire_part {
	int32_t errnum;
	uint32_t last; /* bool */
	uint32_t length;
	char bytes[WIRE_PART_BYTES]; /* only `length` of them are sent: the record is shorter than the struct */
};

struct wire_listen {
	uint32_t is_unix; /* bool: the CLI's socket; else the TCP port */
};
