/* kube_node.h - the node object as far as it is ours, and the two patches that bring it in line. Pure.
 *
 * The condition goes by strategic merge patch to nodes/status: conditions merge by `type`, so only ours is touched.
 * The taint goes by JSON Patch to nodes with a `test` on /spec/taints: taints are one list that a patch replaces as a whole,
 * and the test makes the API server refuse (422) if another writer changed it since it was read. Its precondition is the list
 * and not metadata.resourceVersion, because the condition's patch, sent in parallel, moves that. */
#pragma once

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "health/report.h"

#define KUBE_NODE_MAX_BYTES (4 * 1024 * 1024)

/* A condition as it stands there. */
struct kube_condition {
	bool there;
	struct report_condition condition;
	char transition_text[40]; /* lastTransitionTime: sent back unchanged */
	uint64_t heartbeat_wall_us;
};

struct kube_node {
	bool known;
	struct kube_condition first, more[REPORT_MORE_MAX_]; /* first: of the type that was asked for */
	uint64_t hold_wall_us; /* the annotation hold-until; 0 = none */
	char hold_text[64];    /* as it stands there; not "" and hold_wall_us 0: not understood */
	uint32_t others_seen, others_bad; /* kube_others.h */
	cJSON *taints; /* owned; the array as it stands there, NULL = none */
};

enum kube_node_part { KUBE_NODE_CONDITION = 1, KUBE_NODE_TAINTS = 2 };

/* Takes the named parts from the JSON of a node object; of two answers that cross each is right only about its own part. */
int kube_node_read(struct kube_node *node, const char *text, size_t length, const char *condition_type, int parts, struct err *e);
void kube_node_forget(struct kube_node *node);

bool kube_node_has_conditions(const struct kube_node *node, const struct report *wanted);
bool kube_node_has_any_condition(const struct kube_node *node);
bool kube_node_carries(const struct kube_node *node, const char *taint_key, bool hard_only); /* hard: NoSchedule, NoExecute */
bool kube_node_has_taint(const struct kube_node *node, const struct report_taint *wanted);

/* The bodies; malloc'ed, NULL only when out of memory. */
char *kube_node_condition_patch(const struct kube_condition *there, const struct report_condition *wanted, uint64_t now_wall_us);
char *kube_node_conditions_patch(const struct kube_node *node, const struct report *wanted, uint64_t now_wall_us); /* all of them at once */
char *kube_node_condition_removal(const char *type);
char *kube_node_conditions_removal(const struct kube_node *node, const char *first_type); /* of all that are there */
char *kube_node_taint_patch(const struct kube_node *node, const struct report_taint *wanted);
