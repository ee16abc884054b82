/* kernel_log.h - /dev/kmsg read on the loop, with a bound on what a flood may cost.
 *
 * One read(2) gives one record. After KERNEL_LOG_BURST records in a row the descriptor is left alone for
 * KERNEL_LOG_PAUSE_US; if the kernel's ring overruns meanwhile, read(2) says EPIPE and the sequence numbers show how much
 * is lost: that is counted, and a reason to look at everything. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "health/kmsg.h"
#include "health/oom.h"

#define KERNEL_LOG_BURST    512
#define KERNEL_LOG_PAUSE_US 100000ULL /* at most 5,120 records a second are read */

struct kernel_log;

struct kernel_log_ops { /* NULL = not wanted */
	void (*on_hint)(struct kernel_log *log, const struct kmsg_hint *hint);
	void (*on_nfs)(struct kernel_log *log, const struct kmsg_nfs *nfs);
	void (*on_oom)(struct kernel_log *log, const struct oom_kill *kill);
	void (*on_gap)(struct kernel_log *log);				 /* records were lost: probe everything */
	void (*on_lost)(struct kernel_log *log, const struct err *why); /* the input is dead; ask for it again. Never NULL */
};

struct kernel_log {
	const struct kernel_log_ops *ops;
	void *owner;
	int fd; /* -1 = none */
	uv_poll_t poll;
	uv_timer_t pause;
	bool timer_ready;
	struct kmsg_gaps gaps;
	struct oom_reader ooms;
	uint64_t records_total, malformed_total;
};

/* Owns fd. Begins at the end of the log: what was before, the first probes tell. */
int kernel_log_start(struct kernel_log *log, uv_loop_t *loop, int fd, const struct kernel_log_ops *ops, void *owner, struct err *e);
