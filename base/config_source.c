#include "base/config_source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config_rules.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"

#define READ_DEADLINE_US (5 * US_PER_S)
#define SETTLE_MS	 50 /* an editor or kubelet makes several changes at a time */
#define RETRY_MS	 60000 /* when the reader hung or could not be started: no event may ever come */
#define PIECE_BYTES	 8192

/* What the child sends: the struct in pieces, or one refusal. */
struct piece {
	char kind;
	char bytes[PIECE_BYTES - 1];
};
enum { PIECE_CONFIG = 'c', PIECE_REFUSAL = 'r' };

static int send_piece(int channel, struct piece *piece, char kind, const void *bytes, size_t length)
{
	ssize_t n;

	piece->kind = kind;
	memcpy(piece->bytes, bytes, length);
	do
		n = send(channel, piece, 1 + length, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? 1 : 0;
}

static int send_config(int channel, struct piece *piece, const struct config *config)
{
	const char *bytes = (const char *)config;
	size_t sent = 0;

	while (sent < sizeof(*config)) {
		size_t step = sizeof(*config) - sent < sizeof(piece->bytes) ? sizeof(*config) - sent : sizeof(piece->bytes);
		if (send_piece(channel, piece, PIECE_CONFIG, bytes + sent, step) != 0)
			return 1;
		sent += step;
	}
	return 0;
}

/* In the child. What is opened and asked of the system comes before the filter closes, the foreign bytes are looked at after it. */
static int read_sealed(const struct config_source *source, char *text, struct config *ret, struct err *e)
{
	char host[NAME_NODE_BYTES] = "";
	ssize_t length = fd_read_path(source->path, text, CONFIG_FILE_MAX_BYTES + 1, e);

	if (length < 0)
		return (int)length;
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	if (sandbox_apply(&source->filter, e) < 0)
		return err_wrap(e, "cannot seal the reader of '%s'", source->path);
	int r = config_parse_on(host, text, (size_t)length, ret, e);
	return r < 0 ? err_wrap(e, "%s", source->path) : 0;
}

static int reader_body(void *argument, int channel)
{
	const struct config_source *source = argument;
	struct piece piece;
	struct err e = {0};
	scoped(scoped_free) struct config *config = malloc(sizeof(*config));
	scoped(scoped_free) char *text = malloc(CONFIG_FILE_MAX_BYTES + 1);

	/* The parent is patient: sending may block, which needs no more system calls than send itself. */
	if (!text || !config || fcntl(channel, F_SETFL, 0) < 0)
		return 1;
	if (read_sealed(source, text, config, &e) < 0)
		return send_piece(channel, &piece, PIECE_REFUSAL, e.text, strlen(e.text));
	return send_config(channel, &piece, config);
}

/* The words come from a process that parsed foreign bytes: bounded, and nothing in them that a terminal would obey. */
static void take_refusal(struct config_source *source, const char *bytes, size_t length)
{
	struct err *e = &source->refusal;

	length = length < sizeof(e->text) ? length : sizeof(e->text) - 1;
	memcpy(e->text, bytes, length);
	e->text[length] = '\0';
	e->code = EINVAL;
	for (char *p = e->text; *p;) {
		size_t n = str_utf8_length(p);
		if (n == 0 || (unsigned char)*p < 0x20 || *p == 0x7f) {
			*p = '?';
			n = 1;
		}
		p += n;
	}
}

static void take_config(struct config_source *source, const char *bytes, size_t length)
{
	if (length > sizeof(source->inbox) - source->received) {
		if (!source->refusal.code)
			err_rule(&source->refusal, EPROTO, "%s: its reader sent too much", source->path);
		return;
	}
	memcpy((char *)&source->inbox + source->received, bytes, length);
	source->received += length;
}

static void drain_channel(struct config_source *source)
{
	struct piece piece;

	for (;;) {
		ssize_t n = recv(source->channel, &piece, sizeof(piece), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		if (piece.kind == PIECE_REFUSAL)
			take_refusal(source, piece.bytes, (size_t)n - 1);
		else
			take_config(source, piece.bytes, (size_t)n - 1);
	}
	if (source->is_polled)
		uv_poll_stop(&source->channel_poll);
}

static void channel_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	drain_channel(poll->data);
}

static int take_result(struct config_source *source, struct err *e)
{
	if (source->refusal.code) {
		*e = source->refusal;
		return -e->code;
	}
	if (source->received != sizeof(source->inbox))
		return err_rule(e, EIO, "%s: its reader ended with status %d", source->path, source->status);
	if (config_rules_check(&source->inbox, e) < 0)
		return err_wrap(e, "%s", source->path);
	/* Sockets, state and mounts of this life lie there. */
	memcpy(source->inbox.runtime_dir, source->current.runtime_dir, sizeof(source->inbox.runtime_dir));
	return config_override_node(&source->inbox, source->node_override, e);
}

static void settled(uv_timer_t *timer);

/* Never put off what is due earlier, or a busy writer would keep us from ever reading. */
static void read_later(struct config_source *source, uint64_t pause_ms)
{
	if (!uv_is_active((uv_handle_t *)&source->settle) || uv_timer_get_due_in(&source->settle) > pause_ms)
		uv_timer_start(&source->settle, settled, pause_ms, 0);
}

static void finish(struct config_source *source)
{
	struct err e = {0};

	fd_drop(&source->channel);
	source->reading = false;
	if (source->child.overdue) { /* said when it became so */
		read_later(source, RETRY_MS);
	} else if (take_result(source, &e) < 0) {
		source->on_error(source, &e);
	} else if (memcmp(&source->inbox, &source->current, sizeof(source->current)) != 0) {
		memcpy(&source->current, &source->inbox, sizeof(source->current));
		source->on_config(source, &source->current);
	}
	if (source->again)
		config_source_reload(source);
}

static void channel_closed(uv_handle_t *handle)
{
	finish(handle->data);
}

static void reader_exited(struct child *child, int status)
{
	struct config_source *source = child->owner;

	source->status = status;
	drain_channel(source);
	if (source->is_polled)
		uv_close((uv_handle_t *)&source->channel_poll, channel_closed);
	else
		finish(source);
}

static void reader_overdue(struct child *child)
{
	struct config_source *source = child->owner;
	struct err e = {0};

	err_rule(&e, ETIMEDOUT, "%s: not read within %llu s", source->path, READ_DEADLINE_US / US_PER_S);
	source->on_error(source, &e);
}

static const struct child_ops reader_ops = {.on_overdue = reader_overdue, .on_exit = reader_exited};

void config_source_reload(struct config_source *source)
{
	struct err e = {0};

	source->again = source->reading;
	if (source->reading)
		return;
	memset(&source->inbox, 0, sizeof(source->inbox));
	source->received = 0;
	source->refusal.code = 0;
	if (child_fork(&source->child, source->loop, &reader_ops, source, READ_DEADLINE_US, reader_body, source, NULL, &source->channel, &e) < 0) {
		err_wrap(&e, "%s", source->path);
		source->on_error(source, &e);
		read_later(source, RETRY_MS);
		return;
	}
	source->reading = true;
	/* The child is there and ends in any case. Without a poll, what fits the socket's buffer is read then. */
	source->is_polled = uv_poll_init(source->loop, &source->channel_poll, source->channel) == 0;
	source->channel_poll.data = source;
	if (source->is_polled)
		uv_poll_start(&source->channel_poll, UV_READABLE, channel_readable);
}

static void settled(uv_timer_t *timer)
{
	struct config_source *source = timer->data;

	if (source->blind.code) {
		source->on_error(source, &source->blind);
		source->blind.code = 0;
		return;
	}
	config_source_reload(source);
}

/* Our file by its name, or kubelet's: a ConfigMap is changed by renaming a new "..data" over the old one. Other files
 * beside it (somebody's /tmp) wake nobody. */
static void directory_changed(uv_fs_event_t *change, const char *name, int events, int status)
{
	struct config_source *source = change->data;
	const char *slash = strrchr(source->path, '/');

	(void)events;
	if (status == 0 && name && !str_starts(name, "..") && strcmp(name, slash ? slash + 1 : source->path) != 0)
		return;
	read_later(source, SETTLE_MS);
}

static void hung_up(uv_signal_t *signal, int number)
{
	(void)number;
	config_source_reload(signal->data);
}

/* Out of inotify instances is a sick node, which is no reason not to start: SIGHUP still works. */
static void watch_directory(struct config_source *source)
{
	char directory[NAME_PATH_BYTES];

	str_copy(directory, sizeof(directory), source->path);
	char *slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0';
	int r = uv_fs_event_start(&source->change, directory_changed, slash ? directory : ".", 0);
	if (r < 0) {
		err_set(&source->blind, -r, "%s: changes go unnoticed until SIGHUP: cannot watch its directory", source->path);
		read_later(source, 0);
	}
}

static int load_first(struct config_source *source, const char *path, struct err *e)
{
	const char *node = getenv("NODE_NAME");

	if (!str_copy(source->path, sizeof(source->path), path))
		return err_set(e, ENAMETOOLONG, "the configuration's path");
	if (config_load(source->path, &source->current, e) < 0 || config_override_node(&source->current, node, e) < 0)
		return -e->code;
	str_copy(source->node_override, sizeof(source->node_override), node ? node : "");
	return 0;
}

int config_source_start(struct config_source *source, uv_loop_t *loop, const char *path, struct err *e)
{
	source->loop = loop;
	source->channel = -1;
	if (load_first(source, path, e) < 0 || sandbox_compile(SANDBOX_CHILD_CONFIG, &source->filter, e) < 0)
		return -e->code;
	source->change.data = source->settle.data = source->hangup.data = source;
	if (uv_timer_init(loop, &source->settle) < 0 || uv_fs_event_init(loop, &source->change) < 0 || uv_signal_init(loop, &source->hangup) < 0 ||
	    uv_signal_start(&source->hangup, hung_up, SIGHUP) < 0)
		return err_rule(e, EIO, "%s: cannot follow its changes", source->path);
	watch_directory(source);
	return 0;
}
