/* put_back.h - how often a taint is put back that somebody took off while the fault stands: a few times, and then a person's will
 * counts for the rest of the hour. Pure: `now` is passed in, of a clock that never steps. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PUT_BACK_TIMES	   3 /* within PUT_BACK_WITHIN_US */
#define PUT_BACK_WITHIN_US (3600 * 1000000ULL)

struct put_back {
	uint64_t taken_us[PUT_BACK_TIMES]; /* when it was taken off; 0 = never */
	uint64_t left_off_us;		   /* it stays off until then */
};

/* It was taken off now. True: put it back; false: leave it off until left_off_us. */
bool put_back_step(struct put_back *put_back, uint64_t now_us);
