/* run.c - see run.h. */
#include "health/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/gated_child.h"
#include "base/redact.h"
#include "base/str.h"
#include "health/executors.h"
#include "health/kernel_log.h"
#include "health/process_sum.h"
#include "health/run_jvm.h"

#define PIDS_MAX	 512
#define TICK_MS		 250
#define END_TICK_MS	 10 /* once it has ended whoever started us waits */
#define REMOVE_US	 (5 * US_PER_S) /* the kernel frees a big process slowly */
#define EXPLAIN_US	 (4 * US_PER_S)

static const int passed_on[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPWR};

struct run {
	const struct run_options *options;
	struct run_end *end;
	uv_loop_t loop;
	struct executors executors;
	struct executor executor;
	struct made_group group;
	struct kernel_log kernel_log;
	struct gated_child child;
	int signal_fd;
	uv_poll_t pid_poll, stderr_poll, signal_poll;
	uv_timer_t tick;
	sigset_t old_mask;
	struct sigaction old_pipe;
	struct redactor *redactor;
	bool ended;
	uint64_t ended_us;
	char tail[DEATH_LOG_TAIL_BYTES];
	size_t tail_length;
};

static struct moment now(void)
{
	return (struct moment){clock_mono_us(), clock_wall_us()};
}

static struct wire_container self(const struct run *run)
{
	struct wire_container who = {.pid = (uint32_t)run->child.pid};

	str_copy(who.container_id, sizeof(who.container_id), run->executor.container_id);
	str_copy(who.pod_uid, sizeof(who.pod_uid), run->executor.pod_uid);
	return who;
}

/* --- what the table asks, and what it tells --- */

static bool read_processes(struct executors *executors, const struct executors_entry *entry)
{
	uint32_t pids[PIDS_MAX];
	struct run *run = executors->owner;
	struct wire_processes processes = {.who = self(run)};
	scoped(fd_drop) int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int count = entry->open && proc_fd >= 0 ? cgroup_pids(&entry->cgroup, pids, PIDS_MAX, &(struct err){0}) : -1;

	if (count < 0)
		return false;
	for (int i = 0; i < count; i++)
		process_sum_add(proc_fd, pids[i], &processes);
	executors_processes(executors, &processes, now());
	return true;
}

/* --- what it said last --- */

static void keep_tail(struct run *run, const char *bytes, size_t length)
{
	if (length >= sizeof(run->tail)) {
		bytes += length - sizeof(run->tail);
		length = sizeof(run->tail);
	}
	size_t keep = run->tail_length + length > sizeof(run->tail) ? sizeof(run->tail) - length : run->tail_length;
	memmove(run->tail, run->tail + run->tail_length - keep, keep);
	memcpy(run->tail + keep, bytes, length);
	run->tail_length = keep + length;
}

#define REPORT_BYTES 1024 /* its head says why */

/* A JVM that crashes says why on its standard output, which we do not read, and in a file where it stood. */
static void keep_crash_report(struct run *run, const struct executors_entry *entry)
{
	char name[64], head[REPORT_BYTES];
	struct stat st;

	snprintf(name, sizeof(name), "hs_err_pid%d.log", (int)run->child.pid);
	scoped(fd_drop) int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_mtim.tv_sec + 1 < entry->started.wall_us / US_PER_S)
		return; /* none, or one of an earlier life of that number */
	ssize_t n = read(fd, head, sizeof(head));
	if (n <= 0)
		return;
	keep_tail(run, "\n", 1);
	keep_tail(run, head, (size_t)n);
}

static uint64_t read_tail(struct executors *executors, const struct executors_entry *entry, enum settle_whom whom)
{
	struct run *run = executors->owner;
	struct wire_log log = {.who = self(run)};

	if (whom != SETTLE_LOG)
		return 0;
	keep_crash_report(run, entry);
	log.bits = death_read_log(run->tail, run->tail_length, run->redactor, log.line, sizeof(log.line));
	if (run_jvm_collected_last(run->child.pid, entry->started.wall_us, entry->ended.wall_us))
		log.bits |= DEATH_LOG_COLLECTED;
	executors_tail(executors, 1, &log, now());
	return 1;
}

static void use_death(struct executors *executors, const struct death *death)
{
	struct run *run = executors->owner;

	if (death->lives) {
		if (run->options->on_survived)
			run->options->on_survived(run->options->owner, death);
		return;
	}
	run->end->death = *death;
	run->end->explained = true;
}

/* Its tick is often enough to see what has changed. */
static const struct executors_ops executors_ops = {.processes = read_processes, .ask = read_tail, .death = use_death};

/* --- the kernel's log --- */

static void log_lost(struct kernel_log *log, const struct err *why)
{
	struct run *run = log->owner;

	log_warn(run->options->log, "the kernel's log is lost, its words about kills are missing", "error", why->text);
}

static void use_oom(struct kernel_log *log, const struct oom_kill *kill)
{
	struct run *run = log->owner;

	executors_oom(&run->executors, kill, now());
}

static const struct kernel_log_ops kernel_log_ops = {.on_lost = log_lost, .on_oom = use_oom};

static void open_kernel_log(struct run *run)
{
	struct err e = {0};
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || kernel_log_start(&run->kernel_log, &run->loop, fd, &kernel_log_ops, run, &e) < 0)
		log_warn(run->options->log, "without the kernel's log a kill is explained from counters alone", "error", fd < 0 ? strerror(errno) : e.text);
	else
		run->executors.kmsg = true;
}

/* --- the process --- */

static void pass_stderr(struct run *run)
{
	char buffer[8192];
	ssize_t n = 0;

	while (run->child.stderr_fd >= 0 && (n = read(run->child.stderr_fd, buffer, sizeof(buffer))) > 0) {
		keep_tail(run, buffer, (size_t)n);
		fd_write_all(STDERR_FILENO, buffer, (size_t)n, &(struct err){0});
	}
	if (n == 0 && run->child.stderr_fd >= 0) {
		uv_poll_stop(&run->stderr_poll);
		fd_drop(&run->child.stderr_fd);
	}
}

static void stderr_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	pass_stderr(poll->data);
}

/* What is still in the cgroup goes with it. */
static void kill_left(struct run *run)
{
	uint32_t pids[PIDS_MAX];
	struct executors_entry *entry = executors_find(&run->executors, run->executor.container_id);
	int count = entry && entry->open ? cgroup_pids(&entry->cgroup, pids, PIDS_MAX, &(struct err){0}) : 0;

	for (int i = 0; i < count; i++)
		kill((pid_t)pids[i], SIGKILL);
}

static void tick(uv_timer_t *timer);

static void process_ended(uv_poll_t *poll, int status, int events)
{
	struct run *run = poll->data;
	siginfo_t info = {0};

	(void)status;
	(void)events;
	if (waitid(P_PID, (id_t)run->child.pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return;
	uv_poll_stop(poll);
	pass_stderr(run);
	run->ended = true;
	run->ended_us = clock_mono_us();
	run->end->exit_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	struct wire_container who = self(run);
	who.has_exit = true;
	who.exit_code = run->end->exit_code;
	who.finished_wall_us = clock_wall_us();
	executors_stopped(&run->executors, &who, now());
	uv_timer_start(&run->tick, tick, 0, END_TICK_MS);
}

static void signal_came(uv_poll_t *poll, int status, int events)
{
	struct run *run = poll->data;
	struct signalfd_siginfo info;

	(void)status;
	(void)events;
	/* A key of the terminal goes to its whole foreground group: the process has it already. */
	while (read(run->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_code != SI_KERNEL && !run->ended)
			kill(run->child.pid, (int)info.ssi_signo);
}

static void tick(uv_timer_t *timer)
{
	struct run *run = timer->data;
	struct moment at = now();
	struct err e = {0};

	executors_run(&run->executors, at);
	if (!run->ended)
		return;
	if (!run->end->explained && at.us - run->ended_us < EXPLAIN_US)
		return;
	kill_left(run);
	int removed = made_group_remove(&run->group, &e);
	if (removed < 0 && at.us - run->ended_us < REMOVE_US)
		return;
	if (removed < 0)
		log_warn(run->options->log, "the cgroup of the run is left behind", "error", e.text);
	uv_stop(timer->loop);
}

static int spawn(struct run *run, struct err *e)
{
	if (gated_child_fork(run->options->argv, &run->old_mask, &run->old_pipe, &run->child, e) < 0)
		return -e->code;
	if (made_group_enter(&run->group, run->child.pid, e) < 0) {
		gated_child_give_up(&run->child);
		return -e->code;
	}
	if (gated_child_go(&run->child, run->options->argv[0], e) < 0) {
		run->end->exit_code = e->code == ENOENT ? 127 : 126;
		return -e->code;
	}
	return 0;
}

static int watch(struct run *run, uv_poll_t *poll, int fd, uv_poll_cb callback, struct err *e)
{
	if (uv_poll_init(&run->loop, poll, fd) < 0)
		return err_rule(e, EIO, "cannot poll a descriptor");
	poll->data = run;
	uv_poll_start(poll, UV_READABLE, callback);
	return 0;
}

static int block_signals(struct run *run, struct err *e)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
	sigset_t mask;

	/* Whoever started us may have had it ignored: then the kernel reaps by itself, and nobody learns how the process ended. */
	sigaction(SIGCHLD, &usual, NULL);
	/* Who reads our standard error may go first (a driver that dies): the end is explained all the same. */
	sigaction(SIGPIPE, &ignore, &run->old_pipe);
	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(&mask, passed_on[i]);
	sigprocmask(SIG_BLOCK, &mask, &run->old_mask);
	run->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd < 0 ? err_set(e, errno, "signalfd") : 0;
}

static void describe(struct run *run)
{
	struct executor *executor = &run->executor;

	*executor = run->options->executor;
	executor->source = EXECUTOR_FROM_RUN;
	executor->pid = (uint32_t)run->child.pid;
	executor->limit_bytes = run->options->limits.memory_bytes;
	str_append(executor->cgroups_path, sizeof(executor->cgroups_path), "/%s", run->group.name);
	str_copy(executor->container_id, sizeof(executor->container_id), run->group.name);
	str_copy(executor->pod_uid, sizeof(executor->pod_uid), run->group.name);
	executor->created_wall_us = clock_wall_us();
}

static int prepare(struct run *run, struct err *e)
{
	char name[64];

	if (uv_loop_init(&run->loop) < 0)
		return err_rule(e, ENOMEM, "no loop");
	run->redactor = redactor_new(REDACT_REGEX, e);
	if (!run->redactor)
		return -e->code;
	if (executors_start(&run->executors, &run->loop, run->options->log, &executors_ops, run, e) < 0 || block_signals(run, e) < 0)
		return -e->code;
	executors_nri(&run->executors, true, true); /* we are its runtime, and tell exits */
	snprintf(name, sizeof(name), "stoker-run-%d", getpid());
	if (made_group_make(&run->executors.layout, name, &run->options->limits, &run->group, e) < 0)
		return -e->code;
	open_kernel_log(run); /* whoever may not make a cgroup need not hear that he may not read this either */
	return 0;
}

static int supervise(struct run *run, struct err *e)
{
	if (spawn(run, e) < 0)
		return -e->code;
	describe(run);
	executors_add(&run->executors, &run->executor, now());
	struct wire_container who = self(run);
	executors_started(&run->executors, &who, now());
	if (watch(run, &run->pid_poll, run->child.pid_fd, process_ended, e) < 0 || watch(run, &run->stderr_poll, run->child.stderr_fd, stderr_readable, e) < 0 ||
	    watch(run, &run->signal_poll, run->signal_fd, signal_came, e) < 0)
		return -e->code;
	uv_timer_init(&run->loop, &run->tick);
	run->tick.data = run;
	uv_timer_start(&run->tick, tick, 0, TICK_MS);
	uv_run(&run->loop, UV_RUN_DEFAULT);
	return 0;
}

int run_supervised(const struct run_options *options, struct run_end *ret, struct err *e)
{
	scoped(scoped_free) struct run *run = calloc(1, sizeof(*run)); /* large; the loop in it ends with the process */

	if (!run)
		return err_set(e, ENOMEM, "no memory for the run");
	*ret = (struct run_end){0};
	run->options = options;
	run->end = ret;
	run->child.pid_fd = run->child.stderr_fd = run->signal_fd = run->kernel_log.fd = -1;
	int r = prepare(run, e);
	if (r == 0)
		r = supervise(run, e);
	if (r < 0)
		made_group_remove(&run->group, &(struct err){0});
	fd_drop(&run->child.pid_fd);
	fd_drop(&run->child.stderr_fd);
	fd_drop(&run->signal_fd);
	fd_drop(&run->kernel_log.fd);
	redactor_free(run->redactor);
	return r;
}
