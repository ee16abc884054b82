#include "volumes/nfs_mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fd.h"
#include "base/str.h"
#include "volumes/mount_words.h"

/* Of a hard mount too: after so many tries the kernel says in its log that the server does not respond, and goes on trying. 15 s. */
#define TIMEO_DS "50"
#define RETRANS	 "2"

void nfs_source(const struct config_checkpoint *c, char ret[static NFS_SOURCE_BYTES])
{
	const bool bare_v6 = strchr(c->server, ':') != NULL;

	snprintf(ret, NFS_SOURCE_BYTES, "%s%s%s:%s", bare_v6 ? "[" : "", c->server, bare_v6 ? "]" : "", c->export_path);
}

struct option {
	const char *key, *value; /* NULL: a flag. Key NULL: left out */
};

static int set(int context_fd, const struct option *options, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		const struct option *o = &options[i];
		if (o->key && fsconfig(context_fd, o->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, o->key, o->value, 0) < 0)
			return mount_refused(context_fd, o->key, errno, e);
	}
	return 0;
}

/* The address that the server would call back on for NFS 4.0's delegations: none, so it gives none. 4.1 and newer use the connection. */
static const char *nowhere(const struct config_checkpoint *c)
{
	return strchr(c->address, ':') ? "::" : "0.0.0.0";
}

static int configure(int context_fd, const struct config_checkpoint *c, const char *version, struct err *e)
{
	char source[NFS_SOURCE_BYTES], port[16];
	const char *proto = strchr(c->address, ':') ? "tcp6" : "tcp";
	const bool v3 = c->version == 3;

	nfs_source(c, source);
	snprintf(port, sizeof(port), "%u", c->port ? c->port : 2049);
	/* A port of v3 that is not said is asked of the server's rpcbind, as is that of its mountd. */
	const struct option options[] = {
		{"source", source},
		{"vers", version},
		{"addr", c->address},
		{"proto", proto},
		{v3 && !c->port ? NULL : "port", port},
		{v3 ? NULL : "clientaddr", nowhere(c)},
		{v3 ? "mountproto" : NULL, proto},
		{v3 ? "nolock" : NULL, NULL},
		{c->soft ? "softerr" : "hard", NULL},
		{"timeo", TIMEO_DS},
		{"retrans", RETRANS},
		{"sec", "sys"},
		/* Else the kernel gives what the node has mounted of this server already, under the name that it has there: then nobody knows ours. */
		{"nosharecache", NULL},
	};

	return set(context_fd, options, ARRAY_SIZE(options), e);
}

static int mount_version(const struct config_checkpoint *c, const char *version, struct err *e)
{
	const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | (c->read_only ? MOUNT_ATTR_RDONLY : 0);
	scoped(fd_drop) int context_fd = fsopen(c->version == 3 ? "nfs" : "nfs4", FSOPEN_CLOEXEC);

	if (context_fd < 0)
		return err_set(e, errno, errno == ENODEV ? "this kernel has no NFS %u" : "cannot mount NFS %u", c->version);
	if (configure(context_fd, c, version, e) < 0)
		return -e->code;
	if (fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return mount_refused(context_fd, "cannot mount the export", errno, e);
	scoped(fd_drop) int mount_fd = fsmount(context_fd, FSMOUNT_CLOEXEC, attributes);
	if (mount_fd < 0)
		return mount_refused(context_fd, "cannot make a mount of the export", errno, e);
	return fd_take(&mount_fd);
}

int nfs_mount(const struct config_checkpoint *c, struct err *e)
{
	static const char *const minors[] = {"4.2", "4.1", "4.0"};
	int r = -EPROTONOSUPPORT;

	if (c->version == 3)
		return mount_version(c, "3", e);
	/* The server does not have it, or this kernel was built without it (EINVAL). */
	for (size_t i = 0; i < ARRAY_SIZE(minors) && (r == -EPROTONOSUPPORT || r == -EINVAL); i++)
		r = mount_version(c, minors[i], e);
	return r;
}
