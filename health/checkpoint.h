/* checkpoint.h - the state of one checkpoint, an NFS export that this node mounts: a pure table, `now` passed in.
 *
 *   healthy -> slow -> unreachable -> recovered -> healthy
 *                      stale       -> recovered, after a new mount
 *
 * What is heard comes from four places: a ping over TCP (nobody waits in the kernel for it), the kernel's log, a statfs in a child with
 * a deadline, and what became of a mount. Only a ping or a statfs decides; the kernel's words are a hint. A server that is gone is gone
 * for every node: it makes a condition, never a taint. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

#define CHECKPOINT_SLOW_US	   (1000 * 1000ULL) /* an answer that takes longer */
#define CHECKPOINT_FAILURES	   2 /* in a row: unreachable */
#define CHECKPOINT_RECOVER_AFTER   3 /* good answers in a row: recovered is healthy */
#define CHECKPOINT_DWELL_US	   (10 * 1000000ULL) /* and at least so long recovered or slow */

enum checkpoint_state {
	CHECKPOINT_UNKNOWN,	/* not asked yet */
	CHECKPOINT_HEALTHY,
	CHECKPOINT_SLOW,	/* answers late, or has just failed to answer: nothing is refused */
	CHECKPOINT_UNREACHABLE,
	CHECKPOINT_STALE,	/* answers, but what is mounted here is not there any more */
	CHECKPOINT_RECOVERED,	/* answers again; one failure and it is unreachable */
	CHECKPOINT_STATE_MAX_
};

enum checkpoint_event {
	CHECKPOINT_ANSWERED, /* to a ping or a statfs, within CHECKPOINT_SLOW_US */
	CHECKPOINT_LATE,     /* answered, later than that */
	CHECKPOINT_SILENT,   /* did not answer by the deadline, or cannot be reached */
	CHECKPOINT_LOST,     /* ESTALE: the handle of what is mounted is not valid any more */
	CHECKPOINT_HINT,     /* the kernel says that the server does not respond */
	CHECKPOINT_MOUNTED,  /* mounted anew: what was stale is replaced */
	CHECKPOINT_EVENT_MAX_
};

struct checkpoint {
	enum checkpoint_state state;
	uint64_t since_us;	/* monotonic: when `state` began */
	uint32_t failures, good; /* in a row */
	char words[160];	/* why it is not healthy, for people: what began `state`; "" = it is */
};

/* The next state. Every (state, event) pair has an answer. `words` may be NULL. */
struct checkpoint checkpoint_step(struct checkpoint checkpoint, enum checkpoint_event event, const char *words, uint64_t now_us);

/* May pods be given it? A server that is slow is waited for; one not asked yet is tried. */
bool checkpoint_is_usable(const struct checkpoint *checkpoint);

const char *checkpoint_state_name(enum checkpoint_state state);	  /* "healthy" … */
const char *checkpoint_state_reason(enum checkpoint_state state); /* "CheckpointUnreachable" …; "AllProbesPassed" while healthy */
