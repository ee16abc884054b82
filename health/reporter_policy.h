/* reporter_policy.h - is this agent's token kept to its own node? Asked by a dry run of a write that the admission policy must refuse
 * (deploy/kustomize/base/policy.yaml): the agent may not read policies, and a policy that is there need not be bound. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "health/kube_answer.h"

#define REPORTER_POLICY_US	   (3600 * 1000000ULL) /* jittered by a tenth */
#define REPORTER_POLICY_MISSING_US (300 * 1000000ULL)

struct reporter;
struct kube_answer;

struct reporter_policy {
	uint32_t found; /* enum report_policy */
	uint64_t due_us;
};

/* Pure. What an answer to the dry run says; REPORT_POLICY_UNKNOWN: nothing. */
uint32_t reporter_policy_judge(long http_status, const char *text);

void reporter_policy_step(struct reporter *reporter, uint64_t now_us, uint64_t *next_us);
bool reporter_policy_answer(struct reporter *reporter, enum kube_lane lane, const struct kube_answer *answer); /* true if it was its own */
