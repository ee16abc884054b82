/* log.h - logfmt lines on stderr: ts=… level=… role=… msg="…" key=value …
 *
 * The struct belongs to the main file; nothing here is global. Values are escaped and bounded, a line is one write(2). */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_MAX_ };

struct log {
	const char *role;	/* "stokerd", "stoker-broker" … */
	enum log_level minimum; /* lines below are not written */
	int fd;			/* mostly 2 */
	uint64_t *lost;		/* of the owner: lines for which there was no room, since the last one; NULL = not counted */
};

/* From now on a line for which there is no room is lost instead of waited for, and counted in *lost. A container's standard error is a pipe that
 * containerd reads and writes to a file beneath /var/log/pods: where that filesystem hangs nobody reads it any more, and a role that waited would
 * hang with the filesystem that it is there to tell of. A pipe is opened again, since O_NONBLOCK of its own would be that of everybody who has it. A
 * file and a terminal stay as they are. */
void log_never_wait(struct log *log, uint64_t *lost);

const char *log_level_name(enum log_level level);

/* Pairs of key and value (both const char *), ended by NULL: use the macros, which add it. A NULL value is left out with its key. */
void log_emit(const struct log *log, enum log_level level, const char *message, ...) __attribute__((sentinel));

#define log_debug(log, ...) log_emit(log, LOG_DEBUG, __VA_ARGS__, (char *)0)
#define log_info(log, ...)  log_emit(log, LOG_INFO, __VA_ARGS__, (char *)0)
#define log_warn(log, ...)  log_emit(log, LOG_WARN, __VA_ARGS__, (char *)0)
#define log_error(log, ...) log_emit(log, LOG_ERROR, __VA_ARGS__, (char *)0)

/* A number as a value: log_info(log, "probe finished", "us", log_number(n)). The buffer lives until the end of the block. */
#define log_number(n) log_number_into((char[24]){0}, (int64_t)(n))
const char *log_number_into(char buffer[static 24], int64_t number);
