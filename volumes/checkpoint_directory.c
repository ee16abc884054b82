#include "volumes/checkpoint_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define MODE_BETWEEN 0755

static bool is_root(const struct volume *v)
{
	return v->uid == UINT32_MAX || v->uid == 0;
}

/* What the server is told who asks. A server maps root to nobody (root_squash), so the pod's user is tried first. */
static void be_pod(const struct volume *v)
{
	if (is_root(v))
		return;
	setfsgid(v->gid == UINT32_MAX ? v->uid : v->gid);
	setfsuid(v->uid);
}

static void be_root(void)
{
	setfsuid(0);
	setfsgid(0);
}

/* The pod's user may not write there, but root may, if the server lets it be root. */
static int make_as_root(int parent_fd, const char *name, mode_t mode, const struct volume *v, struct err *e)
{
	be_root();
	int r = mkdirat(parent_fd, name, mode) < 0 ? -errno : 0;
	if (r == 0 && fchownat(parent_fd, name, v->uid, v->gid, AT_SYMLINK_NOFOLLOW) < 0) {
		r = -errno;
		unlinkat(parent_fd, name, AT_REMOVEDIR);
	}
	be_pod(v);
	if (r < 0)
		return err_rule(e, -r, "subPath: uid %u may not make '%s' there, and neither may root (root_squash): make it on the server", v->uid, name);
	return 0;
}

static int make(int parent_fd, const char *name, mode_t mode, const struct volume *v, struct err *e)
{
	if (mkdirat(parent_fd, name, mode) == 0 || errno == EEXIST) /* another pod was faster */
		return 0;
	if ((errno == EACCES || errno == EPERM) && !is_root(v))
		return make_as_root(parent_fd, name, mode, v, e);
	return err_set(e, errno, "subPath: cannot make '%s'", name);
}

static int enter(int parent_fd, const char *name, mode_t mode, const struct volume *v, struct err *e)
{
	int fd = fd_open_same_mount(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, e);

	if (fd == -ENOENT && !v->read_only && make(parent_fd, name, mode, v, e) == 0)
		fd = fd_open_same_mount(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, e);
	else if (fd == -ENOENT)
		fd = -e->code;
	if (fd == -EXDEV)
		return err_rule(e, EXDEV, "subPath: '%s' is another filesystem of the server: configure it as a checkpoint of its own", name);
	if (fd == -ELOOP || fd == -ENOTDIR)
		return err_rule(e, -fd, "subPath: '%s' is no directory", name);
	return fd;
}

static int walk(int export_fd, const struct volume *v, struct err *e)
{
	char name[VOLUME_SUB_PATH_BYTES];
	scoped(fd_drop) int at = openat(export_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (at < 0)
		return err_set(e, errno, "cannot enter the export");
	for (const char *p = v->sub_path; *p;) {
		const size_t length = strcspn(p, "/");
		memcpy(name, p, length);
		name[length] = '\0';
		p += length + (p[length] == '/');
		int next = enter(at, name, *p ? MODE_BETWEEN : (mode_t)v->mode, v, e);
		if (next < 0)
			return next;
		fd_drop(&at);
		at = next;
	}
	return fd_take(&at);
}

int checkpoint_directory(int export_fd, const struct volume *v, struct err *e)
{
	if (setgroups(0, NULL) < 0)
		return err_set(e, errno, "cannot leave the groups of root");
	umask(0);
	be_pod(v);
	int fd = walk(export_fd, v, e);
	be_root();
	return fd;
}
