/* cri_call.h - one gRPC call over a connection of its own, from the client's side: nghttp2 without a socket.
 *
 * Everything that is to be sent is one piece that is there before anything was received: it can be written, and what comes back
 * relayed, by a process that understands nothing of either. So windows are opened at once and wide, and acknowledgements of
 * settings and pings are never sent: no gRPC server waits for them. One message of at most CRI_CALL_ANSWER_BYTES comes back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "shim/view.h"

#define CRI_CALL_ANSWER_BYTES (512 * 1024)		       /* of a message: 4 MiB is what clients take, a status has some KiB */
#define CRI_CALL_WIRE_BYTES   (CRI_CALL_ANSWER_BYTES + 65536) /* with its frames, headers and trailers */
#define CRI_CALL_SENT_BYTES   1024

struct cri_call;

/* `method` "/package.Service/Method", `ask` its request. NULL with the reason. `sent` gets what is to be written. */
struct cri_call *cri_call_open(const char *method, const unsigned char *ask, uint32_t ask_length, unsigned char sent[CRI_CALL_SENT_BYTES],
			       size_t *ret_length, struct err *e);
struct cri_call *cri_call_close(struct cri_call *call); /* always NULL */

/* What came. 1 = the call is over, 0 = there is more to come, -errno = this is no HTTP/2, or too much. */
int cri_call_take(struct cri_call *call, const void *bytes, size_t length, struct err *e);

/* After it is over: 0 and the message, the call's own until it is closed. -ESRCH the server says NOT_FOUND, -ENOSYS it does not
 * know the method, -EIO any other failure with its words (foreign text, escaped), -EBADMSG no whole message. */
int cri_call_answer(const struct cri_call *call, struct text *ret, struct err *e);
