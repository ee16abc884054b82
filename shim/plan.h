/* plan.h - what is changed about a container at its creation: a closed record, the only thing a reply is made from. Decided by
 * pure code from executor, policy and annotations. An empty plan is "no adjustment". Policy and annotations: docs/executors.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/config_volumes.h"
#include "base/executor.h"
#include "shim/view.h"

#define PLAN_ENV_MAX	  8
#define PLAN_UNIFIED_MAX  8
#define PLAN_MOUNTS_MAX	  4
#define PLAN_SAID_BYTES	  256
#define PLAN_SCRATCH_SOURCE "stoker-scratch" /* what the container's mount table shows of an injected tmpfs */
#define PLAN_SOURCE_BYTES (NAME_PATH_BYTES + CONFIG_VOLUME_NAME_BYTES)

struct plan_pair {
	char key[64], value[192];
};

enum plan_mount_type { PLAN_MOUNT_TMPFS, PLAN_MOUNT_BIND };

/* A tmpfs of the container's own, or a bind of a checkpoint that the broker has mounted on the node: nothing else can be said. */
struct plan_mount {
	uint32_t type; /* enum plan_mount_type */
	uint32_t read_only, has_owner; /* bool */
	uint32_t uid, gid;	       /* of a tmpfs whose container's user is known; else everybody may write (01777) */
	uint64_t size_bytes, inodes;   /* of a tmpfs */
	char destination[CONFIG_VOLUME_PATH_BYTES];
	char source[PLAN_SOURCE_BYTES]; /* of a bind: RUNTIMEDIR/checkpoints/NAME */
};

struct plan {
	uint32_t env_count, unified_count, mount_count;
	struct plan_pair env[PLAN_ENV_MAX];
	struct plan_pair unified[PLAN_UNIFIED_MAX]; /* cgroup v2 only: on v1 runc refuses the container */
	struct plan_mount mounts[PLAN_MOUNTS_MAX];
	bool set_oom_score_adj;
	int64_t oom_score_adj;
	char would_set[PLAN_SAID_BYTES]; /* of a dry run, for people: what is not set ("memory.oom.group=0"); else "" */
};

bool plan_is_empty(const struct plan *plan);

/* Of its scratch in memory, together. */
uint64_t plan_scratch_bytes(const struct plan *plan);

/* What it sets the variable to; NULL = it does not. */
const char *plan_env(const struct plan *plan, const char *key);

/* Does it set memory.oom.group? *ret is 0 or 1. */
bool plan_oom_group(const struct plan *plan, uint32_t *ret);

/* "memory.oom.group=0, oom_score_adj=3, /scratch (tmpfs, 512 MiB)"; "" of an empty plan. */
void plan_say(const struct plan *plan, char *text, size_t size);

/* What is known about this node and this runtime beside the configuration. */
struct plan_limits {
	bool unified;	      /* cgroup v2, and the runtime's NRI applies it */
	bool oom_score_adj;   /* NRI ≥ 0.7 */
	bool dry_run;	      /* beside the configuration's own */
	const struct redactor *redactor; /* of what a complaint quotes; NULL: as it is */
};

#define PLAN_COMPLAINT_BYTES	      256
#define PLAN_OOM_GROUP_ANNOTATION     STOKER_PREFIX "oom-group"
#define PLAN_SCRATCH_ANNOTATION	      STOKER_PREFIX "scratch"
#define PLAN_CHECKPOINT_ANNOTATION    STOKER_PREFIX "checkpoint"

/* Pure. `complaint` is "" or one sentence about an annotation that was not understood (an Event; the default is used). */
void plan_decide(const struct config_executors *config, const struct plan_limits *limits, const struct executor *executor, const struct pod_view *pod,
		 const struct container_view *container, struct plan *ret, char complaint[PLAN_COMPLAINT_BYTES]);

/* The annotation of that name; NULL = none. */
const struct text *plan_annotation(const struct pod_view *pod, const char *key);

/* Nothing is set, and what would have been is said. */
void plan_make_dry(struct plan *plan);
