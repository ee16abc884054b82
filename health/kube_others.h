/* kube_others.h - what other agents say about the node's storage on the node object, and whether that contradicts us. Pure. */
#pragma once

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "health/report.h"

/* Bits of `seen` and `bad`. */
enum kube_other {
	OTHER_READONLY_FILESYSTEM, /* node-problem-detector, True = bad */
	OTHER_XFS_SHUTDOWN,	   /* the same */
	OTHER_STORAGE_READY,	   /* EKS node monitoring agent, Karpenter's name; False = bad */
	OTHER_READINESS_TAINT,	   /* a taint of the node readiness controller */
	OTHER_MAX_
};

void kube_others_read(const cJSON *node, uint32_t *seen, uint32_t *bad);

/* Without the names that are ours by configuration: `aliases` are bits of health/alias.h. */
uint32_t kube_others_mask(uint32_t aliases);

/* True if one of them contradicts our condition. `text` names who says what. */
bool kube_others_judge(uint32_t seen, uint32_t bad, enum condition_status ours, char *text, size_t size);
