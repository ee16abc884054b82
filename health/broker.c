#include "health/broker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

/* --- answers --- */

static void refuse(struct broker *b, struct link *peer, const struct record *record, const struct err *e)
{
	struct wire_refused refused = {.errnum = e->code, .watch = UINT32_MAX, .request = record->header.type};
	const struct wire_probe *probe = record->header.type == WIRE_PROBE ? record_payload(record, sizeof(*probe)) : NULL;
	const struct wire_look *look = record->header.type == WIRE_LOOK ? record_payload(record, sizeof(*look)) : NULL;

	if (probe || look)
		refused.watch = probe ? probe->watch : look->place;
	str_copy(refused.text, sizeof(refused.text), e->text);
	b->refused_total++;
	log_warn(b->log, "request refused", "type", log_number(record->header.type), "error", e->text, "refused_total", log_number(b->refused_total));
	link_send(peer, WIRE_REFUSED, record->header.id, &refused, sizeof(refused));
}

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

static bool add_waiter(struct broker_waiters *waiters, struct link *peer, uint64_t id, uint32_t watch)
{
	if (waiters->count == ARRAY_SIZE(waiters->who))
		return false;
	waiters->who[waiters->count++] = (struct broker_waiter){watch, peer, id};
	return true;
}

/* Its answer is a finding, and a hang is one too. */
static bool is_probe(const struct broker_request *request)
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
static void answer_hung(struct broker_job *job, struct broker_waiters *waiters)
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

static bool job_start(struct broker_job *job, struct err *e);

static void job_settle(struct broker_job *job)
{
	struct broker *b = job->broker;

	if (!job->ended || job->channel_open)
		return;
	if (job->next.count > 0) {
		struct err e = {0};
		job->waiters = job->next;
		job->next.count = 0;
		if (job_start(job, &e))
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
}

static void job_overdue(struct child *child)
{
	struct broker_job *job = child->owner;
	struct broker *b = job->broker;
	bool probe = is_probe(job->request);

	b->abandoned_total++;
	log_warn(b->log, "child overdue, killed and left alone", "request", job->request->name, "path", probe ? job->task.probe.path : job->task.path,
		 "step", probe ? probe_step_name(*job->task.probe.progress) : NULL, "abandoned_total", log_number(b->abandoned_total));
	if (!probe && !job->answered)
		job_refuse(job, ETIMEDOUT, "did not end within its deadline");
	if (probe) {
		answer_hung(job, &job->waiters);
		answer_hung(job, &job->next);
	}
	job->answered = true;
}

static void job_exited(struct child *child, int status)
{
	struct broker_job *job = child->owner;
	struct broker *b = job->broker;

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

static bool job_start(struct broker_job *job, struct err *e)
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

/* --- requests --- */

/* A probe of this path is under way: nobody starts a second one. 1 = waits for its answer, 0 = there is none, or -EBUSY. */
static int join_running(struct broker *b, const struct broker_request *request, const struct broker_job *wanted, struct link *peer, uint64_t id, struct err *e)
{
	for (unsigned i = 0; i < BROKER_JOBS_MAX; i++) {
		struct broker_job *job = &b->jobs[i];
		if (job == wanted || job->request != request || job->task.probe.path_hash != wanted->task.probe.path_hash ||
		    strcmp(job->task.probe.path, wanted->task.probe.path) != 0)
			continue;
		job->task.probe.watch = wanted->task.probe.watch; /* its number may be another after a new configuration */
		bool hung = job->child.overdue && !job->ended;
		if (!add_waiter(job->answered && !hung ? &job->next : &job->waiters, peer, id, wanted->task.probe.watch))
			return err_rule(e, EBUSY, "probe: %zu wait for this one already", ARRAY_SIZE(job->waiters.who));
		if (hung)
			answer_hung(job, &job->waiters);
		return 1;
	}
	return 0;
}

static struct broker_job *job_allocate(struct broker *b, const struct broker_request *request, struct err *e)
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

static const struct broker_request *find_request(const struct broker *b, const struct record *record, struct err *e)
{
	for (size_t i = 0; i < b->request_count; i++) {
		if (b->requests[i].type != record->header.type || (b->without_volumes && b->requests[i].body == broker_body_volume))
			continue;
		if (b->requests[i].payload_bytes == record->header.length)
			return &b->requests[i];
		err_rule(e, EINVAL, "%s: %u bytes instead of %zu", b->requests[i].name, record->header.length, b->requests[i].payload_bytes);
		return NULL;
	}
	err_rule(e, EPERM, "request %u is not in the table", record->header.type);
	return NULL;
}

static void peer_record(struct link *link, const struct record *record)
{
	struct broker *b = link->owner;
	struct err e = {0};
	const struct broker_request *request = find_request(b, record, &e);
	struct broker_job *job = request ? job_allocate(b, request, &e) : NULL;

	if (!job || request->check(b, record, job, &e) < 0) {
		refuse(b, link, record, &e);
		return;
	}
	int joined = is_probe(request) ? join_running(b, request, job, link, record->header.id, &e) : 0;
	if (joined < 0)
		refuse(b, link, record, &e);
	if (joined != 0)
		return;
	job->request = request;
	add_waiter(&job->waiters, link, record->header.id, is_probe(request) ? job->task.probe.watch : UINT32_MAX);
	if (request->type == WIRE_FS_MARK)
		job->task.group_fd = link_take_fd(link);
	bool started = job_start(job, &e);
	fd_drop(&job->task.group_fd); /* the child has it */
	if (!started) {
		job->request = NULL;
		refuse(b, link, record, &e);
	}
}

/* --- peers --- */

static void forget_waiter(struct broker_waiters *waiters, const struct link *peer)
{
	for (unsigned i = 0; i < waiters->count; i++)
		if (waiters->who[i].peer == peer)
			waiters->who[i].peer = NULL;
}

static void peer_down(struct link *link, const struct err *why)
{
	struct broker *b = link->owner;

	log_info(b->log, "peer gone", "why", why ? why->text : NULL);
	for (unsigned i = 0; i < BROKER_JOBS_MAX; i++) {
		forget_waiter(&b->jobs[i].waiters, link);
		forget_waiter(&b->jobs[i].next, link);
	}
}

static void peer_closed(struct link *link)
{
	container_of(link, struct broker_peer, link)->used = false;
}

static void accept_peer(uv_poll_t *poll, int status, int events)
{
	static const struct link_ops ops = {.on_record = peer_record, .on_down = peer_down, .on_closed = peer_closed};
	struct broker *b = poll->data;
	struct ucred who = {0};
	struct err e = {0};
	struct broker_peer *peer = NULL;

	(void)status;
	(void)events;
	scoped(fd_drop) int fd = record_accept(b->listen_fd, &who, &e);
	if (fd < 0)
		return;
	for (unsigned i = 0; i < BROKER_PEERS_MAX && !peer; i++)
		peer = b->peers[i].used ? NULL : &b->peers[i];
	if (who.uid != geteuid() || !peer) {
		b->refused_total++;
		log_warn(b->log, "peer refused", "uid", log_number(who.uid), "pid", log_number(who.pid), "why", peer ? "another user" : "too many peers");
		return;
	}
	if (link_adopt(&peer->link, b->loop, fd_take(&fd), &ops, b, &e) < 0) {
		log_error(b->log, "cannot serve a peer", "error", e.text);
		return;
	}
	peer->used = true;
	log_info(b->log, "peer", "pid", log_number(who.pid), "uid", log_number(who.uid));
}

int broker_start(struct broker *b, const char *runtime_dir, struct err *e)
{
	char directory[160], path[192];

	snprintf(directory, sizeof(directory), "%s/%s", runtime_dir, STOKER_BROKER_DIR);
	snprintf(path, sizeof(path), "%s/%s", runtime_dir, STOKER_BROKER_SOCKET);
	if (fd_make_directory(runtime_dir, 0755, e) < 0 || fd_make_directory(directory, 0700, e) < 0)
		return -e->code;
	b->progress = mmap(NULL, BROKER_JOBS_MAX * sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->progress == MAP_FAILED)
		return err_set(e, errno, "cannot map the progress page");
	if (sandbox_compile(SANDBOX_CHILD_PROBE, &b->probe_filter, e) < 0 || sandbox_compile(SANDBOX_CHILD_RELAY, &b->relay_filter, e) < 0 ||
	    sandbox_compile(SANDBOX_CHILD_CONFIG, &b->parse_filter, e) < 0 || sandbox_compile(SANDBOX_CHILD_MOUNT, &b->mount_filter, e) < 0 ||
	    sandbox_compile(SANDBOX_CHILD_RESOLVE, &b->resolve_filter, e) < 0 ||
	    sandbox_compile(SANDBOX_CHILD_SWEEP, &b->sweep_filter, e) < 0 || sandbox_compile(SANDBOX_CHILD_ACCOUNT, &b->account_filter, e) < 0)
		return err_wrap(e, "cannot prepare the children's filters");
	b->listen_fd = record_listen(path, 0600, e);
	if (b->listen_fd < 0)
		return b->listen_fd;
	uv_poll_init(b->loop, &b->listen_poll, b->listen_fd);
	b->listen_poll.data = b;
	return uv_poll_start(&b->listen_poll, UV_READABLE, accept_peer) < 0 ? err_rule(e, EIO, "cannot poll '%s'", path) : 0;
}
