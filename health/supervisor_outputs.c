/* supervisor_outputs.c - what stokerd tells: the reporter, the state file; and the sockets that others listen at. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "health/supervisor.h"

/* --- state file: what must outlive a restart of stokerd --- */

/* While a disk is unmounted for repair, only our memory knows that it was bad and that the path must be a mount. */
static void keep_state(struct supervisor *s)
{
	scoped(scoped_free) char *text = NULL;
	char path[256];
	struct err e = {0};

	if (!s->restored) /* what an earlier life left is not read yet */
		return;
	snprintf(path, sizeof(path), "%s/%s", s->monitor.config.runtime_dir, STOKER_STATE_FILE);
	if (health_to_json(&s->health, &text, &e) < 0 || fd_replace_file(path, text, strlen(text), 0600, &e) < 0)
		log_error(s->log, "cannot keep the state over a restart", "error", e.text);
}

static uint64_t boot_wall_us(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_BOOTTIME, &t);
	return clock_wall_us() - ((uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / 1000);
}

static void read_boot_id(struct supervisor *s)
{
	char *id = s->monitor.agent.boot_id;

	if (fd_read_path("/proc/sys/kernel/random/boot_id", id, HEALTH_BOOT_ID_BYTES, NULL) < 0)
		*id = '\0';
	id[strcspn(id, "\n")] = '\0';
}

/* By the times only where an older version has kept it: the wall clock may have been stepped since. */
static bool is_of_this_boot(const struct supervisor *s, const struct health *before)
{
	const char *now = s->monitor.agent.boot_id, *then = before->agent.boot_id;

	return *now && *then ? strcmp(now, then) == 0 : before->time_wall_us >= boot_wall_us();
}

void supervisor_restore(struct supervisor *s)
{
	char path[256];
	struct err e = {0};
	scoped(scoped_free) char *text = malloc(HEALTH_JSON_MAX_BYTES);
	scoped(scoped_free) struct health *before = calloc(1, sizeof(*before));

	snprintf(path, sizeof(path), "%s/%s", s->monitor.config.runtime_dir, STOKER_STATE_FILE);
	s->restored = true;
	read_boot_id(s);
	if (!text || !before)
		return;
	ssize_t length = fd_read_path(path, text, HEALTH_JSON_MAX_BYTES, &e);
	if (length == -ENOENT)
		return;
	if (length < 0 || health_from_json(text, (size_t)length, before, &e) < 0) {
		log_warn(s->log, "state of an earlier life not used", "error", e.text);
		return;
	}
	if (!is_of_this_boot(s, before)) {
		log_info(s->log, "state of an earlier boot not used");
		return;
	}
	event_watch(&s->event_watcher, before, NULL, NULL); /* an earlier life has said it */
	monitor_restore(&s->monitor, before, clock_mono_us(), clock_wall_us());
	log_info(s->log, "state of an earlier life taken over", "filesystems", log_number(before->filesystem_count));
}

/* --- reporter --- */

/* The first report waits until the reporter has read the node object (or there is no cluster): what stands there must be
 * known before it is changed. Not until all is well with it: a right that is missing for the condition must not cost the taint. */
static bool may_report(const struct report_state *reporter)
{
	return reporter->node_known || reporter->off;
}

static void send_report(struct supervisor *s)
{
	struct monitor *m = &s->monitor;

	if (m->report.sequence && s->reporter_used && may_report(&m->reporter))
		m->told = link_send(&s->reporter, WIRE_REPORT, 0, &m->report, sizeof(m->report)) || m->told;
}

void supervisor_publish(struct supervisor *s)
{
	const struct report *r = &s->monitor.report;

	monitor_blame(&s->monitor, &s->accounts);
	if (monitor_publish(&s->monitor, clock_wall_us(), &s->health)) {
		send_report(s);
		log_info(s->log, "node report", "sequence", log_number(r->sequence), "condition", r->condition.type, "status",
			 condition_status_name(r->condition.status), "reason", r->condition.reason, "taint",
			 r->taint.wanted ? r->taint.key : "none", "effect", r->taint.wanted ? r->taint.effect : NULL);
		monitor_snapshot(&s->monitor, clock_wall_us(), &s->health);
	}
	supervisor_watch_events(s);
	keep_state(s);
}

static void reporter_record(struct link *link, const struct record *record)
{
	struct supervisor *s = link->owner;
	const struct report_state *state = record_payload(record, sizeof(*state));

	if (supervisor_pod_told(s, record))
		return;
	if (record->header.type != WIRE_REPORT_STATE || !state || !str_is_ended(state->detail, sizeof(state->detail)) ||
	    !str_is_ended(state->taint_why, sizeof(state->taint_why)) || state->taint_holder >= HOLDER_MAX_ || !str_is_ended(state->condition.reason, sizeof(state->condition.reason))) {
		link->refused++;
		log_warn(s->log, "record not understood", "from", "reporter", "type", log_number(record->header.type));
		return;
	}
	const bool before = may_report(&s->monitor.reporter);
	monitor_reporter(&s->monitor, state);
	if (!before)
		send_report(s);
	supervisor_send_events(s);
}

static void reporter_down(struct link *link, const struct err *why)
{
	struct supervisor *s = link->owner;
	struct report_state gone = {0};

	str_append(gone.detail, sizeof(gone.detail), "stoker-reporter is not connected%s%s", why ? ": " : "", why ? why->text : "");
	monitor_reporter(&s->monitor, &gone);
	monitor_input(&s->monitor, "reporter", "missing", gone.detail);
}

static void reporter_closed(struct link *link)
{
	struct supervisor *s = link->owner;

	s->reporter_used = false;
}

static void reporter_connects(uv_poll_t *poll, int status, int events)
{
	static const struct link_ops ops = {.on_record = reporter_record, .on_down = reporter_down, .on_closed = reporter_closed};
	struct supervisor *s = poll->data;
	struct ucred who = {0};
	struct err e = {0};

	(void)status;
	(void)events;
	scoped(fd_drop) int fd = record_accept(s->reporter_listen_fd, &who, &e);
	if (fd < 0)
		return;
	if (s->reporter_used) {
		log_warn(s->log, "a second reporter refused", "pid", log_number(who.pid), "uid", log_number(who.uid));
		return;
	}
	if (link_adopt(&s->reporter, s->loop, fd_take(&fd), &ops, s, &e) < 0) {
		log_error(s->log, "cannot serve the reporter", "error", e.text);
		return;
	}
	s->reporter_used = true;
	log_info(s->log, "reporter", "pid", log_number(who.pid), "uid", log_number(who.uid));
}

/* --- sockets --- */

static int listen_unix(const char *path, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	str_copy(address.sun_path, sizeof(address.sun_path), path);
	scoped(fd_drop) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, errno, "cannot make a socket");
	unlink(path); /* of an earlier life */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0660) < 0 || listen(fd, 64) < 0)
		return err_set(e, errno, "cannot listen at '%s'", path);
	return fd_take(&fd);
}

/* "127.0.0.1:9469", "[::1]:9469"; -1 without an error for "off". The config has checked the form. */
static int listen_tcp(const char *where, struct err *e)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	char host[64];
	const int one = 1;

	if (strcmp(where, "off") == 0)
		return -1;
	str_copy(host, sizeof(host), where);
	char *colon = strrchr(host, ':');
	if (!colon)
		return err_rule(e, EINVAL, "web.listen: no port in '%s'", where);
	*colon = '\0';
	uint16_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	bool is_v6 = host[0] == '[' && colon[-1] == ']';
	if (is_v6)
		colon[-1] = '\0';
	v4.sin_port = v6.sin6_port = port;
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, host + is_v6, is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
		return err_rule(e, EINVAL, "web.listen: '%s' is no address", where);

	scoped(fd_drop) int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, is_v6 ? sizeof(v6) : sizeof(v4)) < 0 || listen(fd, 64) < 0)
		return err_set(e, errno, "cannot listen at %s (web.listen)", where);
	return fd_take(&fd);
}

int supervisor_open_outputs(struct supervisor *s, struct err *e)
{
	const struct config *config = &s->monitor.config;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", config->runtime_dir, STOKER_REPORTER_DIR);
	if (fd_make_directory(config->runtime_dir, 0755, e) < 0 || fd_make_directory(path, 0750, e) < 0 ||
	    fd_hand_to_group(path, 0750, config->report.group, e) < 0)
		return -e->code;
	snprintf(path, sizeof(path), "%s/%s", config->runtime_dir, STOKER_REPORTER_SOCKET);
	s->reporter_listen_fd = record_listen(path, 0660, e);
	if (s->reporter_listen_fd < 0 || fd_hand_to_group(path, 0660, config->report.group, e) < 0)
		return -e->code;
	uv_poll_init(s->loop, &s->reporter_listen_poll, s->reporter_listen_fd);
	s->reporter_listen_poll.data = s;
	uv_poll_start(&s->reporter_listen_poll, UV_READABLE, reporter_connects);

	snprintf(path, sizeof(path), "%s/%s", config->runtime_dir, STOKER_HTTP_SOCKET);
	s->http_fds[0] = listen_unix(path, e);
	if (s->http_fds[0] < 0)
		return -e->code;
	s->http_fds[1] = listen_tcp(config->web.listen, e);
	if (s->http_fds[1] < -1) {
		/* A taken port costs the scraper, not the node. */
		log_error(s->log, "the TCP port is left out", "error", e->text);
		monitor_input(&s->monitor, "port", "missing", e->text);
		s->http_fds[1] = -1;
	}
	supervisor_start_web(s);
	return 0;
}
