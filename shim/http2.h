/* http2.h - one client's connection to a gRPC server: bytes in, whole unary calls out; answers in, bytes out.
 *
 * Knows no socket and reads no clock: tests and the fuzzer drive it as the loop does. HTTP/2 itself is nghttp2's. Bounded: calls
 * of a connection, header bytes, message bytes (those of all connections together too), and the time for each step. A call that
 * breaks a bound is answered with its gRPC status; the connection ends only for what is no HTTP/2, or for who does not read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "shim/grpc.h"
#include "shim/view.h"

#define HTTP2_STREAMS_MAX  32	       /* calls at once of one connection */
#define HTTP2_HEADER_BYTES 8192	       /* of one call, names and values */
#define HTTP2_PATH_BYTES   96	       /* "/csi.v1.Node/NodeGetVolumeHealth": a longer one names nothing of ours */
#define HTTP2_REPLY_BYTES  8192
#define HTTP2_HELD_BYTES   (1U << 20)  /* of messages that come, on all connections */
#define HTTP2_REQUEST_US   10000000ULL /* from the first header to the last byte */
#define HTTP2_ANSWER_US	   120000000ULL /* of a call that names no timeout, or a longer one: the kubelet's own */
#define HTTP2_TAKE_US	   10000000ULL /* until the client has taken its answer */

struct nghttp2_session;
struct http2;

enum http2_state { HTTP2_FREE, HTTP2_COMING, HTTP2_CALLED, HTTP2_ANSWERED };

struct http2_stream {
	struct http2 *connection;
	int32_t id;
	enum http2_state state;
	uint64_t deadline_us; /* of the state */
	uint64_t timeout_us;  /* the client's; 0 = none */
	size_t header_bytes;
	char path[HTTP2_PATH_BYTES];
	bool posted, is_grpc;	/* method, content type */
	enum grpc_code refused; /* not GRPC_OK: answered so as soon as the headers are whole */
	const char *why;
	unsigned char *body; /* what has come of the message; counted in *held_bytes */
	size_t body_length, body_size;
	unsigned char *reply; /* with its prefix */
	size_t reply_length, reply_sent;
};

struct http2_call {
	int32_t stream;
	const char *path;    /* "/csi.v1.Node/NodePublishVolume" */
	struct text message; /* until on_call returns */
};

struct http2_ops {
	/* A whole call. Answer it now or later. */
	void (*on_call)(struct http2 *connection, const struct http2_call *call);
};

struct http2 {
	const struct http2_ops *ops;
	void *owner;
	struct nghttp2_session *session;
	uint64_t now_us; /* as last told */
	size_t *held_bytes; /* shared by all connections of a server */
	uint64_t refused_total; /* calls that broke a bound */
	struct http2_stream streams[HTTP2_STREAMS_MAX];
};

/* Begins a connection in zeroed memory, which must not move; `held_bytes` is shared. http2_close frees what it holds, also after
 * a failure and in memory that is zeroed. */
int http2_open(struct http2 *connection, const struct http2_ops *ops, void *owner, size_t *held_bytes, struct err *e);
void http2_close(struct http2 *connection);

/* < 0: close the connection, in words; what http2_output still has may be sent before. */
int http2_receive(struct http2 *connection, const void *bytes, size_t length, uint64_t now_us, struct err *e);

/* What is to be sent next, good until the next call of it: its length, 0 = nothing now, < 0 = close. */
ssize_t http2_output(struct http2 *connection, const unsigned char **ret, struct err *e);

/* A payload goes with GRPC_OK only, a text (may be NULL) with the others. False: the client has gone, or its time was over. */
bool http2_answer(struct http2 *connection, int32_t stream, enum grpc_code code, const char *text, const void *payload, size_t length);

/* No more calls are taken: the client opens a new connection for its next. Then output, then close. */
void http2_say_goodbye(struct http2 *connection);

bool http2_is_over(const struct http2 *connection); /* nothing more will come or go: close */
bool http2_is_idle(const struct http2 *connection); /* no call */

/* The next moment at which http2_expire has something to do; 0 = none. < 0 of http2_expire: close. */
uint64_t http2_deadline_us(const struct http2 *connection);
int http2_expire(struct http2 *connection, uint64_t now_us, struct err *e);
