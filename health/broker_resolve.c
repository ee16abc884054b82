/* broker_resolve.c - the address of a checkpoint's server. See broker.h.
 *
 * A name server's answer is foreign bytes: it is read by a child of the broker's child, an ordinary user in a filter of its own, before
 * either is in the host's mount namespace, so that the C library of this image and its own files are used. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "health/broker.h"

/* What the child says: an address, or why there is none. */
struct found {
	char address[CONFIG_ADDRESS_BYTES];
	char why[128];
};

static bool is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static void ask_resolver(const char *name, struct found *found)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int r = getaddrinfo(name, NULL, &hints, &list);

	if (r != 0) {
		str_copy(found->why, sizeof(found->why), r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return;
	}
	r = getnameinfo(list->ai_addr, list->ai_addrlen, found->address, sizeof(found->address), NULL, 0, NI_NUMERICHOST);
	if (r != 0)
		str_copy(found->why, sizeof(found->why), gai_strerror(r));
	freeaddrinfo(list);
}

static _Noreturn void resolve_child(const struct broker_task *task, const char *name, int pipe_fd)
{
	struct found found = {0};
	struct err e = {0};

	if (broker_become_ordinary(task, task->resolve_filter, &e) < 0)
		str_copy(found.why, sizeof(found.why), e.text);
	else
		ask_resolver(name, &found);
	_exit(fd_write_all(pipe_fd, &found, sizeof(found), NULL) < 0);
}

static int take_found(const char *name, int pipe_fd, struct config_checkpoint *c, struct err *e)
{
	struct found found = {0};
	char more[sizeof(found) + 1];

	if (fd_read_all(pipe_fd, more, sizeof(more), e) != (ssize_t)sizeof(found))
		return err_rule(e, EIO, "cannot find the address of '%s': the resolver ended without an answer", name);
	memcpy(&found, more, sizeof(found));
	found.address[sizeof(found.address) - 1] = found.why[sizeof(found.why) - 1] = '\0';
	if (!is_address(found.address))
		return err_rule(e, EHOSTUNREACH, "cannot find the address of '%s': %s", name, *found.why ? found.why : "it is none");
	str_copy(c->address, sizeof(c->address), found.address);
	return 0;
}

int broker_resolve(const struct broker_task *task, struct config_checkpoint *c, struct err *e)
{
	int ends[2];

	if (is_address(c->server)) {
		str_copy(c->address, sizeof(c->address), c->server);
		return 0;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	scoped(fd_drop) int read_fd = ends[0], write_fd = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_set(e, errno, "cannot start the resolver");
	if (pid == 0)
		resolve_child(task, c->server, write_fd);
	fd_drop(&write_fd);
	int r = take_found(c->server, read_fd, c, e);
	waitpid(pid, NULL, 0);
	return r;
}
