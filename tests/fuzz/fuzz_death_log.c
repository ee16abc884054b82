/* The tail of a container's log: any bytes that a job writes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"
#include "base/str.h"
#include "health/death.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct redactor *redactor;
	char line[256];

	if (!redactor)
		redactor = redactor_new(REDACT_REGEX, NULL);
	/* a copy of exactly this length, so that reading past its end is seen */
	char *tail = malloc(size ? size : 1);
	if (!tail)
		return 0;
	memcpy(tail, data, size);
	memset(line, 'x', sizeof(line));
	uint32_t bits = death_read_log(tail, size, redactor, line, sizeof(line));
	free(tail);
	if (!str_is_ended(line, sizeof(line)) || (bits == 0 && *line))
		abort();
	for (const char *p = line; *p;) {
		size_t width = str_utf8_length(p);
		if (width == 0 || (width == 1 && ((unsigned char)*p < 0x20 || *p == 0x7f)))
			abort();
		p += width;
	}
	return 0;
}
