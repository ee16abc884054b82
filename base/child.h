/* child.h - a process of ours followed by pidfd, with an optional deadline; never waited for with SIGCHLD.
 *
 * Two kinds: forked without exec (child_fork: the function runs in the child and returns its exit code), and
 * executables (child_exec). The struct belongs to the caller and must live until on_exit ran.
 * A child that outlives its deadline is killed; if it does not go (D state) `on_overdue` runs and the struct stays
 * busy until it does: its memory must stay. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

struct child;

struct child_ops {
	void (*on_overdue)(struct child *child);	    /* the deadline passed; SIGKILL was sent; may be NULL */
	void (*on_exit)(struct child *child, int status); /* waitid's: exit code, or 128 + signal; 255 if lost */
};

struct child {
	const struct child_ops *ops;
	void *owner;
	pid_t pid; /* 0 = none */
	int pidfd;
	bool overdue;
	uv_poll_t poll;
	uv_timer_t deadline;
	unsigned open_handles;
	int status;
};

/* Forks; in the child runs body(argument, channel) and _exits with its result. `ret_channel` is the parent's end of a
 * non-blocking SOCK_SEQPACKET pair, the caller's to close. In the child every other descriptor above 2 but those of
 * `keep` (ended by -1; may be NULL) is closed and all signals are default; it dies with its parent. deadline_us 0 = none. */
int child_fork(struct child *child, uv_loop_t *loop, const struct child_ops *ops, void *owner, uint64_t deadline_us,
	       int (*body)(void *argument, int channel), void *argument, const int *keep, int *ret_channel, struct err *e);

/* For a body of child_fork that needs a child itself: fork(2), without what libuv does in the new process, which is to close the numbers that
 * its signal pipe had in the parent's parent. They are other descriptors by now. Nothing but the caller follows it. */
pid_t child_fork_plain(void);

/* Forks and executes argv; descriptor pass_fd (-1 = none) becomes 3 in the child. */
int child_exec(struct child *child, uv_loop_t *loop, const struct child_ops *ops, void *owner, const char *const argv[],
	       int pass_fd, struct err *e);

/* From now on; it had none, or another. */
void child_set_deadline(struct child *child, uint64_t deadline_us);

bool child_is_running(const struct child *child);
void child_signal(struct child *child, int signal_number);
