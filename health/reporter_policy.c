#include "health/reporter_policy.h"

#include <string.h>

#include "base/clock.h"
#include "health/reporter.h"

/* A label through nodes/status: the right to patch it is the one that every overlay leaves, and the field is one that a thief would like. */
#define FORBIDDEN_WRITE "{\"metadata\":{\"labels\":{\"stoker.dev/policy-check\":\"dry-run\"}}}"

uint32_t reporter_policy_judge(long http_status, const char *text)
{
	if (http_status >= 200 && http_status < 300)
		return REPORT_POLICY_MISSING;
	/* Not the status: a missing right, or another admission plugin, refuses with the same one. */
	return http_status >= 400 && http_status < 500 && strstr(text, "ValidatingAdmissionPolicy") ? REPORT_POLICY_THERE : REPORT_POLICY_UNKNOWN;
}

void reporter_policy_step(struct reporter *r, uint64_t now_us, uint64_t *next_us)
{
	if (!r->node.known || r->config.retire)
		return;
	if (now_us < r->policy.due_us) {
		*next_us = r->policy.due_us < *next_us ? r->policy.due_us : *next_us;
		return;
	}
	/* Behind everything else: what the node object says is more urgent. */
	if (kube_client_is_busy(&r->client, KUBE_CONDITION) || kube_client_is_busy(&r->client, KUBE_TAINT))
		return;
	if (reporter_lane_is_due(r, KUBE_POLICY, true, now_us, next_us))
		reporter_lane_send(r, KUBE_POLICY, *r->report.node ? r->report.node : r->config.node, strdup(FORBIDDEN_WRITE));
}

bool reporter_policy_answer(struct reporter *r, enum kube_lane lane, const struct kube_answer *answer)
{
	enum kube_meaning meaning = kube_answer_judge(lane, answer->status, answer->retry_after_s);
	uint32_t found = reporter_policy_judge(answer->status, answer->text);

	if (lane != KUBE_POLICY)
		return false;
	if (found == REPORT_POLICY_UNKNOWN) {
		reporter_lane_fail(r, lane, meaning, answer->status, answer->retry_after_s, answer->detail);
		return true;
	}
	reporter_lane_succeed(r, lane);
	if (found != r->policy.found && found == REPORT_POLICY_MISSING)
		log_warn(r->log, "no admission policy limits this agent's token", "see", "docs/rights.md");
	r->policy.found = found;
	uint64_t pause = found == REPORT_POLICY_THERE ? REPORTER_POLICY_US : REPORTER_POLICY_MISSING_US;
	r->policy.due_us = clock_mono_us() + pause * 9 / 10 + reporter_random() % (pause / 5);
	return true;
}
