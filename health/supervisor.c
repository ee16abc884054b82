#include "health/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "build_config.h"

#define MOUNTS_FIRST_MS	  20
#define AGAIN_MS	  200
#define AGAIN_MAX	  3
#define MOUNTS_PAUSE_MS	  1000 /* a node that starts pods changes its mount table many times a second */

/* --- the monitor's wishes --- */

static bool ask_probe(struct monitor *m, uint32_t index, bool must_be_mounted)
{
	struct supervisor *s = m->owner;
	struct wire_probe ask = supervisor_name_probe(s, index);

	ask.must_be_mounted = must_be_mounted;
	return link_send(&s->broker, WIRE_PROBE, ++s->asked, &ask, sizeof(ask));
}

static void changed(struct monitor *m)
{
	supervisor_publish(m->owner);
}

static void mounts_wanted(struct monitor *m);

static uint64_t wall_us(struct monitor *m)
{
	(void)m;
	return clock_wall_us();
}

static const struct monitor_ops monitor_ops = {.probe = ask_probe, .describe = mounts_wanted, .changed = changed, .wall_us = wall_us};

/* --- the mount table --- */

static int read_mounts(struct supervisor *s, struct err *e)
{
	scoped(mount_table_free) struct mount_table table = {0};

	if (lseek(s->mounts_fd, 0, SEEK_SET) < 0)
		return err_set(e, errno, "cannot rewind the mount table");
	if (mount_table_read(s->mounts_fd, &table, e) < 0)
		return err_wrap(e, "mount table");
	monitor_mounts(&s->monitor, &table, clock_mono_us(), clock_wall_us());
	supervisor_discover(s, &table);
	supervisor_hints_mounts(s, &table);
	supervisor_volumes_mounts(s, &table);
	return 0;
}

static void refresh_mounts(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	struct err e = {0};

	if (!s->mounts_again || s->mounts_fd < 0)
		return;
	s->mounts_again = false;
	if (read_mounts(s, &e) < 0) {
		monitor_input(&s->monitor, "mounts", "degraded", e.text);
		supervisor_discovery_impossible(s, "the mount table cannot be read");
	} else
		monitor_input(&s->monitor, "mounts", "ok", "watched for changes");
	if (s->mounts_changed)
		monitor_probe_all(&s->monitor, "the mount table has changed");
	s->mounts_changed = false;
	uv_timer_start(&s->mounts_settle, refresh_mounts, MOUNTS_PAUSE_MS, 0);
}

/* At once if it was not done within the last second. Never from within the monitor: it may be in the middle of a step. */
void supervisor_read_mounts(struct supervisor *s)
{
	s->mounts_again = true;
	if (!uv_is_active((uv_handle_t *)&s->mounts_settle) || (s->monitor.mounts_urgent && s->mounts_fd >= 0))
		uv_timer_start(&s->mounts_settle, refresh_mounts, 0, 0);
}

void supervisor_read_mounts_now(struct supervisor *s)
{
	if (s->mounts_again)
		refresh_mounts(&s->mounts_settle);
}

static void mounts_wanted(struct monitor *m)
{
	supervisor_read_mounts(m->owner);
}

static void mounts_changed(uv_poll_t *poll, int status, int events)
{
	struct supervisor *s = poll->data;

	(void)status;
	(void)events;
	s->mounts_changed = s->monitor.mounts_stale = true;
	supervisor_read_mounts(s);
}

static void use_mounts(struct supervisor *s, int fd)
{
	if (s->mounts_fd >= 0) {
		fd_drop(&fd);
		return;
	}
	s->mounts_fd = fd;
	/* A mount or umount is POLLPRI on this descriptor (proc(5)); it is readable all the time. */
	uv_poll_init(s->loop, &s->mounts_poll, fd);
	s->mounts_poll.data = s;
	uv_poll_start(&s->mounts_poll, UV_PRIORITIZED, mounts_changed);
	/* In a moment, when the first findings have come: they say which mounts are of interest. */
	s->mounts_again = true;
	uv_timer_start(&s->mounts_settle, refresh_mounts, MOUNTS_FIRST_MS, 0);
}

/* --- the broker --- */

static void broker_up(struct link *link)
{
	struct supervisor *s = link->owner;

	monitor_input(&s->monitor, "broker", "ok", "connected");
	if (s->kernel_log.fd < 0)
		link_send(link, WIRE_KMSG, ++s->asked, NULL, 0);
	if (s->mounts_fd < 0)
		link_send(link, WIRE_MOUNTS, ++s->asked, NULL, 0);
	if (s->twin.node_fd < 0)
		link_send(link, WIRE_NODE, ++s->asked, NULL, 0);
	supervisor_hints_reset(s);
	supervisor_discovery_reset(s);
	supervisor_checkpoints_broker(s, true);
	monitor_broker(&s->monitor, true);
}

static void broker_down(struct link *link, const struct err *why)
{
	struct supervisor *s = link->owner;

	monitor_input(&s->monitor, "broker", "missing", why ? why->text : "not connected");
	supervisor_checkpoints_broker(s, false);
	monitor_broker(&s->monitor, false);
	supervisor_volumes_broker_down(s);
}

static void again(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	supervisor_discovery_again(s);
	monitor_probe_all(&s->monitor, "the broker had another configuration");
}

void supervisor_ask_again(struct supervisor *s)
{
	if (s->again_count < AGAIN_MAX && !uv_is_active((uv_handle_t *)&s->again))
		uv_timer_start(&s->again, again, AGAIN_MS << s->again_count++, 0);
}

static void broker_refused(struct supervisor *s, uint64_t id, const struct wire_refused *refused)
{
	char text[sizeof(refused->text) + 1] = "";

	memcpy(text, refused->text, sizeof(refused->text));
	if (supervisor_checkpoints_refused(s, id, refused, text)) {
		/* taken */
	} else if (refused->request == WIRE_NODE) {
		log_info(s->log, "the node cannot be locked: another stokerd with another runtime directory would not be seen", "why", text);
	} else if (refused->request == WIRE_FS_ERRORS || refused->request == WIRE_FS_MARK) {
		supervisor_fs_refused(s, refused, text);
	} else if (refused->request == WIRE_LOOK) {
		supervisor_look_refused(s, refused->watch, text);
	} else if (refused->request == WIRE_LOG_TAIL || refused->request == WIRE_PROCESSES || refused->request == WIRE_STATUS || refused->request == WIRE_SCAN) {
		supervisor_executors_refused(s, id, refused->request, text);
	} else if (supervisor_volumes_refused(s, id, refused, text)) {
		/* told to whoever asked */
	} else if (refused->request == WIRE_SWEEP) {
		supervisor_sweep_refused(s, text);
	} else if (refused->request == WIRE_ACCOUNT) {
		supervisor_accounts_refused(s, refused, text);
	} else if (refused->watch != UINT32_MAX) {
		log_warn(s->log, "probe refused", "watch", log_number(refused->watch), "errno", log_number(refused->errnum), "why", text);
		monitor_unanswered(&s->monitor, refused->watch);
		if (refused->errnum == ESTALE)
			supervisor_ask_again(s);
	} else {
		monitor_input(&s->monitor, refused->request == WIRE_KMSG ? "kmsg" : "mounts", "missing", text);
		if (refused->request == WIRE_MOUNTS)
			supervisor_discovery_impossible(s, "the mount table is not there");
	}
}

static void use_descriptor(struct supervisor *s, uint32_t what, int fd)
{
	if (fd < 0)
		return;
	switch (what) {
	case WIRE_KMSG: supervisor_use_kernel_log(s, fd); break;
	case WIRE_FS_ERRORS: supervisor_use_fs_errors(s, fd); break;
	case WIRE_NODE: supervisor_use_node(s, fd); break;
	default: use_mounts(s, fd);
	}
}

static void broker_record(struct link *link, const struct record *record)
{
	struct supervisor *s = link->owner;
	const struct finding *finding = record_payload(record, sizeof(struct finding));
	const struct wire_descriptor *descriptor = record_payload(record, sizeof(struct wire_descriptor));
	const struct fs_error_mark *marked = record_payload(record, sizeof(struct fs_error_mark));
	const struct wire_ended *ended = record_payload(record, sizeof(struct wire_ended));
	const struct wire_refused *refused = record_payload(record, sizeof(struct wire_refused));

	if (record->header.type == WIRE_FINDING && finding) {
		monitor_finding(&s->monitor, finding, clock_mono_us(), clock_wall_us());
		supervisor_hints_wanted(s);
	} else if (record->header.type == WIRE_LOOKED && finding) {
		supervisor_looked(s, finding);
	} else if (record->header.type == WIRE_FS_MARKED && marked) {
		supervisor_fs_marked(s, marked);
	} else if (record->header.type == WIRE_DESCRIPTOR && descriptor) {
		use_descriptor(s, descriptor->what, link_take_fd(link));
	} else if (record->header.type == WIRE_CHILD_ENDED && ended) {
		monitor_child_ended(&s->monitor, ended->watch);
	} else if (supervisor_executors_answer(s, record) || supervisor_roster_answer(s, record) || supervisor_sweep_answer(s, record) ||
		   supervisor_checkpoints_answer(s, record) || supervisor_volumes_answer(s, record) || supervisor_accounts_answer(s, record)) {
		/* taken */
	} else if (record->header.type == WIRE_REFUSED && refused) {
		broker_refused(s, record->header.id, refused);
	} else {
		link->refused++;
		log_warn(s->log, "record not understood", "from", "broker", "type", log_number(record->header.type));
	}
}

/* --- the container runtime --- */

static void nri_input(void *owner, const char *state, const char *detail)
{
	struct supervisor *s = owner;

	monitor_input(&s->monitor, "nri", state, detail);
}

static void nri_state(void *owner, const struct wire_nri_state *state)
{
	struct supervisor *s = owner;

	supervisor_executors_nri(s, state);
	if (state->state != WIRE_NRI_LIVE) {
		supervisor_checkpoints_tell_nri(s, true);
		supervisor_volumes_tell_nri(s);
	}
	log_debug(s->log, "nri", "state", log_number(state->state), "requests", log_number((int64_t)state->requests_total));
}

static bool nri_record(void *owner, const struct record *record)
{
	return supervisor_executors_record(owner, record);
}

/* --- start --- */

static void tick(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	supervisor_discovery_tick(s);
	supervisor_csi_tick(s);
	supervisor_scratch_tick(s);
	monitor_tick(&s->monitor, clock_mono_us(), clock_wall_us());
	supervisor_accounts_tick(s);
	supervisor_look_for_twin(s);
}

void supervisor_configure(struct supervisor *s, const struct config *config)
{
	uint64_t period_ms = config->probe.period_us / US_PER_MS;

	s->again_count = 0;
	supervisor_hints_reset(s);
	monitor_configure(&s->monitor, config, clock_mono_us());
	s->deaths.keep_records = config->deaths.keep_records;
	s->deaths.keep_bytes = config->deaths.keep_bytes;
	supervisor_discovery_reset(s);
	supervisor_nri_configure(&s->nri, config);
	supervisor_sweep_configure(s);
	supervisor_checkpoints_configure(s);
	supervisor_csi_configure(s);
	supervisor_volumes_tell_nri(s);
	uv_timer_start(&s->tick, tick, period_ms, period_ms);
}

int supervisor_start(struct supervisor *s, uv_loop_t *loop, const struct log *log, const struct config *config,
		     const struct supervisor_paths *paths, struct err *e)
{
	static const struct supervisor_nri_ops nri_ops = {
		.on_input = nri_input, .on_state = nri_state, .on_record = nri_record, .on_complaint = supervisor_complaint};
	static const struct link_ops broker_ops = {.on_up = broker_up, .on_record = broker_record, .on_down = broker_down};
	char path[sizeof(config->runtime_dir) + 32];
	uv_timer_t *const timers[] = {&s->tick, &s->follow_up, &s->gap, &s->mounts_settle, &s->again, &s->web_more, &s->hints};

	s->loop = loop;
	s->log = log;
	s->broker.fd = s->twin.directory_fd = s->twin.node_fd = s->mounts_fd = s->kernel_log.fd = s->fs_errors.fd = s->http_fds[0] = s->http_fds[1] = -1;
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		uv_timer_init(loop, timers[i]);
		timers[i]->data = s;
	}
	s->paths = *paths;
	monitor_init(&s->monitor, &monitor_ops, log, s);
	s->monitor.agent.started_wall_us = clock_wall_us();
	str_copy(s->monitor.agent.version, sizeof(s->monitor.agent.version), STOKER_VERSION);
	monitor_input(&s->monitor, "broker", "missing", "not connected yet");
	monitor_input(&s->monitor, "kmsg", "missing", "not handed out yet");
	monitor_input(&s->monitor, "mounts", "missing", "not handed out yet");
	monitor_input(&s->monitor, "fs-error", "missing", "not handed out yet");
	monitor_input(&s->monitor, "reporter", "missing", "stoker-reporter is not connected");
	s->monitor.config = *config;
	s->monitor.mounts_expected = true;
	if (supervisor_open_outputs(s, e) < 0)
		return -e->code;
	supervisor_look_for_twin(s);
	supervisor_executors_start(s);
	supervisor_sweep_start(s);
	supervisor_checkpoints_start(s);
	supervisor_nri_start(&s->nri, loop, log, paths->nri, config, &nri_ops, s);
	supervisor_csi_start(s);
	supervisor_configure(s, config);
	supervisor_restore(s);
	snprintf(path, sizeof(path), "%s/%s", config->runtime_dir, STOKER_BROKER_SOCKET);
	link_start(&s->broker, loop, path, &broker_ops, s);
	return 0;
}
