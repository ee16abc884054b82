/* ttrpc.h - ttrpc as NRI uses it: unary calls, messages of a 10-byte header and at most 4 MiB of protobuf.
 *
 * Header: length u32, stream u32 (both big-endian), type u8, flags u8 (0 in unary calls). A client counts its streams 1, 3, 5 …
 * Pure but for the pages of a long message. Nothing here is copied that lies whole in what was received; views are valid
 * until the next ttrpc_feed. No C implementation exists. Source: containerd/ttrpc PROTOCOL.md, channel.go, server.go. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "shim/pages.h"
#include "shim/proto.h"
#include "shim/view.h"

#define TTRPC_HEADER_BYTES   10
#define TTRPC_DATA_MAX_BYTES (4U << 20)
#define TTRPC_SMALL_BYTES    (16 * 1024) /* a CreateContainer of 40 env and 12 mounts is about 5 KB */

enum ttrpc_type { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2, TTRPC_DATA = 3 };

/* gRPC's status codes, those that are said or understood here. */
enum ttrpc_code {
	TTRPC_OK = 0,
	TTRPC_UNKNOWN = 2,
	TTRPC_INVALID_ARGUMENT = 3,
	TTRPC_DEADLINE_EXCEEDED = 4,
	TTRPC_RESOURCE_EXHAUSTED = 8,
	TTRPC_UNIMPLEMENTED = 12,
	TTRPC_INTERNAL = 13,
};

struct ttrpc_message {
	uint32_t stream;
	uint8_t type, flags;
	bool too_long; /* its data is being thrown away: `data` is empty */
	struct text data;
};

struct ttrpc_request {
	uint32_t stream;
	struct text service, method, payload;
	int64_t timeout_ns; /* how long the caller waits; 0 = not said */
};

struct ttrpc_response {
	uint32_t stream;
	uint32_t code;	     /* enum ttrpc_code, or another of gRPC's */
	struct text message; /* in words, if code is not TTRPC_OK */
	struct text payload;
};

/* One direction of one connection: bytes in, messages out. Zeroed = empty. */
struct ttrpc_inbox {
	unsigned char small[TTRPC_SMALL_BYTES];
	struct pages big;    /* for the message under way, if it is longer than `small` */
	size_t length;	     /* received of the message under way, header included */
	size_t want;	     /* its whole length, once its header is there; 0 before */
	uint32_t discard;    /* bytes of a too long message still to come */
	bool handed;	     /* the message in here was handed out: its place is free at the next call */
};

/* Takes bytes until a message is whole: 1 = *ret, and `ret_taken` bytes were taken; 0 = all were taken, more is needed;
 * -ENOMEM. A message longer than TTRPC_DATA_MAX_BYTES is handed out at its header with `too_long`. */
int ttrpc_feed(struct ttrpc_inbox *inbox, const unsigned char *bytes, size_t length, size_t *ret_taken, struct ttrpc_message *ret);

/* Gives back the place of the message that was handed out; ttrpc_feed does it too. */
void ttrpc_release(struct ttrpc_inbox *inbox);
void ttrpc_inbox_drop(struct ttrpc_inbox *inbox);

/* 0, or -EBADMSG. */
int ttrpc_decode_request(const struct ttrpc_message *message, struct ttrpc_request *ret);
int ttrpc_decode_response(const struct ttrpc_message *message, struct ttrpc_response *ret);

/* The server's side of a connection. */
struct ttrpc_server {
	uint32_t last_stream;
};

enum ttrpc_verdict {
	TTRPC_IGNORE, /* not for a server; nothing to do */
	TTRPC_CALL,   /* *ret is a request to be answered */
	TTRPC_REFUSE, /* *refusal holds the answer, ready to be sent */
};

/* Judges what came as Go's server does; `refusal` is an empty writer. Even or used stream, too long, malformed → an error reply; unknown type → ignored. */
enum ttrpc_verdict ttrpc_accept(struct ttrpc_server *server, const struct ttrpc_message *message, struct ttrpc_request *ret,
				struct proto_writer *refusal);

/* The client's side: the next stream, 0 when they are used up (after 2^31 calls: reconnect). `last` begins as 0. */
uint32_t ttrpc_next_stream(uint32_t *last);

/* A message is written in three steps: begin, the payload's fields, end. The writer must be empty (length 0).
 * ttrpc_end: 0, or -EMSGSIZE when it did not fit into the writer or is over TTRPC_DATA_MAX_BYTES. A reply without payload
 * is 10 bytes. */
size_t ttrpc_begin_request(struct proto_writer *writer, uint32_t stream, const char *service, const char *method);
size_t ttrpc_begin_reply(struct proto_writer *writer, uint32_t stream);
int ttrpc_end(struct proto_writer *writer, size_t mark);

/* A whole error reply. `message` is cut to fit. */
void ttrpc_write_error(struct proto_writer *writer, uint32_t stream, enum ttrpc_code code, const char *message);
