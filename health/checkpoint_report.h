/* checkpoint_report.h - what the node says of its checkpoints: the condition stoker.dev/CheckpointReady. Pure.
 *
 * It never taints: a server that is gone is gone for every node that mounts it, and a pool that is tainted as a whole runs nothing. So
 * report.taintFor does not take it; who wants pods to wait uses the condition. */
#pragma once

#include "health/health.h"

/* Type "" when no checkpoint is configured. Transition times are the caller's to keep. */
void checkpoint_report(const struct health *health, const struct config *config, struct report_condition *ret);
