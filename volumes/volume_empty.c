/* volume_empty.c - Spark's files of a dead container taken out of the scratch that its successor gets: see volume_work.h. They are charged
 * to the pod until they go, and a container that restarts over them is killed again and again (kubernetes#128339). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "volumes/tree_remove.h"
#include "volumes/volume_work.h"

/* The container runtime waits for two seconds before a container starts without us. */
#define EMPTY_WITHIN_US (1500 * US_PER_MS)
#define UUID_LENGTH	36

static void directory_drop(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* "blockmgr-" or "spark-" and a UUID: what Spark names its own (Utils.createDirectory); spark-events is somebody's data. */
static bool is_sparks(const char *name)
{
	const char *uuid = str_starts(name, "blockmgr-") ? name + strlen("blockmgr-") : str_starts(name, "spark-") ? name + strlen("spark-") : NULL;

	if (!uuid || strlen(uuid) != UUID_LENGTH || strspn(uuid, "0123456789abcdef-") != UUID_LENGTH)
		return false;
	return uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-';
}

static int empty_directory(int root_fd, struct tree_budget *budget, struct err *e)
{
	scoped(fd_drop) int fd = fd_open_same_mount(root_fd, ".", O_RDONLY | O_DIRECTORY, e);
	scoped(directory_drop) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool left = false;

	if (fd < 0)
		return fd;
	if (!directory)
		return err_set(e, errno, "cannot list the volume");
	fd_take(&fd);
	for (errno = 0; (entry = readdir(directory)); errno = 0) {
		/* A link or a file of that name is not Spark's. */
		if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) || !is_sparks(entry->d_name))
			continue;
		int r = tree_remove(dirfd(directory), entry->d_name, budget, e);
		if (r < 0 && r != -EBUSY)
			return r;
		left = left || r < 0;
	}
	return errno ? err_set(e, errno, "cannot list the volume") : left ? -EBUSY : 0;
}

int volume_empty(const struct config *config, const struct volume *v, struct volume_result *r, struct err *e)
{
	struct tree_budget budget = {.until_us = clock_mono_us() + EMPTY_WITHIN_US};
	enum volume_type type = VOLUME_NONE;

	r->step = VOLUME_RESOLVE;
	scoped(fd_drop) int root_fd = volume_open_root(config, &v->at, true, &type, e);
	if (root_fd < 0)
		return root_fd;
	if (type == VOLUME_CHECKPOINT)
		return err_rule(e, EOPNOTSUPP, "a checkpoint is never emptied");
	r->step = VOLUME_REMOVE;
	int done = empty_directory(root_fd, &budget, e);
	if (done < 0)
		return done;
	r->already = budget.removed == 0;
	r->step = VOLUME_DONE;
	return 0;
}
