#include "shim/grpc_output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* 1 = there is something to send. */
static int fill(struct grpc_output *o, struct http2 *http2, struct err *e)
{
	size_t length = 0;
	ssize_t n = 0;

	while (o->frame_length == 0 && (n = http2_output(http2, &o->frame, e)) > 0) {
		if ((size_t)n > sizeof(o->batch) - length) {
			o->frame_length = (size_t)n;
			break;
		}
		memcpy(o->batch + length, o->frame, (size_t)n);
		length += (size_t)n;
	}
	if (n < 0)
		return (int)n;
	o->unsent = length > 0 ? o->batch : o->frame;
	o->unsent_length = length > 0 ? length : o->frame_length;
	if (length == 0)
		o->frame_length = 0;
	return o->unsent_length > 0;
}

int grpc_output_flush(struct grpc_output *o, struct http2 *http2, int fd, bool *ret_sent, struct err *e)
{
	*ret_sent = false;
	for (;;) {
		int r = o->unsent_length > 0 ? 1 : fill(o, http2, e);
		if (r <= 0)
			return r;
		ssize_t sent = write(fd, o->unsent, o->unsent_length);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 1 : err_set(e, errno, "cannot write");
		o->unsent += sent;
		o->unsent_length -= (size_t)sent;
		*ret_sent = true;
	}
}
