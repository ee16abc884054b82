/* layout.h - where the controllers of this machine are, and what a container's cgroup is called there.
 *
 * Hierarchies are found once with libcgroup (mount points, versions); everything later goes through kept directory
 * descriptors and openat2(RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS|NO_XDEV): libcgroup re-parses every mount per call and loses the errno
 * (docs/architecture.md). Per controller, not per machine: hybrid is v1 controllers beside an (almost) empty v2.
 * Source of names: kubelet's and runc's code, docs/executors.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/executor.h"

enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
/* Not "cgroup_controller": libcgroup has a struct of that name, and one file includes both. */
enum cgroup_part { CGROUP_MEMORY, CGROUP_CPU, CGROUP_PIDS, CGROUP_IO /* v1 blkio */, CGROUP_CONTROLLERS_ };

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

/* Finds what is mounted. `root` = "" for the machine itself, a prefix for fixtures (then /proc/self/mounts beneath it is read). */
int cgroup_layout_find(const char *root, struct cgroup_layout *ret, struct err *e);
void cgroup_layout_close(struct cgroup_layout *layout);
const char *cgroup_mode_name(enum cgroup_mode mode); /* "v1", "hybrid", "v2", "none" */

/* Pure. The container's directory relative to the controller's mount, from what the runtime says (cgroups_path, or
 * cgroup_parent and id), for either driver: "kubepods-burstable-podX.slice:cri-containerd:ID" becomes
 * "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podX.slice/cri-containerd-ID.scope". -EINVAL with the rule. */
int cgroup_path_of(const struct executor *executor, char *path, size_t size, struct err *e);
int cgroup_pod_path_of(const struct executor *executor, char *path, size_t size, struct err *e); /* its parent: the pod's */

/* Pure. Of a line of /proc/PID/cgroup: the part up to the component that names `container_id` (crun makes a sub-cgroup). */
int cgroup_path_from_proc(const char *proc_cgroup, size_t length, const char *controller, const char *container_id, char *path, size_t size, struct err *e);

/* Pure. What a directory's name says: container id and pod uid, whichever driver and runtime made it; "" = neither. */
struct cgroup_name {
	char container_id[EXECUTOR_CONTAINER_ID_BYTES];
	char pod_uid[EXECUTOR_UID_BYTES];
	enum executor_qos qos;
};
bool cgroup_name_parse(const char *path, struct cgroup_name *ret);
