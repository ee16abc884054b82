#include "volumes/checkpoint_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "volumes/checkpoint_directory.h"
#include "volumes/nfs_mount.h"
#include "volumes/proc_lines.h"
#include "volumes/proc_text.h"

/* --- what is mounted there --- */

struct search {
	uint64_t id;
	bool found;
	struct proc_mount mount; /* its `options` point into a line that is gone */
	char address[CONFIG_ADDRESS_BYTES]; /* the server's, as the kernel uses it */
};

static bool take(void *context, const char *line, size_t length)
{
	struct search *s = context;

	s->found = proc_mount_parse(line, length, &s->mount) && s->mount.id == s->id;
	if (s->found)
		proc_mount_option(&s->mount, "addr", s->address, sizeof(s->address));
	return !s->found;
}

/* By descriptor: neither the mount's place nor its server is asked anything. */
static int read_mount_id(int fd, uint64_t *ret, struct err *e)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (fd_read_path(path, text, sizeof(text), e) < 0)
		return -e->code;
	const char *line = strstr(text, "mnt_id:");
	if (!line)
		return err_rule(e, EBADMSG, "'%s' names no mount", path);
	*ret = strtoull(line + sizeof("mnt_id:") - 1, NULL, 10);
	return 0;
}

/* 1 = an NFS mount, 0 = something else. */
static int look(const struct volume_spot *spot, struct search *ret, struct err *e)
{
	scoped(fd_drop) int fd = volume_spot_enter(spot, O_PATH, e);

	*ret = (struct search){0};
	if (fd < 0 || read_mount_id(fd, &ret->id, e) < 0)
		return -e->code;
	scoped(fd_drop) int table_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (table_fd < 0)
		return err_set(e, errno, "cannot open the mount table");
	if (proc_lines(table_fd, take, ret) < 0)
		return err_set(e, errno, "cannot read the mount table");
	return ret->found && str_starts(ret->mount.type, "nfs");
}

/* NFS shows of each mount where on the server it begins: a directory of the export that is bound to a pod has its path behind the
 * export's. */
static bool ends_with_slash(const char *text)
{
	return *text && text[strlen(text) - 1] == '/';
}

static bool is_at_or_beneath(const char *source, const char *export)
{
	const size_t length = strlen(export);

	return strncmp(source, export, length) == 0 && (source[length] == '\0' || source[length] == '/' || ends_with_slash(export));
}

/* --- the node's own mount --- */

static int open_node(const struct config *config, const struct config_checkpoint *c, struct volume_spot *ret, struct err *e)
{
	char path[sizeof(config->runtime_dir) + 16];
	struct volume_at at = {.place = VOLUME_AT_NODE};

	snprintf(path, sizeof(path), "%s/checkpoints", config->runtime_dir);
	/* Others may pass through to what they were given, and not list it. */
	if (fd_make_directory(path, 0711, e) < 0)
		return -e->code;
	str_copy(at.name, sizeof(at.name), c->name);
	return volume_spot_open(config, &at, ret, e);
}

/* 1 = it is, from the server at `address`, which may be NULL. */
static int node_is_mounted(const struct config_checkpoint *c, const struct volume_spot *node, char address[CONFIG_ADDRESS_BYTES], struct err *e)
{
	char source[NFS_SOURCE_BYTES];
	struct search found;
	int there = volume_spot_look(node, e);

	if (there != VOLUME_THERE_MOUNT)
		return there < 0 ? there : 0;
	int nfs = look(node, &found, e);
	if (nfs < 0)
		return nfs;
	nfs_source(c, source);
	if (!nfs || strcmp(found.mount.source, source) != 0)
		return err_rule(e, EBUSY, "something else is mounted at '%s' of the runtime directory; it is left as it is", c->name);
	if (address)
		str_copy(address, CONFIG_ADDRESS_BYTES, found.address);
	return 1;
}

static int drop_lock(int lock_fd, int r)
{
	fd_drop(&lock_fd);
	return r;
}

/* One at a time for each export: a second child would mount it beside the first. The lock is the directory's of the exports, and a child
 * that waits for a server holds none: so the mount is made first, and placed if nobody was faster. 1 = it was there. */
static int mount_node(const struct config_checkpoint *c, const struct volume_spot *node, char address[CONFIG_ADDRESS_BYTES], struct volume_result *r, struct err *e)
{
	int there = node_is_mounted(c, node, address, e);

	if (there != 0)
		return there;
	if (!*c->address)
		return err_rule(e, EDESTADDRREQ, "it is not mounted on the node yet");
	if (address)
		str_copy(address, CONFIG_ADDRESS_BYTES, c->address);
	r->step = VOLUME_PREPARE;
	scoped(fd_drop) int mount_fd = nfs_mount(c, e);
	if (mount_fd < 0)
		return mount_fd;
	r->step = VOLUME_PLACE;
	int lock_fd = fd_open_beneath(node->parent_fd, ".", O_RDONLY | O_DIRECTORY, 0, e);
	if (lock_fd < 0)
		return lock_fd;
	if (flock(lock_fd, LOCK_EX) < 0)
		return drop_lock(lock_fd, err_set(e, errno, "cannot lock the directory of the checkpoints"));
	there = node_is_mounted(c, node, address, e);
	return drop_lock(lock_fd, there == 0 ? volume_spot_attach(node, mount_fd, e) : there);
}

/* --- a pod's --- */

static bool is_of(const struct proc_mount *mount, const struct config_checkpoint *c, const struct volume *v)
{
	char source[NFS_SOURCE_BYTES + VOLUME_SUB_PATH_BYTES];

	nfs_source(c, source);
	if (v->sub_path[0])
		str_append(source, sizeof(source), "%s%s", ends_with_slash(source) ? "" : "/", v->sub_path);
	return strcmp(mount->source, source) == 0 && mount->read_only == (c->read_only || v->read_only);
}

static int make_again(const struct config_checkpoint *c, const struct volume *v, const struct volume_spot *spot, struct volume_result *r, struct err *e)
{
	struct search found;
	int nfs = look(spot, &found, e);

	if (nfs < 0)
		return nfs;
	if (!nfs)
		return err_rule(e, EBUSY, "something else is mounted there; it is left as it is");
	if (!is_of(&found.mount, c, v))
		return err_rule(e, EEXIST, "a checkpoint is there, with other attributes");
	r->already = 1;
	return 0;
}

static int clone(int directory_fd, const struct config_checkpoint *c, const struct volume *v, struct err *e)
{
	scoped(fd_drop) int mount_fd = open_tree(directory_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

	if (mount_fd < 0)
		return err_set(e, errno, "cannot bind the checkpoint");
	/* nosuid, nodev and noexec come with the node's mount. Linux 5.12. */
	if (v->read_only && !c->read_only && mount_setattr(mount_fd, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
		return err_set(e, errno, "cannot make the checkpoint read-only");
	return fd_take(&mount_fd);
}

static int bind_to_pod(const struct config_checkpoint *c, const struct volume *v, const struct volume_spot *node, const struct volume_spot *spot,
		       struct volume_result *r, struct err *e)
{
	r->step = VOLUME_OWN;
	scoped(fd_drop) int export_fd = volume_spot_enter(node, O_PATH, e);
	if (export_fd < 0)
		return export_fd;
	scoped(fd_drop) int directory_fd = v->sub_path[0] ? checkpoint_directory(export_fd, v, e) : fd_take(&export_fd);
	if (directory_fd < 0)
		return directory_fd;
	r->step = VOLUME_PLACE;
	scoped(fd_drop) int mount_fd = clone(directory_fd, c, v, e);
	return mount_fd < 0 ? mount_fd : volume_spot_attach(spot, mount_fd, e);
}

static int mount_for_pod(const struct config *config, const struct config_checkpoint *c, const struct volume *v, const struct volume_spot *node,
			 struct volume_result *r, struct err *e)
{
	scoped(volume_spot_drop) struct volume_spot spot = VOLUME_SPOT_CLOSED;

	if (volume_spot_open(config, &v->at, &spot, e) < 0)
		return -e->code;
	r->step = VOLUME_COMPARE;
	int there = volume_spot_look(&spot, e);
	if (there < 0)
		return there;
	if (there == VOLUME_THERE_MOUNT)
		return make_again(c, v, &spot, r, e);
	if (mount_node(c, node, NULL, r, e) < 0)
		return -e->code;
	return bind_to_pod(c, v, node, &spot, r, e);
}

int checkpoint_mount(const struct config *config, const struct volume *v, struct volume_result *r, struct err *e)
{
	const struct config_checkpoint *c = &config->volumes.checkpoints[v->source];
	scoped(volume_spot_drop) struct volume_spot node = VOLUME_SPOT_CLOSED;
	const bool on_node = v->at.place == VOLUME_AT_NODE;
	char address[CONFIG_ADDRESS_BYTES] = "";

	r->step = VOLUME_RESOLVE;
	if (on_node && strcmp(v->at.name, c->name) != 0)
		return err_rule(e, EINVAL, "checkpoint %u is '%s', not '%s'", v->source, c->name, v->at.name);
	if (open_node(config, c, &node, e) < 0)
		return -e->code;
	int done = on_node ? mount_node(c, &node, address, r, e) : mount_for_pod(config, c, v, &node, r, e);
	if (done < 0)
		return done;
	if (on_node) {
		r->already = done == 1;
		str_copy(r->text, sizeof(r->text), address);
	}
	r->step = VOLUME_DONE;
	return 0;
}

/* --- whose is it? --- */

struct neighbour {
	const char *source;
	char above[CONFIG_SOCKET_BYTES + 16]; /* "RUNTIMEDIR/checkpoints/" */
	bool found;
};

static bool take_neighbour(void *context, const char *line, size_t length)
{
	struct neighbour *n = context;
	struct proc_mount mount;

	n->found = proc_mount_parse(line, length, &mount) && str_starts(mount.mount_point, n->above) && str_starts(mount.type, "nfs") &&
		   is_at_or_beneath(n->source, mount.source);
	return !n->found;
}

/* Of a checkpoint that the configuration does not have any more: pods that were given it must still be able to end. */
static int is_on_node(const struct config *config, const char *source, struct err *e)
{
	struct neighbour neighbour = {.source = source};
	scoped(fd_drop) int table_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	snprintf(neighbour.above, sizeof(neighbour.above), "%s/checkpoints/", config->runtime_dir);
	if (table_fd < 0)
		return err_set(e, errno, "cannot open the mount table");
	if (proc_lines(table_fd, take_neighbour, &neighbour) < 0)
		return err_set(e, errno, "cannot read the mount table");
	return neighbour.found;
}

int checkpoint_is_mounted(const struct config *config, const struct volume_spot *spot, struct err *e)
{
	char source[NFS_SOURCE_BYTES];
	struct search found;
	int nfs = look(spot, &found, e);

	if (nfs <= 0)
		return nfs;
	for (uint32_t i = 0; i < config->volumes.checkpoint_count; i++) {
		nfs_source(&config->volumes.checkpoints[i], source);
		if (is_at_or_beneath(found.mount.source, source))
			return 1;
	}
	return is_on_node(config, found.mount.source, e);
}
