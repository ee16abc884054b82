/* /tmp/hsperfdata_USER/PID: written by a JVM, or by whoever has its user. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "health/jvm_counters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jvm_counters counters;

	if (size > JVM_COUNTERS_BYTES)
		return 0;
	unsigned char *bytes = malloc(size ? size : 1); /* of exactly this size: a read beyond it is found */
	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	if (jvm_counters_read(bytes, size, &counters) && counters.begun_wall_us == 0)
		abort();
	free(bytes);
	return 0;
}
