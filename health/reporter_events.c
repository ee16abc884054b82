#include "health/reporter_events.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/kube_event.h"
#include "health/reporter.h"

void reporter_event(struct reporter *r, const struct event *event)
{
	struct reporter_events *events = &r->events;

	log_info(r->log, "event", "reason", event->reason, "action", event->action, "note", event->note);
	if (event_book_add(&events->book, event, clock_mono_us()) || events->book.lost < 2 * events->lost_said)
		return;
	/* Said at 1, 2, 4, 8 …: an outage with many faults must not fill the log. */
	events->lost_said = events->book.lost;
	log_warn(r->log, "Events given up: too many wait for the API server; conditions and taint are not touched by it", "lost", log_number(events->book.lost));
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

void reporter_events_step(struct reporter *r, uint64_t now_us, uint64_t *next_us)
{
	struct event_entry *entry = event_book_next(&r->events.book, now_us, next_us);
	const char *node = r->report.node;

	if (!entry || !*node) /* a node whose object is not there (yet) has nobody to read them */
		return;
	bool is_new = entry->told == 0;
	enum kube_lane lane = is_new ? KUBE_EVENT_MAKE : KUBE_EVENT;
	/* One pause for both: they have the same right and the same way. */
	if (!r->node.known || !reporter_lane_is_due(r, KUBE_EVENT_MAKE, true, now_us, next_us) || !reporter_lane_is_due(r, KUBE_EVENT, true, now_us, next_us))
		return;
	if (is_new && !*entry->name)
		kube_event_name(node, entry->event.wall_us, r->events.number++, entry->name);
	event_book_send(&r->events.book, entry);
	if (!reporter_lane_send(r, lane, is_new ? "" : entry->name, is_new ? kube_event_object(node, entry) : kube_event_series_patch(entry)))
		event_book_settle(&r->events.book, EVENT_NOT_NOW, now_us);
}

bool reporter_events_answer(struct reporter *r, enum kube_lane lane, const struct kube_answer *answer)
{
	enum kube_meaning meaning = kube_answer_judge(lane, answer->status, answer->retry_after_s);
	enum event_fate fate = meaning == KUBE_DONE ? EVENT_TOLD : meaning == KUBE_REFUSED ? EVENT_REFUSED : EVENT_NOT_NOW;

	if (lane != KUBE_EVENT_MAKE && lane != KUBE_EVENT)
		return false;
	if (meaning == KUBE_CONFLICT && lane == KUBE_EVENT)
		fate = EVENT_GONE;
	event_book_settle(&r->events.book, fate, clock_mono_us());
	if (fate == EVENT_TOLD) {
		reporter_lane_succeed(r, KUBE_EVENT_MAKE);
		reporter_lane_succeed(r, KUBE_EVENT);
	} else if (fate != EVENT_GONE) {
		reporter_lane_fail(r, lane, meaning, answer->status, answer->retry_after_s, answer->detail);
	}
	return true;
}
