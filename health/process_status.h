/* process_status.h - what /proc says of one process: its name, its memory, its kind. Pure.
 *
 * Name and command line are the process's own choice; the kernel escapes newlines and backslashes in Name. RSS counts pages that
 * forked workers share once for each of them (Python's daemon and its workers: some 30 MiB each). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PROCESS_STATUS_BYTES 4096 /* a status has some 1,500 */

enum process_kind { PROCESS_OTHER, PROCESS_JVM, PROCESS_PYTHON, PROCESS_R, PROCESS_KIND_MAX_ };

struct process_status {
	char name[64];	    /* as the kernel shows it, at most 15 characters and their escapes */
	uint64_t rss_bytes; /* 0 = a zombie, or a thread of the kernel */
};

/* The text of /proc/PID/status. -EBADMSG with the rule. */
int process_status_parse(const char *text, size_t length, struct process_status *ret, struct err *e);

/* By name and by the first word of the command line ("" = none): what is renamed (a JVM in jsvc, a worker that sets its title)
 * still has the other. */
enum process_kind process_kind(const char *name, const char *first_word);
