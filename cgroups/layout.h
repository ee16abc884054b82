/* layout.h - where the controllers of this machine are.
 *
 * Hierarchies are found once with libcgroup (mount points, versions); everything later goes through kept directory
 * descriptors and openat2(RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS|NO_XDEV): libcgroup re-parses every mount per call and loses the errno
 * (docs/architecture.md). Per controller, not per machine: hybrid is v1 controllers beside an (almost) empty v2.
 * What a container's cgroup is called in them: cgroups/path.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cgroups/path.h"

enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
/* Not "cgroup_controller": libcgroup has a struct of that name, and one file includes both. */
enum cgroup_part { CGROUP_MEMORY, CGROUP_CPU, CGROUP_PIDS, CGROUP_IO /* v1 blkio */, CGROUP_CPUACCT /* v1 only */, CGROUP_CONTROLLERS_ };

struct cgroup_hierarchy {
	int version;	 /* 1 or 2; 0 = this controller is not there */
	int root_fd;	 /* O_PATH directory of the mount; owned by the layout */
	char mount[128];
};

struct cgroup_layout {
	enum cgroup_mode mode;
	struct cgroup_hierarchy controllers[CGROUP_CONTROLLERS_]; /* the same root_fd may serve several */
	int unified_fd; /* the v2 mount, also the empty one of hybrid (PSI files); -1 = none */
};

/* Finds what is mounted. `root` = "" for the machine itself: libcgroup is asked, in a child, since it would leave 0.9 MiB in this
 * process. Else a prefix for fixtures, whose proc/self/mounts is read. -ENOENT when no cgroup filesystem is mounted. */
int cgroup_layout_find(const char *root, struct cgroup_layout *ret, struct err *e);
void cgroup_layout_close(struct cgroup_layout *layout);
const char *cgroup_mode_name(enum cgroup_mode mode); /* "v1", "hybrid", "v2", "none" */
