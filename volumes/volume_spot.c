#include "volumes/volume_spot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "volumes/discover.h"

/* --- finding it --- */

static int open_root(const char *path, struct err *e)
{
	/* Roots are the configuration's: they may be symbolic links. */
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_set(e, errno, "cannot open '%s'", path) : fd;
}

static int open_parent(const char *root, const char *beneath, struct err *e)
{
	scoped(fd_drop) int root_fd = open_root(root, e);

	return root_fd < 0 ? root_fd : fd_open_beneath(root_fd, beneath, O_PATH | O_DIRECTORY, 0, e);
}

/* A node has one kubelet that runs; where others may have left a directory, the pod tells which it is. */
static int open_in_kubelet(const struct config *config, const char *beneath, struct err *e)
{
	const char *root;

	for (unsigned i = 0; (root = place_kubelet_root(config, i)); i++) {
		int fd = open_parent(root, beneath, e);
		if (fd != -ENOENT)
			return fd;
	}
	return err_set(e, ENOENT, "no kubelet has the directory '%s'", beneath);
}

int volume_spot_open(const struct config *config, const struct volume_at *at, struct volume_spot *ret, struct err *e)
{
	struct volume_spot spot = VOLUME_SPOT_CLOSED;
	char path[sizeof("pods//volumes/kubernetes.io~empty-dir/") + EXECUTOR_UID_BYTES + VOLUME_NAME_BYTES];

	switch (at->place) {
	case VOLUME_AT_CSI:
		snprintf(path, sizeof(path), "pods/%s/volumes/kubernetes.io~csi/%s", at->pod_uid, at->name);
		str_copy(spot.name, sizeof(spot.name), "mount");
		spot.parent_fd = open_in_kubelet(config, path, e);
		break;
	case VOLUME_AT_EMPTY_DIR:
		snprintf(path, sizeof(path), "pods/%s/volumes/kubernetes.io~empty-dir", at->pod_uid);
		str_copy(spot.name, sizeof(spot.name), at->name);
		spot.parent_fd = open_in_kubelet(config, path, e);
		break;
	case VOLUME_AT_NODE:
		str_copy(spot.name, sizeof(spot.name), at->name);
		spot.parent_fd = open_parent(config->runtime_dir, "checkpoints", e);
		break;
	default: return err_rule(e, EINVAL, "place %u is none", at->place);
	}
	if (spot.parent_fd < 0)
		return spot.parent_fd;
	*ret = spot;
	return 0;
}

void volume_spot_drop(struct volume_spot *spot)
{
	fd_drop(&spot->parent_fd);
}

/* --- looking --- */

int volume_spot_look(const struct volume_spot *spot, struct err *e)
{
	scoped(fd_drop) int fd = fd_open_same_mount(spot->parent_fd, spot->name, O_PATH | O_DIRECTORY | O_NOFOLLOW, e);

	if (fd >= 0)
		return VOLUME_THERE_DIRECTORY;
	return fd == -ENOENT ? VOLUME_THERE_NOTHING : fd == -EXDEV ? VOLUME_THERE_MOUNT : fd;
}

int volume_spot_enter(const struct volume_spot *spot, int flags, struct err *e)
{
	return fd_open_beneath(spot->parent_fd, spot->name, flags | O_DIRECTORY | O_NOFOLLOW, 0, e);
}

/* --- taking and leaving --- */

/* 1 = made, 0 = it was there. */
static int make_directory(const struct volume_spot *spot, struct err *e)
{
	if (mkdirat(spot->parent_fd, spot->name, 0750) == 0)
		return 1;
	return errno == EEXIST ? 0 : err_set(e, errno, "cannot make the directory '%s'", spot->name);
}

/* The kernel's words for a full table of mounts are those for a full disk. */
static int mount_error(struct err *e, int errnum, const char *what)
{
	if (errnum == ENOSPC)
		return err_rule(e, ENOSPC, "%s: there are too many mounts (fs.mount-max)", what);
	return err_set(e, errnum, "%s", what);
}

static int move_there(const struct volume_spot *spot, int mount_fd, struct err *e)
{
	/* By descriptor, and on the same mount: what was put there meanwhile is not covered. */
	scoped(fd_drop) int target_fd = fd_open_same_mount(spot->parent_fd, spot->name, O_PATH | O_DIRECTORY | O_NOFOLLOW, e);

	if (target_fd < 0)
		return target_fd == -EXDEV ? err_rule(e, EBUSY, "something was mounted there meanwhile") : target_fd;
	if (move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return mount_error(e, errno, "cannot move the mount to its place");
	return 0;
}

static int bind_there(const struct volume_spot *spot, const char *bind_path, struct err *e)
{
	char target[32];
	scoped(fd_drop) int target_fd = fd_open_same_mount(spot->parent_fd, spot->name, O_PATH | O_DIRECTORY | O_NOFOLLOW, e);

	if (target_fd < 0)
		return target_fd == -EXDEV ? err_rule(e, EBUSY, "something was mounted there meanwhile") : target_fd;
	snprintf(target, sizeof(target), "/proc/self/fd/%d", target_fd);
	if (mount(bind_path, target, NULL, MS_BIND, NULL) < 0)
		return mount_error(e, errno, "cannot bind the mount to its place");
	return 0;
}

int volume_spot_attach(const struct volume_spot *spot, int mount_fd, struct err *e)
{
	int made = make_directory(spot, e);
	int r = made < 0 ? made : move_there(spot, mount_fd, e);

	if (r < 0 && made == 1)
		unlinkat(spot->parent_fd, spot->name, AT_REMOVEDIR);
	return r;
}

int volume_spot_bind(const struct volume_spot *spot, const char *bind_path, struct err *e)
{
	int made = make_directory(spot, e);
	int r = made < 0 ? made : bind_there(spot, bind_path, e);

	if (r < 0 && made == 1)
		unlinkat(spot->parent_fd, spot->name, AT_REMOVEDIR);
	return r;
}

int volume_spot_detach(const struct volume_spot *spot, struct err *e)
{
	char path[32 + VOLUME_NAME_BYTES];

	/* The way to the parent is a descriptor; NOFOLLOW: no link at its end either. No lstat before: on a dead server it would hang. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", spot->parent_fd, spot->name);
	if (umount2(path, UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno != EBUSY)
		return err_set(e, errno, "cannot unmount '%s'", spot->name);
	if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) < 0)
		return err_set(e, errno, "cannot detach '%s', which is in use", spot->name);
	return 1;
}

int volume_spot_clear(const struct volume_spot *spot, struct err *e)
{
	if (unlinkat(spot->parent_fd, spot->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(e, errno, "cannot remove the directory '%s'", spot->name);
	return 0;
}
