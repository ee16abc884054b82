#include "base/link.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/str.h"

#define LINK_RETRY_MIN_MS  20
#define LINK_RETRY_MAX_MS  1000
#define LINK_RECORDS_A_TURN 64 /* a peer that floods does not keep the loop from its other work */

static void link_try(struct link *link);

static void retry_due(uv_timer_t *timer)
{
	link_try(timer->data);
}

/* Full jitter, so that the roles that lost one peer do not come back in step. */
static void link_retry(struct link *link)
{
	unsigned random = 0;
	uint64_t cap = (uint64_t)LINK_RETRY_MIN_MS << (link->failures < 6 ? link->failures : 6);

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = link->failures * 7919;
	cap = cap < LINK_RETRY_MAX_MS ? cap : LINK_RETRY_MAX_MS;
	link->failures++;
	uv_timer_start(&link->retry, retry_due, 1 + random % cap, 0);
}

static void handle_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;

	if (--link->open_handles > 0)
		return;
	if (link->closing && link->ops->on_closed)
		link->ops->on_closed(link);
}

static void poll_closed(uv_handle_t *handle)
{
	struct link *link = handle->data;
	bool again = !link->closing && *link->path;

	if (again) {
		link->open_handles--;
		link_retry(link);
	} else {
		handle_closed(handle);
	}
}

/* The connection is over: tell, and close what belongs to it. A client tries again when the handle is closed. */
static void link_down(struct link *link, const struct err *why)
{
	if (link->fd < 0)
		return;
	uv_poll_stop(&link->poll);
	uv_close((uv_handle_t *)&link->poll, poll_closed);
	fd_drop(&link->fd);
	if (!link->closing && link->ops->on_down)
		link->ops->on_down(link, why);
	if (!*link->path)
		link_close(link); /* a server's link is finished */
}

static void link_receive(struct link *link)
{
	struct record record;
	struct err e = {0};

	for (int i = 0; i < LINK_RECORDS_A_TURN && link->fd >= 0; i++) {
		int r = record_receive(link->fd, &record, &e);
		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			if (r == 0)
				err_rule(&e, ECONNRESET, "the other end closed");
			else if (r == -EPROTO)
				link->refused++;
			link_down(link, &e);
			return;
		}
		/* Only what speaks is up: the kernel accepts for a peer that hangs or is about to refuse us. */
		link->failures = 0;
		link->taken_fd = &record.fd;
		link->ops->on_record(link, &record);
		link->taken_fd = NULL;
		fd_drop(&record.fd);
	}
}

static void link_ready(uv_poll_t *poll, int status, int events)
{
	struct link *link = poll->data;

	if (status < 0 || events & ~UV_WRITABLE)
		link_receive(link);
	if (link->fd < 0 || !link->await_writable || !(events & UV_WRITABLE))
		return;
	link->await_writable = false;
	uv_poll_start(&link->poll, UV_READABLE, link_ready);
	if (link->ops->on_writable)
		link->ops->on_writable(link);
}

static int link_watch(struct link *link, uv_loop_t *loop, int fd, struct err *e)
{
	if (uv_poll_init(loop, &link->poll, fd) < 0)
		return err_rule(e, EIO, "cannot poll a connection");
	link->poll.data = link;
	link->fd = fd;
	link->open_handles++;
	link->await_writable = false;
	uv_poll_start(&link->poll, UV_READABLE, link_ready);
	return 0;
}

static void link_try(struct link *link)
{
	struct err e = {0};

	if (link->closing || link->fd >= 0)
		return;
	scoped(fd_drop) int fd = record_connect(link->path, &e);
	if (fd < 0 || link_watch(link, link->retry.loop, fd, &e) < 0) {
		link_retry(link);
		return;
	}
	fd = -1; /* the link's now */
	if (link->ops->on_up)
		link->ops->on_up(link);
}

static void link_init_timer(struct link *link, uv_loop_t *loop)
{
	uv_timer_init(loop, &link->retry);
	link->retry.data = link;
	link->open_handles++;
}

void link_start(struct link *link, uv_loop_t *loop, const char *path, const struct link_ops *ops, void *owner)
{
	*link = (struct link){.ops = ops, .owner = owner, .fd = -1};
	link_init_timer(link, loop);
	str_copy(link->path, sizeof(link->path), path);
	link_try(link);
}

int link_adopt(struct link *link, uv_loop_t *loop, int fd, const struct link_ops *ops, void *owner, struct err *e)
{
	/* The poll first: when it cannot be made the loop knows nothing of *link, and the caller may free it at once. */
	*link = (struct link){.ops = ops, .owner = owner, .fd = -1};
	int r = link_watch(link, loop, fd, e);
	if (r < 0) {
		fd_drop(&fd);
		return r;
	}
	link_init_timer(link, loop);
	return 0;
}

bool link_send_fd(struct link *link, uint16_t type, uint64_t id, const void *payload, size_t length, int pass_fd)
{
	if (link->fd < 0 || record_send(link->fd, type, id, payload, length, pass_fd, NULL) < 0) {
		link->refused++;
		return false;
	}
	return true;
}

bool link_send(struct link *link, uint16_t type, uint64_t id, const void *payload, size_t length)
{
	return link_send_fd(link, type, id, payload, length, -1);
}

void link_await_writable(struct link *link)
{
	if (link->fd < 0)
		return;
	link->await_writable = true;
	uv_poll_start(&link->poll, UV_READABLE | UV_WRITABLE, link_ready);
}

int link_take_fd(struct link *link)
{
	return link->taken_fd ? fd_take(link->taken_fd) : -1;
}

bool link_is_up(const struct link *link)
{
	return link->fd >= 0;
}

void link_close(struct link *link)
{
	if (link->closing)
		return;
	link->closing = true;
	uv_timer_stop(&link->retry);
	uv_close((uv_handle_t *)&link->retry, handle_closed);
	link_down(link, NULL);
}
