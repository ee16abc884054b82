/* executor_view.h - what is shown of one executor: the JSON of docs/contract.md ("kind": "ExecutorList") and back, for the CLI. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/executor.h"
#include "health/view_list.h"

#define EXECUTOR_VIEWS_MAX 4096 /* that are read back */

struct executor_view {
	char name_space[EXECUTOR_NAMESPACE_BYTES], pod[NAME_NODE_BYTES], pod_uid[EXECUTOR_UID_BYTES], container[EXECUTOR_LABEL_BYTES];
	char container_id[EXECUTOR_CONTAINER_ID_BYTES];
	char app_id[EXECUTOR_LABEL_BYTES], app_name[EXECUTOR_LABEL_BYTES], executor_id[16], spark_version[16], queue[EXECUTOR_LABEL_BYTES];
	char role[32], language[16], qos[16];
	bool sidecar, watched; /* watched: its cgroup is open */
	uint64_t started_wall_us;
	uint64_t used_bytes, working_set_bytes, limit_bytes /* 0 = none */, peak_bytes;
	uint64_t anon_bytes, shmem_bytes, cache_bytes, kernel_bytes;
	uint64_t heap_bytes, jvm_bytes, python_bytes, r_bytes, other_bytes; /* of processes: 0 = not looked at */
	uint64_t oom_kills; /* since it is watched */
};

extern const struct view_list executor_list; /* of struct executor_view */

/* One line; malloc'ed. `node` is a node's name, which needs no escape; the other strings are escaped as in docs/contract.md. */
int executor_views_to_json(const struct executor_view *views, size_t count, const char *node, uint64_t wall_us, char **ret_text, struct err *e);
