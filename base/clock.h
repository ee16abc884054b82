/* clock.h - the two clocks. Decisions never read them: they are handed `now_us`. Units are microseconds. */
#pragma once

#include <stdint.h>

#define US_PER_MS 1000ULL
#define US_PER_S  1000000ULL

uint64_t clock_mono_us(void); /* CLOCK_MONOTONIC: for durations and deadlines */
uint64_t clock_boot_us(void); /* CLOCK_BOOTTIME: goes on while the machine sleeps */
uint64_t clock_wall_us(void); /* CLOCK_REALTIME since 1970: for people and for the API */

#define CLOCK_TEXT_BYTES 32

/* "2026-11-24T08:15:00Z"; with micro = 6 digits of a fraction too. */
void clock_format(uint64_t wall_us, int micro, char text[static CLOCK_TEXT_BYTES]);

/* Reads RFC 3339 in UTC ("...Z", with or without a fraction). -EINVAL if it is none. */
int clock_parse(const char *text, uint64_t *ret_wall_us);
