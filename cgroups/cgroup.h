/* cgroup.h - one open cgroup: kept directory descriptors, identity, reading, writing.
 *
 * Identity is the inode (= cgroup id on v2): a re-created directory of the same name is another cgroup. After rmdir a kept
 * descriptor gives ENODEV and openat ENOENT: both come back as -ENODEV, "gone". Owned by the caller, cgroup_close(). */
#pragma once

#include "base/err.h"
#include "cgroups/layout.h"
#include "cgroups/sample.h"

struct cgroup {
	uint64_t id;				/* inode in the memory hierarchy */
	int fds[CGROUP_CONTROLLERS_];		/* O_PATH directory in each hierarchy; -1 = none; may repeat */
	int versions[CGROUP_CONTROLLERS_];
	int pressure_fd;			/* directory with memory.pressure; -1 = none */
};

int cgroup_open(const struct cgroup_layout *layout, const char *path, struct cgroup *ret, struct err *e);
void cgroup_close(struct cgroup *cgroup);

/* Everything that can be read; what this kernel has not is left out of `have`. -ENODEV when it is gone. */
int cgroup_read(const struct cgroup *cgroup, struct sample *ret, struct err *e);
int cgroup_read_events(const struct cgroup *cgroup, struct sample *ret, struct err *e); /* events, current and peak only: cheap */

/* pids of the cgroup and those beneath; returns the count, at most `max`. */
int cgroup_pids(const struct cgroup *cgroup, uint32_t *pids, unsigned max, struct err *e);

/* Writes one value ("memory.oom.group", "1"). The name is one file's, without '/'. */
int cgroup_write(const struct cgroup *cgroup, enum cgroup_part controller, const char *file, const char *value, struct err *e);
