/* /proc/PID/status: the name in it is the process's own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "health/process_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct process_status status;
	struct err e = {0};

	if (size > PROCESS_STATUS_BYTES)
		return 0;
	char *text = malloc(size + 1); /* of exactly this size: a read beyond it is found */
	if (!text)
		return 0;
	memcpy(text, data, size);
	if (process_status_parse(text, size, &status, &e) == 0) {
		if (memchr(status.name, '\0', sizeof(status.name)) == NULL)
			abort();
		process_kind(status.name, status.name);
	}
	free(text);
	return 0;
}
