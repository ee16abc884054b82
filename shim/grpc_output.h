/* grpc_output.h - what is to be sent on one connection: frames of HTTP/2 that go together in one write.
 *
 * An answer is three small frames. A client that is woken for each of them wakes three times, while the next is still written. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "shim/http2.h"

#define GRPC_OUTPUT_BYTES 1024 /* an answer with its headers and its status has some 150 */

struct grpc_output {
	const unsigned char *unsent, *frame; /* frame: a large one, behind what is unsent; nghttp2's until it is asked for the next */
	size_t unsent_length, frame_length;
	unsigned char batch[GRPC_OUTPUT_BYTES];
};

/* Sends all that the connection has for this socket. 1 = the client does not read, 0 = all is sent, < 0 = close it. *ret_sent: bytes went. */
int grpc_output_flush(struct grpc_output *output, struct http2 *http2, int fd, bool *ret_sent, struct err *e);
