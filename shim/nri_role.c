#include "shim/nri_role.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/wire.h"
#include "shim/plan_mount.h"
#include "shim/recognise.h"

#define COUNTERS_MS  1000
#define READS_A_TURN 64 /* 4 MiB: the link is served in between */

/* A handle of libuv lives until it is closed, which is later: so every connection has its own. */
struct nri_connection {
	struct nri_role *role;
	uint64_t number; /* as stokerd counts them */
	int fd;
	uv_poll_t poll;
};

/* --- what the session asks for --- */

static uint64_t now_us(void *owner)
{
	(void)owner;
	return clock_mono_us();
}

static void decide_creation(struct nri_role *role, const struct nri_event *event, struct nri_decision *ret)
{
	const struct nri_version version = role->session.version;
	const struct plan_limits limits = {
		.unified = role->cgroup_v2,
		.oom_score_adj = nri_version_has_oom_score_adj(version),
		.dry_run = role->config.dry_run,
		.redactor = role->redactor,
	};
	/* Another configuration's checkpoints have other numbers. Every NRI that is spoken here applies mounts. */
	const bool is_current = role->checkpoints.config_hash == role->volumes.config_hash;
	const struct plan_volumes volumes = {.policy = &role->volumes,
					     .ready = is_current ? role->checkpoints.ready : 0,
					     .others = scratch_pods_get(&role->scratch, ret->executor.pod_uid),
					     .dry_run = role->config.dry_run,
					     .redactor = role->redactor};

	plan_decide(&role->config, &limits, &ret->executor, &event->pod, &event->container, &ret->plan, ret->complaint);
	const bool has_complaint = ret->complaint[0] != '\0';
	plan_add_mounts(&volumes, &ret->executor, &event->pod, &event->container, &ret->plan, ret->complaint);
	ret->is_mount_complaint = !has_complaint && ret->complaint[0];
}

static void decide(void *owner, const struct nri_event *event, struct nri_decision *ret)
{
	struct nri_role *role = owner;

	*ret->complaint = '\0';
	ret->is_mount_complaint = false;
	ret->plan = (struct plan){0};
	recognise(role->redactor, &event->pod, &event->container, &ret->executor);
	ret->executor.source = EXECUTOR_FROM_NRI;
	if (ret->executor.role != EXECUTOR_ROLE_NONE && event->kind == NRI_CREATE_CONTAINER)
		decide_creation(role, event, ret);
	if (ret->plan.would_set[0])
		log_info(role->log, "dry run: not set", "namespace", ret->executor.name_space, "pod", ret->executor.pod, "container", ret->executor.container,
			 "would_set", ret->plan.would_set);
}

static void counters_due(uv_timer_t *timer)
{
	struct nri_role *role = timer->data;

	outbox_send(&role->outbox, WIRE_NRI_STATE, 0, &role->session.told, sizeof(role->session.told));
}

static void emit(void *owner, enum wire_type type, const void *payload, size_t length)
{
	struct nri_role *role = owner;

	role->session.told.unified = role->cgroup_v2;
	outbox_send(&role->outbox, (uint16_t)type, 0, payload, length);
}

/* --- the connection to the runtime --- */

static void socket_ready(uv_poll_t *poll, int status, int events);

static void connection_closed(uv_handle_t *handle)
{
	free(container_of(handle, struct nri_connection, poll));
}

/* `why` NULL: stokerd wants it so, and needs not be told. */
static void disconnect(struct nri_role *role, const char *why)
{
	struct nri_connection *c = role->connection;

	if (!c)
		return;
	role->connection = NULL;
	uv_timer_stop(&role->deadline);
	uv_poll_stop(&c->poll);
	fd_drop(&c->fd);
	nri_session_close(&role->session, why ? why : "");
	if (why) {
		log_warn(role->log, "connection to the container runtime lost", "error", why);
		outbox_send(&role->outbox, WIRE_NRI_LOST, c->number, NULL, 0);
	}
	uv_close((uv_handle_t *)&c->poll, connection_closed);
}

static void deadline_due(uv_timer_t *timer)
{
	struct nri_role *role = timer->data;
	struct err e = {0};

	if (role->connection && nri_session_expire(&role->session, &e) < 0)
		disconnect(role, e.text);
}

/* After everything that may have changed what is waited for. */
static void settle(struct nri_role *role)
{
	const uint64_t deadline = nri_session_deadline_us(&role->session), now = clock_mono_us();
	struct nri_connection *c = role->connection;

	if (!c)
		return;
	if (role->outbox.overflowed && outbox_empty(&role->outbox)) {
		role->outbox.overflowed = false;
		disconnect(role, "stokerd did not read what the runtime told; it is asked again");
		return;
	}
	uv_poll_start(&c->poll, UV_READABLE | (nri_session_has_output(&role->session) ? UV_WRITABLE : 0), socket_ready);
	if (deadline == 0)
		uv_timer_stop(&role->deadline);
	else
		uv_timer_start(&role->deadline, deadline_due, deadline > now ? (deadline - now) / US_PER_MS + 1 : 0, 0);
}

static int receive(struct nri_role *role, int fd, struct err *e)
{
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = read(fd, role->read_buffer, sizeof(role->read_buffer));
		if (n == 0)
			return err_rule(e, ECONNRESET, "the runtime has closed it");
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : err_set(e, errno, "cannot read from the runtime");
		int r = nri_session_receive(&role->session, role->read_buffer, (size_t)n, e);
		if (r < 0 || (size_t)n < sizeof(role->read_buffer))
			return r;
	}
	return 0;
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
	struct nri_connection *c = container_of(poll, struct nri_connection, poll);
	struct nri_role *role = c->role;
	struct err e = {0};
	int r = 0;

	if (events & UV_WRITABLE)
		r = nri_session_flush(&role->session, &e);
	if (r == 0 && (status < 0 || events & ~UV_WRITABLE))
		r = receive(role, c->fd, &e);
	if (r < 0) {
		disconnect(role, e.text);
		return;
	}
	if (!uv_is_active((uv_handle_t *)&role->counters))
		uv_timer_start(&role->counters, counters_due, COUNTERS_MS, 0);
	if (nri_session_has_output(&role->session) || nri_session_deadline_us(&role->session) != 0 || uv_is_active((uv_handle_t *)&role->deadline) || role->outbox.overflowed)
		settle(role);
}

static int connect_session(struct nri_role *role, int *fd, uint64_t number, struct err *e)
{
	struct nri_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(e, ENOMEM, "cannot use a connection");
	*c = (struct nri_connection){.role = role, .number = number, .fd = *fd};
	if (uv_poll_init(role->loop, &c->poll, c->fd) < 0) {
		free(c);
		return err_rule(e, EIO, "cannot poll the connection");
	}
	fd_take(fd);
	role->connection = c;
	return nri_session_open(&role->session, c->fd, e);
}

static void take_connection(struct nri_role *role, const struct record *record)
{
	scoped(fd_drop) int fd = link_take_fd(&role->link);
	struct err e = {0};

	disconnect(role, NULL);
	if (fd < 0)
		return;
	if (connect_session(role, &fd, record->header.id, &e) == 0) {
		settle(role);
		return;
	}
	if (role->connection)
		disconnect(role, e.text);
	else
		outbox_send(&role->outbox, WIRE_NRI_LOST, record->header.id, NULL, 0);
}

/* --- the link to stokerd --- */

/* Without one nothing could be told safely: the default's until stokerd's comes, and the one before where that cannot be made. */
static int use_redactor(struct nri_role *role, const char *regex, struct err *e)
{
	struct redactor *redactor = redactor_new(regex, e);

	if (!redactor)
		return -e->code;
	redactor_free(role->redactor);
	role->redactor = redactor;
	return 0;
}

static void take_config(struct nri_role *role, const struct wire_nri_config *config)
{
	int lock_fd = link_take_fd(&role->link);
	struct err e = {0};

	if (use_redactor(role, config->redact_regex, &e) < 0)
		log_warn(role->log, "the redaction stays as it was", "error", e.text);

	role->config = config->executors;
	role->cgroup_v2 = config->cgroup_v2;
	if (config->log_level < LOG_LEVEL_MAX_)
		role->log->minimum = (enum log_level)config->log_level;
	if (lock_fd >= 0) { /* the same lock as before, or the first */
		fd_drop(&role->lock_fd);
		role->lock_fd = lock_fd;
	}
}

static bool is_sound_list(const struct config_namespaces *list)
{
	bool sound = list->count <= CONFIG_NAMESPACES_MAX;

	for (uint32_t i = 0; sound && i < list->count; i++)
		sound = str_is_ended(list->pattern[i], sizeof(list->pattern[i]));
	return sound;
}

/* Counts within their arrays, strings that end. */
static bool is_sound(const struct wire_nri_volumes *v)
{
	bool sound = v->inject_count <= CONFIG_INJECT_MAX && v->checkpoint_count <= CONFIG_CHECKPOINTS_MAX && str_is_ended(v->checkpoints_dir, sizeof(v->checkpoints_dir));

	for (uint32_t i = 0; sound && i < v->inject_count; i++)
		sound = str_is_ended(v->injects[i].path, sizeof(v->injects[i].path)) && str_is_ended(v->injects[i].checkpoint, sizeof(v->injects[i].checkpoint)) &&
			is_sound_list(&v->injects[i].namespaces);
	for (uint32_t i = 0; sound && i < v->checkpoint_count; i++)
		sound = str_is_ended(v->checkpoints[i].name, sizeof(v->checkpoints[i].name)) && is_sound_list(&v->checkpoints[i].namespaces);
	return sound;
}

static void link_record(struct link *link, const struct record *record)
{
	struct nri_role *role = link->owner;
	const struct wire_nri_scratch *scratch = record_payload(record, sizeof(*scratch));
	const struct wire_nri_config *config = record_payload(record, sizeof(*config));
	const struct wire_nri_volumes *volumes = record_payload(record, sizeof(*volumes));
	const struct wire_checkpoints_ready *ready = record_payload(record, sizeof(*ready));

	if (record->header.type == WIRE_NRI_CONFIG && config && str_is_ended(config->redact_regex, sizeof(config->redact_regex))) {
		take_config(role, config);
	} else if (record->header.type == WIRE_NRI_CONNECTION) {
		take_connection(role, record);
	} else if (record->header.type == WIRE_NRI_VOLUMES && volumes && is_sound(volumes)) {
		role->volumes = *volumes;
	} else if (record->header.type == WIRE_NRI_CHECKPOINTS && ready) {
		role->checkpoints = *ready;
	} else if (record->header.type == WIRE_NRI_SCRATCH && scratch && str_is_ended(scratch->pod_uid, sizeof(scratch->pod_uid))) {
		scratch_pods_set(&role->scratch, scratch->pod_uid, scratch->volumes);
	} else {
		link->refused++;
		log_warn(role->log, "record not understood", "type", log_number(record->header.type));
	}
}

static void link_writable(struct link *link)
{
	struct nri_role *role = link->owner;

	outbox_flush(&role->outbox);
	if (outbox_empty(&role->outbox))
		malloc_trim(0); /* a few small blocks at the end of the heap would keep all that was before them */
	settle(role);
}

static void link_lost(struct link *link, const struct err *why)
{
	struct nri_role *role = link->owner;

	log_info(role->log, "stokerd is gone, ending", "detail", why ? why->text : NULL);
	uv_stop(role->loop);
}

int nri_role_start(struct nri_role *role, uv_loop_t *loop, struct log *log, int link_fd, struct err *e)
{
	static const struct link_ops link_ops = {.on_record = link_record, .on_down = link_lost, .on_writable = link_writable};
	static const struct nri_session_ops session_ops = {.now_us = now_us, .decide = decide, .emit = emit};

	role->loop = loop;
	role->log = log;
	role->lock_fd = -1;
	if (use_redactor(role, REDACT_REGEX, e) < 0)
		return -e->code;
	uv_timer_init(loop, &role->deadline);
	uv_timer_init(loop, &role->counters);
	role->deadline.data = role->counters.data = role;
	nri_session_init(&role->session, &session_ops, role);
	if (link_adopt(&role->link, loop, link_fd, &link_ops, role, e) < 0)
		return -e->code;
	outbox_open(&role->outbox, &role->link, NRI_ROLE_OUTBOX_BYTES);
	return 0;
}
