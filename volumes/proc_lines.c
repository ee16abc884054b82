#include "volumes/proc_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scoped.h"

/* What is left of the buffer begins at its beginning. False: enough. */
static bool take_lines(char *buffer, size_t *length, bool (*take)(void *context, const char *line, size_t length), void *context)
{
	const char *at = buffer, *end = buffer + *length;

	for (const char *newline; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1)
		if (!take(context, at, (size_t)(newline - at)))
			return false;
	*length = (size_t)(end - at);
	memmove(buffer, at, *length);
	return true;
}

int proc_lines(int fd, bool (*take)(void *context, const char *line, size_t length), void *context)
{
	const size_t size = 2 * PROC_LINE_BYTES;
	scoped(scoped_free) char *buffer = malloc(size);
	size_t length = 0;

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, buffer + length, size - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
		if (!take_lines(buffer, &length, take, context))
			return 0;
		if (length == size) {
			errno = EFBIG;
			return -EFBIG;
		}
	}
	if (length > 0)
		take(context, buffer, length);
	return 0;
}
