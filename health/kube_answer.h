/* kube_answer.h - what an answer of the API server means, as one pure table: each error is handled as itself. */
#pragma once

#include <stdint.h>

#include "health/report.h"

enum kube_lane {
	KUBE_READ,	 /* GET the node */
	KUBE_CONDITION,	 /* PATCH nodes/status */
	KUBE_TAINT,	 /* PATCH nodes */
	KUBE_LEASES,	 /* GET all Leases of our namespace */
	KUBE_LEASE_MAKE, /* POST one */
	KUBE_LEASE,	 /* PUT one */
	KUBE_NODES,	 /* GET a page of nodes */
	KUBE_HOLDER,	 /* GET another node */
	KUBE_EVENT_MAKE, /* POST an Event */
	KUBE_EVENT,	 /* PATCH its series */
	KUBE_POD_EVENT_MAKE, /* the same about a pod, in its namespace: another right */
	KUBE_POD_EVENT,
	KUBE_ALIAS,	 /* PATCH nodes/status: a condition under another name */
	KUBE_POLICY,	 /* PATCH nodes/status as a dry run: what the admission policy must refuse */
	KUBE_POD,	 /* GET a pod whose container ended */
	KUBE_OWNER,	 /* GET the metadata of an executor's pod: its driver owns it */
	KUBE_PODS,	 /* GET the metadata of a few pods: which one is the driver */
	KUBE_LANE_MAX_
};

enum kube_meaning {
	KUBE_DONE,
	KUBE_CONFLICT,	  /* somebody else wrote meanwhile: read and try at once */
	KUBE_UNAUTHORIZED, /* the token: it is read anew with every request */
	KUBE_FORBIDDEN,	  /* a right is missing: only what needs it waits */
	KUBE_NO_NODE,	  /* no such node object (yet) */
	KUBE_NO_NAMESPACE,
	KUBE_REFUSED,	  /* the request itself is not accepted: trying again soon does not help */
	KUBE_BUSY,	  /* 429, or 503 with Retry-After */
	KUBE_BROKEN,	  /* 5xx */
	KUBE_UNREACHABLE, /* no answer at all */
	KUBE_MEANING_MAX_
};

/* http_status 0 = no answer. */
enum kube_meaning kube_answer_judge(enum kube_lane lane, long http_status, uint64_t retry_after_s);

/* For the operator, with what to do: "403: stoker-reporter may not patch nodes: see docs/..." */
void kube_answer_words(enum kube_lane lane, enum kube_meaning meaning, long http_status, const char *detail, char *text, unsigned size);

/* When to try again: microseconds from now, after `failures` in a row (1 = the first). `random` is any number: full jitter. */
uint64_t kube_answer_pause_us(enum kube_meaning meaning, unsigned failures, uint64_t retry_after_s, uint32_t random);

/* The header's value: seconds (a date is taken as 1). Capped at 5 minutes. */
uint64_t kube_answer_retry_after(const char *value);
