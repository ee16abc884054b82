/* suspicion.h - does an executor live on and fail its tasks? When its log is asked, and what in it is news. Pure.
 *
 * Of a sick disk the node's verdict tells. Of full scratch in memory nobody does: the kernel gives ENOSPC to the task and to no one else, and
 * what the task had written is gone a moment later. But it was memory of its pod: when that moved by a part of the scratch, or its highest
 * use rose by as much, the log is asked. An idle executor costs nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/executor.h"
#include "cgroups/sample.h"
#include "health/local_disk.h"
#include "health/volumes.h"

#define SUSPICION_AGAIN_US 10000000ULL	/* its log is looked at so often, */
#define SUSPICION_TOLD_US  600000000ULL /* and that its tasks fail is told so often */

/* What it is suspected of. */
struct suspect {
	char scratch[128]; /* names of volumes in memory that may be full; "" = its disk is sick */
	uint64_t scratch_bytes;
};

struct suspicion {
	struct suspect of;
	uint64_t asked_us, id; /* its log; 0 = not, or answered */
	uint64_t told_us, told_line; /* that its tasks fail; a hash of the line that said so */
	uint64_t seen_bytes, seen_peak_bytes; /* what it used when its log was asked for full scratch */
};

/* The earlier one may be NULL: there was none yet. */
bool suspicion_is_due(const struct suspicion *earlier, uint64_t now_us);
/* `last`: its newest sample; `disk`: what the node says of its local dirs' disk. */
bool suspicion_find(const struct suspicion *earlier, const struct volumes *volumes, const struct executor *executor, const struct sample *last,
		    const struct local_disk *disk, struct suspect *ret);
/* The question's number; 0 = it cannot be asked now. */
void suspicion_asked(struct suspicion *suspicion, const struct suspect *of, const struct sample *last, uint64_t id, uint64_t now_us);
/* Its log, by DEATH_LOG_… and the line that says most: is that what it is suspected of, and not what was told last? */
bool suspicion_is_news(const struct suspicion *suspicion, uint32_t log_bits, const char *line);
void suspicion_told(struct suspicion *suspicion, const char *line, uint64_t now_us);
