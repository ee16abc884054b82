/* grpc_server.h - gRPC on listening unix sockets: accepts, reads, writes, keeps the time; the calls are its owner's.
 *
 * At most GRPC_SERVER_CONNECTIONS_MAX connections: the kubelet opens one for every call. When all are in use the one that has had
 * no call for longest, and for a second at least, is closed; until there is one, who comes waits in the kernel's queue. A client
 * that goes away takes its call with it, not the work behind it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "shim/grpc.h"
#include "shim/view.h"

#define GRPC_SERVER_CONNECTIONS_MAX 64
#define GRPC_SERVER_LISTENERS_MAX   2

struct grpc_connection;

/* Names a call until it is answered. */
struct grpc_call {
	uint64_t connection;
	int32_t stream;
	uint32_t service; /* of the listening socket: the owner's own number */
};

struct grpc_server_ops {
	/* `path` and `message` are good until it returns. */
	void (*on_call)(void *owner, const struct grpc_call *call, const char *path, struct text message);
};

struct grpc_listener {
	struct grpc_server *server;
	int fd;
	uint32_t service;
	uv_poll_t poll;
};

struct grpc_server {
	uv_loop_t *loop;
	const struct log *log;
	const struct grpc_server_ops *ops;
	void *owner;
	size_t listener_count;
	struct grpc_listener listeners[GRPC_SERVER_LISTENERS_MAX];
	struct grpc_connection *connections[GRPC_SERVER_CONNECTIONS_MAX];
	size_t held_bytes;
	uint64_t connections_total, refused_total; /* the second: calls and connections that broke a rule */
	uv_timer_t deadline;
};

void grpc_server_open(struct grpc_server *server, uv_loop_t *loop, const struct log *log, const struct grpc_server_ops *ops, void *owner);

/* Serves a listening socket, which it takes. */
int grpc_server_listen(struct grpc_server *server, int *fd, uint32_t service, struct err *e);

/* As http2_answer. False: nobody waits for it any more. */
bool grpc_server_answer(struct grpc_server *server, const struct grpc_call *call, enum grpc_code code, const char *text, const void *payload, size_t length);
