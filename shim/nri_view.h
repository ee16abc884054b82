/* nri_view.h - pods and containers out of NRI's messages, for shim/nri_message.c. Pure.
 *
 * nri_read_… add to what is in the view already (protobuf's rule for an embedded message that is said twice): clear it first.
 * 0, or -EBADMSG. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/view.h"

void nri_clear_pod(struct pod_view *pod);
int nri_read_pod(struct text message, struct pod_view *pod);

void nri_clear_container(struct container_view *container);
int nri_read_container(struct text message, struct container_view *container);

/* Of LinuxResources. Left as they are when no limit is said. */
int nri_read_memory_limit(struct text resources, bool *has_limit, int64_t *limit);
