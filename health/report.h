/* report.h - what the node object shall say: its conditions and one taint. Made by node_report() (pure), carried out by
 * the reporter. A plain value, sent as a record. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"

enum condition_status { CONDITION_UNKNOWN, CONDITION_TRUE, CONDITION_FALSE, CONDITION_STATUS_MAX_ };

const char *condition_status_name(enum condition_status status); /* "Unknown", "True", "False" as the API spells them */

#define REPORT_MESSAGE_BYTES 1024

struct report_condition {
	char type[64]; /* "stoker.dev/StorageReady"; True = good */
	uint32_t status; /* enum condition_status */
	char reason[NAME_REASON_BYTES];
	char message[REPORT_MESSAGE_BYTES];
	/* When the status became what it is, as this agent saw it; 0 = not seen (it was so at the first probe):
	 * the time on the node object stands if the status there is the same. */
	uint64_t transition_wall_us;
};

struct report_taint {
	uint32_t wanted; /* bool: present with this key, value and effect; else no taint with this key */
	char key[NAME_TAINT_BYTES];
	char value[NAME_REASON_BYTES];
	char effect[20]; /* NoSchedule, PreferNoSchedule */
	char former_key[NAME_TAINT_BYTES]; /* the reporter's memory: the key before the last change of it, to be taken off */
};

#define REPORT_ALIASES 2 /* alias.h */

/* The conditions beside the first. None of them taints: what they are about is no fault of this node, or is shared by all. */
enum report_more { REPORT_CHECKPOINT, REPORT_MORE_MAX_ };

const char *report_more_type(enum report_more more); /* "stoker.dev/CheckpointReady" */

/* Whether a policy of the API server keeps this agent's token to its own conditions and taint, as a dry run showed. */
enum report_policy { REPORT_POLICY_UNKNOWN, REPORT_POLICY_THERE, REPORT_POLICY_MISSING, REPORT_POLICY_MAX_ };

/* The optional rights to get and to list pods (report.pods). */
enum report_pods { REPORT_PODS_OFF, REPORT_PODS_UNKNOWN, REPORT_PODS_THERE, REPORT_PODS_GET_ONLY, REPORT_PODS_LIST_ONLY, REPORT_PODS_MISSING };

struct report {
	uint64_t sequence; /* rises by one with every change */
	char node[NAME_NODE_BYTES];
	struct report_condition condition; /* stoker.dev/StorageReady */
	struct report_condition more[REPORT_MORE_MAX_]; /* type "" = not wanted: taken off the node */
	struct report_taint taint;
	struct report_condition aliases[REPORT_ALIASES]; /* the same under other names; type "" = not wanted */
};

/* Who keeps a taint that is wanted off the node. */
enum taint_holder {
	HOLDER_NOBODY,
	HOLDER_CLUSTER, /* no cluster, not reachable, a right is missing, or it is on its way */
	HOLDER_BRAKE,	/* no slot, or the last node that pods can go to */
	HOLDER_PERSON,	/* the annotation, taken off too often, or retired */
	HOLDER_MAX_
};

const char *taint_holder_name(enum taint_holder holder); /* "", "cluster", "brake", "person" */

/* What the reporter tells back: its own state, and what it read on the node object at start. */
struct report_state {
	uint32_t connected; /* bool: the last request was answered well */
	uint32_t off;	    /* bool: no cluster (report.kubernetes: off, or nothing to connect to) */
	uint32_t node_known; /* bool: the node object was read; then reports are welcome, whatever right is missing */
	uint64_t sequence;  /* newest report that is on the node object; 0 = none */
	uint64_t taint_sequence; /* the newest report, if its taint is there, whatever became of its conditions; 0 = it is not */
	uint64_t writes;    /* PATCHes sent since start */
	uint64_t last_write_wall_us;
	char detail[256];   /* "connected to https://10.0.0.1:6443", or the error in words */
	uint32_t degraded;  /* bool: connected, but something of the brake fails: `detail` says what */
	char taint_why[256]; /* why the taint that is wanted is not on the node; "" = nothing is in its way */
	uint32_t taint_holder; /* enum taint_holder, with taint_why */
	uint32_t others_seen, others_bad; /* what other agents say on the node object: bits of kube_others.h */
	uint32_t policy; /* enum report_policy */
	uint32_t pods;	 /* enum report_pods */
	uint32_t has_condition; /* bool: `condition` below was read from the node object */
	struct report_condition condition;
};
