/* gated_child.c - see gated_child.h. */
#include "base/gated_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* In the child: waits for the word, then becomes what is wanted. Its failure to do so goes back as an errno. */
static void become(char *const *argv, const sigset_t *mask, const struct sigaction *sigpipe, int gate_fd, int failure_fd, int stderr_fd)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigprocmask(SIG_SETMASK, mask, NULL);
	sigaction(SIGPIPE, sigpipe, NULL);
	if (read(gate_fd, &byte, 1) == 1) {
		dup2(stderr_fd, STDERR_FILENO);
		execvp(argv[0], argv);
		int errnum = errno;
		(void)!write(failure_fd, &errnum, sizeof(errnum));
	}
	_exit(127);
}

int gated_child_fork(char *const *argv, const sigset_t *mask, const struct sigaction *sigpipe, struct gated_child *ret, struct err *e)
{
	int fds[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
	int *gate = fds[0], *failure = fds[1], *errors = fds[2];
	int r = 0;

	if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(failure, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
		r = err_set(e, errno, "cannot make a pipe");
	pid_t pid = r == 0 ? fork() : -1;
	if (pid == 0) {
		fd_drop(&gate[1]);
		become(argv, mask, sigpipe, gate[0], failure[1], errors[1]);
	}
	if (r == 0 && pid < 0)
		r = err_set(e, errno, "cannot fork");
	fd_drop(&gate[0]);
	fd_drop(&failure[1]);
	fd_drop(&errors[1]);
	if (r < 0) {
		fd_drop(&gate[1]);
		fd_drop(&failure[0]);
		fd_drop(&errors[0]);
		return r;
	}
	fcntl(errors[0], F_SETFL, O_NONBLOCK);
	*ret = (struct gated_child){.pid = pid, .stderr_fd = errors[0], .gate_fd = gate[1], .failure_fd = failure[0]};
	ret->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ret->pid_fd < 0) {
		r = err_set(e, errno, "cannot watch the process");
		gated_child_give_up(ret);
	}
	return r;
}

int gated_child_go(struct gated_child *child, const char *name, struct err *e)
{
	int errnum = 0;

	(void)!write(child->gate_fd, "g", 1);
	fd_drop(&child->gate_fd);
	ssize_t n = read(child->failure_fd, &errnum, sizeof(errnum)); /* its end: executed */
	fd_drop(&child->failure_fd);
	if (n != (ssize_t)sizeof(errnum))
		return 0;
	waitpid(child->pid, NULL, 0);
	return err_set(e, errnum, "cannot execute '%s'", name);
}

void gated_child_give_up(struct gated_child *child)
{
	fd_drop(&child->gate_fd); /* without the byte it ends */
	fd_drop(&child->failure_fd);
	waitpid(child->pid, NULL, 0);
}
