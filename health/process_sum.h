/* process_sum.h - memory of several processes by kind, read from /proc: done by children of the broker, and by `stoker run`. */
#pragma once

#include "health/wire.h"

/* Adds one process; one that is gone, or on its way out, adds nothing. `proc_fd` is /proc, opened as a directory. */
/* Its oom_score_adj; false: it cannot be read. */
bool process_oom_score_adj(int proc_fd, unsigned long pid, int32_t *ret);

void process_sum_add(int proc_fd, unsigned long pid, struct wire_processes *sum);
