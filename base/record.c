#include "base/record.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define RECORD_BACKLOG 16

int record_send(int sock, uint16_t type, uint64_t id, const void *payload, size_t length, int pass_fd, struct err *e)
{
	struct record_header header = {.version = RECORD_VERSION, .type = type, .length = (uint32_t)length, .id = id};
	struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)payload, length}};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1};
	ssize_t n;

	if (length > RECORD_PAYLOAD_BYTES)
		return err_rule(e, EMSGSIZE, "a record of %zu bytes is over the limit of %d", length, RECORD_PAYLOAD_BYTES);
	if (pass_fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_set(e, errno, "cannot send a record") : 0;
}

/* Keeps the first descriptor; more than one breaks the protocol. */
static int take_descriptors(struct msghdr *message, int *ret_fd)
{
	int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count++ == 0)
				*ret_fd = fd;
			else
				close(fd);
		}
	}
	return count;
}

int record_receive(int sock, struct record *ret, struct err *e)
{
	struct iovec parts[2] = {{&ret->header, sizeof(ret->header)}, {ret->payload, sizeof(ret->payload)}};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control)};
	scoped(fd_drop) int fd = -1;
	bool reset = false;
	ssize_t n;

	ret->fd = -1;
	/* A peer that ended without reading all leaves one ECONNRESET, and behind it what it had said before. */
	do
		n = recvmsg(sock, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !reset && (reset = true))));
	if (n < 0)
		return err_set(e, errno, "cannot receive a record");
	int descriptors = take_descriptors(&message, &fd);
	if (n == 0)
		return 0;
	if (descriptors > 1 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return err_rule(e, EPROTO, "a record larger than allowed");
	if ((size_t)n < sizeof(ret->header) || (size_t)n != sizeof(ret->header) + ret->header.length)
		return err_rule(e, EPROTO, "a record whose length is not what its header says");
	if (ret->header.version != RECORD_VERSION)
		return err_rule(e, EPROTO, "a record of version %u, not %d: roles of two builds?", ret->header.version, RECORD_VERSION);
	ret->fd = fd_take(&fd);
	return 1;
}

const void *record_payload(const struct record *record, size_t length)
{
	return record->header.length == length ? record->payload : NULL;
}

/* A socket, and the address of `path`. */
static int make_socket(const char *path, struct sockaddr_un *ret_address, struct err *e)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!str_copy(ret_address->sun_path, sizeof(ret_address->sun_path), path))
		return err_set(e, ENAMETOOLONG, "socket '%s'", path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? err_set(e, errno, "cannot make a socket") : fd;
}

int record_listen(const char *path, mode_t mode, struct err *e)
{
	struct sockaddr_un address;
	struct stat st;

	scoped(fd_drop) int fd = make_socket(path, &address, e);
	if (fd < 0)
		return fd;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path); /* of an earlier life; anything else there makes bind fail */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(e, errno, "cannot make socket '%s'", path);
	/* Nobody can connect before listen(2), so the mode is right in time. */
	if (chmod(path, mode) < 0 || listen(fd, RECORD_BACKLOG) < 0)
		return err_set(e, errno, "cannot listen at '%s'", path);
	return fd_take(&fd);
}

int record_connect(const char *path, struct err *e)
{
	struct sockaddr_un address;

	scoped(fd_drop) int fd = make_socket(path, &address, e);
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(e, errno, "cannot connect to '%s'", path);
	return fd_take(&fd);
}

int record_accept(int listen_fd, struct ucred *ret_peer, struct err *e)
{
	socklen_t length = sizeof(*ret_peer);
	scoped(fd_drop) int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return err_set(e, errno, "cannot accept");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &length) < 0)
		return err_set(e, errno, "cannot tell who connects");
	return fd_take(&fd);
}
