/* broker_container.c - requests about a container: the memory of its processes, the end of its log. See broker.h.
 *
 * The child opens what is named while it has rights, then becomes an ordinary user and closes its filter, and only then reads: what
 * it reads was written by processes of the container. Sums, bits and one redacted line leave it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/redact.h"
#include "base/str.h"
#include "cgroups/layout.h"
#include "health/broker.h"
#include "health/death.h"
#include "health/process_sum.h"

#define PROCESSES_MAX  256
#define SUBGROUPS_MAX  8 /* crun puts the processes into one beneath */
#define PROCS_BYTES    16384
#define LOG_ROOT       "/var/log/pods"
#define LOG_NUMBER_MAX 1000000

/* --- checks --- */

static void container_task(struct broker *b, struct broker_job *job, const struct wire_container_ask *ask, const struct sandbox_filter *filter)
{
	job->task.container = *ask;
	job->task.regex = b->config->redact.regex;
	broker_task_ordinary(b, job, ask->cgroup[0] ? WIRE_PROCESSES : WIRE_LOG_TAIL, job->task.container.who.container_id, filter);
}

int broker_check_processes(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	const struct wire_container_ask *ask = record_payload(record, sizeof(*ask));
	struct cgroup_name name;

	/* A cgroup is asked for by the container that it is named after: no other can be looked into. */
	if (!broker_is_name(ask->who.container_id, sizeof(ask->who.container_id)) || !str_is_ended(ask->cgroup, sizeof(ask->cgroup)) || ask->cgroup[0] == '/' ||
	    !cgroup_name_parse(ask->cgroup, &name) || strcmp(name.container_id, ask->who.container_id) != 0)
		return err_rule(e, EINVAL, "processes: the cgroup is not that of the container");
	container_task(b, job, ask, &b->relay_filter);
	return 0;
}

int broker_check_log_tail(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	const struct wire_container_ask *ask = record_payload(record, sizeof(*ask));

	if (!broker_is_name(ask->who.container_id, sizeof(ask->who.container_id)) || !broker_is_name(ask->who.pod_uid, sizeof(ask->who.pod_uid)) ||
	    !broker_is_name(ask->name_space, sizeof(ask->name_space)) || !broker_is_name(ask->pod, sizeof(ask->pod)) ||
	    !broker_is_name(ask->container, sizeof(ask->container)) || ask->cgroup[0])
		return err_rule(e, EINVAL, "log-tail: namespace, pod, uid and container must be names");
	container_task(b, job, ask, &b->parse_filter);
	return 0;
}

/* --- the processes of a container --- */

struct procs_files {
	unsigned count;
	int fds[1 + SUBGROUPS_MAX];
};

static void procs_drop(struct procs_files *files)
{
	for (unsigned i = 0; i < files->count; i++)
		fd_drop(&files->fds[i]);
}

static int open_procs(int directory_fd, const char *path, struct procs_files *files, struct err *e)
{
	int fd = fd_open_beneath(directory_fd, path, O_RDONLY, 0, e);

	if (fd < 0)
		return fd;
	files->fds[files->count++] = fd;
	return 0;
}

/* The next entry; NULL at the end and with an error, which errno then is. */
static struct dirent *next_entry(DIR *directory)
{
	errno = 0;
	return readdir(directory);
}

/* Where kubelet's nodes have the memory controller: its own hierarchy on v1, the one of all on v2. */
static int open_cgroup(const char *path, struct err *e)
{
	static const char *const roots[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"};

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		scoped(fd_drop) int root_fd = open(roots[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root_fd < 0 && errno == ENOENT)
			continue;
		return root_fd < 0 ? err_set(e, errno, "cannot open '%s'", roots[i]) : fd_open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY, 0, e);
	}
	return err_set(e, ENOENT, "no cgroup hierarchy");
}

static void directory_drop(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static int open_all_procs(const char *path, struct procs_files *files, struct err *e)
{
	char name[300];

	scoped(fd_drop) int fd = open_cgroup(path, e);
	if (fd < 0)
		return fd;
	if (open_procs(fd, "cgroup.procs", files, e) < 0)
		return -e->code;
	scoped(directory_drop) DIR *directory = fdopendir(fd);
	if (!directory)
		return err_set(e, errno, "cannot list a cgroup");
	fd_take(&fd);
	for (struct dirent *entry; files->count < ARRAY_SIZE(files->fds) && (entry = next_entry(directory)) != NULL;) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/cgroup.procs", entry->d_name);
		int r = open_procs(dirfd(directory), name, files, e);
		if (r < 0 && r != -ENOENT) /* gone meanwhile */
			return r;
	}
	return errno && files->count < ARRAY_SIZE(files->fds) ? err_set(e, errno, "cannot list a cgroup") : 0;
}

static int sum_processes(int proc_fd, const struct procs_files *files, struct wire_processes *sum)
{
	static char text[PROCS_BYTES];
	unsigned seen = 0;

	for (unsigned i = 0; i < files->count; i++) {
		ssize_t n = read(files->fds[i], text, sizeof(text) - 1);
		if (n < 0 && errno != ENODEV) /* the cgroup is gone: so are its processes */
			return -errno;
		text[n < 0 ? 0 : n] = '\0';
		sum->cut |= n == (ssize_t)sizeof(text) - 1;
		for (char *at = text, *end; seen < PROCESSES_MAX; at = end, seen++) {
			unsigned long pid = strtoul(at, &end, 10);
			if (end == at)
				break;
			process_sum_add(proc_fd, pid, sum);
			if (pid == sum->who.pid)
				sum->has_oom_score_adj = process_oom_score_adj(proc_fd, pid, &sum->oom_score_adj);
		}
		sum->cut |= seen == PROCESSES_MAX;
	}
	return 0;
}

int broker_body_processes(void *argument, int channel)
{
	const struct broker_task *task = argument;
	struct wire_processes sum = {.who = task->container.who};
	scoped(procs_drop) struct procs_files files = {0};
	scoped(fd_drop) int proc_fd = -1;
	struct err e = {0};

	int r = broker_enter_host(task, &e);
	if (r == 0)
		r = open_all_procs(task->container.cgroup, &files, &e);
	if (r == 0) {
		proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = proc_fd < 0 ? -errno : broker_become_ordinary(task, task->filter, &e);
	}
	if (r == 0)
		r = sum_processes(proc_fd, &files, &sum);
	sum.errnum = -r;
	return record_send(channel, WIRE_PROCESSES_READ, 0, &sum, sizeof(sum), -1, NULL) < 0;
}

/* --- the end of its log --- */

/* "0.log", "1.log" …: one for each time that the container was started. Files that kubelet has rotated have more to their names. */
static int newest_log(int directory_fd, char *name, size_t size, struct err *e)
{
	scoped(fd_drop) int list_fd = fcntl(directory_fd, F_DUPFD_CLOEXEC, 3);
	scoped(directory_drop) DIR *directory = list_fd < 0 ? NULL : fdopendir(list_fd);
	long newest = -1;

	if (!directory)
		return err_set(e, errno, "cannot list a log directory");
	fd_take(&list_fd);
	for (struct dirent *entry; (entry = next_entry(directory)) != NULL;) {
		char *end = NULL;
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		long number = strtol(entry->d_name, &end, 10);
		if (strcmp(end, ".log") == 0 && number > newest && number < LOG_NUMBER_MAX)
			newest = number;
	}
	if (errno || newest < 0)
		return err_set(e, errno ? errno : ENOENT, "no log");
	snprintf(name, size, "%ld.log", newest);
	return 0;
}

/* At the place from which the last DEATH_LOG_TAIL_BYTES are read. */
static int open_log(const struct wire_container_ask *ask, struct err *e)
{
	char path[EXECUTOR_NAMESPACE_BYTES + NAME_NODE_BYTES + EXECUTOR_UID_BYTES + EXECUTOR_LABEL_BYTES + 8], name[32];
	struct stat st = {0};

	scoped(fd_drop) int root_fd = open(LOG_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return err_set(e, errno, "cannot open '%s'", LOG_ROOT);
	snprintf(path, sizeof(path), "%s_%s_%s/%s", ask->name_space, ask->pod, ask->who.pod_uid, ask->container);
	scoped(fd_drop) int directory_fd = fd_open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY, 0, e);
	if (directory_fd < 0 || newest_log(directory_fd, name, sizeof(name), e) < 0)
		return -e->code;
	/* NONBLOCK: a pipe in its place must not hold us. */
	scoped(fd_drop) int fd = fd_open_beneath(directory_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, e);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot look at the log");
	if (!S_ISREG(st.st_mode))
		return err_rule(e, EINVAL, "the log is no file");
	if (st.st_size > DEATH_LOG_TAIL_BYTES && lseek(fd, st.st_size - DEATH_LOG_TAIL_BYTES, SEEK_SET) < 0)
		return err_set(e, errno, "cannot seek in the log");
	return fd_take(&fd);
}

static int read_tail(int fd, const char *regex, struct wire_log *ret, struct err *e)
{
	static char tail[DEATH_LOG_TAIL_BYTES];
	struct redactor *redactor = redactor_new(regex, e);
	size_t length = 0;

	if (!redactor)
		return -e->code;
	ssize_t n = 0;
	while (length < sizeof(tail) && (n = read(fd, tail + length, sizeof(tail) - length)) > 0)
		length += (size_t)n;
	if (n < 0) {
		redactor_free(redactor);
		return err_set(e, errno, "cannot read the log");
	}
	ret->bits = death_read_log(tail, length, redactor, ret->line, sizeof(ret->line));
	redactor_free(redactor);
	return 0;
}

int broker_body_log_tail(void *argument, int channel)
{
	const struct broker_task *task = argument;
	struct wire_log log = {.who = task->container.who};
	struct err e = {0};

	int r = broker_enter_host(task, &e);
	scoped(fd_drop) int fd = r < 0 ? -1 : open_log(&task->container, &e);
	if (r == 0)
		r = fd < 0 ? fd : broker_become_ordinary(task, task->filter, &e);
	if (r == 0)
		r = read_tail(fd, task->regex, &log, &e);
	log.errnum = -r;
	return record_send(channel, WIRE_LOG_READ, 0, &log, sizeof(log), -1, NULL) < 0;
}
