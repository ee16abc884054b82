/* memory.stat of either version, and the other files with a key and a number a line. */
#include <stdint.h>
#include <stdlib.h>

#include "cgroups/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct sample v1 = {0}, v2 = {0}, cpu = {0}, io = {0};
	struct err e;
	uint64_t number = 0;

	/* A refused text leaves nothing. */
	if (sample_parse_memory_stat(text, size, 1, &v1, &e) < 0 && (v1.have || v1.anon_bytes || v1.swap_bytes))
		abort();
	if (sample_parse_memory_stat(text, size, 2, &v2, &e) < 0 && (v2.have || v2.anon_bytes || v2.kernel_bytes))
		abort();
	if (sample_parse_cpu_stat(text, size, &cpu, &e) < 0 && (cpu.have || cpu.cpu_usage_us))
		abort();
	sample_parse_pids_events(text, size, &cpu, &e);
	for (int version = 1; version <= 2; version++)
		if (sample_parse_io_stat(text, size, version, &io, &e) == 0 && !(io.have & SAMPLE_HAS_IO))
			abort();
	sample_parse_number(text, size, &number, &e);
	return 0;
}
