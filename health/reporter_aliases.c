#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/reporter.h"

#define HEARTBEAT_OLD_US (240 * US_PER_S) /* renewed beside our own condition, which is every five minutes */

static const struct report_condition *wanted_alias(const struct reporter *r, unsigned alias)
{
	return !r->config.retire && *r->report.aliases[alias].type ? &r->report.aliases[alias] : NULL;
}

static enum alias_step judge(const struct reporter *r, unsigned alias)
{
	const struct kube_node *there = &r->aliases.there[alias];
	const struct report_condition *wanted = wanted_alias(r, alias);
	enum alias_step step = alias_judge(there->first.there ? &there->first.condition : NULL, wanted, &r->aliases.written[alias]);
	bool is_old = clock_wall_us() > there->first.heartbeat_wall_us + HEARTBEAT_OLD_US;

	return step == ALIAS_NOTHING && wanted && is_old ? ALIAS_WRITE : step;
}

static void say_foreign(struct reporter *r, unsigned alias, bool foreign)
{
	struct reporter_aliases *a = &r->aliases;
	bool any = false;

	if (foreign && !a->said[alias]) {
		alias_words(alias, &a->there[alias].first.condition, a->words, sizeof(a->words));
		log_warn(r->log, "alias not written", "why", a->words);
	} else if (!foreign && a->said[alias]) {
		log_info(r->log, "alias: the other writer's condition is gone", "type", alias_type(alias));
	}
	a->said[alias] = foreign;
	for (unsigned i = 0; i < ALIAS_MAX_; i++)
		any = any || a->said[i];
	if (!any)
		*a->words = '\0';
}

static void send_alias(struct reporter *r, unsigned alias, bool remove)
{
	struct reporter_aliases *a = &r->aliases;
	const struct report_condition *wanted = wanted_alias(r, alias);
	char *body = remove ? alias_removal_patch(alias) : kube_node_condition_patch(&a->there[alias].first, wanted, clock_wall_us());

	a->in_hand = (int)alias;
	a->removing = remove;
	a->fresh[alias] = false;
	a->generation++;
	if (remove)
		a->written[alias] = (struct report_condition){0};
	else
		a->written[alias] = *wanted;
	reporter_lane_send(r, KUBE_ALIAS, reporter_node(r), body);
}

bool reporter_aliases_are_gone(const struct reporter *r)
{
	bool gone = true;

	for (unsigned i = 0; i < ALIAS_MAX_; i++)
		gone = gone && judge(r, i) != ALIAS_REMOVE;
	return gone;
}

void reporter_aliases_step(struct reporter *r, uint64_t now_us, uint64_t *next_us)
{
	struct reporter_aliases *a = &r->aliases;

	if ((!r->report.sequence && !r->config.retire) || !r->node.known || kube_client_is_busy(&r->client, KUBE_ALIAS))
		return;
	for (unsigned i = 0; i < ALIAS_MAX_; i++) {
		enum alias_step step = judge(r, i);
		say_foreign(r, i, step == ALIAS_FOREIGN && wanted_alias(r, i));
		if (step != ALIAS_WRITE && step != ALIAS_REMOVE)
			continue;
		if (!reporter_lane_is_due(r, KUBE_ALIAS, true, now_us, next_us))
			return;
		if (a->fresh[i]) {
			send_alias(r, i, step == ALIAS_REMOVE);
			return;
		}
		/* The condition's own answer will do, if it is on its way. */
		if (!kube_client_is_busy(&r->client, KUBE_CONDITION) && !kube_client_is_busy(&r->client, KUBE_READ) && !r->read_wanted) {
			r->read_wanted = true;
			*next_us = now_us;
		}
	}
}

void reporter_aliases_asked(struct reporter *r, enum kube_lane lane)
{
	if (lane == KUBE_READ || lane == KUBE_CONDITION)
		r->aliases.asked_at[lane] = r->aliases.generation;
}

static bool is_used(const struct reporter *r)
{
	for (unsigned i = 0; i < ALIAS_MAX_; i++)
		if (wanted_alias(r, i) || r->aliases.there[i].first.there)
			return true;
	return false;
}

static void read_aliases(struct reporter *r, const struct kube_answer *answer, int only)
{
	struct err e = {0};

	for (unsigned i = 0; i < ALIAS_MAX_; i++) {
		if (only >= 0 && i != (unsigned)only)
			continue;
		if (kube_node_read(&r->aliases.there[i], answer->text, answer->length, alias_type(i), KUBE_NODE_CONDITION, &e) == 0)
			r->aliases.fresh[i] = only < 0;
	}
}

bool reporter_aliases_answer(struct reporter *r, enum kube_lane lane, const struct kube_answer *answer)
{
	struct reporter_aliases *a = &r->aliases;
	enum kube_meaning meaning = kube_answer_judge(lane, answer->status, answer->retry_after_s);
	bool done = meaning == KUBE_DONE;

	if (lane == KUBE_READ || (lane == KUBE_CONDITION && is_used(r))) {
		if (done && a->asked_at[lane] == a->generation && !kube_client_is_busy(&r->client, KUBE_ALIAS))
			read_aliases(r, answer, -1);
		return false;
	}
	if (lane != KUBE_ALIAS)
		return false;
	if (done) {
		reporter_lane_succeed(r, lane);
		read_aliases(r, answer, a->in_hand);
		r->state.writes++;
	} else {
		/* Whether it was written is not known (a lost answer): what stands there is ours if it bears the mark. */
		a->written[a->in_hand] = (struct report_condition){0};
		reporter_lane_fail(r, lane, meaning, answer->status, answer->retry_after_s, answer->detail);
	}
	return true;
}
