/* What an NFS server, or whatever listens in its place, answers to a ping. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "volumes/nfs_ping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	/* a copy of exactly this length, so that reading past its end is seen */
	scoped(scoped_free) uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	enum nfs_ping_answer answer = nfs_ping_read(copy, size, 0x53746f6b, &why);
	if (!why || (answer == NFS_PING_SERVED) != (*why == '\0'))
		abort();
	if (answer == NFS_PING_MORE && size >= NFS_PING_REPLY_BYTES)
		abort();
	return 0;
}
