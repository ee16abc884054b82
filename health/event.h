/* event.h - what is said as an Event of the API server, and when: one Event and a count instead of repeats, few of them, the
 * newest kept. Pure: `now` is passed in, nothing is sent from here.
 *
 * The same reason for the same filesystem again within EVENT_SERIES_US is the same Event: its count rises (the API's `series`).
 * A first repeat is told at once, later ones at most every EVENT_UPDATE_US. New Events cost a token each, so that a disk that
 * flaps for days, or sixty that fail at once, cannot flood the API server; what finds no token waits, and when all places are
 * taken the oldest that waits is given up and counted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/executor.h"
#include "health/health.h"
#include "health/report.h"

#define EVENT_SERIES_US	 (360 * 1000000ULL) /* 6 min, as upstream's recorders take for one series */
#define EVENT_UPDATE_US	 (180 * 1000000ULL)
#define EVENT_BURST	 16U
#define EVENT_TOKEN_US	 (60 * 1000000ULL) /* a new token */
#define EVENT_PLACES	 24U
/* Of pods: a job that loses all its executors here loses them within seconds, and each is told to two. */
#define EVENT_POD_BURST	   32U
#define EVENT_POD_TOKEN_US (10 * 1000000ULL)
#define EVENT_NAME_BYTES 254

#define EVENT_STORAGE_RECOVERED "StorageRecovered"
/* About the taint that is wanted; said by the reporter itself, of the node. */
#define EVENT_TAINT_HELD	"TaintHeld"	/* by the node's annotation, or because somebody took it off too often */
#define EVENT_TAINT_PUT_BACK	"TaintPutBack"	/* somebody took it off */
#define EVENT_NO_BRAKE_SLOT	"NoBrakeSlot"	/* the brake does not allow it (yet) */

#define EVENT_SCRATCH_BOUNDED	    "ScratchBounded"	  /* of a pod */
#define EVENT_SCRATCH_WITHOUT_LIMIT "ScratchWithoutLimit" /* of a pod without a memory limit */

/* Of a pod: what it asks for by annotation is not done (shim/plan.h). */
#define EVENT_ANNOTATION_NOT_USED "AnnotationNotUsed"
#define EVENT_ADJUSTMENT_NOT_IN_FORCE "AdjustmentNotInForce"

/* Of a pod: a mount that policy or annotation wants is not made, or smaller (shim/plan_mount.h). */
#define EVENT_MOUNT_NOT_INJECTED "MountNotInjected"

/* Whom it is about, if not our node. Becomes a part of a URL: only what Kubernetes allows in such names is taken. */
struct event_pod {
	char name_space[EXECUTOR_NAMESPACE_BYTES];
	char name[NAME_NODE_BYTES]; /* "" = the node */
	char uid[EXECUTOR_UID_BYTES];
};

/* One thing to be said; travels as a record. */
struct event {
	uint32_t warning; /* bool: type Warning, else Normal */
	char reason[NAME_REASON_BYTES];
	char action[32];
	uint64_t subject; /* of which filesystem or pod (a hash), 0 = of the node: repeats are told apart by it */
	uint64_t wall_us;
	char note[REPORT_MESSAGE_BYTES];
	struct event_pod pod;
};

/* --- what has happened --- */

struct event_sight {
	uint64_t subject; /* 0 = free */
	uint32_t state;	  /* enum verdict_state */
	char reason[NAME_REASON_BYTES];
};

struct event_watcher {
	struct event_sight sights[CONFIG_WATCH_MAX];
};

/* Compares with what was seen last and hands out an Event for each filesystem that has turned bad, doubtful or well again.
 * `tell` NULL: only remember (what an earlier life has said is not said again). */
void event_watch(struct event_watcher *watcher, const struct health *health, void (*tell)(void *owner, const struct event *event), void *owner);

uint64_t event_subject(const char *path); /* never 0 */

/* Every string ended, a reason and an action there, a pod's names in Kubernetes' spelling: Events come from another process, and
 * names of pods from yet another. */
bool event_is_sound(const struct event *event);
bool event_pod_is_sound(const struct event_pod *pod);

/* --- what is to be sent --- */

struct event_entry {
	struct event event;	/* as first said: the API server does not let it change */
	char name[EVENT_NAME_BYTES]; /* of the object; "" = place free. The owner sets it with the first sending */
	uint32_t used;		/* bool */
	uint32_t count, told;	/* happened; on the API server (0 = not made yet) */
	uint64_t first_us, last_us; /* monotonic */
	uint64_t last_wall_us;
	uint64_t told_us;	/* monotonic, of the last sending that went well */
};

struct event_book {
	struct event_entry entries[EVENT_PLACES];
	int sending;	       /* index + 1 of the entry under way; 0 = none */
	uint32_t sending_count; /* its count as sent */
	uint32_t spent;	       /* tokens out of EVENT_BURST */
	uint64_t refilled_us;
	uint64_t lost;	       /* given up for want of a place */
	uint32_t burst;	       /* 0 = EVENT_BURST */
	uint64_t token_us;     /* 0 = EVENT_TOKEN_US */
};

enum event_fate {
	EVENT_TOLD,
	EVENT_GONE,	/* there is no such Event any more (they live an hour): it is made anew */
	EVENT_NOT_NOW,	/* try again */
	EVENT_REFUSED,	/* will never be accepted: dropped */
};

/* False when another Event had to be given up for it. */
bool event_book_add(struct event_book *book, const struct event *event, uint64_t now_us);

/* The Event that is to be made (told == 0) or updated now, NULL = none; then *ret_next_us is lowered to when there may be one. */
struct event_entry *event_book_next(struct event_book *book, uint64_t now_us, uint64_t *ret_next_us);

void event_book_send(struct event_book *book, struct event_entry *entry); /* it is under way: one at a time */
void event_book_settle(struct event_book *book, enum event_fate fate, uint64_t now_us);
