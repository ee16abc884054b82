/* forecast.h - when a filesystem will be full, if it goes on as it does: a bounded memory and a robust trend. Pure.
 *
 * An alarm needs three things, so that neither noise nor shuffle files that come and go nor one big copy raise it: the whole
 * interval of the time to full lies within the horizon; the fall is sustained (twelve minutes at least, in each fifth of them);
 * and what is left is less than ever before in the memory, by more than a quarter of the largest comeback seen in it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "volumes/space.h"

#define FORECAST_SAMPLES  64
#define FORECAST_MEMORY_S 7200 /* dense for the last minutes, sparse towards its end */

struct forecast_sample {
	uint32_t at_s;
	/* float: a part in 16 million is exact enough for a trend, and 64 filesystems remember. */
	float left[SPACE_RESOURCE_MAX_];
	float lowest[SPACE_RESOURCE_MAX_]; /* since the sample before; of those that made room too */
};

struct forecast_outlook {
	uint64_t low_s, high_s; /* full in so many seconds, at the earliest and at the latest; both 0 = it is not filling up */
	bool alarm;
};

struct forecast {
	uint32_t count;
	struct forecast_sample samples[FORECAST_SAMPLES]; /* oldest first */
	uint64_t total[SPACE_RESOURCE_MAX_];
	struct forecast_outlook outlook[SPACE_RESOURCE_MAX_];
};

/* One measurement more. `floor`: what is left when it counts as full; horizon 0 = no alarms. A filesystem of another
 * size is another one: the memory begins anew. */
void forecast_step(struct forecast *forecast, const struct space *space, const uint64_t floor[static SPACE_RESOURCE_MAX_], uint64_t horizon_s,
		   uint64_t now_s);
