#include "volumes/pod_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/names.h"
#include "base/str.h"

#define FS_GROUP     65534
#define LEVELS	     4
#define VERSION_NAME "..2026_01_01_00_00_00.1"

struct work {
	char path[LEVELS][NAME_PATH_BYTES]; /* from pods/UID down to the volume */
	unsigned made;			    /* levels that exist */
	bool mounted;
};

static int result(bool good)
{
	return good ? 0 : errno;
}

static int own_namespace(struct work *w)
{
	(void)w;
	return result(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

static int make_directories(struct work *w)
{
	for (; w->made < LEVELS; w->made++)
		if (mkdir(w->path[w->made], 0750) < 0)
			return errno;
	return 0;
}

static int mount_tmpfs(struct work *w)
{
	w->mounted = mount("tmpfs", w->path[LEVELS - 1], "tmpfs", 0, "size=64k") == 0;
	return result(w->mounted);
}

static int payload(struct work *w)
{
	char path[NAME_PATH_BYTES + 64];
	static const char text[] = "stoker why-enospc --pod-setup\n";

	snprintf(path, sizeof(path), "%s/" VERSION_NAME, w->path[LEVELS - 1]);
	if (mkdir(path, 0755) < 0)
		return errno;
	str_append(path, sizeof(path), "/token");
	scoped(fd_drop) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return result(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
}

static int link_data(struct work *w)
{
	char path[NAME_PATH_BYTES + 64];

	snprintf(path, sizeof(path), "%s/..data_tmp", w->path[LEVELS - 1]);
	return result(symlink(VERSION_NAME, path) == 0);
}

static int swap_data(struct work *w)
{
	char from[NAME_PATH_BYTES + 64], to[NAME_PATH_BYTES + 64];

	snprintf(from, sizeof(from), "%s/..data_tmp", w->path[LEVELS - 1]);
	snprintf(to, sizeof(to), "%s/..data", w->path[LEVELS - 1]);
	return result(rename(from, to) == 0);
}

static int give_away(struct work *w)
{
	const char *path = w->path[LEVELS - 1];

	return result(chown(path, (uid_t)-1, FS_GROUP) == 0 && chmod(path, 02775) == 0);
}

static int unmount(struct work *w)
{
	if (umount(w->path[LEVELS - 1]) < 0)
		return errno;
	w->mounted = false;
	return 0;
}

static int remove_directories(struct work *w)
{
	while (w->made > 0)
		if (rmdir(w->path[--w->made]) < 0)
			return errno;
	return 0;
}

static const struct {
	const char *name;
	enum enospc_call call;
	int (*run)(struct work *w);
} steps[POD_STEP_MAX_] = {
	[POD_NAMESPACE] = {"mount namespace", ENOSPC_UNSHARE, own_namespace},
	[POD_MKDIR] = {"mkdir beneath pods/", ENOSPC_MKDIR, make_directories},
	[POD_TMPFS] = {"mount of a tmpfs", ENOSPC_MOUNT, mount_tmpfs},
	[POD_PAYLOAD] = {"file in the tmpfs", ENOSPC_WRITE, payload},
	[POD_LINK] = {"symbolic link", ENOSPC_OPEN, link_data},
	[POD_SWAP] = {"swap by rename", ENOSPC_OPEN, swap_data},
	[POD_OWNER] = {"chown and setgid", ENOSPC_OPEN, give_away},
	[POD_UMOUNT] = {"umount", ENOSPC_MOUNT, unmount},
	[POD_RMDIR] = {"rmdir", ENOSPC_RMDIR, remove_directories},
};

const char *pod_setup_step_name(enum pod_setup_step step)
{
	return steps[step].name;
}

enum enospc_call pod_setup_step_call(enum pod_setup_step step)
{
	return steps[step].call;
}

void pod_setup_run(const char *root, struct pod_setup *ret)
{
	static const char *const below[LEVELS] = {"", "/volumes", "/volumes/kubernetes.io~projected", "/volumes/kubernetes.io~projected/check"};
	struct work w = {0};

	*ret = (struct pod_setup){0};
	/* room for the names in the volume, too */
	for (unsigned i = 0; i < LEVELS; i++)
		if (!str_copy(w.path[i], NAME_PATH_BYTES, root) || !str_append(w.path[i], NAME_PATH_BYTES, "/pods/stoker-why-enospc.%d%s", getpid(), below[i]))
			ret->errnum = ENAMETOOLONG;
	for (unsigned i = 0; i < POD_STEP_MAX_ && ret->errnum == 0; i++) {
		ret->count = i + 1;
		ret->errnum = steps[i].run(&w);
	}
	if (w.mounted)
		umount2(w.path[LEVELS - 1], MNT_DETACH);
	while (w.made > 0)
		rmdir(w.path[--w.made]);
}
