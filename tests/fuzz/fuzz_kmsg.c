/* A record of the kernel log, and the hint in it. */
#include <stdint.h>
#include <string.h>

#include "health/kmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char buffer[KMSG_RECORD_MAX_BYTES];
	struct kmsg_record record;
	struct kmsg_hint hint;
	struct kmsg_nfs nfs;
	struct err e = {0};

	if (size >= sizeof(buffer))
		return 0;
	memcpy(buffer, data, size);
	if (kmsg_parse(buffer, size, &record, &e) == 0 && !kmsg_is_hint(&record, &hint))
		kmsg_is_nfs(&record, &nfs);
	return 0;
}
