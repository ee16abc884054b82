/* beneath.c - see beneath.h. */
#include "cgroups/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"

#define COMPONENT_BYTES 256
#define DIRECTORY_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* One step; `device` is the hierarchy's. */
static int step(int dir_fd, const char *at, size_t length, dev_t device, struct err *e)
{
	char name[COMPONENT_BYTES];
	struct stat st;

	if (length >= sizeof(name))
		return err_set(e, ENAMETOOLONG, "cannot open a cgroup");
	memcpy(name, at, length);
	name[length] = '\0';
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_rule(e, EXDEV, "'%s' leaves its directory", name);
	scoped(fd_drop) int fd = openat(dir_fd, name, DIRECTORY_FLAGS);
	if (fd < 0)
		return err_set(e, errno, "cannot open '%s'", name);
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot look at '%s'", name);
	if (st.st_dev != device)
		return err_rule(e, EXDEV, "'%s' is another filesystem", name);
	return fd_take(&fd);
}

int cgroup_walk_beneath(int dir_fd, const char *path, struct err *e)
{
	struct stat st;

	if (*path == '/')
		return err_rule(e, EXDEV, "'%s' leaves its directory", path);
	scoped(fd_drop) int here = openat(dir_fd, ".", DIRECTORY_FLAGS);
	if (here < 0 || fstat(here, &st) < 0)
		return err_set(e, errno, "cannot open a cgroup hierarchy");
	while (*(path += strspn(path, "/")) != '\0') {
		size_t length = strcspn(path, "/");
		int next = step(here, path, length, st.st_dev, e);
		if (next < 0)
			return next;
		fd_drop(&here);
		here = next;
		path += length;
	}
	return fd_take(&here);
}

int cgroup_open_beneath(int dir_fd, const char *path, struct err *e)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
	long fd = -1;

	/* EAGAIN: a rename went on beside the walk */
	for (int i = 0; i < 32; i++) {
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return cgroup_walk_beneath(dir_fd, path, e);
	if (fd < 0)
		return err_set(e, errno, errno == EXDEV ? "'%s' leaves its directory" : "cannot open '%s'", path);
	return (int)fd;
}
