/* reporter.h - brings the node object in line with the newest report; nothing queues, the newest wins.
 *
 * Three lanes, each with one request at most under way and its own pause after a failure, so that a missing right to taint
 * does not stop the condition: read the node, patch the condition, patch the taint. The two patches go out in parallel. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/config.h"
#include "base/link.h"
#include "base/log.h"
#include "health/kube_client.h"
#include "health/kube_node.h"
#include "health/report.h"
#include "health/reporter_events.h"
#include "health/wire.h"

#define REPORTER_HEARTBEAT_US	  (300 * 1000000ULL) /* jittered by a tenth */
#define REPORTER_NO_CLUSTER_US	  (60 * 1000000ULL)
#define REPORTER_CONFLICTS_AT_ONCE 5

struct reporter_lane {
	unsigned failures;   /* in a row */
	uint64_t not_before_us;
	uint64_t failed_us;  /* when the last failure was */
	enum kube_meaning said; /* what was logged last */
	char words[256];     /* of the failure that stands; "" = well */
};

struct reporter {
	uv_loop_t *loop;
	const struct log *log;
	struct config config;
	char server_host[NAME_NODE_BYTES], server_port[16]; /* KUBERNETES_SERVICE_HOST, _PORT */
	struct link link;
	struct kube_client client;
	bool client_ready;
	struct kube_node node;
	bool read_wanted;
	struct report report; /* sequence 0 = none yet */
	char former_key[NAME_TAINT_BYTES]; /* of our taint, before the last change of report.taintKey; "" = none */
	uint64_t received_us;
	uint64_t heartbeat_due_us;
	struct reporter_lane lanes[KUBE_LANE_MAX_];
	struct reporter_events events;
	struct reporter_aliases aliases;
	struct report_state state, state_sent;
	uv_timer_t due;
};

/* Connects to stokerd and, if there is a cluster, to it. The struct is zeroed by the caller. */
int reporter_start(struct reporter *reporter, uv_loop_t *loop, const struct log *log, const struct config *config, struct err *e);
