/* nth_fail PID ERRNO N [SKIP] - makes the N-th system call of PID's next forked child fail with ERRNO.
 *
 * The broker answers each request in a child forked without exec; this follows the next one by ptrace(2), counts its system
 * calls from the fork on, replaces the N-th by getpid(2), which every filter
 * allows (of close(2) only the result is changed), and gives -ERRNO as its result. Prints "ready" once it is
 * attached, then "failed NAME-OF-CALL-NUMBER" or "ended before" (the child made fewer than N calls), and exits 0. From the call that failed
 * on the child runs free: what it does then may be thousands of calls. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "nth_fail: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The child stands at a system call's entry or exit: count entries, spoil the N-th. */
struct count {
	long n, wanted, errnum, spoiled;
	bool inside, done;
};

static void at_syscall(pid_t child, struct count *c)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, child, 0, &regs) < 0)
		return;
	c->inside = !c->inside;
	if (c->inside && ++c->n == c->wanted) {
		/* the way out cannot be made to fail */
		if (regs.orig_rax == 231 || regs.orig_rax == 60 || regs.orig_rax == 15) {
			c->wanted++;
			return;
		}
		c->spoiled = (long)regs.orig_rax;
		if (regs.orig_rax == SYS_close) /* closes whatever it says: else whoever waits at the other end waits for ever */
			return;
		regs.orig_rax = SYS_getpid;
		ptrace(PTRACE_SETREGS, child, 0, &regs);
	} else if (!c->inside && c->n == c->wanted && c->spoiled >= 0) {
		regs.rax = (unsigned long long)-c->errnum;
		ptrace(PTRACE_SETREGS, child, 0, &regs);
		c->done = true; /* our end detaches from all that we follow */
	}
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 64;
	pid_t broker = (pid_t)atoi(argv[1]), child = 0;
	struct count c = {.errnum = atol(argv[2]), .wanted = atol(argv[3]), .spoiled = -1};

	if (ptrace(PTRACE_SEIZE, broker, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK | PTRACE_O_TRACESYSGOOD) < 0)
		die("cannot attach");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int status;
		pid_t who = waitpid(-1, &status, __WALL);
		if (who < 0)
			break;
		if (who == broker) {
			if (!WIFSTOPPED(status))
				break;
			bool forked = status >> 16 == PTRACE_EVENT_FORK || status >> 16 == PTRACE_EVENT_CLONE || status >> 16 == PTRACE_EVENT_VFORK;
			unsigned long pid = 0;
			if (forked && child == 0 && ptrace(PTRACE_GETEVENTMSG, broker, 0, &pid) == 0)
				child = (pid_t)pid;
			int passed = status >> 16 ? 0 : WSTOPSIG(status);
			if (forked)
				ptrace(PTRACE_DETACH, broker, 0, 0); /* the broker itself runs free again */
			else
				ptrace(PTRACE_CONT, broker, 0, passed);
			continue;
		}
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (who == child)
				break;
			continue;
		}
		if (child == 0) /* it may stop before its parent is seen to have forked */
			child = who;
		if (who == child && WSTOPSIG(status) == (SIGTRAP | 0x80)) /* and not what it forks itself */
			at_syscall(who, &c);
		if (c.done)
			break;
		int passed = WSTOPSIG(status) == (SIGTRAP | 0x80) || status >> 16 || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
		ptrace(PTRACE_SYSCALL, who, 0, passed);
	}
	if (c.spoiled >= 0)
		printf("failed %ld\n", c.spoiled);
	else
		puts("ended before");
	return 0;
}
