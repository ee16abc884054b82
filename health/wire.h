/* wire.h - the record types between the roles, one list. Answers repeat the id of what was asked. */
#pragma once

#include <stdint.h>

#include "health/report.h"
#include "volumes/finding.h"

enum wire_type {
	/* stokerd -> broker */
	WIRE_PROBE = 1, /* struct wire_probe */
	WIRE_MOUNTS,	/* no payload: the host's mount table */
	WIRE_KMSG,	/* no payload: the kernel log */
	/* broker -> stokerd */
	WIRE_FINDING,	  /* struct finding */
	WIRE_DESCRIPTOR,  /* struct wire_descriptor and the descriptor beside it: mountinfo (poll it for changes) or kmsg */
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
	WIRE_TYPE_MAX_
};

struct wire_probe {
	uint64_t config_hash;
	uint32_t watch;		/* index */
	uint32_t must_be_mounted; /* bool: if the path is no mount root (any more), probe nothing and find ENODEV */
};

struct wire_descriptor {
	uint32_t what; /* WIRE_MOUNTS or WIRE_KMSG */
};

struct wire_refused {
	int32_t errnum; /* EPERM not in the table or not now, ESTALE other config, EINVAL, or the fork's errno */
	uint32_t watch; /* of a WIRE_PROBE, else UINT32_MAX */
	char text[256];
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
