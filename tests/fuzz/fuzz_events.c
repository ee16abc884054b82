/* memory.events, memory.oom_control. */
#include <stdint.h>
#include <stdlib.h>

#include "cgroups/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample_events events = {.oom_kill = 1};
	struct err e;
	int have = sample_parse_events((const char *)data, size, &events, &e);

	if (have < 0 && events.oom_kill != 1)
		abort();
	if (have >= 0 && (have & ~(int)(SAMPLE_HAS_EVENTS | SAMPLE_HAS_GROUP)))
		abort();
	return 0;
}
