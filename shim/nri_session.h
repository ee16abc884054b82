/* nri_session.h - one plugin's conversation with a container runtime: registering, synchronising, live.
 *
 * Driven from outside: bytes in (nri_session_receive), the clock (nri_session_expire); it writes to a connected, non-blocking
 * stream socket that it does not own. It answers from memory and asks nobody, so a reply never waits; a decision that took
 * more than NRI_SESSION_BUDGET_US since its request began to come is thrown away ("no adjustment"), because the runtime ends
 * the connection of whoever is later than its timeout (2 s) and goes on without. What the runtime tells is handed on as records
 * of health/wire.h, after the reply.
 *
 * Fail open: what is not understood of an event is answered as an event that nothing is done about. What makes a Configure or a
 * Synchronize useless ends the connection, and it is made again. Source: containerd/nri pkg/adaptation, v0.3 to v0.12. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/executor.h"
#include "health/wire.h"
#include "shim/adjusted.h"
#include "shim/mux.h"
#include "shim/nri_message.h"
#include "shim/nri_reply.h"
#include "shim/nri_roster.h"
#include "shim/nri_version.h"
#include "shim/plan.h"

#define NRI_SESSION_BUDGET_US	500000ULL
#define NRI_SESSION_NAMED	128 /* containers whose creation was told, and perhaps not their start yet */
#define NRI_SESSION_REGISTER_US 30000000ULL /* Go's stub gives up after 5 s, too soon on a busy node (nri#292) */
/* What a runtime that does not say it allows: registration 5 s, a request 2 s. */
#define NRI_SESSION_REGISTRATION_MS 5000
#define NRI_SESSION_REQUEST_MS	    2000

/* The events that are asked for, before they are clipped to what the runtime knows: no more, each costs every pod of the node. */
#define NRI_SESSION_EVENTS                                                                                                                                  \
	(NRI_EVENT_BIT(NRI_STOP_POD) | NRI_EVENT_BIT(NRI_REMOVE_POD) | NRI_EVENT_BIT(NRI_CREATE_CONTAINER) | NRI_EVENT_BIT(NRI_POST_START_CONTAINER) | \
	 NRI_EVENT_BIT(NRI_STOP_CONTAINER) | NRI_EVENT_BIT(NRI_REMOVE_CONTAINER))

struct nri_decision {
	struct executor executor; /* role NONE: no Spark */
	struct plan plan;
	char complaint[PLAN_COMPLAINT_BYTES]; /* "" = none */
	bool is_mount_complaint;
};

struct nri_session_ops {
	uint64_t (*now_us)(void *owner); /* monotonic */
	/* What is it, and what is changed about it? The plan is used for a creation only. Waits for nothing. */
	void (*decide)(void *owner, const struct nri_event *event, struct nri_decision *ret);
	void (*emit)(void *owner, enum wire_type type, const void *payload, size_t length);
};

/* About 100 KiB. What was learned of pods (adjusted) outlives a connection. */
struct nri_session {
	const struct nri_session_ops *ops;
	void *owner;
	int fd; /* borrowed; -1 = none */
	struct mux mux;
	struct ttrpc_server server;
	uint32_t last_stream; /* of our calls */
	struct nri_version version;
	uint64_t request_timeout_us, registration_timeout_us;
	uint64_t deadline_us; /* of the state; 0 = none: a live runtime may be silent for days */
	bool partial;	      /* a message has begun to come, at begun_us */
	uint64_t begun_us;
	struct nri_roster roster;
	struct nri_event event;
	struct nri_decision decision;
	struct adjusted adjusted;
	struct wire_nri_state told; /* state and counters */
	uint64_t named[NRI_SESSION_NAMED]; /* hashes of ids */
	unsigned named_next;
	unsigned char reply[TTRPC_HEADER_BYTES + NRI_REPLY_BYTES];
};

void nri_session_init(struct nri_session *session, const struct nri_session_ops *ops, void *owner);

/* Begins on a new connection: sends RegisterPlugin. Every function below that returns < 0: close the connection, in words. */
int nri_session_open(struct nri_session *session, int fd, struct err *e);
int nri_session_receive(struct nri_session *session, const unsigned char *bytes, size_t length, struct err *e);

/* What the socket did not take: wait until it is writable, then flush. */
bool nri_session_has_output(const struct nri_session *session);
int nri_session_flush(struct nri_session *session, struct err *e);

/* Something should have come until then; 0 = nothing is waited for. */
uint64_t nri_session_deadline_us(const struct nri_session *session);
int nri_session_expire(struct nri_session *session, struct err *e);

/* The connection is gone; `why` in words for wire_nri_state. Frees what it held; nri_session_open makes the next. */
void nri_session_close(struct nri_session *session, const char *why);
