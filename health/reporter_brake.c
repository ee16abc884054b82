/* reporter_brake.c - whether the taint may be on the node, and the brake's requests, one at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/reporter.h"

static void plan(uint64_t pause_us, uint64_t now_us, uint64_t *next_us)
{
	if (now_us + pause_us < *next_us)
		*next_us = now_us + pause_us;
}

/* Somebody took the taint off while it was wanted: it is put back, but not for ever against a person's will. */
void reporter_note_removal(struct reporter *r, bool was_on, uint64_t now_us)
{
	if (!was_on || !r->goal.wanted || r->taint_waits || r->taint_doubt || kube_node_carries(&r->node, r->goal.key, false))
		return;
	if (put_back_step(&r->put_back, now_us)) {
		reporter_taint_event(r, EVENT_TAINT_PUT_BACK, "somebody took it off while the fault stands: it is put back; to keep it off, annotate the node with " STOKER_HOLD_UNTIL);
		log_warn(r->log, "somebody took the taint off while the fault stands: it is put back", "key", r->goal.key);
	} else {
		log_warn(r->log, "the taint was taken off again and is left off for now", "key", r->goal.key);
	}
}

/* Why there shall be no taint although the fault stands, or "". */
static void find_hold(struct reporter *r, uint64_t now_us, uint64_t *next_us, char why[static 256])
{
	uint64_t wall = clock_wall_us();

	*why = '\0';
	if (*r->node.hold_text && !r->node.hold_wall_us && strcmp(r->hold_said, r->node.hold_text) != 0) {
		str_copy(r->hold_said, sizeof(r->hold_said), r->node.hold_text);
		log_warn(r->log, "annotation ignored: it is no time like 2026-11-26T08:15:00Z", "annotation", STOKER_HOLD_UNTIL, "value", r->node.hold_text);
	}
	if (r->config.retire) {
		str_append(why, 256, "retired (retire: true in the configuration)");
	} else if (r->node.hold_wall_us > wall) {
		str_append(why, 256, "held until %s by the node's annotation " STOKER_HOLD_UNTIL, r->node.hold_text);
		plan(r->node.hold_wall_us - wall, now_us, next_us);
	} else if (r->put_back.left_off_us > now_us) {
		str_append(why, 256, "taken off by somebody more than %d times within an hour: left off for %u minutes more; annotate the node with " STOKER_HOLD_UNTIL " to keep it off",
			   PUT_BACK_TIMES, (unsigned)((r->put_back.left_off_us - now_us) / (60 * US_PER_S) + 1));
		plan(60 * US_PER_S, now_us, next_us);
	}
}

static void ask(struct reporter *r, enum kube_lane lane, const struct brake_step *step, const char *target, char *body)
{
	r->asked = *step;
	r->asked_lane = lane;
	r->asked_us = clock_boot_us();
	reporter_lane_send(r, lane, target, body);
	if (!kube_client_is_busy(&r->client, lane))
		r->asked_us = 0;
}

static bool ask_for_lease(struct reporter *r, const struct brake_step *step, uint64_t now_us, uint64_t *next_us)
{
	const char *holder = step->need == BRAKE_TAKE ? r->brake.node : "";
	enum kube_lane lane = step->slot.exists ? KUBE_LEASE : KUBE_LEASE_MAKE;
	char name[64];

	if (!reporter_lane_is_due(r, lane, true, now_us, next_us))
		return false;
	char *body = kube_lease_body(&step->slot, holder, clock_wall_us());
	if (!body) {
		log_warn(r->log, "a Lease of the brake cannot be taken over, its renewTime is beyond all times: delete it", "slot", log_number(step->slot.number));
		brake_looked(&r->brake, step->slot.number, BRAKE_IS_TAINTED);
		return true;
	}
	snprintf(name, sizeof(name), STOKER_BRAKE_LEASE "%u", step->slot.number);
	ask(r, lane, step, step->slot.exists ? name : "", body);
	return false;
}

/* A resourceVersion is opaque, and becomes a part of a URL. Without one the newest list is asked for, which is right too. */
static bool is_plain(const char *version)
{
	return *version && version[strspn(version, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.")] == '\0';
}

/* Does one step. True if another can be taken at once. */
static bool do_step(struct reporter *r, const struct brake_step *step, uint64_t now_us, uint64_t *next_us)
{
	char query[KUBE_CONTINUE_BYTES + 64];

	switch (step->need) {
	case BRAKE_LIST_LEASES:
		*query = '\0';
		if (is_plain(r->brake.as_new_as))
			snprintf(query, sizeof(query), "?resourceVersion=%s&resourceVersionMatch=NotOlderThan", r->brake.as_new_as);
		if (reporter_lane_is_due(r, KUBE_LEASES, true, now_us, next_us))
			ask(r, KUBE_LEASES, step, query, NULL);
		return false;
	case BRAKE_LIST_NODES:
		snprintf(query, sizeof(query), "?limit=%d%s%s", KUBE_PAGE_NODES, *r->brake.next ? "&continue=" : "", r->brake.next);
		if (reporter_lane_is_due(r, KUBE_NODES, true, now_us, next_us))
			ask(r, KUBE_NODES, step, query, NULL);
		return false;
	case BRAKE_LOOK_AT:
		if (config_unit_node(step->slot.holder)) { /* no node can have this name */
			brake_looked(&r->brake, step->slot.number, BRAKE_IS_FREE);
			return true;
		}
		if (reporter_lane_is_due(r, KUBE_HOLDER, true, now_us, next_us))
			ask(r, KUBE_HOLDER, step, step->slot.holder, NULL);
		return false;
	case BRAKE_TAKE:
	case BRAKE_GIVE_BACK: return ask_for_lease(r, step, now_us, next_us);
	case BRAKE_NOTHING:
	case BRAKE_READY:
	case BRAKE_TAKE_OFF: break;
	}
	uint64_t boot = clock_boot_us();
	if (step->due_us)
		plan(step->due_us > boot ? step->due_us - boot : 0, now_us, next_us);
	return false;
}

/* An Event when it begins, not for each minute that it lasts and not for every other neighbour that holds the slot. Retiring is no trouble,
 * and an API server that cannot be asked is not the brake's. */
static void tell_held(struct reporter *r, const char *hold, bool wanted)
{
	const char *why = *hold ? hold : r->brake.why;
	const char *reason = !wanted || !*why || r->config.retire ? NULL : *hold ? EVENT_TAINT_HELD : EVENT_NO_BRAKE_SLOT;

	if (reason && r->held_said != reason)
		reporter_taint_event(r, reason, why);
	r->held_said = reason;
}

static void say_why(struct reporter *r, const char *hold)
{
	const char *why = *hold ? hold : r->brake.why;
	char text[sizeof(r->state.taint_why)] = "";

	for (unsigned lane = KUBE_LEASES; lane <= KUBE_HOLDER && !*hold; lane++) {
		if (*r->lanes[lane].words) {
			str_append(text, sizeof(text), "no brake slot: %s", r->lanes[lane].words);
			why = text;
			break;
		}
	}
	bool wanted = r->report.taint.wanted && (r->taint_waits || !r->goal.wanted);
	tell_held(r, hold, wanted);
	if (!*why && r->taint_waits)
		why = "asking for a brake slot";
	if (wanted && strcmp(r->state.taint_why, why) != 0 && *why)
		log_info(r->log, "no taint for now", "why", why);
	r->state.taint_holder = !wanted || !*why ? HOLDER_NOBODY : *hold ? HOLDER_PERSON : why == r->brake.why ? HOLDER_BRAKE : HOLDER_CLUSTER;
	memset(r->state.taint_why, 0, sizeof(r->state.taint_why)); /* compared as bytes */
	str_copy(r->state.taint_why, sizeof(r->state.taint_why), wanted ? why : "");
}

static void note_retired(struct reporter *r)
{
	bool done = r->config.retire && !kube_node_has_any_condition(&r->node) && !kube_node_carries(&r->node, r->goal.key, false) && r->brake.listed_us &&
		    !brake_holds(&r->brake) && reporter_aliases_are_gone(r);

	if (done && !r->retired_said)
		log_info(r->log, "retired: conditions, taint and slot of this node are gone");
	r->retired_said = done;
}

void reporter_brake(struct reporter *r, uint64_t now_us, uint64_t *next_us)
{
	char hold[256];
	struct brake_step step;

	find_hold(r, now_us, next_us, hold);
	r->goal = r->report.taint;
	if (!*r->goal.key)
		str_copy(r->goal.key, sizeof(r->goal.key), r->config.report.taint_key);
	r->goal.wanted = r->goal.wanted && !*hold;
	bool hard = r->goal.wanted && strcmp(r->goal.effect, "PreferNoSchedule") != 0;
	bool is_on = kube_node_carries(&r->node, r->goal.key, true);
	str_copy(r->brake.share, sizeof(r->brake.share), r->config.report.max_tainted);
	r->brake.single_node = r->config.report.taint_single_node;
	do {
		const struct brake_input in = {.wanted = hard, .is_on = is_on, .now_us = clock_boot_us(), .random = reporter_random(),
					       .in_doubt = r->taint_doubt || kube_client_is_busy(&r->client, KUBE_TAINT)};
		step = r->asked_us ? (struct brake_step){.need = BRAKE_NOTHING} : brake_next(&r->brake, &in);
	} while (!r->asked_us && do_step(r, &step, now_us, next_us));
	if (step.need == BRAKE_TAKE_OFF)
		r->goal.wanted = false;
	r->taint_waits = hard && !is_on && step.need != BRAKE_READY;
#ifdef STOKER_SABOTAGE_SLOT_FOR_UNTAINT
	r->taint_waits = r->taint_waits || (!r->goal.wanted && is_on && !brake_holds(&r->brake));
#endif
	/* A hold must be seen before the taint is put on, and what people do about it while it is wanted. */
	bool stale = now_us - r->read_us > (hard && !is_on && (step.need == BRAKE_READY || r->asked_us) ? REPORTER_FRESH_US : REPORTER_REREAD_US);
	if (r->report.taint.wanted && stale && !kube_client_is_busy(&r->client, KUBE_READ))
		r->read_wanted = true;
	if (r->report.taint.wanted)
		plan(REPORTER_REREAD_US, now_us, next_us);
	say_why(r, hold);
	note_retired(r);
}

static int take_answer(struct reporter *r, enum kube_lane lane, const struct kube_answer *answer, struct err *e)
{
	struct kube_node_page page;
	struct kube_node_fact fact;
	struct kube_lease lease;
	const char *key = r->goal.key;

	switch (lane) {
	case KUBE_LEASES:
		if (kube_lease_list_read(answer->text, answer->length, &r->inbox, e) < 0)
			return -1;
		brake_listed(&r->brake, &r->inbox, r->asked_us, clock_boot_us());
		return 0;
	case KUBE_NODES:
		if (kube_node_page_read(answer->text, answer->length, key, &page, e) < 0)
			return -1;
		brake_saw_nodes(&r->brake, &page, r->asked_us);
		return 0;
	case KUBE_HOLDER:
		if (kube_node_fact_read(answer->text, answer->length, key, &fact, e) < 0)
			return -1;
		brake_looked(&r->brake, r->asked.slot.number, fact.tainted ? BRAKE_IS_TAINTED : BRAKE_IS_FREE);
		return 0;
	case KUBE_LEASE:
	case KUBE_LEASE_MAKE:
		if (kube_lease_read(answer->text, answer->length, &lease, e) < 0)
			return -1;
		brake_wrote(&r->brake, &lease, lane == KUBE_LEASE_MAKE, r->asked_us, reporter_random());
		r->state.writes++;
		return 0;
	case KUBE_READ:
	case KUBE_CONDITION:
	case KUBE_TAINT:
	case KUBE_EVENT_MAKE:
	case KUBE_EVENT:
	case KUBE_POD_EVENT_MAKE:
	case KUBE_POD_EVENT:
	case KUBE_ALIAS:
	case KUBE_POLICY:
	case KUBE_POD:
	case KUBE_OWNER:
	case KUBE_PODS:
	case KUBE_LANE_MAX_: break;
	}
	return 0;
}

void reporter_brake_answer(struct reporter *r, enum kube_lane lane, const struct kube_answer *answer)
{
	enum kube_meaning meaning = kube_answer_judge(lane, answer->status, answer->retry_after_s);
	struct err e = {0};

	if (lane == KUBE_HOLDER && meaning == KUBE_NO_NODE) {
		brake_looked(&r->brake, r->asked.slot.number, BRAKE_IS_FREE);
		reporter_lane_succeed(r, lane);
	} else if (meaning == KUBE_DONE && take_answer(r, lane, answer, &e) == 0) {
		reporter_lane_succeed(r, lane);
	} else {
		reporter_lane_fail(r, lane, meaning == KUBE_DONE ? KUBE_BROKEN : meaning, answer->status, answer->retry_after_s, meaning == KUBE_DONE ? e.text : answer->detail);
		brake_in_doubt(&r->brake);
	}
	r->asked_us = 0;
}
