/* death_ring.h - the last deaths, kept in RUNTIMEDIR/deaths.json: one JSON object a line, oldest first.
 *
 * It outlives our restart and the pod's deletion, not the node's (the directory is in memory). Bounded in records and bytes: the
 * oldest go. A line is added by one write(2) at the end; when there are too many the file is replaced by a shorter one. Half a line
 * (we were killed) or one that is not understood (another version) is left out when it is read, and counted. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "health/death.h"

#define DEATH_RING_LINE_BYTES (16 * 1024)
#define DEATH_LIST_BYTES      (896 * 1024) /* of a list for people, which is one answer over HTTP; the newest */

struct death_ring {
	char path[256];
	unsigned keep_records; /* deaths.keepRecords, deaths.keepBytes */
	size_t keep_bytes;
	unsigned count;
	size_t bytes;
	uint64_t last_number;
	uint64_t bad_total; /* lines left out */
	uint32_t torn;	    /* bool: a part of a line stands at the end, for which there was no room */
};

/* What an earlier life left. Without a file it is empty; with an error too, and works. */
int death_ring_open(struct death_ring *ring, const char *runtime_dir, unsigned keep_records, size_t keep_bytes, struct err *e);

/* One line of JSON without a newline; its number is ring->last_number + 1 and rises with it. */
int death_ring_add(struct death_ring *ring, const char *line, struct err *e);

/* {"kind": "ExecutorDeathList", "items": […]}, newest first. Malloc'ed. */
int death_ring_list(const struct death_ring *ring, char **ret_text, struct err *e);
