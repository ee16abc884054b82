#include "shim/grpc_server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shim/grpc_output.h"
#include "shim/http2.h"

#define READ_BYTES     16384
#define READS_A_TURN   16
#define ACCEPTS_A_TURN 16
#define SPARED_US      1000000 /* a connection that has just come is about to call: it keeps its place */

struct grpc_connection {
	struct http2 http2; /* first: its owner is found by it */
	struct grpc_server *server;
	uint64_t number, last_us; /* when it last said something */
	uint32_t service;
	int fd;
	bool in_turn; /* what is to be sent goes at the turn's end */
	int watched;  /* UV_READABLE or UV_WRITABLE; 0 = not yet */
	struct grpc_output output;
	uint64_t stuck_us; /* since when the client does not read; 0 = it does */
	uint64_t refused;  /* of http2.refused_total, what the server has counted */
	uv_poll_t poll;
};

static void connection_ready(uv_poll_t *poll, int status, int events);
static void accept_more(struct grpc_server *server);

static void connection_freed(uv_handle_t *handle)
{
	free(handle->data);
}

static void count_refused(struct grpc_connection *c)
{
	c->server->refused_total += c->http2.refused_total - c->refused;
	c->refused = c->http2.refused_total;
}

/* `error` NULL: the client has ended it, or need not know. */
static void disconnect(struct grpc_connection *c, const char *error)
{
	struct grpc_server *server = c->server;

	if (error) {
		log_warn(server->log, "gRPC connection closed", "error", error);
		server->refused_total++;
	}
	count_refused(c);
	for (size_t i = 0; i < GRPC_SERVER_CONNECTIONS_MAX; i++)
		if (server->connections[i] == c)
			server->connections[i] = NULL;
	uv_poll_stop(&c->poll);
	http2_close(&c->http2);
	fd_drop(&c->fd);
	uv_close((uv_handle_t *)&c->poll, connection_freed);
}

/* That a client has gone is nothing to tell. */
static const char *why(const struct err *e)
{
	return e->code == EPIPE || e->code == ECONNRESET ? NULL : e->text;
}

/* Sends what there is. 1 = the client does not read, 0 = all is sent. */
static int flush(struct grpc_connection *c, struct err *e)
{
	bool sent;
	const int r = grpc_output_flush(&c->output, &c->http2, c->fd, &sent, e);

	if (sent)
		c->stuck_us = 0;
	return r;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* When this one can make room for another; 0 = not while it has a call. */
static uint64_t spared_until_us(const struct grpc_connection *c)
{
	return http2_is_idle(&c->http2) ? c->last_us + SPARED_US : 0;
}

static bool has_free_place(const struct grpc_server *server)
{
	for (size_t i = 0; i < GRPC_SERVER_CONNECTIONS_MAX; i++)
		if (!server->connections[i])
			return true;
	return false;
}

static uint64_t deadline_of(const struct grpc_connection *c)
{
	return earlier(http2_deadline_us(&c->http2), c->stuck_us ? c->stuck_us + HTTP2_TAKE_US : 0);
}

static void deadline_due(uv_timer_t *timer);

static void set_timer(struct grpc_server *server)
{
	const uint64_t now_us = clock_mono_us();
	const bool full = !has_free_place(server);
	uint64_t first = 0;

	for (size_t i = 0; i < GRPC_SERVER_CONNECTIONS_MAX; i++) {
		const struct grpc_connection *c = server->connections[i];
		if (c)
			first = earlier(first, deadline_of(c));
		/* Who waits in the kernel's queue gets in when a place can be had; looked at once, not for ever. */
		if (c && full && spared_until_us(c) > now_us)
			first = earlier(first, spared_until_us(c));
	}
	if (first == 0)
		uv_timer_stop(&server->deadline);
	else
		uv_timer_start(&server->deadline, deadline_due, first > now_us ? (first - now_us) / US_PER_MS + 1 : 0, 0);
}

/* Only when it changes: libuv takes the descriptor out of epoll and puts it in again. */
static void watch(struct grpc_connection *c, int events)
{
	if (c->watched != events)
		uv_poll_start(&c->poll, events, connection_ready);
	c->watched = events;
}

/* Ends a turn: sends, and waits for what is next. False: the connection is no more. While the client does not read, nothing more is
 * read from it: so what waits for it cannot grow. */
static bool settle(struct grpc_connection *c)
{
	struct err e = {0};
	const int r = flush(c, &e);

	count_refused(c);
	if (r < 0 || (r == 0 && http2_is_over(&c->http2))) {
		disconnect(c, r < 0 ? why(&e) : NULL);
		return false;
	}
	if (r == 1 && c->stuck_us == 0)
		c->stuck_us = clock_mono_us();
	watch(c, r == 1 ? UV_WRITABLE : UV_READABLE);
	return true;
}

/* 0 = read what was there, 1 = the client has gone. */
static int receive(struct grpc_connection *c, struct err *e)
{
	unsigned char buffer[READ_BYTES];

	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = read(c->fd, buffer, sizeof(buffer));
		if (n == 0)
			return 1;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : err_set(e, errno, "cannot read");
		c->last_us = clock_mono_us();
		if (http2_receive(&c->http2, buffer, (size_t)n, c->last_us, e) < 0)
			return -e->code;
		int r = flush(c, e);
		if (r != 0 || (size_t)n < sizeof(buffer))
			return r < 0 ? r : 0;
	}
	return 0;
}

static void connection_ready(uv_poll_t *poll, int status, int events)
{
	struct grpc_connection *c = poll->data;
	struct grpc_server *server = c->server;
	struct err e = {0};
	int r = 0;

	c->in_turn = true;
	if (status < 0 || events & ~UV_WRITABLE)
		r = receive(c, &e);
	c->in_turn = false;
	if (r < 0) {
		struct err ignored;
		flush(c, &ignored); /* the GOAWAY says why */
	}
	if (r != 0)
		disconnect(c, r < 0 ? why(&e) : NULL);
	else
		settle(c);
	accept_more(server);
	set_timer(server);
}

static void deadline_due(uv_timer_t *timer)
{
	struct grpc_server *server = timer->data;
	const uint64_t now_us = clock_mono_us();

	for (size_t i = 0; i < GRPC_SERVER_CONNECTIONS_MAX; i++) {
		struct grpc_connection *c = server->connections[i];
		struct err e = {0};
		if (!c)
			continue;
		if (c->stuck_us && now_us >= c->stuck_us + HTTP2_TAKE_US)
			disconnect(c, "the client does not read");
		else if (http2_expire(&c->http2, now_us, &e) < 0)
			disconnect(c, e.text);
		else
			settle(c);
	}
	accept_more(server);
	set_timer(server);
}

/* --- accepting --- */

/* A free place, or that of the connection that has had no call for longest; NULL: all are in use. */
static struct grpc_connection **find_place(struct grpc_server *server)
{
	const uint64_t now_us = clock_mono_us();
	struct grpc_connection **oldest = NULL;

	for (size_t i = 0; i < GRPC_SERVER_CONNECTIONS_MAX; i++) {
		struct grpc_connection **c = &server->connections[i];
		if (!*c)
			return c;
		if (spared_until_us(*c) != 0 && spared_until_us(*c) <= now_us && (!oldest || (*c)->last_us < (*oldest)->last_us))
			oldest = c;
	}
	return oldest;
}

static void make_room(struct grpc_connection **place)
{
	struct err ignored;

	if (!*place)
		return;
	http2_say_goodbye(&(*place)->http2);
	flush(*place, &ignored);
	disconnect(*place, NULL);
}

static void on_http2_call(struct http2 *http2, const struct http2_call *call)
{
	struct grpc_connection *c = http2->owner;
	const struct grpc_call named = {.connection = c->number, .stream = call->stream, .service = c->service};

	c->server->ops->on_call(c->server->owner, &named, call->path, call->message);
}

static int connect_one(struct grpc_server *server, struct grpc_connection **place, int *fd, uint32_t service, struct err *e)
{
	static const struct http2_ops ops = {.on_call = on_http2_call};
	struct grpc_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(e, ENOMEM, "cannot take a connection");
	c->server = server;
	c->number = ++server->connections_total;
	c->service = service;
	c->last_us = clock_mono_us();
	int r = http2_open(&c->http2, &ops, c, &server->held_bytes, e);
	if (r == 0 && uv_poll_init(server->loop, &c->poll, *fd) < 0)
		r = err_rule(e, EIO, "cannot poll a connection");
	if (r < 0) {
		http2_close(&c->http2);
		free(c);
		return r;
	}
	c->fd = fd_take(fd);
	c->poll.data = c;
	*place = c;
	settle(c);
	return 0;
}

/* One connection, if one waits and there is room. False: not now. */
static bool accept_one(struct grpc_listener *listener)
{
	struct grpc_server *server = listener->server;
	struct err e = {0};

	struct grpc_connection **place = find_place(server);
	if (!place)
		return false;
	scoped(fd_drop) int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	make_room(place);
	if (connect_one(server, place, &fd, listener->service, &e) < 0)
		log_warn(server->log, "gRPC connection refused", "error", e.text);
	return true;
}

static void listener_ready(uv_poll_t *poll, int status, int events)
{
	struct grpc_listener *listener = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++)
		if (!accept_one(listener))
			break;
	accept_more(listener->server);
	set_timer(listener->server);
}

/* While every place has calls the kernel's queue is not looked at: it would be readable again and again. */
static void accept_more(struct grpc_server *server)
{
	const bool room = find_place(server) != NULL;

	for (size_t i = 0; i < server->listener_count; i++) {
		uv_poll_t *poll = &server->listeners[i].poll;
		if (room && !uv_is_active((uv_handle_t *)poll))
			uv_poll_start(poll, UV_READABLE, listener_ready);
		else if (!room)
			uv_poll_stop(poll);
	}
}

void grpc_server_open(struct grpc_server *server, uv_loop_t *loop, const struct log *log, const struct grpc_server_ops *ops, void *owner)
{
	server->loop = loop;
	server->log = log;
	server->ops = ops;
	server->owner = owner;
	uv_timer_init(loop, &server->deadline);
	server->deadline.data = server;
}

int grpc_server_listen(struct grpc_server *server, int *fd, uint32_t service, struct err *e)
{
	struct grpc_listener *listener = &server->listeners[server->listener_count];

	if (server->listener_count == GRPC_SERVER_LISTENERS_MAX)
		return err_rule(e, ENOSPC, "at most %d sockets are served", GRPC_SERVER_LISTENERS_MAX);
	if (uv_poll_init(server->loop, &listener->poll, *fd) < 0)
		return err_rule(e, EIO, "cannot poll a listening socket");
	listener->server = server;
	listener->fd = fd_take(fd);
	listener->service = service;
	listener->poll.data = listener;
	server->listener_count++;
	accept_more(server);
	return 0;
}

bool grpc_server_answer(struct grpc_server *server, const struct grpc_call *call, enum grpc_code code, const char *text, const void *payload, size_t length)
{
	for (size_t i = 0; i < GRPC_SERVER_CONNECTIONS_MAX; i++) {
		struct grpc_connection *c = server->connections[i];
		if (!c || c->number != call->connection)
			continue;
		c->http2.now_us = clock_mono_us();
		bool taken = http2_answer(&c->http2, call->stream, code, text, payload, length);
		if (!c->in_turn && settle(c))
			set_timer(server);
		return taken;
	}
	return false;
}
