/* resident.h - keeps a role's code and state in memory, so that it works while the disk that holds its executable does not.
 *
 * mlock2(2) of what is mapped, never mlockall(2): without CAP_IPC_LOCK that counts the whole address space against
 * RLIMIT_MEMLOCK (8 MiB by default). Executable and libraries are read in first. The stack and memory that is allocated later
 * are not locked: only swapping would take them away. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

struct resident {
	uint64_t locked_bytes;
	uint64_t missed_bytes;	  /* of files, which go with their disk */
	uint64_t swappable_bytes; /* of no file: harmless where there is no swap */
	char detail[256]; /* what could not be locked, and why */
};

/* Never fatal: what could not be locked is in *ret. An error only if nothing is known about the mappings. */
int resident_lock(struct resident *ret, struct err *e);

/* The same at a role's start: says how much is locked, and what may hang it. */
void resident_lock_and_say(const struct log *log);
