#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define CHILD_STATUS_LOST 255

static void child_closed(uv_handle_t *handle)
{
	struct child *c = handle->data;

	if (--c->open_handles > 0)
		return;
	fd_drop(&c->pidfd);
	c->pid = 0;
	c->ops->on_exit(c, c->status);
}

static void child_finish(struct child *c)
{
	uv_poll_stop(&c->poll);
	uv_timer_stop(&c->deadline);
	uv_close((uv_handle_t *)&c->poll, child_closed);
	uv_close((uv_handle_t *)&c->deadline, child_closed);
}

/* True if it has ended. With SIGCHLD ignored, which a parent may hand down, the kernel reaps by itself and the status is lost. */
static bool child_reap(struct child *c)
{
	siginfo_t info = {0};

	if (waitid((idtype_t)P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG) < 0) {
		if (errno != ECHILD)
			return false;
		c->status = CHILD_STATUS_LOST;
		return true;
	}
	c->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return info.si_pid != 0;
}

static void child_readable(uv_poll_t *poll, int status, int events)
{
	struct child *c = poll->data;

	(void)status;
	(void)events;
	if (child_reap(c))
		child_finish(c);
}

static void child_is_late(uv_timer_t *timer)
{
	struct child *c = timer->data;

	/* When it was our loop that came late, the child may have ended in time: it must not be taken for one that hangs. */
	if (child_reap(c)) {
		child_finish(c);
		return;
	}
	c->overdue = true;
	child_signal(c, SIGKILL);
	if (c->ops->on_overdue)
		c->ops->on_overdue(c);
}

void child_set_deadline(struct child *c, uint64_t deadline_us)
{
	uv_update_time(c->deadline.loop); /* a long turn must not be counted against the child */
	uv_timer_start(&c->deadline, child_is_late, (deadline_us + US_PER_MS - 1) / US_PER_MS, 0);
}

void child_signal(struct child *c, int signal_number)
{
	if (c->pid > 0)
		syscall(SYS_pidfd_send_signal, c->pidfd, signal_number, NULL, 0);
}

bool child_is_running(const struct child *c)
{
	return c->pid > 0;
}

/* fork(2) that gives the pidfd in the same step, so that there is no number to be mistaken. clone(2), since containers' default
 * seccomp profiles answer clone3(2) with ENOSYS. Signals are held back until the child has its own dispositions: libuv's
 * handler would write to the pipe that it shares with the parent. */
static pid_t fork_with_pidfd(int *ret_pidfd)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL, NULL);
	if (pid != 0) {
		int saved = errno;
		sigprocmask(SIG_SETMASK, &before, NULL);
		errno = saved;
	}
	return pid;
}

pid_t child_fork_plain(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* In the child: nothing of the parent's but what it was given, and no life beyond the parent's. */
static void child_begin(pid_t parent)
{
	struct sigaction act = {.sa_handler = SIG_DFL};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);
	for (int i = 1; i < 32; i++) /* nobody here sets the real-time ones */
		if (i != SIGKILL && i != SIGSTOP)
			sigaction(i, &act, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moving the kept descriptors down to 3, 4, … would change their numbers; so the gaps between them are closed instead. */
static void close_all_but(const int *keep, int also)
{
	unsigned from = 3;

	for (;;) {
		unsigned next = also >= (int)from ? (unsigned)also : ~0U;
		for (const int *k = keep; k && *k >= 0; k++)
			if ((unsigned)*k >= from && (unsigned)*k < next)
				next = (unsigned)*k;
		if (next == ~0U)
			break;
		if (next > from)
			syscall(SYS_close_range, from, next - 1, 0);
		from = next + 1;
	}
	syscall(SYS_close_range, from, ~0U, 0);
}

static int child_follow(struct child *c, uv_loop_t *loop, const struct child_ops *ops, void *owner, pid_t pid, int pidfd, uint64_t deadline_us,
			struct err *e)
{
	*c = (struct child){.ops = ops, .owner = owner, .pid = pid, .pidfd = pidfd};
	if (uv_poll_init(loop, &c->poll, pidfd) < 0) {
		child_signal(c, SIGKILL);
		c->pid = 0;
		fd_drop(&c->pidfd);
		return err_rule(e, EIO, "cannot follow a child");
	}
	uv_timer_init(loop, &c->deadline);
	c->poll.data = c->deadline.data = c;
	c->open_handles = 2;
	uv_poll_start(&c->poll, UV_READABLE, child_readable);
	if (deadline_us > 0)
		child_set_deadline(c, deadline_us);
	return 0;
}

int child_fork(struct child *c, uv_loop_t *loop, const struct child_ops *ops, void *owner, uint64_t deadline_us,
	       int (*body)(void *argument, int channel), void *argument, const int *keep, int *ret_channel, struct err *e)
{
	int pair[2], pidfd = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_set(e, errno, "cannot make a socket pair");
	scoped(fd_drop) int ours = pair[0], theirs = pair[1];
	pid_t parent = getpid(), pid = fork_with_pidfd(&pidfd);
	if (pid < 0)
		return err_set(e, errno, "cannot fork");
	if (pid == 0) {
		child_begin(parent);
		close_all_but(keep, theirs);
		_exit(body(argument, theirs));
	}
	int r = child_follow(c, loop, ops, owner, pid, pidfd, deadline_us, e);
	if (r < 0)
		return r;
	*ret_channel = fd_take(&ours);
	return 0;
}

int child_exec(struct child *c, uv_loop_t *loop, const struct child_ops *ops, void *owner, const char *const argv[], int pass_fd,
	       struct err *e)
{
	int pidfd = -1;
	pid_t parent = getpid(), pid = fork_with_pidfd(&pidfd);

	if (pid < 0)
		return err_set(e, errno, "cannot fork");
	if (pid == 0) {
		child_begin(parent);
		if (pass_fd >= 0 && (pass_fd == 3 ? fcntl(3, F_SETFD, 0) : dup2(pass_fd, 3)) < 0)
			_exit(126);
		syscall(SYS_close_range, pass_fd >= 0 ? 4U : 3U, ~0U, 0);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	return child_follow(c, loop, ops, owner, pid, pidfd, 0, e);
}
