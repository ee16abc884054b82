/* view.h - a pod and a container as the runtime tells of them: views into the bytes of one message, nothing copied.
 *
 * Valid only as long as the message's buffer. Foreign text: not NUL-terminated, any byte in it. Every list has a cap; what is
 * beyond it is counted in `cut`, never fatal. Filled by shim/nri_message.c; by tests from pod objects. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VIEW_LABELS_MAX	     96
#define VIEW_ANNOTATIONS_MAX 160
#define VIEW_ENV_MAX	     512
#define VIEW_ARGS_MAX	     256
#define VIEW_MOUNTS_MAX	     128
#define VIEW_RLIMITS_MAX     16

struct text {
	const char *bytes;
	uint32_t length;
};

struct text_pair {
	struct text key, value;
};

struct pod_view {
	struct text id, name, uid, name_space, runtime_handler, cgroup_parent, cgroups_path;
	uint32_t pid;
	uint32_t label_count, annotation_count, cut;
	struct text_pair labels[VIEW_LABELS_MAX], annotations[VIEW_ANNOTATIONS_MAX];
	int64_t memory_limit_bytes; /* of the whole pod; 0 = not said */
};

struct mount_view {
	struct text destination, type, source;
	struct text size; /* the value of that option, as a tmpfs has it */
};

enum container_view_state { CONTAINER_UNKNOWN, CONTAINER_CREATED, CONTAINER_PAUSED, CONTAINER_RUNNING, CONTAINER_STOPPED };

struct container_view {
	struct text id, pod_id, name, image, cgroups_path, status_reason, status_message;
	uint32_t state; /* enum container_view_state */
	uint32_t pid;
	int32_t exit_code;
	int64_t created_at_ns, started_at_ns, finished_at_ns; /* finished_at 0 = exit_code means nothing */
	bool has_memory_limit, has_oom_score_adj, has_user;
	int64_t memory_limit_bytes, oom_score_adj;
	uint32_t uid, gid;
	uint32_t env_count, arg_count, mount_count, annotation_count, unified_count, cut;
	struct text env[VIEW_ENV_MAX]; /* "K=V" */
	struct text args[VIEW_ARGS_MAX];
	struct mount_view mounts[VIEW_MOUNTS_MAX];
	struct text_pair annotations[VIEW_ANNOTATIONS_MAX];
	struct text_pair unified[32];
};
