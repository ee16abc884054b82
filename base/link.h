/* link.h - one connection of records on the loop; the client kind reconnects by itself.
 *
 * The owner embeds a struct link; callbacks get it back. After `on_down` of a client the link tries again with a
 * capped, jittered back-off (20 ms to 1 s); a server-side link (from link_adopt) is finished and may be freed in on_closed. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "base/record.h"

struct link;

struct link_ops {
	void (*on_up)(struct link *link);				   /* connected; may be NULL */
	void (*on_record)(struct link *link, const struct record *record); /* may take record->fd by setting it to -1 through the non-const owner: see link_take_fd */
	void (*on_down)(struct link *link, const struct err *why);	   /* lost; may be NULL */
	void (*on_closed)(struct link *link);				   /* after link_close; the memory is free again; may be NULL */
	void (*on_writable)(struct link *link);				   /* once after link_await_writable; may be NULL */
};

struct link {
	const struct link_ops *ops;
	void *owner;
	int fd; /* -1 while down */
	char path[108]; /* "" for a link made from a connected socket */
	bool closing;
	bool await_writable;
	unsigned failures; /* in a row, for the back-off */
	uint64_t refused;  /* records that could not be sent (peer slow) or understood */
	int *taken_fd;	   /* inside on_record */
	uv_poll_t poll;
	uv_timer_t retry;
	unsigned open_handles;
};

/* A client: connects now, and again whenever it is lost. */
void link_start(struct link *link, uv_loop_t *loop, const char *path, const struct link_ops *ops, void *owner);

/* A link over an already connected socket, which it owns from now on. */
int link_adopt(struct link *link, uv_loop_t *loop, int fd, const struct link_ops *ops, void *owner, struct err *e);

/* False (and counted) when the link is down or its peer does not read; the caller sends its newest state again in on_up. */
bool link_send(struct link *link, uint16_t type, uint64_t id, const void *payload, size_t length);
bool link_send_fd(struct link *link, uint16_t type, uint64_t id, const void *payload, size_t length, int pass_fd);

/* A send was refused because the peer does not read: on_writable runs once when it has read some. */
void link_await_writable(struct link *link);

/* Within on_record: the descriptor that came with it, now the caller's; -1 if none. */
int link_take_fd(struct link *link);

bool link_is_up(const struct link *link);
void link_close(struct link *link);
