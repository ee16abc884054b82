/* sweep_remove.h - removes one directory of a sweep's root, as far as a budget goes. The next run goes on.
 *
 * Each name is removed beneath the open directory that it was read from: no link is followed, no mount crossed (there is none in a clone,
 * and openat2 is told so too), and a directory that was moved elsewhere meanwhile is left at once. What cannot be removed (immutable, a
 * mount point of the node) is left, counted and said; the rest goes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sweep_budget {
	uint32_t entries;      /* still to be tried; SWEEP_RUN_ENTRIES at first */
	uint64_t until_mono_us;
};

struct sweep_removed {
	uint64_t entries, bytes; /* bytes: of what had no other name */
	uint32_t left;		 /* could not be removed */
	int32_t errnum;		 /* the first reason why; 0 = none */
	bool whole;		 /* it is gone */
};

void sweep_remove(int root_fd, const char *name, struct sweep_budget *budget, struct sweep_removed *ret);
