/* plan_mount.h - which mounts a container of Spark gets at its creation without a word of them in its pod's spec: scratch in memory,
 * checkpoints. Pure. docs/volumes.md.
 *
 * A mount that the container has at that path, above or below it, wins. A bind's source is made of names of the configuration
 * alone: a path beneath an export is written by tenants, and the runtime, which is root, would follow a symbolic link in it. */
#pragma once

#include "health/wire.h"
#include "shim/plan.h"

#define PLAN_SCRATCH_LEAST_BYTES (16ULL << 20) /* less is no scratch */

struct plan_volumes {
	const struct wire_nri_volumes *policy;
	uint32_t ready; /* bit n: checkpoint n is mounted on the node and answers */
	uint32_t others; /* scratch in memory that the pod has otherwise: scratch_pods.h */
	bool dry_run;
	const struct redactor *redactor; /* of what a complaint quotes; NULL: as it is */
};

/* Adds to the plan. `complaint` is set if it is "" and something wanted is not done, or a mount that is there wins. */
void plan_add_mounts(const struct plan_volumes *volumes, const struct executor *executor, const struct pod_view *pod, const struct container_view *container,
		     struct plan *plan, char complaint[PLAN_COMPLAINT_BYTES]);

/* What the memory limit leaves beside heap, off-heap and reserve, in equal parts with the pod's `others`: 0 = nothing. stokerd shares the
 * rest among those (health/volumes.h), so that the sum is what the limit leaves. An unknown heap is a quarter of the limit, as the JVM
 * has it. Without a limit: scratch.withoutLimit. At most scratch.max. */
uint64_t plan_scratch_room(const struct wire_nri_volumes *policy, const struct executor *executor, uint32_t others);
