/* mux.h - NRI's trunk: several connections over one socket, in frames of 8 bytes header (connection u32, length u32, both
 * big-endian) and payload. Splits what comes into ttrpc messages, frames what goes.
 *
 * Frames are no messages: Go writes a long message as 4096 bytes and the rest, and a frame may end one message and begin the
 * next. Each connection is a byte stream of its own. There is no flow control and no way back into step: a frame that breaks a
 * rule is the end of the connection. Frames of other connections are skipped.
 *
 * Sending: Go's receiver reads every frame into a buffer of 4096 bytes and drops the connection (ENOMEM) when one is longer,
 * unless it waits for more than that; more than 256 frames unread also end it. So a message of at most 4096 bytes is one frame,
 * a longer one is two: its header alone, then all the rest (measured against NRI 0.3 to 0.12 with 6 KB and 3 MB).
 *
 * The caller owns the socket and reads it; the only call made here is one sendmsg(2) for each message (writev without SIGPIPE).
 * Source: containerd/nri pkg/net/multiplex/mux.go. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "shim/pages.h"
#include "shim/ttrpc.h"

#define MUX_HEADER_BYTES      8
#define MUX_ONE_FRAME_BYTES   4096
#define MUX_PAYLOAD_MAX_BYTES (TTRPC_HEADER_BYTES + TTRPC_DATA_MAX_BYTES)
#define MUX_QUEUE_MAX_BYTES   (2 * MUX_PAYLOAD_MAX_BYTES)

/* Not in order with each other: Configure, even Synchronize may come before the answer to RegisterPlugin (seen with every NRI). */
enum mux_connection {
	MUX_PLUGIN = 1,	 /* the runtime calls, we serve */
	MUX_RUNTIME = 2, /* we call */
};

struct mux {
	unsigned char header[MUX_HEADER_BYTES]; /* of the frame under way */
	uint32_t header_length;
	uint32_t connection, left; /* of the frame under way: bytes of its payload still to come */
	struct ttrpc_inbox inbox[2];
	struct pages queue; /* what the socket did not take yet */
	size_t queue_start, queue_end;
};

struct mux_message {
	enum mux_connection connection;
	struct ttrpc_message ttrpc;
};

void mux_open(struct mux *mux);
void mux_close(struct mux *mux); /* gives back its memory; mux_open makes it usable again */

/* Takes what was read from the socket: 1 = *ret is a message and `ret_taken` bytes were taken (call again with the rest),
 * 0 = all were taken, -EPROTO or -ENOMEM = drop the connection. A message is valid until the next call, and as long as `bytes`.
 * Call until it returns 0, even with nothing left: that call gives back the memory of a long message. */
int mux_feed(struct mux *mux, const unsigned char *bytes, size_t length, size_t *ret_taken, struct mux_message *ret, struct err *e);

/* Sends one whole ttrpc message (made by ttrpc_end) in one system call. `fd` is a non-blocking socket; what it does not take is kept.
 * 0 = gone, 1 = (partly) kept: call mux_flush when the socket is writable; -EMSGSIZE, -ENOBUFS (the peer does not read), or
 * what sendmsg(2) says: drop the connection. */
int mux_send(struct mux *mux, int fd, enum mux_connection connection, const unsigned char *message, size_t length, struct err *e);
int mux_flush(struct mux *mux, int fd, struct err *e); /* the same returns */
bool mux_has_queue(const struct mux *mux);
