#include "volumes/tmpfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "volumes/mount_words.h"
#include "volumes/tmpfs_options.h"
#include "volumes/volume_mark.h"

#define OPTIONS_BYTES 256
#define RW_FLAGS      (MS_NOSUID | MS_NODEV)

/* --- the new mount API --- */

static int set_options(int context_fd, const struct tmpfs_options *o, struct err *e)
{
	for (size_t i = 0; i < o->count; i++)
		if (fsconfig(context_fd, FSCONFIG_SET_STRING, o->options[i].key, o->options[i].value, 0) < 0)
			return mount_refused(context_fd, o->options[i].key, errno, e);
	return 0;
}

static int configure(int context_fd, const struct volume *v, struct err *e)
{
	struct tmpfs_options options;
	char source[32];

	tmpfs_source(v, source, sizeof(source));
	if (fsconfig(context_fd, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return mount_refused(context_fd, "source", errno, e);
	tmpfs_options_of(v, &options);
	if (set_options(context_fd, &options, e) < 0)
		return -e->code;
	/* Before Linux 6.4 it is unknown, and there is nothing to be said: these nodes have no swap, or swap it is. */
	if (v->noswap && fsconfig(context_fd, FSCONFIG_SET_FLAG, "noswap", NULL, 0) < 0 && errno != EINVAL)
		return mount_refused(context_fd, "noswap", errno, e);
	if (fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return mount_refused(context_fd, "cannot make the tmpfs", errno, e);
	return 0;
}

static int mark_root(int mount_fd, const struct volume *v, struct err *e)
{
	scoped(fd_drop) int root_fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return root_fd < 0 ? err_set(e, errno, "cannot open the tmpfs") : volume_mark_write(root_fd, v, e);
}

int tmpfs_build(const struct volume *v, struct err *e)
{
	scoped(fd_drop) int context_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (context_fd < 0)
		return err_set(e, errno, "cannot make a tmpfs");
	if (configure(context_fd, v, e) < 0)
		return -e->code;
	scoped(fd_drop) int mount_fd = fsmount(context_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount_fd < 0)
		return mount_refused(context_fd, "cannot make a mount of the tmpfs", errno, e);
	if (mark_root(mount_fd, v, e) < 0)
		return -e->code;
	return fd_take(&mount_fd);
}

/* --- before it --- */

/* A mount that only we know of, at RUNTIMEDIR/making-UID-NAME. */
struct staging {
	char path[CONFIG_SOCKET_BYTES + EXECUTOR_UID_BYTES + VOLUME_NAME_BYTES + 16];
	bool made, mounted;
};

static int unstage(struct staging *s, struct err *e)
{
	if (s->mounted && umount2(s->path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return err_set(e, errno, "cannot unmount '%s'", s->path);
	s->mounted = false;
	if (s->made && rmdir(s->path) < 0)
		return err_set(e, errno, "cannot remove '%s'", s->path);
	s->made = false;
	return 0;
}

static void staging_drop(struct staging *s)
{
	unstage(s, NULL);
}

static int stage(struct staging *s, const struct volume *v, struct err *e)
{
	char options[OPTIONS_BYTES], source[32];
	struct tmpfs_options o;

	/* What a child that was killed has left: it takes the name, and would be beneath. */
	umount2(s->path, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (fd_make_directory(s->path, 0700, e) < 0)
		return -e->code;
	s->made = true;
	tmpfs_options_of(v, &o);
	tmpfs_options_join(&o, options, sizeof(options));
	tmpfs_source(v, source, sizeof(source));
	if (mount(source, s->path, "tmpfs", RW_FLAGS, options) < 0)
		return err_set(e, errno, "cannot mount a tmpfs with %s", options);
	s->mounted = true;
	scoped(fd_drop) int root_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return root_fd < 0 ? err_set(e, errno, "cannot open the tmpfs") : volume_mark_write(root_fd, v, e);
}

int tmpfs_place_without_build(const char *runtime_dir, const struct volume *v, const struct volume_spot *spot, struct err *e)
{
	scoped(staging_drop) struct staging staging = {0};

	snprintf(staging.path, sizeof(staging.path), "%s/making-%s-%s", runtime_dir, v->at.pod_uid, v->at.name);
	if (stage(&staging, v, e) < 0 || volume_spot_bind(spot, staging.path, e) < 0)
		return -e->code;
	if (unstage(&staging, e) == 0)
		return 0;
	volume_spot_detach(spot, NULL);
	volume_spot_clear(spot, NULL);
	return -e->code;
}

/* --- new bounds --- */

/* mount(2) takes the flags that are not named away. */
static unsigned long flags_of(const struct statfs *st)
{
	static const struct {
		long has;
		unsigned long flag;
	} map[] = {{ST_RDONLY, MS_RDONLY}, {ST_NOSUID, MS_NOSUID},   {ST_NODEV, MS_NODEV},	     {ST_NOEXEC, MS_NOEXEC},
		   {ST_NOATIME, MS_NOATIME}, {ST_RELATIME, MS_RELATIME}, {ST_NODIRATIME, MS_NODIRATIME}};
	unsigned long flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		flags |= (long)st->f_flags & map[i].has ? map[i].flag : 0;
	return flags;
}

static int bound_without_context(int root_fd, const struct tmpfs_options *o, struct err *e)
{
	char path[32], options[OPTIONS_BYTES];
	struct statfs st;

	if (fstatfs(root_fd, &st) < 0)
		return err_set(e, errno, "cannot look at the tmpfs");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", root_fd);
	tmpfs_options_join(o, options, sizeof(options));
	if (mount(NULL, path, NULL, MS_REMOUNT | flags_of(&st), options) < 0)
		return err_set(e, errno, "cannot change the tmpfs to %s", options);
	return 0;
}

int tmpfs_bound(int root_fd, uint64_t size_bytes, uint64_t inodes, struct err *e)
{
	struct tmpfs_options o;

	tmpfs_options_of_bounds(size_bytes, inodes, &o);
	scoped(fd_drop) int context_fd = fspick(root_fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH | FSPICK_NO_AUTOMOUNT);
	if (context_fd < 0 && errno == ENOSYS)
		return bound_without_context(root_fd, &o, e);
	if (context_fd < 0)
		return err_set(e, errno, "cannot take hold of the tmpfs");
	if (set_options(context_fd, &o, e) < 0)
		return -e->code;
	/* Both or none: the kernel looks at each before it changes any. */
	if (fsconfig(context_fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return mount_refused(context_fd, "cannot change the bounds", errno, e);
	return 0;
}
