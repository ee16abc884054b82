/* reporter_pods.h - what is asked about pods where the optional right to get and list them is given (report.pods): how an executor's
 * pod came to its end, and where its driver's pod is.
 *
 * Nobody waits for it: a question that cannot be asked now is answered so at once, one that is late is not asked any more. Whether
 * the right is there is looked for at the start and every hour, in our own namespace; where it is given in some namespaces only,
 * a refusal in another one is an answer like any other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/record.h"
#include "base/redact.h"
#include "health/kube_answer.h"
#include "health/wire.h"

#define REPORTER_POD_ASKS	 32
#define REPORTER_POD_LATE_US	 (2 * 1000000ULL) /* settle.h waits no longer */
#define REPORTER_PODS_US	 (3600 * 1000000ULL) /* jittered by a tenth */
#define REPORTER_PODS_DOUBT_US	 (60 * 1000000ULL)
#define REPORTER_DRIVER_EVENTS	 16
#define REPORTER_DRIVERS	 8
#define REPORTER_DRIVER_US	 (300 * 1000000ULL) /* so long one is remembered: a job loses many executors at once */
#define REPORTER_NO_DRIVER_US	 (30 * 1000000ULL)

struct reporter;
struct kube_answer;

struct reporter_pods {
	struct reporter_pod_ask {
		uint64_t id, asked_us;
		struct wire_pod_ask ask;
	} asks[REPORTER_POD_ASKS]; /* the first is under way if `reading` */
	unsigned ask_count;
	bool reading;
	struct wire_driver_event events[REPORTER_DRIVER_EVENTS]; /* likewise, with `looking` */
	unsigned event_count, way;
	bool looking;
	struct reporter_driver {
		uint64_t key, until_us;
		struct event_pod pod; /* name "" = there is none */
	} drivers[REPORTER_DRIVERS];
	unsigned driver_next;
	struct reporter_pods_check { /* of get, of list */
		bool under_way, good, bad;
		uint64_t done_us, due_us;
	} checks[2];
	struct redactor *redactor;
};

void reporter_pods_configure(struct reporter *reporter); /* after the configuration changed */
uint32_t reporter_pods_found(const struct reporter *reporter); /* enum report_pods */

/* Of stokerd: true if it was a record of these, well or broken. */
bool reporter_pods_record(struct reporter *reporter, const struct record *record);

void reporter_pods_step(struct reporter *reporter, uint64_t now_us, uint64_t *next_us);
bool reporter_pods_answer(struct reporter *reporter, enum kube_lane lane, const struct kube_answer *answer); /* true if it was theirs */
