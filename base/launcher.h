/* launcher.h - `stokerd --all`: starts every role as kubelet or systemd would, and starts again what ended. For trying and
 * testing; it does nothing else and keeps its rights, since the broker needs them. */
#pragma once

#include <stddef.h>
#include <uv.h>

#include "base/child.h"
#include "base/log.h"

#define LAUNCHER_ROLES_MAX 4

struct launcher;

struct launcher_role {
	struct launcher *launcher;
	const char *argv[8]; /* argv[0] is an absolute path; ended by NULL */
	struct child child;
	uv_timer_t restart;
	uint64_t started_us;
	unsigned failures; /* in a row, each within a second of its start */
};

struct launcher {
	uv_loop_t *loop;
	const struct log *log;
	size_t count;
	struct launcher_role roles[LAUNCHER_ROLES_MAX];
	uv_signal_t terminate, interrupt, hangup;
	bool ending;
};

/* Runs until SIGTERM or SIGINT, then ends every role and returns 0. SIGHUP is passed on. */
int launcher_run(struct launcher *launcher, struct err *e);
