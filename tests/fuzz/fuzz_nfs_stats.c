/* The kernel's statistics of mounts, whose names others choose. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "volumes/nfs_stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nfs_stats_search search = {.source = "nas1:/spark", .mount_point_end = "/checkpoints/team"};
	size_t at = 0;

	while (at < size) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		const size_t length = end ? (size_t)(end - data) - at : size - at;
		/* a copy of exactly this length, so that reading past its end is seen */
		scoped(scoped_free) char *line = malloc(length ? length : 1);
		if (!line)
			return 0;
		memcpy(line, data + at, length);
		if (!nfs_stats_line(&search, line, length))
			break;
		at += length + 1;
	}
	if (!search.found && (search.stats.calls || search.stats.wait_ms))
		abort();
	return 0;
}
