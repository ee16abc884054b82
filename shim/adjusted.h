/* adjusted.h - which containers were adjusted at their creation, and for which pods that must not be done again.
 *
 * An adjustment may be what made a creation fail: another plugin claims the same key, or runc refuses a value. The runtime tells
 * us of neither. What it does tell: the container is stopped or removed without ever having started, or the kubelet creates
 * another one of the same name. After that the pod is left alone, so that it comes up at the second try at the latest. When that
 * happens to ADJUSTED_FAILURES_MAX containers and none that was adjusted starts in between, it is no accident: nothing is adjusted any more.
 * Pure but for its memory, which does not grow: when it is full the oldest is forgotten. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/view.h"

#define ADJUSTED_MAX	  256
#define ADJUSTED_FAILURES_MAX 3
#define ADJUSTED_ID_BYTES 72 /* 64 hex digits; a longer id is never adjusted */

struct adjusted_entry {
	char pod_id[ADJUSTED_ID_BYTES], container_id[ADJUSTED_ID_BYTES], name[ADJUSTED_ID_BYTES];
	bool started, failed;
	uint64_t age; /* a counter; 0 = free */
};

struct adjusted {
	struct adjusted_entry entries[ADJUSTED_MAX];
	uint64_t count_total;
	unsigned failures; /* since the last one that started */
};

/* May this container that is about to be created be adjusted? Learns from the question. */
bool adjusted_may(struct adjusted *adjusted, struct text pod_id, struct text name);

/* It was. */
void adjusted_note(struct adjusted *adjusted, struct text pod_id, struct text container_id, struct text name);

/* Nothing is, until adjusted_again. */
bool adjusted_given_up(const struct adjusted *adjusted);
void adjusted_again(struct adjusted *adjusted); /* another runtime, another configuration */

void adjusted_started(struct adjusted *adjusted, struct text container_id);
void adjusted_gone(struct adjusted *adjusted, struct text container_id); /* stopped or removed */
void adjusted_pod_gone(struct adjusted *adjusted, struct text pod_id);
