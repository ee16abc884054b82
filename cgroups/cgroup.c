/* cgroup.c - see cgroup.h. */
#include "cgroups/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "cgroups/beneath.h"

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int gone(struct err *e)
{
	return err_rule(e, ENODEV, "the cgroup is gone");
}

/* --- open and close --- */

/* Shared with one that is open already, where both are the same mount. */
static int shared(const struct cgroup_layout *layout, const struct cgroup *cgroup, int until)
{
	for (int i = 0; i < until; i++)
		if (cgroup->fds[i] >= 0 && layout->controllers[i].root_fd == layout->controllers[until].root_fd)
			return cgroup->fds[i];
	return -1;
}

static void open_pressure(const struct cgroup_layout *layout, const char *path, struct cgroup *cgroup)
{
	if (layout->unified_fd < 0)
		return;
	for (int i = 0; i < CGROUP_CONTROLLERS_; i++)
		if (cgroup->fds[i] >= 0 && layout->controllers[i].root_fd == layout->unified_fd)
			cgroup->pressure_fd = cgroup->fds[i];
	if (cgroup->pressure_fd < 0) /* hybrid: runc and systemd make the directory there too */
		cgroup->pressure_fd = cgroup_open_beneath(layout->unified_fd, path, NULL);
	if (cgroup->pressure_fd < 0)
		cgroup->pressure_fd = -1;
}

int cgroup_open(const struct cgroup_layout *layout, const char *path, struct cgroup *ret, struct err *e)
{
	struct cgroup cgroup = {.pressure_fd = -1};
	struct stat st;

	for (int i = 0; i < CGROUP_CONTROLLERS_; i++)
		cgroup.fds[i] = -1;
	for (int i = 0; i < CGROUP_CONTROLLERS_; i++) {
		const struct cgroup_hierarchy *h = &layout->controllers[i];
		int fd = h->version ? shared(layout, &cgroup, i) : -1;
		if (h->version && fd < 0)
			fd = cgroup_open_beneath(h->root_fd, path, i == CGROUP_MEMORY ? e : NULL);
		if (i == CGROUP_MEMORY && fd < 0)
			return h->version == 0	  ? err_rule(e, ENODEV, "this machine has no memory controller")
			       : fd == -ENOENT ? err_rule(e, ENODEV, "there is no cgroup '%s'", path)
					       : fd;
		if (fd < 0)
			continue;
		cgroup.fds[i] = fd;
		cgroup.versions[i] = h->version;
	}
	open_pressure(layout, path, &cgroup);
	if (fstat(cgroup.fds[CGROUP_MEMORY], &st) < 0) {
		int r = err_set(e, errno, "cannot look at cgroup '%s'", path);
		cgroup_close(&cgroup);
		return r;
	}
	cgroup.id = st.st_ino;
	*ret = cgroup;
	return 0;
}

void cgroup_close(struct cgroup *cgroup)
{
	int pressure_fd = cgroup->pressure_fd;

	for (int i = 0; i < CGROUP_CONTROLLERS_; i++) {
		int fd = cgroup->fds[i];
		pressure_fd = pressure_fd == fd ? -1 : pressure_fd;
		for (int j = i; j < CGROUP_CONTROLLERS_; j++)
			if (cgroup->fds[j] == fd)
				cgroup->fds[j] = -1;
		fd_drop(&fd);
		cgroup->versions[i] = 0;
	}
	fd_drop(&pressure_fd);
	cgroup->pressure_fd = -1;
	cgroup->id = 0;
}

/* A file that every cgroup of either version has. */
bool cgroup_is_gone(const struct cgroup *cgroup)
{
	return faccessat(cgroup->fds[CGROUP_MEMORY], "cgroup.procs", F_OK, 0) < 0 && (errno == ENOENT || errno == ENODEV);
}

/* --- find --- */

static bool is_there(const struct cgroup_layout *layout, const char *path)
{
	scoped(fd_drop) int fd = layout->controllers[CGROUP_MEMORY].version ? cgroup_open_beneath(layout->controllers[CGROUP_MEMORY].root_fd, path, NULL) : -1;

	return fd >= 0;
}

static int find_by_process(const struct executor *executor, char *path, size_t size)
{
	char file[32], text[8192];

	if (executor->pid == 0)
		return -ENOENT;
	snprintf(file, sizeof(file), "/proc/%u/cgroup", executor->pid);
	ssize_t n = fd_read_path(file, text, sizeof(text), NULL);
	/* the id in the path is the proof that the pid was not given to another process meanwhile */
	return n < 0 ? (int)n : cgroup_path_from_proc(text, (size_t)n, "memory", executor->container_id, path, size, NULL);
}

static int find_in_pod(const struct cgroup_layout *layout, const struct executor *executor, char *path, size_t size)
{
	char pod[EXECUTOR_CGROUP_BYTES];

	if (cgroup_pod_path_of(executor, pod, sizeof(pod), NULL) < 0 || !layout->controllers[CGROUP_MEMORY].version)
		return -ENOENT;
	scoped(fd_drop) int dir_fd = cgroup_open_beneath(layout->controllers[CGROUP_MEMORY].root_fd, pod, NULL);
	scoped(fd_drop) int list_fd = dir_fd < 0 ? -1 : openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped(close_dir) DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	if (!dir)
		return -ENOENT;
	fd_take(&list_fd);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (entry->d_type != DT_DIR || !cgroup_names_container(entry->d_name, executor->container_id))
			continue;
		char found[EXECUTOR_CGROUP_BYTES] = "";
		if (!str_append(found, sizeof(found), "%s/%s", pod, entry->d_name) || !str_copy(path, size, found))
			return -ENAMETOOLONG;
		return 0;
	}
	return -ENOENT;
}

int cgroup_find(const struct cgroup_layout *layout, const struct executor *executor, char *path, size_t size, struct err *e)
{
	char found[EXECUTOR_CGROUP_BYTES];

	if (!(cgroup_path_of(executor, found, sizeof(found), NULL) == 0 && is_there(layout, found)) &&
	    !(find_by_process(executor, found, sizeof(found)) == 0 && is_there(layout, found)) && find_in_pod(layout, executor, found, sizeof(found)) < 0)
		return err_rule(e, ENODEV, "no cgroup of container '%s' is found", executor->container_id);
	return str_copy(path, size, found) ? 0 : err_rule(e, ENAMETOOLONG, "the cgroup's path is longer than %zu bytes", size - 1);
}

/* --- single files --- */

static int check_name(const char *file, struct err *e)
{
	if (!*file || strchr(file, '/') || strcmp(file, ".") == 0 || strcmp(file, "..") == 0)
		return err_rule(e, EINVAL, "'%s' is no name of a cgroup's file", file);
	return 0;
}

/* The errno of one file, with "gone" told apart from "not on this kernel". */
static int translate(const struct cgroup *cgroup, const char *file, int errnum, struct err *e)
{
	if (errnum == ENODEV || (errnum == ENOENT && cgroup_is_gone(cgroup)))
		return gone(e);
	return err_set(e, errnum, "'%s'", file);
}

static int open_file(const struct cgroup *cgroup, enum cgroup_part controller, const char *file, int flags, struct err *e)
{
	int r = check_name(file, e);

	if (r < 0)
		return r;
	if (cgroup->fds[controller] < 0)
		return err_rule(e, ENOENT, "'%s': the cgroup is not in that hierarchy", file);
	int fd = openat(cgroup->fds[controller], file, flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? translate(cgroup, file, errno, e) : fd;
}

ssize_t cgroup_read_file(const struct cgroup *cgroup, enum cgroup_part controller, const char *file, char *text, size_t size, struct err *e)
{
	scoped(fd_drop) int fd = open_file(cgroup, controller, file, O_RDONLY, e);
	if (fd < 0)
		return fd;
	ssize_t n = fd_read_all(fd, text, size, e);
	if (n == -ENODEV)
		return gone(e);
	if (n < 0)
		err_wrap(e, "'%s'", file);
	return n;
}

int cgroup_write(const struct cgroup *cgroup, enum cgroup_part controller, const char *file, const char *value, struct err *e)
{
	scoped(fd_drop) int fd = open_file(cgroup, controller, file, O_WRONLY, e);
	if (fd < 0)
		return fd;
	/* One write(2): cgroupfs parses each by itself. */
	size_t length = strlen(value);
	ssize_t n = write(fd, value, length);
	if (n < 0 && errno == ENODEV)
		return gone(e);
	if (n < 0)
		return err_set(e, errno, "cannot write '%s' to '%s'", value, file);
	return (size_t)n == length ? 0 : err_rule(e, EIO, "a part of '%s' was written to '%s'", value, file);
}
