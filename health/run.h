/* run.h - `stoker run`: one supervised process without any cluster, in a cgroup of its own, its end explained as an executor's.
 *
 * The table of executors.h does the watching, sampling and explaining, fed from here instead of by a container runtime: the
 * exit code comes from waitid(2), the log is the process's stderr, which passes through us to ours. Signals that are sent to us
 * go on to the process (those of a terminal's keys reach it anyway). What it leaves running is killed with its end, as a
 * container runtime does; if we are killed, it gets SIGTERM. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "cgroups/made_group.h"
#include "health/death.h"

struct run_options {
	char *const *argv;	  /* what to execute; ended by NULL */
	struct executor executor; /* who it is, as far as its command line and environment tell */
	struct made_group_limits limits;
	const struct log *log;
	/* A process of it was killed and it goes on. */
	void (*on_survived)(void *owner, const struct death *death);
	void *owner;
};

struct run_end {
	int exit_code; /* as a shell says it: 128 + signal; 127, 126 when it could not be executed */
	bool explained;
	struct death death;
};

/* Blocks until it has ended and is explained. An error is one of the set-up: nothing was executed. */
int run_supervised(const struct run_options *options, struct run_end *ret, struct err *e);
