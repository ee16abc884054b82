#include "health/broker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* --- requests --- */

/* Another mount lies there now: the probe of the one before, which may hang for ever, says nothing of it. */
static bool is_elsewhere(const struct write_probe *running, const struct write_probe *wanted)
{
	return running->mount_id && wanted->mount_id && running->mount_id != wanted->mount_id;
}

/* A probe of this path is under way: nobody starts a second one. 1 = waits for its answer, 0 = there is none, or -EBUSY. */
static int join_running(struct broker *b, const struct broker_request *request, const struct broker_job *wanted, struct link *peer, uint64_t id, struct err *e)
{
	for (unsigned i = 0; i < BROKER_JOBS_MAX; i++) {
		struct broker_job *job = &b->jobs[i];
		if (job == wanted || job->request != request || job->task.probe.path_hash != wanted->task.probe.path_hash ||
		    strcmp(job->task.probe.path, wanted->task.probe.path) != 0 || is_elsewhere(&job->task.probe, &wanted->task.probe))
			continue;
		job->task.probe.watch = wanted->task.probe.watch; /* its number may be another after a new configuration */
		bool hung = job->child.overdue && !job->ended;
		if (!broker_add_waiter(job->answered && !hung ? &job->next : &job->waiters, peer, id, wanted->task.probe.watch))
			return err_rule(e, EBUSY, "probe: %zu wait for this one already", ARRAY_SIZE(job->waiters.who));
		if (hung)
			broker_answer_hung(job, &job->waiters);
		return 1;
	}
	return 0;
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
	struct broker_job *job = request ? broker_job_allocate(b, request, &e) : NULL;

	if (!job || request->check(b, record, job, &e) < 0) {
		refuse(b, link, record, &e);
		return;
	}
	int joined = broker_is_probe(request) ? join_running(b, request, job, link, record->header.id, &e) : 0;
	if (joined < 0)
		refuse(b, link, record, &e);
	if (joined != 0)
		return;
	job->request = request;
	broker_add_waiter(&job->waiters, link, record->header.id, broker_is_probe(request) ? job->task.probe.watch : UINT32_MAX);
	if (request->type == WIRE_FS_MARK)
		job->task.group_fd = link_take_fd(link);
	bool started = broker_spare_take(b, job) || broker_job_start(job, &e);
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
