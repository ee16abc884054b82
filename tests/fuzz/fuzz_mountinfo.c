/* The text of /proc/PID/mountinfo. */
#include <stdint.h>

#include "volumes/mount_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mount_table table = {0};
	struct err e = {0};

	if (mount_table_parse((const char *)data, size, &table, &e) == 0)
		mount_table_free(&table);
	return 0;
}
