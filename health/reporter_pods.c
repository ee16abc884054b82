#include "health/reporter_pods.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/kube_pod.h"
#include "health/reporter.h"

/* No such pod need be there: 404 and an empty list say that asking is allowed. */
static const struct {
	enum kube_lane lane;
	const char *target;
} checks[] = {
	{KUBE_POD, STOKER_NAMESPACE "/pods/stoker"},
	{KUBE_PODS, STOKER_NAMESPACE "/pods?fieldSelector=metadata.name%3Dstoker&limit=1"},
};

/* --- is the right there? --- */

void reporter_pods_configure(struct reporter *r)
{
	struct reporter_pods *p = &r->pods;
	struct err e = {0};

	p->redactor = redactor_free(p->redactor);
	if (r->config.report.pods) {
		p->redactor = redactor_new(r->config.redact.regex, &e);
		if (!p->redactor)
			log_error(r->log, "pods are not asked about", "error", e.text);
		return;
	}
	p->checks[0] = p->checks[1] = (struct reporter_pods_check){0};
	for (unsigned lane = KUBE_POD; lane <= KUBE_PODS; lane++)
		r->lanes[lane] = (struct reporter_lane){0};
}

static bool is_on(const struct reporter *r)
{
	return r->config.report.pods && r->pods.redactor && !r->config.retire;
}

uint32_t reporter_pods_found(const struct reporter *r)
{
	const struct reporter_pods_check *c = r->pods.checks;

	if (!is_on(r))
		return REPORT_PODS_OFF;
	if (!(c[0].good || c[0].bad) || !(c[1].good || c[1].bad))
		return REPORT_PODS_UNKNOWN;
	if (c[0].good)
		return c[1].good ? REPORT_PODS_THERE : REPORT_PODS_GET_ONLY;
	return c[1].good ? REPORT_PODS_LIST_ONLY : REPORT_PODS_MISSING;
}

static void step_check(struct reporter *r, unsigned which, uint64_t now_us, uint64_t *next_us)
{
	struct reporter_pods_check *check = &r->pods.checks[which];

	if (now_us < check->due_us) {
		*next_us = check->due_us < *next_us ? check->due_us : *next_us;
		return;
	}
	if (reporter_lane_is_due(r, checks[which].lane, true, now_us, next_us))
		check->under_way = reporter_lane_send(r, checks[which].lane, checks[which].target, NULL);
}

static void settle_check(struct reporter *r, unsigned which, enum kube_meaning meaning, const struct kube_answer *answer)
{
	struct reporter_pods_check *check = &r->pods.checks[which];

	check->under_way = false;
	if (meaning == KUBE_DONE || meaning == KUBE_FORBIDDEN) {
		check->good = meaning == KUBE_DONE;
		check->bad = !check->good;
	}
	if (meaning == KUBE_DONE) {
		reporter_lane_succeed(r, checks[which].lane);
		check->done_us = clock_mono_us();
		check->due_us = check->done_us + REPORTER_PODS_US * 9 / 10 + reporter_random() % (REPORTER_PODS_US / 5);
	} else {
		reporter_lane_fail(r, checks[which].lane, meaning, answer->status, answer->retry_after_s, answer->detail);
	}
}

/* Refused: in this namespace alone, or has the right been taken away? */
static void doubt(struct reporter *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->pods.checks); i++) {
		struct reporter_pods_check *check = &r->pods.checks[i];
		if (check->due_us > check->done_us + REPORTER_PODS_DOUBT_US)
			check->due_us = check->done_us + REPORTER_PODS_DOUBT_US;
	}
}

/* --- how did it come to its end? --- */

static void answer_ask(struct reporter *r, int errnum, const struct pod_end *end)
{
	struct reporter_pods *p = &r->pods;
	struct wire_pod_told told = {.errnum = errnum, .end = end ? *end : (struct pod_end){0}};

	(void)link_send(&r->link, WIRE_POD_TOLD, p->asks[0].id, &told, sizeof(told)); /* if it is lost, nobody waits long */
	p->reading = false;
	p->ask_count--;
	memmove(&p->asks[0], &p->asks[1], sizeof(p->asks[0]) * p->ask_count);
}

static void step_asks(struct reporter *r, uint64_t now_us, uint64_t *next_us)
{
	struct reporter_pods *p = &r->pods;
	char target[EXECUTOR_NAMESPACE_BYTES + NAME_NODE_BYTES + 16];

	while (p->ask_count > 0 && !kube_client_is_busy(&r->client, KUBE_POD)) {
		const struct reporter_pod_ask *first = &p->asks[0];
		const bool late = now_us > first->asked_us + REPORTER_POD_LATE_US;
		if (late || !is_on(r) || !r->client_ready || !reporter_lane_is_due(r, KUBE_POD, true, now_us, next_us)) {
			answer_ask(r, late ? EBUSY : !is_on(r) || p->checks[0].bad ? EACCES : EIO, NULL);
			continue;
		}
		target[0] = '\0';
		str_append(target, sizeof(target), "%s/pods/%s", first->ask.pod.name_space, first->ask.pod.name);
		p->reading = reporter_lane_send(r, KUBE_POD, target, NULL);
	}
}

static void settle_ask(struct reporter *r, enum kube_meaning meaning, const struct kube_answer *answer)
{
	const struct wire_pod_ask *ask = &r->pods.asks[0].ask;
	struct pod_end end = {0};
	struct err e = {0};

	if (meaning == KUBE_FORBIDDEN) {
		doubt(r);
		answer_ask(r, EACCES, NULL);
		return;
	}
	if (meaning != KUBE_DONE) {
		reporter_lane_fail(r, KUBE_POD, meaning, answer->status, answer->retry_after_s, answer->detail);
		answer_ask(r, EIO, NULL);
		return;
	}
	const int rc = answer->status == 404 ? -ENOENT : kube_pod_end_read(answer->text, answer->length, ask->pod.uid, ask->container, r->pods.redactor, &end, &e);
	if (rc == -EBADMSG)
		reporter_lane_fail(r, KUBE_POD, KUBE_BROKEN, answer->status, 0, e.text);
	else
		reporter_lane_succeed(r, KUBE_POD);
	answer_ask(r, rc == -EBADMSG ? EIO : rc < 0 ? ENOENT : 0, &end);
}

/* --- where is its driver? --- */

static void next_event(struct reporter *r)
{
	struct reporter_pods *p = &r->pods;

	p->way = 0;
	p->event_count--;
	memmove(&p->events[0], &p->events[1], sizeof(p->events[0]) * p->event_count);
}

static const struct reporter_driver *remembered(const struct reporter_pods *p, uint64_t key, uint64_t now_us)
{
	for (size_t i = 0; i < REPORTER_DRIVERS; i++)
		if (p->drivers[i].key == key && now_us < p->drivers[i].until_us)
			return &p->drivers[i];
	return NULL;
}

static void remember(struct reporter_pods *p, uint64_t key, const struct event_pod *pod, uint64_t until_us)
{
	struct reporter_driver *place = &p->drivers[p->driver_next++ % REPORTER_DRIVERS];

	*place = (struct reporter_driver){.key = key, .until_us = until_us};
	if (pod)
		place->pod = *pod;
}

static void say(struct reporter *r, const struct event_pod *driver)
{
	struct event event = r->pods.events[0].event;

	event.pod = *driver;
	event.subject = hash_fnv1a(event.subject, driver->uid, strlen(driver->uid));
	event.subject = event.subject ? event.subject : 1;
	reporter_event(r, &event);
	next_event(r);
}

/* The owner is got by its name, the others are looked for in lists. */
static bool may_go(const struct reporter_pods *p, unsigned way)
{
	return !p->checks[way == DRIVER_BY_OWNER ? 0 : 1].bad;
}

static void step_events(struct reporter *r, uint64_t now_us, uint64_t *next_us)
{
	struct reporter_pods *p = &r->pods;
	char target[1024];

	while (p->event_count > 0 && !p->looking) {
		const struct driver_clue *clue = &p->events[0].clue;
		const struct reporter_driver *known = remembered(p, driver_clue_key(clue), now_us);
		if (!is_on(r) || reporter_pods_found(r) == REPORT_PODS_MISSING || (known && !*known->pod.name)) {
			next_event(r);
			continue;
		}
		if (known) {
			say(r, &known->pod);
			continue;
		}
		while (p->way < DRIVER_WAY_MAX_ && !(may_go(p, p->way) && driver_clue_target(clue, (enum driver_way)p->way, target, sizeof(target))))
			p->way++;
		if (p->way == DRIVER_WAY_MAX_) {
			log_info(r->log, "driver not found", "namespace", clue->executor.name_space, "executor", clue->executor.name, "host", clue->host);
			remember(p, driver_clue_key(clue), NULL, now_us + REPORTER_NO_DRIVER_US);
			continue;
		}
		const enum kube_lane lane = p->way == DRIVER_BY_OWNER ? KUBE_OWNER : KUBE_PODS;
		if (!r->client_ready || !reporter_lane_is_due(r, lane, true, now_us, next_us))
			return;
		p->looking = reporter_lane_send(r, lane, target, NULL);
	}
}

static void settle_event(struct reporter *r, enum kube_lane lane, enum kube_meaning meaning, const struct kube_answer *answer)
{
	struct reporter_pods *p = &r->pods;
	const struct driver_clue *clue = &p->events[0].clue;
	struct event_pod pod = {0};
	struct err e = {0};
	int found = 0;

	p->looking = false;
	if (meaning == KUBE_DONE && answer->status != 404)
		found = driver_clue_read(clue, (enum driver_way)p->way, answer->text, answer->length, &pod, &e);
	if (found < 0)
		meaning = KUBE_BROKEN;
	if (meaning == KUBE_DONE)
		reporter_lane_succeed(r, lane);
	else if (meaning == KUBE_FORBIDDEN)
		doubt(r);
	else
		reporter_lane_fail(r, lane, meaning, answer->status, answer->retry_after_s, found < 0 ? e.text : answer->detail);
	if (found > 0) {
		remember(p, driver_clue_key(clue), &pod, clock_mono_us() + REPORTER_DRIVER_US);
		say(r, &pod);
	} else if (meaning == KUBE_DONE || meaning == KUBE_FORBIDDEN || meaning == KUBE_REFUSED || found < 0) {
		p->way++; /* this one does not lead to it */
	}
}

/* --- stokerd --- */

static bool take_ask(struct reporter *r, uint64_t id, const struct wire_pod_ask *ask)
{
	struct reporter_pods *p = &r->pods;
	struct wire_pod_told full = {.errnum = EBUSY};

	if (!ask || !event_pod_is_sound(&ask->pod) || !str_is_ended(ask->container, sizeof(ask->container)))
		return false;
	if (p->ask_count == REPORTER_POD_ASKS)
		(void)link_send(&r->link, WIRE_POD_TOLD, id, &full, sizeof(full));
	else
		p->asks[p->ask_count++] = (struct reporter_pod_ask){.id = id, .asked_us = clock_mono_us(), .ask = *ask};
	return true;
}

static bool take_event(struct reporter *r, const struct wire_driver_event *event)
{
	struct reporter_pods *p = &r->pods;

	if (!event || *event->event.pod.name || !event_is_sound(&event->event) || !driver_clue_is_sound(&event->clue))
		return false;
	if (p->event_count == REPORTER_DRIVER_EVENTS) /* the API server is away: the first that came is waited for */
		log_warn(r->log, "an Event for a driver given up: too many wait for the API server");
	else
		p->events[p->event_count++] = *event;
	return true;
}

bool reporter_pods_record(struct reporter *r, const struct record *record)
{
	const uint16_t type = record->header.type;

	if (type != WIRE_POD_ASK && type != WIRE_DRIVER_EVENT)
		return false;
	if (type == WIRE_POD_ASK ? !take_ask(r, record->header.id, record_payload(record, sizeof(struct wire_pod_ask)))
				 : !take_event(r, record_payload(record, sizeof(struct wire_driver_event)))) {
		r->link.refused++;
		log_warn(r->log, "record not understood", "from", "stokerd", "type", log_number(type));
	}
	return true;
}

/* --- the reporter's turn --- */

void reporter_pods_step(struct reporter *r, uint64_t now_us, uint64_t *next_us)
{
	step_asks(r, now_us, next_us);
	step_events(r, now_us, next_us);
	for (unsigned i = 0; i < ARRAY_SIZE(checks) && is_on(r) && r->client_ready; i++)
		step_check(r, i, now_us, next_us);
}

bool reporter_pods_answer(struct reporter *r, enum kube_lane lane, const struct kube_answer *answer)
{
	const enum kube_meaning meaning = kube_answer_judge(lane, answer->status, answer->retry_after_s);

	if (lane != KUBE_POD && lane != KUBE_OWNER && lane != KUBE_PODS)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(checks); i++) {
		if (checks[i].lane != lane || !r->pods.checks[i].under_way)
			continue;
		settle_check(r, i, meaning, answer);
		return true;
	}
	/* What was under way when report.pods was switched off belongs to nobody. */
	if (lane == KUBE_POD && r->pods.reading)
		settle_ask(r, meaning, answer);
	else if (lane != KUBE_POD && r->pods.looking)
		settle_event(r, lane, meaning, answer);
	return true;
}
