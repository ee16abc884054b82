/* made_group.h - a cgroup of our own for `stoker run`: made, entered and removed through libcgroup, the same on v1, hybrid and v2.
 *
 * libcgroup finds each controller's hierarchy and writes the values. What it does not do is done here: on v2 it never enables
 * a controller in the root's cgroup.subtree_control (measured: it fails and leaves half a tree), and its mkdir loses the errno
 * (2.0.2 and 3.2.0: ECGROUPNOTALLOWED for any), so after a failure the directory is tried once more without it, for the word.
 * Not for hot paths: every call of libcgroup reads the mount table (up to milliseconds). One process at a time, not the agent. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cgroups/layout.h"

#define MADE_GROUP_NAME_BYTES 128

struct made_group_limits {
	uint64_t memory_bytes; /* 0 = none; swap is not given beside it where the kernel accounts it */
	uint32_t cpu_millis;   /* 1000 = one CPU; 0 = none */
	uint32_t group_kill;   /* bool: memory.oom.group, v2 only; as kubelet sets it since 1.28 */
};

#define MADE_GROUP_PLACES 3

struct made_group {
	char name[MADE_GROUP_NAME_BYTES]; /* relative to each controller's mount: "GROUP/CHILD"; "" = not made */
	unsigned count;
	char mounts[MADE_GROUP_PLACES][128]; /* of the hierarchies that it is in, each once */
};

/* A group with one in it, as a container lives in its pod: "NAME/main"; the limits are the inner one's, so that the kernel's
 * counters of "container" and "pod" can be told apart here too. `layout` must be of the machine (root ""). Nothing is left
 * behind on failure. */
int made_group_make(const struct cgroup_layout *layout, const char *name, const struct made_group_limits *limits, struct made_group *ret, struct err *e);

/* Moves a process into it, in every hierarchy. */
int made_group_enter(const struct made_group *group, pid_t pid, struct err *e);

/* Removes the directories, without libcgroup: it says 0 and leaves a group that is not empty (2.0.2: tried). -EBUSY = a process
 * is still inside or not yet reaped: try again. */
int made_group_remove(struct made_group *group, struct err *e);
