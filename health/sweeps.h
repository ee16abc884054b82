/* sweeps.h - what was found on the hostPaths that are swept, since when each directory has no owner, and what to ask next. Pure.
 *
 * The grace counts from the look that found it ownerless first, in memory: a new stokerd begins anew. A directory that has an owner again,
 * or was written to, begins anew too. Looks come every minute, and removals every ten seconds while there is something to remove, one
 * request at a time. */
#pragma once

#include <stdbool.h>

#include "health/wire.h"

#define SWEEPS_MAX	 512 /* directories that are remembered; what is beyond is looked at when these are gone */
#define SWEEPS_LOOK_US	 60000000ULL
#define SWEEPS_STEP_US	 10000000ULL

struct sweeps_directory {
	uint32_t root;
	uint32_t pass;		/* of its root, in which it was seen last */
	uint64_t ownerless_us;	/* monotonic, since when; 0 = it is not */
	uint64_t entries, bytes; /* removed of it so far */
	struct wire_swept_one found;
};

struct sweeps_root {
	uint32_t pass;
	uint64_t after_ino;  /* of the next page; 0 = the first */
	uint64_t looked_us;  /* when the last pass ended; 0 = none yet */
	char trouble[192];   /* why it cannot be looked at; "" = it can */
};

struct sweeps {
	struct sweeps_root roots[CONFIG_SWEEP_MAX];
	uint32_t count;
	struct sweeps_directory *directories; /* SWEEPS_MAX; NULL while sweeping is off */
	bool outstanding;
	uint64_t beyond_total; /* found while the table was full */
	uint64_t directories_total, entries_total, bytes_total, refused_total; /* removed since the start */
	int64_t clock_lowest_us, clock_highest_us; /* wall clock less time since boot, as seen so far */
	bool clock_seen;
};

/* Allocates or frees with what the configuration says, and forgets what it knew. False: no memory. */
bool sweeps_configure(struct sweeps *sweeps, const struct config_volumes *config);

/* How far the clock was set since we look. */
void sweeps_clock(struct sweeps *sweeps, uint64_t wall_us, uint64_t boot_us);

/* What to ask now; false: nothing. */
bool sweeps_next(const struct sweeps *sweeps, const struct config *config, uint64_t now_us, struct wire_sweep *ret);

/* An answer. Calls `gone` for each directory that was removed wholly (may be NULL). */
void sweeps_take(struct sweeps *sweeps, const struct wire_swept *swept, uint64_t now_us, void (*gone)(void *owner, const struct sweeps_directory *directory),
		 void *owner);
bool sweeps_is_well_formed(const struct wire_swept *swept);

/* JSON of docs/contract.md ("kind": "SweepList"); malloc'ed. */
int sweeps_to_json(const struct sweeps *sweeps, const struct config *config, uint64_t now_us, uint64_t now_wall_us, char **ret_text, struct err *e);
