/* broker_job.c - the life of a job: a child, the one record that it sends, who waits for it, and its end. See broker.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "health/broker.h"

/* --- answers --- */

/* Who asks calls things by numbers of its own: two that wait for one probe get each its own back. */
static void answer_all(struct broker_waiters *waiters, uint16_t type, const void *payload, size_t length, int fd)
{
	for (unsigned i = 0; i < waiters->count; i++) {
		const struct broker_waiter *w = &waiters->who[i];
		struct finding finding;
		struct wire_refused refused;
		const void *answer = payload;
		if ((type == WIRE_FINDING || type == WIRE_LOOKED) && length == sizeof(finding)) {
			memcpy(&finding, payload, sizeof(finding));
			finding.watch = w->watch;
			answer = &finding;
		} else if (type == WIRE_REFUSED && length == sizeof(refused)) {
			memcpy(&refused, payload, sizeof(refused));
			refused.watch = w->watch;
			answer = &refused;
		}
		if (w->peer)
			link_send_fd(w->peer, type, w->id, answer, length, fd);
	}
	waiters->count = 0;
}

bool broker_add_waiter(struct broker_waiters *waiters, struct link *peer, uint64_t id, uint32_t watch)
{
	if (waiters->count == ARRAY_SIZE(waiters->who))
		return false;
	waiters->who[waiters->count++] = (struct broker_waiter){watch, peer, id};
	return true;
}

bool broker_is_probe(const struct broker_request *request)
{
	return request->type == WIRE_PROBE || request->type == WIRE_LOOK;
}

static void job_refuse(struct broker_job *job, int errnum, const char *text)
{
	struct wire_refused refused = {.errnum = errnum, .watch = UINT32_MAX, .request = job->request->type};

	str_copy(refused.text, sizeof(refused.text), text);
	answer_all(&job->waiters, WIRE_REFUSED, &refused, sizeof(refused), -1);
	job->answered = true;
}

/* The child does not come back: where it stands is in the page that it shares with us. */
void broker_answer_hung(struct broker_job *job, struct broker_waiters *waiters)
{
	struct finding hung = {
		.watch = job->task.probe.watch,
		.step = *job->task.probe.progress,
		.errnum = ETIMEDOUT,
		.duration_us = job->deadline_us,
		.started_wall_us = job->started_wall_us,
	};

	answer_all(waiters, job->task.probe.answer_type, &hung, sizeof(hung), -1);
}

/* --- the life of a job --- */

static void job_settle(struct broker_job *job)
{
	struct broker *b = job->broker;

	if (!job->ended || job->channel_open)
		return;
	if (job->next.count > 0) {
		struct err e = {0};
		job->waiters = job->next;
		job->next.count = 0;
		if (broker_job_start(job, &e))
			return;
		job_refuse(job, e.code, e.text);
	}
	job->request = NULL;
	b->served_total++;
}

static void channel_closed(uv_handle_t *handle)
{
	struct broker_job *job = handle->data;

	job->channel_open = false;
	job_settle(job);
}

static void channel_finish(struct broker_job *job)
{
	if (job->channel < 0)
		return;
	uv_poll_stop(&job->channel_poll);
	uv_close((uv_handle_t *)&job->channel_poll, channel_closed);
	fd_drop(&job->channel);
}

/* Relays the one record that a child sends. */
static void channel_readable(uv_poll_t *poll, int status, int events)
{
	struct broker_job *job = poll->data;
	struct record record;
	struct err e = {0};

	(void)events;
	int r = status < 0 ? 0 : record_receive(job->channel, &record, &e);
	if (r == -EAGAIN)
		return;
	if (r > 0) {
		scoped(fd_drop) int passed = record.fd;
		if (!job->answered)
			answer_all(&job->waiters, record.header.type, record.payload, record.header.length, passed);
		job->answered = true;
	}
	channel_finish(job);
	if (r > 0 && job->request->body == broker_body_volume)
		broker_spare_make(job->broker);
}

static void job_overdue(struct child *child)
{
	struct broker_job *job = child->owner;
	struct broker *b = job->broker;
	bool probe = broker_is_probe(job->request);

	b->abandoned_total++;
	log_warn(b->log, "child overdue, killed and left alone", "request", job->request->name, "path", probe ? job->task.probe.path : job->task.path,
		 "step", probe ? probe_step_name(*job->task.probe.progress) : NULL, "abandoned_total", log_number(b->abandoned_total));
	if (!probe && !job->answered)
		job_refuse(job, ETIMEDOUT, "did not end within its deadline");
	if (probe) {
		broker_answer_hung(job, &job->waiters);
		broker_answer_hung(job, &job->next);
	}
	job->answered = true;
}

static void job_exited(struct child *child, int status)
{
	struct broker_job *job = child->owner;
	struct broker *b = job->broker;

	if (b->spare == job)
		b->spare = NULL;
	if (job->channel >= 0)
		channel_readable(&job->channel_poll, 0, UV_READABLE); /* its answer may still lie there */
	channel_finish(job);
	if (!job->answered) {
		char text[64];
		snprintf(text, sizeof(text), "the child ended with status %d and no answer", status);
		job_refuse(job, EIO, text);
	}
	if (child->overdue && job->request->type == WIRE_PROBE) {
		struct wire_ended ended = {.watch = job->task.probe.watch};
		for (unsigned i = 0; i < BROKER_PEERS_MAX; i++)
			if (b->peers[i].used)
				link_send(&b->peers[i].link, WIRE_CHILD_ENDED, 0, &ended, sizeof(ended));
	}
	job->ended = true;
	job_settle(job);
}

bool broker_job_start(struct broker_job *job, struct err *e)
{
	static const struct child_ops ops = {.on_overdue = job_overdue, .on_exit = job_exited};
	struct broker *b = job->broker;
	const int ns = b->mount_namespace_fd, group = job->task.group_fd; /* 2 is kept anyway */
	const int keep[] = {ns >= 0 ? ns : 2, group >= 0 ? group : 2, -1};

	job->answered = job->ended = false;
	job->started_wall_us = clock_wall_us();
	if (job->task.probe.progress)
		*job->task.probe.progress = PROBE_RESOLVE;
	if (child_fork(&job->child, b->loop, &ops, job, job->deadline_us, job->request->body, &job->task, keep, &job->channel, e) < 0)
		return false;
	uv_poll_init(b->loop, &job->channel_poll, job->channel);
	job->channel_poll.data = job;
	job->channel_open = true;
	uv_poll_start(&job->channel_poll, UV_READABLE, channel_readable);
	return true;
}

struct broker_job *broker_job_allocate(struct broker *b, const struct broker_request *request, struct err *e)
{
	struct broker_job *free_job = NULL;
	unsigned outstanding = 0;

	for (unsigned i = 0; i < BROKER_JOBS_MAX; i++) {
		if (!b->jobs[i].request)
			free_job = &b->jobs[i];
		else if (b->jobs[i].request == request)
			outstanding++;
	}
	if (!free_job || outstanding >= request->outstanding) {
		err_rule(e, EBUSY, "%s: %u are outstanding already", request->name, outstanding);
		return NULL;
	}
	*free_job = (struct broker_job){.broker = b, .channel = -1, .deadline_us = BROKER_RELAY_DEADLINE_US, .task = {.group_fd = -1}};
	return free_job;
}
