/* The kernel log as a stream of records, one a line as /dev/kmsg shows them: OOM kills in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "health/oom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct oom_kill *kill)
{
	if (!str_is_ended(kill->oom_memcg, sizeof(kill->oom_memcg)) || !str_is_ended(kill->task_memcg, sizeof(kill->task_memcg)) ||
	    !str_is_ended(kill->comm, sizeof(kill->comm)) || kill->scope > OOM_GLOBAL)
		abort();
	/* A path is whole or not there. */
	if ((*kill->oom_memcg && *kill->oom_memcg != '/') || (*kill->task_memcg && *kill->task_memcg != '/'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oom_reader reader = {0};

	while (size > 0) {
		char buffer[KMSG_RECORD_MAX_BYTES];
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;
		struct kmsg_record record;
		struct oom_kill kill;
		struct err e = {0};
		if (length < sizeof(buffer)) {
			memcpy(buffer, data, length);
			if (kmsg_parse(buffer, length, &record, &e) == 0 && oom_read(&reader, &record, &kill))
				check(&kill);
		}
		data += length + (end ? 1 : 0);
		size -= length + (end ? 1 : 0);
	}
	return 0;
}
