#include "volumes/nfs_wait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "volumes/nfs_ping.h"

#define NFS_PORT 2049
/* A server that comes back is found within a second: its host may not have been there when the connection was asked for, and the
 * kernel asks again after 1, 3 and 7 s only. One that takes the connection and hangs answers what it was sent when it goes on. */
#define CONNECT_US US_PER_S
#define ANSWER_US  (5 * US_PER_S)
#define PAUSE_US   (200 * 1000ULL) /* after a refusal, which costs no time */

bool nfs_is_address(const char *server)
{
	struct in6_addr address;

	return inet_pton(AF_INET, server, &address) == 1 || inet_pton(AF_INET6, server, &address) == 1;
}

int nfs_dial(const char *address, uint32_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(port ? port : NFS_PORT))};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port};
	const bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;

	if (!is_v6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	scoped(fd_drop) int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	const struct sockaddr *to = is_v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;
	if (connect(fd, to, is_v6 ? sizeof(v6) : sizeof(v4)) < 0 && errno != EINPROGRESS)
		return -1;
	return fd_take(&fd);
}

/* False: the time is over. */
static bool is_ready(int fd, short events, uint64_t until_us)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	for (;;) {
		const uint64_t now_us = clock_mono_us();
		if (now_us >= until_us)
			return false;
		/* rounded up: it must not spin through the last millisecond */
		if (poll(&poll_fd, 1, (int)((until_us - now_us + US_PER_MS - 1) / US_PER_MS)) > 0)
			return true;
	}
}

static uint64_t earlier(uint64_t a_us, uint64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

/* "" = it was sent; else why not. */
static const char *call(int fd, const uint8_t message[static NFS_PING_BYTES], uint64_t until_us)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!is_ready(fd, POLLOUT, until_us))
		return "no connection";
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
		return strerror(error ? error : errno);
	/* 44 bytes fit the buffer of a new connection. */
	return send(fd, message, NFS_PING_BYTES, MSG_NOSIGNAL) == NFS_PING_BYTES ? "" : strerror(errno);
}

static const char *hear(int fd, uint32_t xid, uint64_t until_us)
{
	uint8_t reply[NFS_PING_REPLY_BYTES];
	const char *words;
	size_t length = 0;

	while (length < sizeof(reply)) {
		if (!is_ready(fd, POLLIN, until_us))
			return "it takes the connection and does not answer";
		ssize_t n = recv(fd, reply + length, sizeof(reply) - length, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return n < 0 ? strerror(errno) : "it closes the connection";
		length += (size_t)n;
		if (nfs_ping_read(reply, length, xid, &words) != NFS_PING_MORE)
			return "";
	}
	return "";
}

static const char *ask(const char *address, uint32_t port, uint32_t version, uint64_t until_us)
{
	uint8_t message[NFS_PING_BYTES];
	uint32_t xid;

	if (getrandom(&xid, sizeof(xid), GRND_NONBLOCK) < 0)
		xid = (uint32_t)clock_mono_us();
	nfs_ping_build(xid, version, message);
	scoped(fd_drop) int fd = nfs_dial(address, port);
	if (fd < 0)
		return strerror(errno);
	const char *why = call(fd, message, earlier(until_us, clock_mono_us() + CONNECT_US));
	return *why ? why : hear(fd, xid, earlier(until_us, clock_mono_us() + ANSWER_US));
}

int nfs_wait(const struct nfs_addresses *addresses, uint32_t port, uint32_t version, uint64_t patience_us, struct err *e)
{
	const uint64_t until_us = clock_mono_us() + patience_us;
	const char *why = NULL;

	for (size_t i = 0; addresses->count > 0; i = (i + 1) % addresses->count) {
		const uint64_t asked_us = clock_mono_us();
		const char *now = ask(addresses->address[i], port, version, until_us);
		if (!*now)
			return (int)i;
		const bool over = clock_mono_us() >= until_us;
		if (!why || !over) /* the last one was cut off: what it says is less than what the one before said */
			why = now;
		if (over)
			return err_rule(e, ETIMEDOUT, "%s: %s", addresses->address[i], why);
		if (clock_mono_us() - asked_us < PAUSE_US)
			is_ready(-1, 0, earlier(until_us, clock_mono_us() + PAUSE_US));
	}
	return err_rule(e, EHOSTUNREACH, "it has no address");
}
