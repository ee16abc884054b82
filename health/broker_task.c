/* broker_task.c - what the broker's children do; see broker.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/hash.h"
#include "base/str.h"
#include "health/broker.h"
#include "volumes/discover.h"
#include "volumes/fs_error_mark.h"

static void descriptor_task(struct broker *b, struct broker_job *job, uint32_t what, const char *path, int flags)
{
	job->task.what = what;
	job->task.path = path;
	job->task.flags = flags;
	job->task.mount_namespace_fd = b->mount_namespace_fd;
	job->task.filter = &b->relay_filter;
}

/* A place of the configuration: the only way in which a request can name a path. */
static int place_task(struct broker *b, struct broker_job *job, uint64_t config_hash, uint32_t number, struct place *ret, struct err *e)
{
	struct write_probe *probe = &job->task.probe;

	if (config_hash != b->config->hash)
		return err_rule(e, ESTALE, "probe: the configuration is another one here");
	if (!place_get(b->config, number, ret))
		return err_rule(e, EINVAL, "probe: place %u is not watched", number);
	*probe = (struct write_probe){
		.node_hash = hash_fnv1a(HASH_START, b->config->node, strlen(b->config->node)),
		.uid = b->config->probe.uid,
		.without_rights = b->without_rights,
		.mount_namespace_fd = b->mount_namespace_fd,
		.filter = &b->probe_filter,
		.answer_type = WIRE_FINDING,
		.progress = &b->progress[job - b->jobs],
	};
	str_copy(probe->path, sizeof(probe->path), ret->path);
	/* Without rights the directory of an earlier life with rights, which is probe.uid's, cannot be entered. */
	if (!str_copy(probe->directory, sizeof(probe->directory), b->config->probe.directory) ||
	    (b->without_rights && !str_append(probe->directory, sizeof(probe->directory), "-root")))
		return err_rule(e, ENAMETOOLONG, "probe.directory is too long");
	job->deadline_us = b->config->probe.deadline_us;
	return 0;
}

int broker_check_probe(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	const struct wire_probe *ask = record_payload(record, sizeof(*ask));
	struct place place;

	if (place_task(b, job, ask->config_hash, ask->place, &place, e) < 0)
		return -e->code;
	if ((place.origin == TARGET_PATTERN) != (ask->path_hash != 0))
		return err_rule(e, EINVAL, "probe: place %u is%s a pattern", ask->place, place.origin == TARGET_PATTERN ? "" : " not");
	job->task.probe.watch = ask->watch;
	job->task.probe.path_hash = ask->path_hash;
	job->task.probe.mount_id = ask->mount_id;
	job->task.probe.must_be_mounted = ask->must_be_mounted != 0;
	return 0;
}

int broker_check_look(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	const struct wire_look *ask = record_payload(record, sizeof(*ask));
	struct place place;

	if (place_task(b, job, ask->config_hash, ask->place, &place, e) < 0)
		return -e->code;
	if (place.origin != TARGET_FOUND)
		return err_rule(e, EINVAL, "look: place %u is none of the known paths", ask->place);
	job->task.probe.watch = ask->place;
	job->task.probe.answer_type = WIRE_LOOKED;
	return 0;
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

int broker_check_node(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	(void)record;
	(void)e;
	/* Opened anew each time: a lock belongs to the opening, and a child that hangs keeps the one that was opened at start. */
	descriptor_task(b, job, WIRE_NODE, "/proc/self/ns/mnt", O_RDONLY);
	return 0;
}

int broker_check_fs_errors(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	(void)record;
	(void)e;
	descriptor_task(b, job, WIRE_FS_ERRORS, NULL, 0);
	return 0;
}

/* Names a filesystem as a probe does. That the descriptor is a group, and one that only CAP_SYS_ADMIN can have made, the kernel
 * checks: it refuses this mark on any other. */
int broker_check_fs_mark(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	if (record->fd < 0)
		return err_rule(e, EINVAL, "fs-mark: no fanotify group beside the request");
	job->task.what = WIRE_FS_MARK;
	int r = broker_check_probe(b, record, job, e);
	job->deadline_us = BROKER_RELAY_DEADLINE_US;
	return r;
}

int broker_body_probe(void *argument, int channel)
{
	struct broker_task *task = argument;

	return write_probe_child(&task->probe, channel);
}

int broker_body_look(void *argument, int channel)
{
	struct broker_task *task = argument;

	return write_probe_look_child(&task->probe, channel);
}

static int refuse(const struct broker_task *task, const struct err *e, int channel)
{
	struct wire_refused refused = {.errnum = e->code, .watch = UINT32_MAX, .request = task->what};

	str_copy(refused.text, sizeof(refused.text), e->text);
	return record_send(channel, WIRE_REFUSED, 0, &refused, sizeof(refused), -1, NULL) < 0;
}

int broker_body_descriptor(void *argument, int channel)
{
	const struct broker_task *task = argument;
	struct wire_descriptor answer = {.what = task->what};
	struct err e = {0};

	if (broker_enter_host(task, &e) < 0 || sandbox_apply(task->filter, &e) < 0)
		return refuse(task, &e, channel);
	scoped(fd_drop) int fd = open(task->path, task->flags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		err_set(&e, errno, "cannot open '%s'", task->path);
		return refuse(task, &e, channel);
	}
	return record_send(channel, WIRE_DESCRIPTOR, 0, &answer, sizeof(answer), fd, NULL) < 0;
}

int broker_body_fs_errors(void *argument, int channel)
{
	const struct broker_task *task = argument;
	struct wire_descriptor answer = {.what = task->what};
	struct err e = {0};

	scoped(fd_drop) int fd = fs_error_group(&e);
	if (fd < 0)
		return refuse(task, &e, channel);
	return record_send(channel, WIRE_DESCRIPTOR, 0, &answer, sizeof(answer), fd, NULL) < 0;
}

int broker_body_fs_mark(void *argument, int channel)
{
	const struct broker_task *task = argument;
	struct fs_error_mark mark;

	fs_error_mark_run(&task->probe, task->group_fd, &mark);
	return record_send(channel, WIRE_FS_MARKED, 0, &mark, sizeof(mark), -1, NULL) < 0;
}
