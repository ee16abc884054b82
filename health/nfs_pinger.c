#include "health/nfs_pinger.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "volumes/nfs_wait.h"

static void closed(uv_handle_t *handle)
{
	struct nfs_pinger *p = handle->data;

	p->closing = false;
}

void nfs_pinger_stop(struct nfs_pinger *p)
{
	if (p->fd < 0)
		return;
	uv_timer_stop(&p->deadline);
	uv_poll_stop(&p->poll);
	p->closing = true;
	uv_close((uv_handle_t *)&p->poll, closed);
	fd_drop(&p->fd);
}

static void finish(struct nfs_pinger *p, const char *why)
{
	nfs_pinger_stop(p);
	p->on_answer(p, clock_mono_us() - p->started_us, why);
}

static void overdue(uv_timer_t *timer)
{
	struct nfs_pinger *p = timer->data;

	finish(p, p->sent ? "the server takes the connection and does not answer" : p->eager ? "no connection within 1 s" : "no connection within 5 s");
}

static void ready(uv_poll_t *poll, int status, int events);

static void send_call(struct nfs_pinger *p)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
		finish(p, strerror(error ? error : errno));
		return;
	}
	/* 44 bytes fit the buffer of a new connection. */
	if (send(p->fd, p->call, sizeof(p->call), MSG_NOSIGNAL) != (ssize_t)sizeof(p->call)) {
		finish(p, strerror(errno));
		return;
	}
	p->sent = true;
	uv_timer_start(&p->deadline, overdue, NFS_PINGER_DEADLINE_US / US_PER_MS, 0);
	uv_poll_start(&p->poll, UV_READABLE, ready);
}

static void read_reply(struct nfs_pinger *p)
{
	const char *why = "";
	ssize_t n = recv(p->fd, p->reply + p->length, sizeof(p->reply) - p->length, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(p, n < 0 ? strerror(errno) : "the server closes the connection");
		return;
	}
	p->length += (size_t)n;
	if (nfs_ping_read(p->reply, p->length, p->xid, &why) != NFS_PING_MORE)
		finish(p, why);
	else if (p->length == sizeof(p->reply))
		finish(p, "what listens there does not speak NFS");
}

static void ready(uv_poll_t *poll, int status, int events)
{
	struct nfs_pinger *p = poll->data;

	(void)status; /* an error is the socket's, and is read there */
	(void)events;
	if (p->fd < 0)
		return;
	if (p->sent)
		read_reply(p);
	else
		send_call(p);
}

bool nfs_pinger_ask(struct nfs_pinger *p, const char *address, uint32_t port, uint32_t version, bool eager)
{
	if (p->fd >= 0 || p->closing)
		return false;
	if (getrandom(&p->xid, sizeof(p->xid), GRND_NONBLOCK) < 0)
		p->xid = (uint32_t)clock_mono_us();
	nfs_ping_build(p->xid, version, p->call);
	p->started_us = clock_mono_us();
	p->sent = false;
	p->eager = eager;
	p->length = 0;
	p->fd = nfs_dial(address, port);
	if (p->fd < 0) {
		p->on_answer(p, 0, strerror(errno));
		return true;
	}
	uv_poll_init(p->loop, &p->poll, p->fd);
	p->poll.data = p;
	uv_poll_start(&p->poll, UV_WRITABLE, ready);
	uv_timer_start(&p->deadline, overdue, (eager ? NFS_PINGER_EAGER_US : NFS_PINGER_DEADLINE_US) / US_PER_MS, 0);
	return true;
}

void nfs_pinger_init(struct nfs_pinger *p, uv_loop_t *loop, nfs_pinger_answered *on_answer, void *owner)
{
	p->loop = loop;
	p->on_answer = on_answer;
	p->owner = owner;
	p->fd = -1;
	uv_timer_init(loop, &p->deadline);
	p->deadline.data = p;
}
