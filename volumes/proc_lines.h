/* proc_lines.h - a file of /proc line by line, in pieces: it has no length, and may be megabytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PROC_LINE_BYTES 32768 /* an overlay's options are up to a page or so; paths up to one each */

/* False from `take` ends it. The line is without its end. 0, or -errno (and errno is it); -EFBIG: a line is longer. */
int proc_lines(int fd, bool (*take)(void *context, const char *line, size_t length), void *context);
