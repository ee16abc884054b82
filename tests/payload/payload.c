/* payload.c - stands in for an executor's processes where a test must choose the cause of death exactly. Static, small.
 *
 * payload STEP… does one step after the other, then sleeps until it is killed (unless it ended). Its comm is the base name of
 * argv[0], so that a link "java" looks like one. Steps (MIB is a number of MiB):
 *   anon=MIB          memory of its own, written
 *   anon-slowly=MIB   the same, a MiB each 2 ms: a growth that can be seen
 *   file=PATH:MIB     a file of so many MiB, written and kept (tmpfs: charged as shmem; a disk: page cache)
 *   pipes=MIB         kernel memory: full pipes
 *   child=NAME:STEP[,STEP…]  a child process with that name; goes on when the child has done its steps, or died
 *   say=TEXT          a line on stderr
 *   touch=PATH        an empty file: "I have come so far"
 *   await=PATH        goes on when PATH exists
 *   oom-adj=N         /proc/self/oom_score_adj
 *   do=PATH           the steps in this file, one a line: a container runtime tells others the command line, and these are not in it
 *   exit=N, signal=N  ends so
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1UL << 20)


static void fail(const char *what)
{
	fprintf(stderr, "payload: %s: %s\n", what, strerror(errno));
	_exit(111);
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static void grow(unsigned long mib, long pause_each_us)
{
	for (unsigned long i = 0; i < mib; i++) {
		char *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			fail("mmap");
		memset(p, 'x', MIB);
		if (pause_each_us)
			pause_us(pause_each_us);
	}
}

static void step_anon(char *value) { grow(strtoul(value, NULL, 10), 0); }
static void step_anon_slowly(char *value) { grow(strtoul(value, NULL, 10), 2000); }

static void step_file(char *value)
{
	static char block[MIB];
	char *colon = strrchr(value, ':');

	if (!colon)
		fail("file=PATH:MIB");
	*colon = '\0';
	int fd = open(value, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(value);
	memset(block, 'f', sizeof(block));
	for (unsigned long i = strtoul(colon + 1, NULL, 10); i > 0; i--)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			fail(value); /* ENOSPC too: then it dies as Spark would not; the test says which it wants */
	close(fd);
}

static void step_pipes(char *value)
{
	static char block[65536];
	unsigned long want = strtoul(value, NULL, 10) * MIB;
	struct rlimit files = {65536, 65536};

	if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) { /* in a container */
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (unsigned long done = 0; done < want;) {
		int fds[2];
		if (pipe2(fds, O_NONBLOCK) < 0)
			fail("pipe");
		for (ssize_t n; (n = write(fds[1], block, sizeof(block))) > 0;)
			done += (unsigned long)n;
	}
}

static void step_child(char *value)
{
	char *argv[32], *name = value, *colon = strchr(value, ':');
	int count = 0, ready[2], status;

	if (!colon || pipe2(ready, 0) < 0)
		fail("child=NAME:STEP");
	*colon = '\0';
	argv[count++] = name;
	for (char *s = strtok(colon + 1, ","); s && count < 31; s = strtok(NULL, ","))
		argv[count++] = s;
	argv[count] = NULL;
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		char number[16];
		close(ready[0]);
		snprintf(number, sizeof(number), "%d", ready[1]);
		setenv("PAYLOAD_READY_FD", number, 1);
		execv("/proc/self/exe", argv);
		fail("exec");
	}
	close(ready[1]);
	char byte;
	/* a byte when its steps are done; the end of the pipe when it died */
	if (read(ready[0], &byte, 1) == 0)
		waitpid(pid, &status, 0);
	close(ready[0]);
}

static void step_say(char *value) { fprintf(stderr, "%s\n", value); }

static void step_touch(char *value)
{
	int fd = open(value, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		fail(value);
	close(fd);
}

static void step_await(char *value)
{
	while (access(value, F_OK) != 0)
		pause_us(2000);
}

static void step_oom_adj(char *value)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		fail("oom_score_adj");
	close(fd);
}

static void step_exit(char *value) { _exit(atoi(value)); }

static void step_signal(char *value)
{
	signal(atoi(value), SIG_DFL);
	raise(atoi(value));
	pause_us(500000);
}

static void run_step(char *text);

static void step_do(char *path)
{
	static char lines[4096];
	FILE *file = fopen(path, "re");

	if (!file)
		fail(path);
	while (fgets(lines, sizeof(lines), file)) {
		lines[strcspn(lines, "\n")] = '\0';
		run_step(lines);
	}
	fclose(file);
}

static const struct step {
	const char *name;
	void (*run)(char *value);
} steps[] = {
	{"anon", step_anon},   {"anon-slowly", step_anon_slowly}, {"file", step_file}, {"pipes", step_pipes},   {"child", step_child}, {"say", step_say},
	{"touch", step_touch}, {"await", step_await},		    {"oom-adj", step_oom_adj}, {"do", step_do},	    {"exit", step_exit},   {"signal", step_signal},
};

static void run_step(char *text)
{
	char *equals = strchr(text, '=');

	for (size_t i = 0; equals && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strlen(steps[i].name) == (size_t)(equals - text) && strncmp(steps[i].name, text, (size_t)(equals - text)) == 0) {
			char *value = strdup(equals + 1); /* argv stays as it is: it is the command line that others read */
			steps[i].run(value);
			return;
		}
	fprintf(stderr, "payload: '%s' is no step\n", text);
	_exit(112);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *ready = getenv("PAYLOAD_READY_FD");

	prctl(PR_SET_NAME, slash ? slash + 1 : argv[0]);
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-') /* -Xmx1g and its like: only to be seen */
			continue;
		if (!strchr(argv[i], '=')) /* a class name, an argument */
			continue;
		run_step(argv[i]);
	}
	if (ready) {
		(void)!write(atoi(ready), "r", 1);
		close(atoi(ready));
	}
	for (;;)
		pause();
}
