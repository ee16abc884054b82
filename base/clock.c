#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t clock_read_us(clockid_t id)
{
	struct timespec t = {0};

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

uint64_t clock_boot_us(void)
{
	return clock_read_us(CLOCK_BOOTTIME);
}

uint64_t clock_wall_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}

void clock_format(uint64_t wall_us, int micro, char text[static CLOCK_TEXT_BYTES])
{
	time_t seconds = (time_t)(wall_us / US_PER_S);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	size_t n = strftime(text, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	if (micro)
		snprintf(text + n, CLOCK_TEXT_BYTES - n, ".%06uZ", (unsigned)(wall_us % US_PER_S));
	else
		snprintf(text + n, CLOCK_TEXT_BYTES - n, "Z");
}

int clock_parse(const char *text, uint64_t *ret_wall_us)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	uint64_t fraction_us = 0;

	if (!rest || strlen(text) > 40)
		return -EINVAL;
	if (*rest == '.') {
		uint64_t unit = US_PER_S / 10;
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			fraction_us += (uint64_t)(*rest - '0') * unit;
	}
	if (strcmp(rest, "Z") != 0)
		return -EINVAL;
	time_t seconds = timegm(&tm);
	if (seconds < 0)
		return -EINVAL;
	*ret_wall_us = (uint64_t)seconds * US_PER_S + fraction_us;
	return 0;
}
