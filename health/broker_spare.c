/* broker_spare.c - one child that stands ready for the next request about a volume. See broker.h.
 *
 * The most of what such a request takes has nothing to do with the volume: the fork (0.12 ms on the machine of docs/benchmarks-volumes.md)
 * and the filter that the child closes (0.13 ms: the kernel compiles it anew each time). So when a request has been answered the child of
 * the next one is made: it has entered the host's mount namespace, given up its rights and closed its filter, and waits for its task. It
 * knows the configuration of its birth, and is not used with another. Who finds none has its child made as ever: the first request, most
 * of many at once, and the mount of a checkpoint, whose child starts another one before it gives anything up. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "health/broker.h"

/* As it comes through the channel: one record. */
struct task_record {
	struct record_header header;
	struct volume volume;
};

/* --- in the child --- */

static int wait_for_task(struct broker_task *task, int channel)
{
	struct task_record record;
	ssize_t n;

	if (fcntl(channel, F_SETFL, 0) < 0) /* until now it did not block */
		return -errno;
	do
		n = read(channel, &record, sizeof(record));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(record)) /* the broker is gone, or does not need it any more */
		return -ECONNRESET;
	task->what = record.header.type;
	task->volume = record.volume;
	return 0;
}

static int body(void *argument, int channel)
{
	struct broker_task *task = argument;

	if (broker_volume_prepare(task, NULL) < 0 || wait_for_task(task, channel) < 0)
		return 1;
	return broker_volume_work(task, channel);
}

/* --- in the broker --- */

/* Two: one that was ended unused may not be gone yet. */
static const struct broker_request spare = {.name = "volume, ready", .outstanding = 2, .body = body};

void broker_spare_make(struct broker *b)
{
	struct broker_job *job = b->spare ? NULL : broker_job_allocate(b, &spare, NULL);

	if (!job)
		return;
	broker_volume_task(b, job);
	job->request = &spare;
	job->deadline_us = 0; /* it waits as long as nothing is asked */
	if (!broker_job_start(job, NULL)) {
		job->request = NULL;
		return;
	}
	b->spare = job;
	b->spare_hash = b->config->hash;
}

bool broker_spare_take(struct broker *b, struct broker_job *wanted)
{
	const struct volume *v = &wanted->task.volume;
	struct broker_job *job = b->spare;

	if (!job || wanted->request->body != broker_body_volume || (wanted->task.what == WIRE_VOLUME_MAKE && v->type == VOLUME_CHECKPOINT))
		return false;
	b->spare = NULL;
	if (b->spare_hash != b->config->hash) {
		child_signal(&job->child, SIGKILL);
		return false;
	}
	if (record_send(job->channel, (uint16_t)wanted->task.what, 0, v, sizeof(*v), -1, NULL) < 0)
		return false; /* it has just ended */
	job->request = wanted->request;
	job->waiters = wanted->waiters;
	job->task = wanted->task;
	job->task.path = job->task.volume.at.name; /* for the log */
	job->deadline_us = wanted->deadline_us;
	child_set_deadline(&job->child, job->deadline_us);
	wanted->request = NULL;
	return true;
}
