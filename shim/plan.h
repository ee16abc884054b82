/* plan.h - what is changed about a container at its creation: a closed record, the only thing a reply is made from. Decided by
 * pure code from executor, policy and annotations. An empty plan is "no adjustment". Policy and annotations: docs/executors.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/executor.h"
#include "shim/view.h"

#define PLAN_ENV_MAX	 8
#define PLAN_UNIFIED_MAX 8
#define PLAN_SAID_BYTES	 128

struct plan_pair {
	char key[64], value[192];
};

struct plan {
	uint32_t env_count, unified_count;
	struct plan_pair env[PLAN_ENV_MAX];
	struct plan_pair unified[PLAN_UNIFIED_MAX]; /* cgroup v2 only: on v1 runc refuses the container */
	bool set_oom_score_adj;
	int64_t oom_score_adj;
	char would_set[PLAN_SAID_BYTES]; /* of a dry run, for people: what is not set ("memory.oom.group=0"); else "" */
};

bool plan_is_empty(const struct plan *plan);

/* "memory.oom.group=0, oom_score_adj=3"; "" of an empty plan. */
void plan_say(const struct plan *plan, char *text, size_t size);

/* What is known about this node and this runtime beside the configuration. */
struct plan_limits {
	bool unified;	      /* cgroup v2, and the runtime's NRI applies it */
	bool oom_score_adj;   /* NRI ≥ 0.7 */
	bool dry_run;	      /* beside the configuration's own */
};

#define PLAN_COMPLAINT_BYTES 256
/* Pure. `complaint` is "" or one sentence about an annotation that was not understood (an Event; the default is used). */
void plan_decide(const struct config_executors *config, const struct plan_limits *limits, const struct executor *executor, const struct pod_view *pod,
		 const struct container_view *container, struct plan *ret, char complaint[PLAN_COMPLAINT_BYTES]);
