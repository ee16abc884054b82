#include "health/supervisor_nri.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define LOCK_FILE "nri.lock"

static void say(struct supervisor_nri *n, const char *state, const char *detail)
{
	n->ops->on_input(n->owner, state, detail);
}

static bool is_off(const struct supervisor_nri *n)
{
	return n->config.executors.watch == CONFIG_RECOGNITION_OFF;
}

/* --- dialling --- */

static void dial_due(uv_timer_t *timer);

/* Half of the pause is random, so that the agents of a rack do not come back in step after a common cause. */
static void dial_later(struct supervisor_nri *n)
{
	unsigned random = 0;
	uint64_t cap_ms = (uint64_t)SUPERVISOR_NRI_RETRY_MIN_MS << (n->failures < 6 ? n->failures : 6);

	cap_ms = cap_ms < SUPERVISOR_NRI_RETRY_MAX_MS ? cap_ms : SUPERVISOR_NRI_RETRY_MAX_MS;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = n->failures * 7919;
	uint64_t pause_ms = cap_ms / 2 + random % (cap_ms / 2 + 1);
	n->failures++;
	uv_timer_start(&n->dial, dial_due, pause_ms < SUPERVISOR_NRI_RETRY_MIN_MS ? SUPERVISOR_NRI_RETRY_MIN_MS : pause_ms, 0);
}

/* Opened by nobody but us: the lock is the open file, which stoker-nri shares. */
static int take_lock(struct supervisor_nri *n, struct err *e)
{
	if (n->lock_fd >= 0)
		return 0;
	n->lock_fd = fd_lock_file(n->lock_path, e);
	if (n->lock_fd == -EWOULDBLOCK)
		err_rule(e, EWOULDBLOCK, "another stokerd of this node has the NRI connection ('%s' is locked); two would break pods", n->lock_path);
	return n->lock_fd < 0 ? -e->code : 0;
}

static int connect_runtime(const char *path, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!str_copy(address.sun_path, sizeof(address.sun_path), path))
		return err_rule(e, ENAMETOOLONG, "'%s' is too long for a socket", path);
	scoped(fd_drop) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, errno, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd_take(&fd);
	switch (errno) {
	case ENOENT: return err_rule(e, ENOENT, "no socket '%s': containerd >= 2.0 and CRI-O >= 1.30 have NRI on, older ones need it switched on (docs/executors.md)", path);
	case ECONNREFUSED: return err_rule(e, ECONNREFUSED, "nobody listens at '%s': the container runtime is away", path);
	case EAGAIN: return err_rule(e, EAGAIN, "the container runtime does not accept at '%s'", path); /* its queue is full */
	default: return err_set(e, errno, "cannot connect to '%s'", path);
	}
}

static bool send_config(struct supervisor_nri *n)
{
	return role_child_send(&n->role, WIRE_NRI_CONFIG, 0, &n->config, sizeof(n->config), n->lock_fd) &&
	       role_child_send(&n->role, WIRE_NRI_VOLUMES, 0, &n->volumes, sizeof(n->volumes), -1);
}

static int try_dial(struct supervisor_nri *n, struct err *e)
{
	if (take_lock(n, e) < 0)
		return -e->code;
	scoped(fd_drop) int fd = connect_runtime(n->config.executors.nri_socket, e);
	if (fd < 0)
		return fd;
	/* The lock before the connection, so that it is never without. */
	if (!send_config(n) || !role_child_send(&n->role, WIRE_NRI_CONNECTION, ++n->handed_over_total, NULL, 0, fd))
		return err_rule(e, EAGAIN, "stoker-nri does not read");
	return 0;
}

static void dial(struct supervisor_nri *n)
{
	struct err e = {0};

	if (is_off(n) || n->connected || !role_child_is_up(&n->role))
		return;
	if (try_dial(n, &e) < 0) {
		say(n, "missing", e.text);
		dial_later(n);
		return;
	}
	n->connected = true;
}

static void dial_due(uv_timer_t *timer)
{
	dial(timer->data);
}

/* --- what stoker-nri tells --- */

static void add_counters(struct wire_nri_state *sum, const struct wire_nri_state *more)
{
	sum->requests_total += more->requests_total;
	sum->late_total += more->late_total;
	sum->refused_total += more->refused_total;
	sum->adjusted_total += more->adjusted_total;
}

static void tell_state(struct supervisor_nri *n)
{
	struct wire_nri_state told = n->state;

	add_counters(&told, &n->earlier);
	told.reconnects_total = n->handed_over_total > 0 ? n->handed_over_total - 1 : 0;
	n->ops->on_state(n->owner, &told);
}

static void lost(struct supervisor_nri *n)
{
	char words[sizeof(n->state.why) + 64] = "";

	n->connected = false;
	n->state.state = WIRE_NRI_DISCONNECTED;
	str_append(words, sizeof(words), "connection to the container runtime lost%s%s", *n->state.why ? ": " : "", n->state.why);
	say(n, "missing", words);
	tell_state(n);
	dial_later(n);
}

static void take_state(struct supervisor_nri *n, const struct wire_nri_state *state)
{
	char words[256] = "";

	n->state = *state;
	if (state->state == WIRE_NRI_LIVE) {
		n->failures = 0;
		str_append(words, sizeof(words), "%s %s, NRI %s", state->runtime, state->runtime_version, *state->nri_version ? state->nri_version : "of unknown version");
		if (*state->why)
			str_append(words, sizeof(words), "; %s", state->why);
		say(n, *state->why ? "degraded" : "ok", words);
	} else if (n->connected) {
		str_append(words, sizeof(words), "%s with the container runtime", state->state == WIRE_NRI_SYNCHRONISING ? "synchronising" : "registering");
		say(n, "degraded", words);
	}
	tell_state(n);
}

#define ENDS(field) str_is_ended(field, sizeof(field))

static bool take_complaint(struct supervisor_nri *n, const struct wire_complaint *p)
{
	if (!p || !ENDS(p->who.container_id) || !ENDS(p->who.pod_uid) || !ENDS(p->name_space) || !ENDS(p->pod) || !ENDS(p->text))
		return false;
	n->ops->on_complaint(n->owner, p);
	return true;
}

/* For whoever looks at log.level debug. The record was checked by then. */
static void tell_log(const struct supervisor_nri *n, const struct record *record)
{
	static const char *const words[] = {
		[WIRE_EXECUTOR - WIRE_EXECUTOR] = "executor", [WIRE_CONTAINER_STARTED - WIRE_EXECUTOR] = "started", [WIRE_CONTAINER_STOPPED - WIRE_EXECUTOR] = "stopped",
		[WIRE_CONTAINER_REMOVED - WIRE_EXECUTOR] = "removed", [WIRE_POD_STOPPING - WIRE_EXECUTOR] = "pod stopping", [WIRE_SYNCHRONIZED - WIRE_EXECUTOR] = "synchronized",
	};
	const struct executor *executor = record_payload(record, sizeof(*executor));
	const struct wire_container *container = record_payload(record, sizeof(*container));
	const unsigned what = record->header.type - WIRE_EXECUTOR;

	if (what < ARRAY_SIZE(words))
		log_debug(n->log, "the runtime tells", "what", words[what], "container", executor ? executor->container_id : container ? container->container_id : NULL, "pod",
			  executor ? executor->pod : NULL, "pod_uid", container ? container->pod_uid : NULL, "exit",
			  container && container->has_exit ? log_number(container->exit_code) : NULL);
}

static bool take_record(struct supervisor_nri *n, const struct record *record)
{
	const struct wire_nri_state *state = record_payload(record, sizeof(*state));

	switch (record->header.type) {
	case WIRE_NRI_STATE:
		if (!state || !ENDS(state->runtime) || !ENDS(state->runtime_version) || !ENDS(state->nri_version) || !ENDS(state->why))
			return false;
		take_state(n, state);
		return true;
	case WIRE_NRI_LOST:
		if (n->connected && record->header.id == n->handed_over_total) /* not of one before */
			lost(n);
		return true;
	case WIRE_COMPLAINT: return take_complaint(n, record_payload(record, sizeof(struct wire_complaint)));
	default:
		if (!n->ops->on_record(n->owner, record))
			return false;
		tell_log(n, record);
		return true;
	}
}
#undef ENDS

static void role_record(struct role_child *role, const struct record *record)
{
	struct supervisor_nri *n = role->owner;

	if (take_record(n, record))
		return;
	role->link.refused++;
	log_warn(n->log, "record not understood", "from", "stoker-nri", "type", log_number(record->header.type));
}

/* --- stoker-nri itself --- */

static void role_up(struct role_child *role)
{
	struct supervisor_nri *n = role->owner;

	n->connected = false;
	if (is_off(n) || !send_config(n))
		return;
	if (n->ended_early)
		dial_later(n);
	else
		uv_timer_start(&n->dial, dial_due, 0, 0);
}

static void role_down(struct role_child *role, const char *why)
{
	struct supervisor_nri *n = role->owner;
	char words[160] = "";

	n->ended_early = n->connected && n->state.state != WIRE_NRI_LIVE;
	n->connected = false;
	add_counters(&n->earlier, &n->state);
	n->state = (struct wire_nri_state){0};
	n->state.state = is_off(n) ? WIRE_NRI_OFF : WIRE_NRI_DISCONNECTED;
	uv_timer_stop(&n->dial);
	str_append(words, sizeof(words), "stoker-nri: %s", why);
	if (!is_off(n))
		say(n, "missing", words);
	tell_state(n);
}

static void use_volumes(struct supervisor_nri *n, const struct config *config)
{
	const struct config_volumes *v = &config->volumes;
	struct wire_nri_volumes *w = &n->volumes;

	*w = (struct wire_nri_volumes){.config_hash = config->hash,
				       .scratch_max_bytes = v->scratch_max_bytes,
				       .scratch_no_limit_bytes = v->scratch_no_limit_bytes,
				       .scratch_reserve_bytes = v->scratch_reserve_bytes,
				       .scratch_inodes = v->scratch_inodes,
				       .annotations = v->annotations,
				       .inject_count = v->inject_count,
				       .checkpoint_count = v->checkpoint_count};
	memcpy(w->injects, v->injects, sizeof(w->injects));
	for (uint32_t i = 0; i < v->checkpoint_count; i++) {
		str_copy(w->checkpoints[i].name, sizeof(w->checkpoints[i].name), v->checkpoints[i].name);
		w->checkpoints[i].read_only = v->checkpoints[i].read_only;
		w->checkpoints[i].namespaces = v->checkpoints[i].namespaces;
	}
	/* A runtime directory so deep has no checkpoints: then none is ready. */
	snprintf(w->checkpoints_dir, sizeof(w->checkpoints_dir), "%s/checkpoints", config->runtime_dir);
}

static void use(struct supervisor_nri *n, const struct config *config)
{
	use_volumes(n, config);
	n->config.executors = config->executors;
	n->config.log_level = (uint32_t)config->log_level;
	str_copy(n->config.redact_regex, sizeof(n->config.redact_regex), config->redact.regex);
	snprintf(n->lock_path, sizeof(n->lock_path), "%s/%s", config->runtime_dir, LOCK_FILE);
	if (is_off(n))
		say(n, "off", "executors.watch is off");
}

void supervisor_nri_again(struct supervisor_nri *n)
{
	/* Without a descriptor: the one before is closed. Its loss is no news: it has another number. */
	role_child_send(&n->role, WIRE_NRI_CONNECTION, ++n->handed_over_total, NULL, 0, -1);
	n->connected = false;
	n->failures = 0;
	n->state.state = is_off(n) ? WIRE_NRI_OFF : WIRE_NRI_DISCONNECTED;
	tell_state(n);
	uv_timer_start(&n->dial, dial_due, SUPERVISOR_NRI_RETRY_MIN_MS, 0);
}

void supervisor_nri_configure(struct supervisor_nri *n, const struct config *config)
{
	bool redial = config->executors.watch != n->config.executors.watch || strcmp(config->executors.nri_socket, n->config.executors.nri_socket) != 0;

	use(n, config);
	send_config(n);
	if (redial)
		supervisor_nri_again(n);
}

void supervisor_nri_start(struct supervisor_nri *n, uv_loop_t *loop, const struct log *log, const char *path, const struct config *config,
			  const struct supervisor_nri_ops *ops, void *owner)
{
	static const struct role_child_ops role_ops = {.on_up = role_up, .on_record = role_record, .on_down = role_down};
	struct statfs fs;

	n->loop = loop;
	n->log = log;
	n->ops = ops;
	n->owner = owner;
	n->lock_fd = -1;
	/* Keys of cgroup v2 make runc refuse the container on v1. A node does not change this while it runs. */
	n->config.cgroup_v2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
	uv_timer_init(loop, &n->dial);
	n->dial.data = n;
	use(n, config);
	if (!is_off(n))
		say(n, "missing", "not connected yet");
	role_child_start(&n->role, loop, log, "stoker-nri", path, &role_ops, n);
}
