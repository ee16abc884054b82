/* footprint.h - how much memory of which kind a container used at one moment: what an explanation needs of an earlier sample, in a sixth of
 * its room. Six are kept of each of hundreds of containers. Pure. */
#pragma once

#include <stdint.h>

#include "cgroups/sample.h"

#define FOOTPRINT_KINDS 10

struct footprint {
	uint64_t time_us; /* monotonic */
	uint32_t have;	  /* SAMPLE_HAS_…; 0 = there is none */
	uint32_t pages[FOOTPRINT_KINDS]; /* of 4 KiB, rounded up; 16 TiB at most */
	uint32_t cpu_periods, throttled_periods; /* since it began: thirteen years of 0.1 s */
};

struct footprint footprint_of(const struct sample *sample);
/* As a sample: limit, use, its parts; everything else is 0. */
struct sample footprint_sample(const struct footprint *footprint);
uint64_t footprint_current_bytes(const struct footprint *footprint);
