/* scratch_pods.h - which pods have other scratch in memory than what is injected, and how many: by stokerd's word, before the kubelet lets
 * their containers be made. Pure. What one pod gets is shared by all of it (plan_scratch_room). */
#pragma once

#include <stdint.h>

#include "base/executor.h"

#define SCRATCH_PODS_MAX 512 /* what is beyond gets no share */

struct scratch_pods {
	uint32_t count;
	struct scratch_pod {
		char uid[EXECUTOR_UID_BYTES];
		uint32_t volumes;
	} pods[SCRATCH_PODS_MAX];
};

/* 0 volumes: forgotten. */
void scratch_pods_set(struct scratch_pods *pods, const char *uid, uint32_t volumes);
uint32_t scratch_pods_get(const struct scratch_pods *pods, const char *uid);
