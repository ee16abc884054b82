#include "health/brake.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"

void brake_start(struct brake *b, const char *node, uint64_t now_us)
{
	/* not the Leases: they are large, and how long each was seen unchanged stays true */
	b->leases.count = 0;
	memset(&b->listed_us, 0, sizeof(*b) - offsetof(struct brake, listed_us));
	str_copy(b->node, sizeof(b->node), node);
	str_copy(b->share, sizeof(b->share), "1");
	b->start_us = now_us;
}

uint32_t brake_allowed(const char *share, uint64_t nodes)
{
	uint64_t number = strtoul(share, NULL, 10);

	if (strchr(share, '%'))
		number = nodes * number / 100;
	return number < 1 ? 1 : number > KUBE_LEASES_MAX ? KUBE_LEASES_MAX : (uint32_t)number;
}

/* --- what is known of the Leases --- */

static bool is_ours(const struct brake *b, const struct kube_lease *l)
{
	return *l->holder && strcmp(l->holder, b->node) == 0;
}

static const struct kube_lease *own(const struct brake *b)
{
	for (uint32_t i = 0; i < b->leases.count; i++)
		if (is_ours(b, &b->leases.lease[i]))
			return &b->leases.lease[i];
	return NULL;
}

bool brake_holds(const struct brake *b)
{
	return own(b) != NULL;
}

static bool has_lapsed(const struct brake *b, const struct kube_lease *l, uint64_t now_us)
{
	const struct brake_watch *w = &b->watch[l->number];

	uint64_t term_s = l->duration_s < KUBE_LEASE_MIN_S ? KUBE_LEASE_MIN_S : l->duration_s > KUBE_LEASE_MAX_S ? KUBE_LEASE_MAX_S : l->duration_s;

	return l->duration_s && l->renew_wall_us && *w->version && strcmp(w->version, l->version) == 0 && now_us - w->since_us > term_s * US_PER_S;
}

/* Held by another who counts. */
static bool is_in_force(const struct brake *b, const struct kube_lease *l, uint64_t now_us)
{
	return *l->holder && !is_ours(b, l) && !(has_lapsed(b, l, now_us) && b->watch[l->number].look == BRAKE_IS_FREE);
}

static bool holds_another(const struct brake *b, const char *node, uint64_t now_us)
{
	for (uint32_t i = 0; i < b->leases.count; i++)
		if (is_in_force(b, &b->leases.lease[i], now_us) && strcmp(b->leases.lease[i].holder, node) == 0)
			return true;
	return false;
}

/* Distinct holders besides us; *surplus: Leases that are held by one who is counted already. */
static uint32_t others(const struct brake *b, uint64_t now_us, uint32_t *surplus)
{
	uint32_t count = 0;

	*surplus = 0;
	for (uint32_t i = 0; i < b->leases.count; i++) {
		const struct kube_lease *l = &b->leases.lease[i];
		bool again = false;
		if (!is_in_force(b, l, now_us))
			continue;
		for (uint32_t j = 0; j < i && !again; j++)
			again = is_in_force(b, &b->leases.lease[j], now_us) && strcmp(b->leases.lease[j].holder, l->holder) == 0;
		*surplus += again;
		count += !again;
	}
	return count;
}

/* The first number below `limit` that is nobody's. */
static bool choose(const struct brake *b, uint32_t limit, uint64_t now_us, struct kube_lease *ret)
{
	uint32_t at = 0;

	for (uint32_t number = 0; number < limit && number < KUBE_LEASES_MAX; number++) {
		while (at < b->leases.count && b->leases.lease[at].number < number)
			at++;
		if (at == b->leases.count || b->leases.lease[at].number != number) {
			*ret = (struct kube_lease){.number = number};
			return true;
		}
		if (!is_in_force(b, &b->leases.lease[at], now_us) && *b->leases.lease[at].version) {
			*ret = b->leases.lease[at];
			return true;
		}
	}
	return false;
}

/* --- answers --- */

void brake_listed(struct brake *b, const struct kube_lease_list *leases, uint64_t asked_us, uint64_t now_us)
{
	b->leases.count = leases->count;
	memcpy(b->leases.lease, leases->lease, leases->count * sizeof(leases->lease[0]));
	b->listed_us = asked_us;
	*b->as_new_as = '\0';
	for (uint32_t i = 0; i < leases->count; i++) {
		const struct kube_lease *l = &leases->lease[i];
		struct brake_watch *w = &b->watch[l->number];
		if (strcmp(w->version, l->version) == 0)
			continue;
		*w = (struct brake_watch){.since_us = now_us};
		str_copy(w->version, sizeof(w->version), l->version);
	}
}

void brake_saw_nodes(struct brake *b, const struct kube_node_page *page, uint64_t asked_us)
{
	if (b->pages == 0) {
		b->nodes_us = asked_us;
		b->count_known = page->remaining_known;
		b->nodes = page->count + page->remaining;
	}
	b->pages++;
	b->seen += page->count;
	str_copy(b->next, sizeof(b->next), page->next);
	b->all_pages = !*page->next || b->pages >= BRAKE_PAGES_MAX;
	for (uint32_t i = 0; i < page->count; i++) {
		const struct kube_node_fact *f = &page->node[i];
		if (strcmp(f->name, b->node) == 0)
			continue;
		bool holds = holds_another(b, f->name, asked_us);
		b->other = b->other || (f->schedulable && !holds);
		if (f->schedulable && !holds && b->free_count < BRAKE_FREE_MAX)
			str_copy(b->free[b->free_count++], sizeof(b->free[0]), f->name);
		b->orphans += f->tainted && !holds;
	}
	if (b->all_pages && !b->count_known)
		b->nodes = b->seen;
}

void brake_looked(struct brake *b, uint32_t number, enum brake_look look)
{
	b->watch[number].look = look;
}

void brake_wrote(struct brake *b, const struct kube_lease *lease, bool was_made, uint64_t asked_us, uint32_t random)
{
	uint32_t i = 0;

	while (i < b->leases.count && b->leases.lease[i].number < lease->number)
		i++;
	if (i == b->leases.count || b->leases.lease[i].number != lease->number) {
		b->listed_us = 0; /* a new one: the next list has its place */
		if (b->leases.count == KUBE_LEASES_MAX)
			return;
		memmove(&b->leases.lease[i + 1], &b->leases.lease[i], (b->leases.count - i) * sizeof(b->leases.lease[0]));
		b->leases.count++;
	}
	b->leases.lease[i] = *lease;
	if (!is_ours(b, lease)) {
		b->held_us = 0;
		return;
	}
	b->held_us = asked_us;
	b->renew_us = asked_us + BRAKE_RENEW_US * 9 / 10 + random % (BRAKE_RENEW_US / 5);
	if (b->attempt_us) { /* and now look again */
		b->taken = true;
		b->made = b->made || was_made;
		b->attempt_us = asked_us + 1;
		str_copy(b->as_new_as, sizeof(b->as_new_as), lease->version);
	}
}

void brake_in_doubt(struct brake *b)
{
	b->listed_us = b->nodes_us = b->permit_us = 0;
	*b->as_new_as = '\0';
}

/* --- the decision --- */

static struct brake_step wait_until(uint64_t due_us)
{
	return (struct brake_step){.need = BRAKE_NOTHING, .due_us = due_us};
}

static struct brake_step step_of(enum brake_need need, const struct kube_lease *slot)
{
	struct brake_step step = {.need = need};

	if (slot)
		step.slot = *slot;
	return step;
}

static void end_attempt(struct brake *b)
{
	b->attempt_us = b->permit_us = 0;
	b->taken = b->made = false;
	*b->as_new_as = '\0';
}

static void say_taken(struct brake *b, uint32_t allowed, uint32_t count, uint64_t now_us)
{
	unsigned named = 0;

	*b->why = '\0';
	str_append(b->why, sizeof(b->why), "waiting for a brake slot: %u of %u taken", count + b->orphans, allowed);
	for (uint32_t i = 0; i < b->leases.count && named < 2; i++) {
		char holder[80];
		if (!is_in_force(b, &b->leases.lease[i], now_us))
			continue;
		str_escape(holder, sizeof(holder), b->leases.lease[i].holder);
		str_append(b->why, sizeof(b->why), "%s%s", named++ ? ", " : " by ", holder);
	}
	if (b->orphans)
		str_append(b->why, sizeof(b->why), ", %u tainted without a Lease", b->orphans);
	str_append(b->why, sizeof(b->why), "; repair them, or raise report.maxTainted");
}

/* Is something in the way? Says it in b->why. */
static bool is_refused(struct brake *b, const struct brake_input *in, struct kube_lease *slot)
{
	uint32_t surplus, count = others(b, in->now_us, &surplus), allowed = brake_allowed(b->share, b->nodes);
	const struct kube_lease *mine = own(b);

	*b->why = '\0';
	if (!in->is_on && b->nodes <= 1 && !b->single_node)
		str_copy(b->why, sizeof(b->why), "this is the only node of the cluster: the condition alone says it (report.taintSingleNode: true taints it too)");
	else if (!in->is_on && b->nodes > 1 && !b->other)
		str_copy(b->why, sizeof(b->why), "no other node can take pods: the last schedulable node is never tainted; add or repair another one");
	else if (count + b->orphans >= allowed)
		say_taken(b, allowed, count, in->now_us);
	else if (mine)
		*slot = *mine;
	else if (!choose(b, allowed + surplus, in->now_us, slot))
		say_taken(b, allowed, count, in->now_us);
	return *b->why != '\0';
}

static struct brake_step refuse(struct brake *b, const struct brake_input *in)
{
	uint64_t pause = (5 * US_PER_S) << (b->refusals < 4 ? b->refusals : 4);
	const struct kube_lease *mine = own(b);

	b->refusals++;
	pause = pause > 60 * US_PER_S ? 60 * US_PER_S : pause;
	b->not_before_us = in->now_us + pause / 2 + in->random % (pause / 2);
	end_attempt(b);
	if (in->is_on)
		return step_of(BRAKE_TAKE_OFF, NULL);
	return mine ? step_of(BRAKE_GIVE_BACK, mine) : wait_until(b->not_before_us);
}

/* A lapsed Lease whose holder has not been looked at. */
static const struct kube_lease *to_look_at(const struct brake *b, uint64_t now_us)
{
	for (uint32_t i = 0; i < b->leases.count && b->looks < BRAKE_LOOKS_MAX; i++) {
		const struct kube_lease *l = &b->leases.lease[i];
		if (*l->holder && !is_ours(b, l) && has_lapsed(b, l, now_us) && b->watch[l->number].look == BRAKE_NOT_LOOKED)
			return l;
	}
	return NULL;
}

static void begin_attempt(struct brake *b, uint64_t now_us)
{
	b->attempt_us = now_us;
	b->taken = b->made = false;
	*b->as_new_as = '\0';
	b->looks = 0;
	b->permit_us = 0;
	for (uint32_t i = 0; i < KUBE_LEASES_MAX; i++)
		b->watch[i].look = BRAKE_NOT_LOOKED;
}

static struct brake_step list_nodes(struct brake *b, bool from_the_beginning)
{
	if (from_the_beginning) {
		b->nodes_us = b->nodes = b->seen = 0;
		b->pages = b->orphans = b->free_count = 0;
		b->all_pages = b->other = b->count_known = false;
		*b->next = '\0';
	}
	return step_of(BRAKE_LIST_NODES, NULL);
}

/* In the second look: will the nodes of the first do? */
static bool nodes_will_do(struct brake *b, uint64_t now_us)
{
	if (!b->taken || b->made || now_us - b->nodes_us > BRAKE_NODES_US)
		return false;
	if (b->nodes <= 1 && b->all_pages) /* the only one; is_refused() knows whether that will do */
		return true;
	for (uint32_t i = 0; i < b->free_count; i++)
		if (!holds_another(b, b->free[i], now_us))
			return true;
	return false;
}

static struct brake_step acquire(struct brake *b, const struct brake_input *in)
{
	struct kube_lease slot = {0};
	const struct kube_lease *look;

	if (b->permit_us && in->now_us - b->permit_us < BRAKE_PERMIT_US)
		return (struct brake_step){.need = BRAKE_READY, .due_us = b->permit_us + BRAKE_PERMIT_US};
	if (in->now_us < b->not_before_us)
		return own(b) && b->listed_us && !in->is_on ? step_of(BRAKE_GIVE_BACK, own(b)) : wait_until(b->not_before_us);
	if (!b->attempt_us || b->permit_us || in->now_us > b->attempt_us + 4 * BRAKE_PERMIT_US)
		begin_attempt(b, in->now_us);
	if (b->listed_us < b->attempt_us)
		return step_of(BRAKE_LIST_LEASES, NULL);
	look = to_look_at(b, in->now_us);
	if (look) {
		b->looks++;
		return step_of(BRAKE_LOOK_AT, look);
	}
	if (b->nodes_us < b->attempt_us && !nodes_will_do(b, in->now_us))
		return list_nodes(b, true);
	if (!b->all_pages && (!b->count_known || (!b->other && !in->is_on)))
		return list_nodes(b, false);
	bool refused = is_refused(b, in, &slot);
	if (!b->all_pages && !refused && (b->made || !slot.exists))
		return list_nodes(b, false);
	if (refused)
		return refuse(b, in);
	if (!b->taken)
		return step_of(BRAKE_TAKE, &slot);
	b->permit_us = b->attempt_us;
	b->attempt_us = 0;
	b->refusals = 0;
	return (struct brake_step){.need = BRAKE_READY, .due_us = b->permit_us + BRAKE_PERMIT_US};
}

struct brake_step brake_next(struct brake *b, const struct brake_input *in)
{
	const struct kube_lease *mine = own(b);

#ifdef STOKER_SABOTAGE_BRAKE_IGNORED
	if (in->wanted && !in->is_on)
		return step_of(BRAKE_READY, NULL);
#endif
	if (in->is_on && in->wanted) {
		if (b->permit_us)
			end_attempt(b);
		if (!b->listed_us)
			return step_of(BRAKE_LIST_LEASES, NULL);
		*b->why = '\0';
		if (!mine || (b->attempt_us && b->taken))
			return acquire(b, in);
		return !b->held_us || in->now_us >= b->renew_us ? step_of(BRAKE_TAKE, mine) : wait_until(b->renew_us);
	}
	if (in->wanted)
		return acquire(b, in);
	*b->why = '\0';
	end_attempt(b);
	b->refusals = 0;
	b->not_before_us = 0;
	if (in->is_on || in->in_doubt)
		return wait_until(0);
	if (!b->listed_us)
		return step_of(BRAKE_LIST_LEASES, NULL);
	if (!mine)
		return wait_until(0);
	if (!b->held_us && in->now_us < b->start_us + BRAKE_SETTLE_US)
		return wait_until(b->start_us + BRAKE_SETTLE_US);
	return step_of(BRAKE_GIVE_BACK, mine);
}
