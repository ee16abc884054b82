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
#include "health/brake.h"
#include "health/kube_client.h"
#include "health/kube_node.h"
#include "health/put_back.h"
#include "health/report.h"
#include "health/reporter_events.h"
#include "health/reporter_lane.h"
#include "health/reporter_pods.h"
#include "health/reporter_policy.h"
#include "health/wire.h"

#define REPORTER_HEARTBEAT_US	  (300 * 1000000ULL) /* jittered by a tenth */
#define REPORTER_NO_CLUSTER_US	  (60 * 1000000ULL)
#define REPORTER_REREAD_US	   (60 * 1000000ULL) /* the node object, while a taint is wanted: holds, and what people took off */
#define REPORTER_FRESH_US	   (5 * 1000000ULL)  /* and before the taint is put on */

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
	struct reporter_policy policy;
	struct reporter_pods pods;
	struct report_state state, state_sent;
	struct brake brake;
	struct kube_lease_list inbox;
	struct brake_step asked;  /* the step under way */
	enum kube_lane asked_lane;
	uint64_t asked_us;	  /* when, CLOCK_BOOTTIME; 0 = none is under way */
	struct report_taint goal; /* the taint as it shall be now: wanted, allowed, not held */
	bool taint_waits;	  /* nothing is to be done about it for now: state.taint_why says why */
	bool taint_doubt;	  /* a patch ended without an answer */
	uint64_t read_us;	  /* when the node object was last read */
	struct put_back put_back; /* what somebody else took off */
	const char *held_said;	  /* the reason of the last Event about a taint that is held back; NULL = none is */
	char hold_said[64];
	bool retired_said;
	uv_timer_t due;
};

/* Connects to stokerd and, if there is a cluster, to it. The struct is zeroed by the caller. */
int reporter_start(struct reporter *reporter, uv_loop_t *loop, const struct log *log, const struct config *config, struct err *e);
void reporter_configure(struct reporter *reporter, const struct config *config);
uint32_t reporter_random(void);
const char *reporter_node(const struct reporter *reporter); /* its name: of the newest report, else of the configuration */

/* --- reporter_brake.c --- */

/* Decides r->goal and r->taint_waits, and takes the brake's next step. */
void reporter_brake(struct reporter *r, uint64_t now_us, uint64_t *next_us);
void reporter_brake_answer(struct reporter *r, enum kube_lane lane, const struct kube_answer *answer);
void reporter_note_removal(struct reporter *r, bool was_on, uint64_t now_us);
