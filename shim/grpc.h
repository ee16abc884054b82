/* grpc.h - what gRPC says beside HTTP/2: status codes, the frame around a message, timeouts, messages for people. Pure.
 *
 * Unary calls without compression only. Source: grpc/doc/PROTOCOL-HTTP2.md and statuscodes.md. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "shim/view.h"

#define GRPC_PREFIX_BYTES   5		/* compressed or not, and the length */
#define GRPC_MESSAGE_BYTES  (64 * 1024) /* of a request: a CSI call with a large volume context has some 2 KiB */
#define GRPC_TEXT_BYTES	    1024	/* of a status message, before it is encoded */
#define GRPC_ENCODED_BYTES  (3 * GRPC_TEXT_BYTES)

enum grpc_code {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
};

/* The one message of a request's body. Else a code, and *ret_why in words. */
enum grpc_code grpc_open(struct text body, struct text *ret_message, const char **ret_why);

void grpc_write_prefix(unsigned char prefix[static GRPC_PREFIX_BYTES], size_t length);

/* The header grpc-timeout: "20S", "119999m". -EINVAL if it is none. */
int grpc_timeout(struct text value, uint64_t *ret_us);

/* Percent-encoding for the header grpc-message. Cut at the end of `size`, never within a byte's three characters. */
void grpc_encode(char *destination, size_t size, const char *text);

/* "INVALID_ARGUMENT". */
const char *grpc_code_name(enum grpc_code code);
