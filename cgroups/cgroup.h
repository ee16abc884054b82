/* cgroup.h - one open cgroup: kept directory descriptors, identity, reading, writing.
 *
 * Opened beneath the hierarchy's mount with openat2(RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV); before Linux 5.6 part by
 * part. Identity is the inode (= cgroup id on v2): a re-created directory of the same name is another cgroup. After rmdir a kept
 * descriptor gives ENODEV and openat ENOENT: both come back as -ENODEV, "gone". Owned by the caller, cgroup_close(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/executor.h"
#include "cgroups/layout.h"
#include "cgroups/sample.h"

#define CGROUP_FILE_BYTES (64 * 1024) /* of one file's text; memory.stat has 2 KiB */

struct cgroup {
	uint64_t id;				/* inode in the memory hierarchy */
	int fds[CGROUP_CONTROLLERS_];		/* O_PATH directory in each hierarchy; -1 = none; may repeat */
	int versions[CGROUP_CONTROLLERS_];	/* 0 = none */
	int pressure_fd;			/* directory with memory.pressure; -1 = none; may repeat */
};

/* The memory controller's directory must be there; others may be missing. -ENODEV when it is not. */
int cgroup_open(const struct cgroup_layout *layout, const char *path, struct cgroup *ret, struct err *e);
void cgroup_close(struct cgroup *cgroup);
bool cgroup_is_gone(const struct cgroup *cgroup);

/* Where a container's cgroup is: what the runtime said, if that is there; else what /proc/PID/cgroup says; else the entry of
 * its pod's directory that has its id in the name. -ENODEV when none is. */
int cgroup_find(const struct cgroup_layout *layout, const struct executor *executor, char *path, size_t size, struct err *e);

/* Everything that can be read; what this kernel has not, or shows in another shape, is left out of `have`. -ENODEV when it is gone. */
int cgroup_read(const struct cgroup *cgroup, struct sample *ret, struct err *e);
int cgroup_read_events(const struct cgroup *cgroup, struct sample *ret, struct err *e); /* events, current and peak only: cheap */
int cgroup_read_use(const struct cgroup *cgroup, struct sample *ret, struct err *e);	/* current and peak only */

/* What kept it from running, for the last time: counters of its CPU and its limit of processes, pressures. What cannot be read (any more) stays as it was. */
void cgroup_read_stalls(const struct cgroup *cgroup, struct sample *sample);

/* pids of the cgroup and those beneath, as this process's namespace numbers them; returns the count, at most `max`. */
int cgroup_pids(const struct cgroup *cgroup, uint32_t *pids, unsigned max, struct err *e);

/* One file's text ("memory.oom.group"), NUL-terminated; the length. The name is one file's, without '/'. -ENOENT: this kernel has
 * it not; -EFBIG: longer than the buffer. */
ssize_t cgroup_read_file(const struct cgroup *cgroup, enum cgroup_part controller, const char *file, char *text, size_t size, struct err *e);
int cgroup_write(const struct cgroup *cgroup, enum cgroup_part controller, const char *file, const char *value, struct err *e);
