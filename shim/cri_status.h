/* cri_status.h - what a container runtime says of one container: CRI's ContainerStatus, the part of it that tells of an end.
 *
 * Pure. A pull reader over the message (proto.h): views into its bytes, nothing copied, unknown fields passed over. Field numbers:
 * kubernetes/cri-api pkg/apis/runtime/v1/api.proto, the same since v1alpha2. */
#pragma once

#include <stdint.h>

#include "shim/view.h"

#define CRI_STATUS_METHOD    "/runtime.v1.RuntimeService/ContainerStatus"
#define CRI_STATUS_ASK_BYTES 128

enum cri_state { CRI_CREATED, CRI_RUNNING, CRI_EXITED, CRI_UNKNOWN };

struct cri_status {
	struct text id, reason, message, log_path;
	uint32_t state; /* enum cri_state, or a later one */
	int32_t exit_code;
	int64_t finished_at_ns;
};

/* ContainerStatusRequest. Its length; 0 = the id is too long. */
uint32_t cri_write_status_request(const char *container_id, unsigned char bytes[CRI_STATUS_ASK_BYTES]);

/* ContainerStatusResponse. -EBADMSG: no such message, or one without a status. */
int cri_read_status(struct text message, struct cri_status *ret);

/* "/var/log/pods/…/spark-kubernetes-executor/2.log" is 2; UINT32_MAX = no such name. */
uint32_t cri_log_number(struct text log_path);
