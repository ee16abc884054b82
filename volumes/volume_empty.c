/* volume_empty.c - Spark's files of a dead container taken out of the scratch that its successor gets: see volume_work.h. They are charged
 * to the pod until they go, and a container that restarts over them is killed again and again (kubernetes#128339). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/fd.h"
#include "volumes/entries.h"
#include "volumes/sweep.h"
#include "volumes/tree_remove.h"
#include "volumes/volume_work.h"

/* The container runtime waits for two seconds before a container starts without us. */
#define EMPTY_WITHIN_US (1500 * US_PER_MS)

static int empty_directory(int root_fd, uint64_t *removed, struct err *e)
{
	struct tree_budget budget = {UINT32_MAX, clock_mono_us() + EMPTY_WITHIN_US};
	struct entries entries = {0};
	struct entry entry;
	bool left = false;
	int more;

	scoped(fd_drop) int fd = fd_open_same_mount(root_fd, ".", O_RDONLY | O_DIRECTORY, e);
	if (fd < 0)
		return fd;
	while ((more = entries_next(fd, &entries, &entry, NULL)) > 0) {
		/* A link or a file of that name is not Spark's. */
		if ((entry.type != DT_DIR && entry.type != DT_UNKNOWN) || !sweep_is_name(entry.name))
			continue;
		int r = tree_remove_whole(fd, entry.name, &budget, removed, e);
		if (r < 0 && r != -EBUSY)
			return r;
		left = left || r < 0;
	}
	return more < 0 ? err_set(e, -more, "cannot list the volume") : left ? -EBUSY : 0;
}

int volume_empty(const struct config *config, const struct volume *v, struct volume_result *r, struct err *e)
{
	enum volume_type type = VOLUME_NONE;
	uint64_t removed = 0;

	r->step = VOLUME_RESOLVE;
	scoped(fd_drop) int root_fd = volume_open_root(config, &v->at, true, &type, e);
	if (root_fd < 0)
		return root_fd;
	if (type == VOLUME_CHECKPOINT)
		return err_rule(e, EOPNOTSUPP, "a checkpoint is never emptied");
	if (volume_measure(root_fd, r, e) < 0)
		return -e->code;
	r->step = VOLUME_REMOVE;
	int done = empty_directory(root_fd, &removed, e);
	if (done < 0)
		return done;
	r->already = removed == 0;
	r->step = VOLUME_DONE;
	return 0;
}
