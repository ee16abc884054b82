#include "health/reporter_events.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/kube_event.h"
#include "health/reporter.h"

static const struct {
	enum kube_lane make, patch;
} sides[REPORTER_SIDE_MAX_] = {
	[REPORTER_OF_NODE] = {KUBE_EVENT_MAKE, KUBE_EVENT},
	[REPORTER_OF_PODS] = {KUBE_POD_EVENT_MAKE, KUBE_POD_EVENT},
};

void reporter_event(struct reporter *r, const struct event *event)
{
	struct reporter_events *events = &r->events;
	struct event_book *pods = &events->books[REPORTER_OF_PODS];

	pods->burst = EVENT_POD_BURST;
	pods->token_us = EVENT_POD_TOKEN_US;
	log_info(r->log, "event", "reason", event->reason, "action", event->action, "namespace", *event->pod.name ? event->pod.name_space : NULL,
		 "pod", *event->pod.name ? event->pod.name : NULL, "note", event->note);
	bool kept = event_book_add(*event->pod.name ? pods : &events->books[REPORTER_OF_NODE], event, clock_mono_us());
	uint64_t lost = events->books[REPORTER_OF_NODE].lost + pods->lost;
	if (kept || lost < 2 * events->lost_said)
		return;
	/* Said at 1, 2, 4, 8 …: an outage with many faults must not fill the log. */
	events->lost_said = lost;
	log_warn(r->log, "Events given up: too many wait for the API server; conditions and taint are not touched by it", "lost", log_number(lost));
}

void reporter_taint_event(struct reporter *r, const char *reason, const char *why)
{
	const struct report_taint *taint = &r->report.taint;
	struct event event = {.warning = 1, .wall_us = clock_wall_us()};

	str_copy(event.reason, sizeof(event.reason), reason);
	str_copy(event.action, sizeof(event.action), "Taint");
	str_append(event.note, sizeof(event.note), "taint %s=%s:%s: %s", taint->key, taint->value, taint->effect, why);
	reporter_event(r, &event);
}

/* What follows the lane's path: nothing, an Event's name, a namespace, or a namespace and a name in it. */
static void make_target(const struct event_entry *entry, bool is_new, char *target, size_t size)
{
	const char *name_space = *entry->event.pod.name ? entry->event.pod.name_space : "";

	snprintf(target, size, "%s%s%s", name_space, *name_space && !is_new ? "/events/" : "", is_new ? "" : entry->name);
}

static void step_side(struct reporter *r, enum reporter_side side, uint64_t now_us, uint64_t *next_us)
{
	struct event_book *book = &r->events.books[side];
	struct event_entry *entry = event_book_next(book, now_us, next_us);
	/* Deaths are told from the first moment; what is said of the node waits until its filesystems have been probed. */
	const char *node = side == REPORTER_OF_PODS ? reporter_node(r) : r->report.node;
	char target[EXECUTOR_NAMESPACE_BYTES + EVENT_NAME_BYTES + 16];

	if (!entry || !*node) /* a node whose object is not there (yet) has nobody to read them */
		return;
	bool is_new = entry->told == 0;
	enum kube_lane make = sides[side].make, patch = sides[side].patch;
	/* One pause for both: they have the same right and the same way. */
	if (!r->node.known || !reporter_lane_is_due(r, make, true, now_us, next_us) || !reporter_lane_is_due(r, patch, true, now_us, next_us))
		return;
	if (is_new && !*entry->name)
		kube_event_name(side == REPORTER_OF_PODS ? entry->event.pod.name : node, entry->event.wall_us, r->events.number++, entry->name);
	make_target(entry, is_new, target, sizeof(target));
	event_book_send(book, entry);
	if (!reporter_lane_send(r, is_new ? make : patch, target, is_new ? kube_event_object(node, entry) : kube_event_series_patch(entry)))
		event_book_settle(book, EVENT_NOT_NOW, now_us);
}

void reporter_events_step(struct reporter *r, uint64_t now_us, uint64_t *next_us)
{
	for (unsigned side = 0; side < REPORTER_SIDE_MAX_; side++)
		step_side(r, (enum reporter_side)side, now_us, next_us);
}

static void settle_side(struct reporter *r, enum reporter_side side, enum kube_lane lane, const struct kube_answer *answer)
{
	enum kube_meaning meaning = kube_answer_judge(lane, answer->status, answer->retry_after_s);
	enum event_fate fate = meaning == KUBE_DONE ? EVENT_TOLD : meaning == KUBE_REFUSED ? EVENT_REFUSED : EVENT_NOT_NOW;

	if (meaning == KUBE_CONFLICT && lane == sides[side].patch)
		fate = EVENT_GONE;
	/* Nothing can be made any more in a namespace that is being deleted: that is said by 403, and is no missing right. */
	bool ending = meaning == KUBE_FORBIDDEN && side == REPORTER_OF_PODS && answer->detail && strstr(answer->detail, "being terminated");
	event_book_settle(&r->events.books[side], ending ? EVENT_REFUSED : fate, clock_mono_us());
	if (fate == EVENT_TOLD) {
		reporter_lane_succeed(r, sides[side].make);
		reporter_lane_succeed(r, sides[side].patch);
	} else if (fate != EVENT_GONE && !ending) {
		reporter_lane_fail(r, lane, meaning, answer->status, answer->retry_after_s, answer->detail);
	}
}

bool reporter_events_answer(struct reporter *r, enum kube_lane lane, const struct kube_answer *answer)
{
	for (unsigned side = 0; side < REPORTER_SIDE_MAX_; side++) {
		if (lane != sides[side].make && lane != sides[side].patch)
			continue;
		settle_side(r, (enum reporter_side)side, lane, answer);
		return true;
	}
	return false;
}
