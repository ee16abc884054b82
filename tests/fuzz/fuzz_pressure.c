/* memory.pressure and its like. */
#include <stdint.h>
#include <stdlib.h>

#include "cgroups/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample_pressure pressure = {.some_total_us = 1, .full_avg10_centi = 2};
	struct err e;

	if (sample_parse_pressure((const char *)data, size, &pressure, &e) < 0 && (pressure.some_total_us != 1 || pressure.full_avg10_centi != 2))
		abort();
	return 0;
}
