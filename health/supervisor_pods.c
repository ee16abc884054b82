/* supervisor_pods.c - what the reporter may ask the API server about pods (report.pods): how an executor's came to its end, and where its
 * driver's is. Without that right, or without the reporter, all goes as if nobody had asked. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/death_event.h"
#include "health/supervisor.h"

/* `without` is what the reporter says when the right for it is missing, and other rights are there. */
static bool may_ask(const struct supervisor *s, enum report_pods without)
{
	const uint32_t found = s->monitor.reporter.pods;

	return s->monitor.config.report.pods && s->reporter_used && found != REPORT_PODS_OFF && found != REPORT_PODS_MISSING && found != without;
}

uint64_t supervisor_ask_pod(struct supervisor *s, const struct executor *executor)
{
	struct wire_pod_ask ask = {.pod = death_pod(executor)};

	str_copy(ask.container, sizeof(ask.container), executor->container);
	if (!may_ask(s, REPORT_PODS_LIST_ONLY) || !event_pod_is_sound(&ask.pod) || !link_send(&s->reporter, WIRE_POD_ASK, ++s->asked, &ask, sizeof(ask)))
		return 0;
	return s->asked;
}

bool supervisor_pod_told(struct supervisor *s, const struct record *record)
{
	const struct wire_pod_told *told = record_payload(record, sizeof(*told));

	if (record->header.type != WIRE_POD_TOLD || !told || !str_is_ended(told->end.reason, sizeof(told->end.reason)) ||
	    !str_is_ended(told->end.disruption, sizeof(told->end.disruption)) || !str_is_ended(told->end.message, sizeof(told->end.message)))
		return false;
	log_debug(s->log, "the API server was asked about a pod", "errno", log_number(told->errnum), "over", told->end.over ? "true" : "false", "reason", told->end.reason,
		  "disruption", told->end.disruption, "message", told->end.message);
	executors_api(&s->executors, record->header.id, told);
	return true;
}

void supervisor_say_to_driver(struct supervisor *s, const struct death *death)
{
	struct wire_driver_event say;
	const struct event_pod nobody = {0};

	memset(&say, 0, sizeof(say));
	if (!may_ask(s, REPORT_PODS_MISSING) || !driver_clue_of(&death->executor, death->started_wall_us, &say.clue))
		return;
	death_event(death, &nobody, &say.event);
	if (!link_send(&s->reporter, WIRE_DRIVER_EVENT, 0, &say, sizeof(say)))
		log_warn(s->log, "an Event for a driver given up: the reporter is away");
}
