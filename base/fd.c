#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void fd_drop(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
	*fd = -1;
}

int fd_take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static int open_how(int dir_fd, const char *path, const struct open_how *how)
{
	long fd = -1;

	/* EAGAIN: a rename went on beside the walk; a leased file says so for ever, so the tries are counted. */
	for (int i = 0; i < 32; i++) {
		fd = syscall(SYS_openat2, dir_fd, path, how, sizeof(*how));
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return (int)fd;
}

int fd_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, struct err *e)
{
	const struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = open_how(dir_fd, path, &how);

	if (fd < 0)
		return err_set(e, errno, errno == EXDEV ? "'%s' leaves its directory" : "cannot open '%s'", path);
	return fd;
}

int fd_open_same_mount(int dir_fd, const char *path, int flags, struct err *e)
{
	const struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd = open_how(dir_fd, path, &how);

	if (fd < 0)
		return err_set(e, errno, errno == EXDEV ? "'%s' leaves its directory or is another mount" : "cannot open '%s'", path);
	return fd;
}

ssize_t fd_read_all(int fd, char *buffer, size_t capacity, struct err *e)
{
	size_t length = 0;

	for (;;) {
		ssize_t n = read(fd, buffer + length, capacity - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "cannot read");
		if (n == 0)
			break;
		length += (size_t)n;
		if (length == capacity)
			return err_rule(e, EFBIG, "larger than %zu bytes", capacity - 1);
	}
	buffer[length] = '\0';
	return (ssize_t)length;
}

ssize_t fd_read_path(const char *path, char *buffer, size_t capacity, struct err *e)
{
	scoped(fd_drop) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_set(e, errno, "cannot open '%s'", path);
	ssize_t n = fd_read_all(fd, buffer, capacity, e);
	return n < 0 ? err_wrap(e, "'%s'", path) : n;
}

int fd_write_all(int fd, const void *data, size_t length, struct err *e)
{
	const char *p = data;

	while (length > 0) {
		ssize_t n = write(fd, p, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "cannot write");
		p += n;
		length -= (size_t)n;
	}
	return 0;
}

int fd_lock_file(const char *path, struct err *e)
{
	scoped(fd_drop) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(e, errno, "cannot open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, errno, "cannot lock '%s'", path);
	return fd_take(&fd);
}

int fd_make_directory(const char *path, mode_t mode, struct err *e)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_set(e, errno, "cannot make directory '%s'", path);
	return 0;
}

int fd_hand_to_group(const char *path, mode_t mode, gid_t group, struct err *e)
{
	if (lchown(path, (uid_t)-1, group) < 0)
		return err_set(e, errno, "cannot give '%s' to group %u (report.group; is this process a member of it?)", path, group);
	if (chmod(path, mode) < 0)
		return err_set(e, errno, "cannot set the mode of '%s'", path);
	return 0;
}

int fd_replace_file(const char *path, const void *data, size_t length, mode_t mode, struct err *e)
{
	char temporary[1200];

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return err_set(e, ENAMETOOLONG, "'%s'", path);
	scoped(fd_drop) int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set(e, errno, "cannot make '%s'", temporary);
	if (fd_write_all(fd, data, length, e) < 0)
		return err_wrap(e, "'%s'", temporary);
	if (rename(temporary, path) < 0)
		return err_set(e, errno, "cannot rename '%s' to '%s'", temporary, path);
	return 0;
}
