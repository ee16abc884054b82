/* reporter_lane.h - one kind of request of the reporter: at most one under way, and its own pause after a failure, so that a right
 * that is missing for one stops no other. What is true of the server and not of the request (it does not answer) ends for all
 * lanes with the first answer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "health/kube_answer.h"

#define REPORTER_CONFLICTS_AT_ONCE 5

struct reporter;

struct reporter_lane {
	unsigned failures;	   /* in a row, of the same sort: without an answer, or with one */
	enum kube_meaning meaning; /* of the last failure */
	uint64_t not_before_us;
	uint64_t failed_us;	/* when the last failure was */
	enum kube_meaning said; /* what was logged last */
	char words[256];	/* of the failure that stands; "" = well */
};

/* --- pure --- */

/* Notes a failure and plans the next try. False: again at once, nothing is to be said yet (the first conflicts). */
bool reporter_lane_note(struct reporter_lane *lane, enum kube_meaning meaning, uint64_t retry_after_s, uint64_t now_us, uint32_t random);

/* The server has answered on one lane: those that wait because it did not may try again, unless they did a moment ago. */
void reporter_lanes_heard(struct reporter_lane lanes[static KUBE_LANE_MAX_], enum kube_meaning meaning, uint64_t now_us);

/* --- with the reporter --- */

/* Wanted now, allowed now, and none under way. Lowers *next_us to when it will be allowed. */
bool reporter_lane_is_due(const struct reporter *reporter, enum kube_lane lane, bool wanted, uint64_t now_us, uint64_t *next_us);
void reporter_lane_fail(struct reporter *reporter, enum kube_lane lane, enum kube_meaning meaning, long status, uint64_t retry_after_s, const char *detail);
void reporter_lane_succeed(struct reporter *reporter, enum kube_lane lane);
bool reporter_lane_send(struct reporter *reporter, enum kube_lane lane, const char *target, char *body);
/* What failed is not wanted any more (the fault was over before the API server was back): a read tells whether all is well. */
void reporter_lane_settle(struct reporter *reporter, enum kube_lane lane, bool wanted);
