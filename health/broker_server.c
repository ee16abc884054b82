/* broker_server.c - a checkpoint's server: its address, and that it answers there. See broker.h.
 *
 * Names' and NFS servers' answers are foreign bytes: they are read by a child of the broker's child, an ordinary user in a filter of its
 * own. It is started before the host's mount namespace is entered, so that the C library of this image and its own files are used, and
 * is asked only when something has to be mounted: what is mounted already does not wait for a name server either. */
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "health/broker.h"
#include "volumes/nfs_wait.h"

/* What the child says: an address, or why there is none. */
struct found {
	int errnum;
	char address[CONFIG_ADDRESS_BYTES];
	char why[192];
};

static int not_found(struct err *e, const char *why)
{
	return err_rule(e, EHOSTUNREACH, "%s", why);
}

static int ask_resolver(const char *name, struct nfs_addresses *ret, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;

	if (nfs_is_address(name)) {
		str_copy(ret->address[ret->count++], sizeof(*ret->address), name);
		return 0;
	}
	int r = getaddrinfo(name, NULL, &hints, &list);
	if (r != 0)
		return not_found(e, r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	for (const struct addrinfo *at = list; at && ret->count < ARRAY_SIZE(ret->address); at = at->ai_next)
		if (getnameinfo(at->ai_addr, at->ai_addrlen, ret->address[ret->count], sizeof(*ret->address), NULL, 0, NI_NUMERICHOST) == 0)
			ret->count++;
	freeaddrinfo(list);
	return ret->count > 0 ? 0 : not_found(e, "it has no address");
}

/* NFS 3 without a port: only the server's rpcbind knows where it listens, and the kernel asks that. */
static int find(const struct config_checkpoint *c, uint64_t patience_us, struct found *found, struct err *e)
{
	struct nfs_addresses addresses = {0};
	int which = ask_resolver(c->server, &addresses, e);

	if (which == 0 && (c->version != 3 || c->port != 0))
		which = nfs_wait(&addresses, c->port, c->version, patience_us, e);
	if (which >= 0)
		str_copy(found->address, sizeof(found->address), addresses.address[which]);
	return which < 0 ? which : 0;
}

static _Noreturn void finder(const struct broker_task *task, const struct config_checkpoint *c, int channel)
{
	struct found found = {0};
	struct err e = {0};
	char go;

	int r = broker_become_ordinary(task, task->resolve_filter, &e);
	if (read(channel, &go, sizeof(go)) != (ssize_t)sizeof(go)) /* not needed, or nobody is there any more */
		_exit(0);
	if (r == 0)
		r = find(c, task->patience_us, &found, &e);
	found.errnum = -r;
	str_copy(found.why, sizeof(found.why), e.text);
	_exit(fd_write_all(channel, &found, sizeof(found), NULL) < 0);
}

int broker_finder_start(const struct broker_task *task, const struct config_checkpoint *c, struct broker_finder *ret, struct err *e)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(e, errno, "cannot make a socket pair");
	scoped(fd_drop) int ours = ends[0], theirs = ends[1];
	pid_t pid = child_fork_plain();
	if (pid < 0)
		return err_set(e, errno, "cannot start the finder of the server");
	if (pid == 0) {
		fd_drop(&ours); /* else it would never see that we are gone */
		finder(task, c, theirs);
	}
	*ret = (struct broker_finder){pid, fd_take(&ours)};
	return 0;
}

int broker_finder_ask(struct broker_finder *f, struct config_checkpoint *c, struct err *e)
{
	struct found found = {0};
	char read_bytes[sizeof(found) + 1];
	const char go = 1;

	if (fd_write_all(f->fd, &go, sizeof(go), e) < 0)
		return -e->code;
	if (fd_read_all(f->fd, read_bytes, sizeof(read_bytes), e) != (ssize_t)sizeof(found))
		return err_rule(e, EIO, "cannot find the server '%s': its finder ended without an answer", c->server);
	memcpy(&found, read_bytes, sizeof(found));
	found.address[sizeof(found.address) - 1] = found.why[sizeof(found.why) - 1] = '\0';
	if (!nfs_is_address(found.address))
		return err_rule(e, found.errnum > 0 ? found.errnum : EHOSTUNREACH, "the server '%s' %s: %s", c->server,
				found.errnum == ETIMEDOUT ? "does not answer" : "is not found", found.why);
	str_copy(c->address, sizeof(c->address), found.address);
	return 0;
}

void broker_finder_end(struct broker_finder *f)
{
	if (f->fd < 0)
		return;
	fd_drop(&f->fd);
	waitpid(f->pid, NULL, 0);
}
