#include "shim/roster_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "shim/roster.h"

#define LOGS "/var/log/pods"

int roster_check_scan(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	(void)record;
	(void)e;
	job->task.regex = b->config->redact.regex;
	broker_task_ordinary(b, job, WIRE_SCAN, "/proc", &b->relay_filter);
	return 0;
}

static void places_drop(struct roster_places *places)
{
	fd_drop(&places->cgroups_fd);
	fd_drop(&places->proc_fd);
	fd_drop(&places->logs_fd);
}

static int open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Where kubelet's nodes have the memory controller: its own hierarchy on v1, the one of all on v2. */
static int open_places(const struct broker_task *task, struct roster_places *ret, struct err *e)
{
	if (broker_enter_host(task, e) < 0)
		return -e->code;
	ret->cgroups_fd = open_directory("/sys/fs/cgroup/memory");
	if (ret->cgroups_fd < 0)
		ret->cgroups_fd = open_directory("/sys/fs/cgroup");
	ret->proc_fd = open_directory("/proc");
	if (ret->cgroups_fd < 0 || ret->proc_fd < 0)
		return err_set(e, errno, "cannot open cgroups and processes");
	ret->logs_fd = open_directory(LOGS); /* none before the first pod */
	return 0;
}

static int write_roster(int fd, const struct roster *roster, struct err *e)
{
	size_t length = roster->count * sizeof(roster->executors[0]);

	return fd_write_all(fd, (const char *)roster->executors, length, e);
}

int roster_body_scan(void *argument, int channel)
{
	const struct broker_task *task = argument;
	struct wire_scanned answer = {0};
	scoped(places_drop) struct roster_places places = {-1, -1, -1};
	scoped(scoped_free) struct roster *roster = calloc(1, sizeof(*roster));
	/* Many records do not fit into one, and a child has one answer. */
	scoped(fd_drop) int memory_fd = memfd_create("roster", MFD_CLOEXEC);
	struct err e = {0};

	int r = !roster || memory_fd < 0 ? err_set(&e, ENOMEM, "no memory for a roster") : open_places(task, &places, &e);
	if (r == 0) /* what it reads was written by processes of pods */
		r = broker_become_ordinary(task, task->filter, &e);
	if (r == 0) {
		struct redactor *redactor = redactor_new(task->regex, &e);
		r = redactor ? 0 : -e.code;
		if (redactor) {
			roster_scan(&places, redactor, roster);
			r = write_roster(memory_fd, roster, &e);
		}
		redactor_free(redactor);
	}
	answer.errnum = -r;
	answer.count = r == 0 ? roster->count : 0;
	answer.cut = r == 0 && roster->cut;
	return record_send(channel, WIRE_SCANNED, 0, &answer, sizeof(answer), r == 0 ? memory_fd : -1, NULL) < 0;
}
