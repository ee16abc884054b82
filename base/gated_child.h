/* gated_child.h - a command that is forked, held until its parent has made its place (a cgroup), and then executed.
 *
 * Its standard error comes through a pipe. Signals are as the parent had them before block_signals or the like: the caller hands
 * over mask and SIGPIPE's disposition. It gets SIGTERM when its parent dies. The caller owns pid_fd and stderr_fd, and reaps. */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "base/err.h"

struct gated_child {
	pid_t pid;
	int pid_fd, stderr_fd; /* -1 = none; stderr_fd does not block */
	int gate_fd, failure_fd;
};

int gated_child_fork(char *const *argv, const sigset_t *mask, const struct sigaction *sigpipe, struct gated_child *ret, struct err *e);

/* Lets it go. The error is that of execvp(3): ENOENT, EACCES …; then it is reaped already. */
int gated_child_go(struct gated_child *child, const char *name, struct err *e);

/* It ends without having executed anything, and is reaped. */
void gated_child_give_up(struct gated_child *child);
