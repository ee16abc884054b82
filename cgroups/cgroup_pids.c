/* cgroup_pids.c - the processes of a cgroup and of those beneath. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "cgroups/cgroup.h"

/* A container with writable cgroups can make tens of thousands (KEP-5474 saw 42,000): looking into them all would stop the loop. */
#define DEPTH_MAX	16
#define DIRECTORIES_MAX 512

struct walk {
	uint32_t *pids;
	unsigned max, count, directories;
};

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* cgroup.procs in pieces: a number may lie across two. 0 stands for a process that this pid namespace does not see. */
static int take_pids(int fd, struct walk *w)
{
	char chunk[4096];
	uint64_t pid = 0;

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (ssize_t i = 0; i < n; i++) {
			if (chunk[i] >= '0' && chunk[i] <= '9' && pid <= UINT32_MAX) {
				pid = pid * 10 + (uint64_t)(chunk[i] - '0');
				continue;
			}
			if (pid > 0 && pid <= UINT32_MAX && w->count < w->max)
				w->pids[w->count++] = (uint32_t)pid;
			pid = 0;
		}
	}
}

static int walk_into(int dir_fd, unsigned depth, struct walk *w)
{
	scoped(fd_drop) int procs = openat(dir_fd, "cgroup.procs", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	/* a threaded cgroup answers EOPNOTSUPP: its processes are listed further up */
	int r = procs < 0 ? -errno : take_pids(procs, w);
	if (depth == 0 && (r == -ENODEV || r == -ENOENT))
		return -ENODEV;

	scoped(fd_drop) int list_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped(close_dir) DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	if (!dir)
		return 0;
	fd_take(&list_fd);
	for (const struct dirent *entry; w->count < w->max && (entry = readdir(dir)) != NULL;) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || depth + 1 == DEPTH_MAX || ++w->directories > DIRECTORIES_MAX)
			continue;
		scoped(fd_drop) int child = openat(dir_fd, entry->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			walk_into(child, depth + 1, w);
	}
	return 0;
}

int cgroup_pids(const struct cgroup *cgroup, uint32_t *pids, unsigned max, struct err *e)
{
	struct walk w = {.pids = pids, .max = max};

	if (walk_into(cgroup->fds[CGROUP_MEMORY], 0, &w) < 0)
		return err_rule(e, ENODEV, "the cgroup is gone");
	return (int)w.count;
}
