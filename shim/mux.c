#include "shim/mux.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/scoped.h"
#include "shim/big_endian.h"

#ifdef STOKER_SABOTAGE_ONE_FRAME
#undef MUX_ONE_FRAME_BYTES
#define MUX_ONE_FRAME_BYTES MUX_PAYLOAD_MAX_BYTES
#endif

#define MUX_PARTS_MAX 4 /* two frames: header and payload of each */

void mux_open(struct mux *mux)
{
	memset(mux, 0, sizeof(*mux));
}

void mux_close(struct mux *mux)
{
	for (size_t i = 0; i < ARRAY_SIZE(mux->inbox); i++)
		ttrpc_inbox_drop(&mux->inbox[i]);
	pages_drop(&mux->queue);
	mux->queue_start = mux->queue_end = 0;
}

/* Takes bytes of a frame's header. 1 = it is whole, 0 = more is needed. */
static int take_header(struct mux *mux, const unsigned char *bytes, size_t length, size_t *taken, struct err *e)
{
	size_t n = MUX_HEADER_BYTES - mux->header_length;

	if (n > length - *taken)
		n = length - *taken;
	memcpy(mux->header + mux->header_length, bytes + *taken, n);
	mux->header_length += (uint32_t)n;
	*taken += n;
	if (mux->header_length < MUX_HEADER_BYTES)
		return 0;
	mux->header_length = 0;
	mux->connection = big_endian_get(mux->header);
	mux->left = big_endian_get(mux->header + 4);
	if (mux->left > MUX_PAYLOAD_MAX_BYTES)
		return err_rule(e, EPROTO, "the runtime sent a frame of %u bytes; the limit is %u", mux->left, MUX_PAYLOAD_MAX_BYTES);
	return 1;
}

int mux_feed(struct mux *mux, const unsigned char *bytes, size_t length, size_t *ret_taken, struct mux_message *ret, struct err *e)
{
	size_t taken = 0;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mux->inbox); i++)
		ttrpc_release(&mux->inbox[i]);
	while (r == 0 && taken < length) {
		if (mux->left == 0) {
			r = take_header(mux, bytes, length, &taken, e);
			if (r <= 0)
				break;
		}
		size_t run = mux->left < length - taken ? mux->left : length - taken, n = run;
		r = 0;
		if (run > 0 && (mux->connection == MUX_PLUGIN || mux->connection == MUX_RUNTIME)) {
			ret->connection = (enum mux_connection)mux->connection;
			r = ttrpc_feed(&mux->inbox[mux->connection - MUX_PLUGIN], bytes + taken, run, &n, &ret->ttrpc);
			if (r < 0)
				return err_set(e, -r, "no memory for a message of the runtime");
		}
		taken += n;
		mux->left -= (uint32_t)n;
	}
	*ret_taken = taken;
	return r;
}

static size_t add_frame(struct iovec *parts, unsigned char *header, enum mux_connection connection, const unsigned char *bytes, size_t length)
{
	big_endian_put(header, connection);
	big_endian_put(header + 4, (uint32_t)length);
	parts[0] = (struct iovec){header, MUX_HEADER_BYTES};
	parts[1] = (struct iovec){(void *)(uintptr_t)bytes, length};
	return 2;
}

/* How many bytes the socket took; 0 when it is full. */
static ssize_t send_parts(int fd, struct iovec *parts, size_t count, struct err *e)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t n;

	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	return n < 0 ? err_set(e, errno, "cannot send to the runtime") : n;
}

/* Keeps what is behind the first `sent` bytes of the parts. */
static int keep_rest(struct mux *mux, const struct iovec *parts, size_t count, size_t sent, struct err *e)
{
	size_t rest = 0;

	if (mux->queue_start > 0) {
		memmove(mux->queue.bytes, mux->queue.bytes + mux->queue_start, mux->queue_end - mux->queue_start);
		mux->queue_end -= mux->queue_start;
		mux->queue_start = 0;
	}
	for (size_t i = 0; i < count; i++)
		rest += parts[i].iov_len;
	rest -= sent;
	if (rest > MUX_QUEUE_MAX_BYTES - mux->queue_end)
		return err_rule(e, ENOBUFS, "the runtime does not read: %zu bytes wait for it", mux->queue_end);
	if (pages_reserve(&mux->queue, mux->queue_end + rest) < 0)
		return err_set(e, ENOMEM, "no memory for what the runtime does not read");
	for (size_t i = 0; i < count; i++) {
		size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len, n = parts[i].iov_len - skip;
		memcpy(mux->queue.bytes + mux->queue_end, (const unsigned char *)parts[i].iov_base + skip, n);
		mux->queue_end += n;
		sent -= skip;
	}
	return 1;
}

int mux_send(struct mux *mux, int fd, enum mux_connection connection, const unsigned char *message, size_t length, struct err *e)
{
	unsigned char headers[2][MUX_HEADER_BYTES];
	struct iovec parts[MUX_PARTS_MAX];
	size_t count, whole = length + MUX_HEADER_BYTES;
	ssize_t sent = 0;

	if (length > MUX_PAYLOAD_MAX_BYTES || length < TTRPC_HEADER_BYTES)
		return err_rule(e, EMSGSIZE, "a message of %zu bytes cannot be sent", length);
	if (length <= MUX_ONE_FRAME_BYTES) {
		count = add_frame(parts, headers[0], connection, message, length);
	} else {
		count = add_frame(parts, headers[0], connection, message, TTRPC_HEADER_BYTES);
		count += add_frame(parts + count, headers[1], connection, message + TTRPC_HEADER_BYTES, length - TTRPC_HEADER_BYTES);
		whole += MUX_HEADER_BYTES;
	}
	if (!mux_has_queue(mux))
		sent = send_parts(fd, parts, count, e);
	if (sent < 0)
		return (int)sent;
	return (size_t)sent == whole ? 0 : keep_rest(mux, parts, count, (size_t)sent, e);
}

int mux_flush(struct mux *mux, int fd, struct err *e)
{
	if (!mux_has_queue(mux))
		return 0;
	struct iovec part = {mux->queue.bytes + mux->queue_start, mux->queue_end - mux->queue_start};
	ssize_t sent = send_parts(fd, &part, 1, e);
	if (sent < 0)
		return (int)sent;
	mux->queue_start += (size_t)sent;
	if (mux_has_queue(mux))
		return 1;
	pages_drop(&mux->queue);
	mux->queue_start = mux->queue_end = 0;
	return 0;
}

bool mux_has_queue(const struct mux *mux)
{
	return mux->queue_end > mux->queue_start;
}
