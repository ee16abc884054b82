/* broker_task.c - what the broker's children do; see broker.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "base/fd.h"
#include "base/str.h"
#include "health/broker.h"

static void descriptor_task(struct broker *b, struct broker_job *job, uint32_t what, const char *path, int flags)
{
	job->task.what = what;
	job->task.path = path;
	job->task.flags = flags;
	job->task.mount_namespace_fd = b->mount_namespace_fd;
	job->task.filter = &b->relay_filter;
}

int broker_check_mounts(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	(void)record;
	(void)e;
	/* Opened in the host's mount namespace it shows that one, and it can be polled for changes (proc(5)). */
	descriptor_task(b, job, WIRE_MOUNTS, "/proc/self/mountinfo", O_RDONLY);
	return 0;
}

int broker_check_kmsg(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	(void)record;
	(void)e;
	descriptor_task(b, job, WIRE_KMSG, "/dev/kmsg", O_RDONLY | O_NONBLOCK);
	return 0;
}

int broker_body_probe(void *argument, int channel)
{
	struct broker_task *task = argument;

	return write_probe_child(&task->probe, channel);
}

static int refuse(const struct err *e, int channel)
{
	struct wire_refused refused = {.errnum = e->code, .watch = UINT32_MAX};

	str_copy(refused.text, sizeof(refused.text), e->text);
	return record_send(channel, WIRE_REFUSED, 0, &refused, sizeof(refused), -1, NULL) < 0;
}

int broker_body_descriptor(void *argument, int channel)
{
	const struct broker_task *task = argument;
	struct wire_descriptor answer = {.what = task->what};
	struct err e = {0};

	if (task->mount_namespace_fd >= 0 && setns(task->mount_namespace_fd, CLONE_NEWNS) < 0) {
		err_set(&e, errno, "cannot enter the host's mount namespace");
		return refuse(&e, channel);
	}
	if (sandbox_apply(task->filter, &e) < 0)
		return refuse(&e, channel);
	scoped(fd_drop) int fd = open(task->path, task->flags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		err_set(&e, errno, "cannot open '%s'", task->path);
		return refuse(&e, channel);
	}
	return record_send(channel, WIRE_DESCRIPTOR, 0, &answer, sizeof(answer), fd, NULL) < 0;
}
