/* reporter_events.h - the reporter's lanes for what may wait: Events and aliases. Nothing here delays condition or taint, and a
 * right that is missing for them is said once and costs nothing else.
 *
 * An alias is written only right after the node object was read: what another writer has put there meanwhile must be seen
 * before it would be overwritten. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "health/alias.h"
#include "health/event.h"
#include "health/kube_answer.h"
#include "health/kube_node.h"

struct reporter;
struct kube_answer;

enum reporter_side { REPORTER_OF_NODE, REPORTER_OF_PODS, REPORTER_SIDE_MAX_ };

struct reporter_events {
	struct event_book books[REPORTER_SIDE_MAX_]; /* pods have a right and a flood of their own: the node's Events never wait for theirs */
	uint32_t number; /* makes names unique */
	uint64_t lost_said;
};

struct reporter_aliases {
	struct kube_node there[ALIAS_MAX_]; /* only its condition is used */
	struct report_condition written[ALIAS_MAX_]; /* by us in this life; type "" = nothing */
	bool fresh[ALIAS_MAX_];	       /* `there` was read after our last write */
	bool said[ALIAS_MAX_];
	int in_hand;		       /* whose request is under way */
	bool removing;
	unsigned generation;	       /* of our writes: an answer to a request that is older says nothing about aliases */
	unsigned asked_at[2];	       /* generation when KUBE_READ, KUBE_CONDITION was sent */
	char words[256];	       /* about another writer; "" = none */
};

void reporter_event(struct reporter *reporter, const struct event *event);

/* An Event of the node about the taint that is wanted: one of event.h's three reasons. */
void reporter_taint_event(struct reporter *reporter, const char *reason, const char *why);

/* Sends what is due, and lowers *next_us to when there may be more. */
void reporter_events_step(struct reporter *reporter, uint64_t now_us, uint64_t *next_us);
void reporter_aliases_step(struct reporter *reporter, uint64_t now_us, uint64_t *next_us);

/* True if the answer was theirs. */
bool reporter_events_answer(struct reporter *reporter, enum kube_lane lane, const struct kube_answer *answer);
/* Of any lane: takes from an answer with the node object what it says about aliases. True if the answer was theirs alone. */
bool reporter_aliases_answer(struct reporter *reporter, enum kube_lane lane, const struct kube_answer *answer);
bool reporter_aliases_are_gone(const struct reporter *reporter); /* with `retire`: none of ours is left */
void reporter_aliases_asked(struct reporter *reporter, enum kube_lane lane); /* a request of the node object goes out */
