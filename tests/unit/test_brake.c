/* The brake against a cluster that is simulated: every order of requests, lost answers, crashes, late patches, dead nodes. What must
 * hold at every moment: never more nodes tainted than allowed, never the last one that pods can go to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/brake.h"

#define NODES_MAX   6
#define PAST_MAX    64
#define PAST_LEASES 16

struct sim_node {
	char name[16];
	bool bad, tainted, dead;
	bool patching, patch_to; /* a patch under way: it arrives at patch_us, whatever becomes of its sender */
	uint64_t patch_us;
	struct brake brake;
};

struct sim {
	uint64_t seed, now_us;
	unsigned nodes, allowed, pace_us;
	bool storms;
	char share[8];
	struct sim_node node[NODES_MAX];
	struct kube_lease_list leases; /* the API server's */
	unsigned versions, taints, takes, looks, short_looks;
	struct sim_past { /* what the Leases were: a cache may be behind */
		unsigned version;
		uint32_t count;
		struct kube_lease lease[PAST_LEASES];
	} past[PAST_MAX];
};

static uint32_t roll(struct sim *s, uint32_t sides)
{
	s->seed = s->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(s->seed >> 33) % sides;
}

static void check(const struct sim *s, const char *after)
{
	unsigned tainted = 0;

	for (unsigned i = 0; i < s->nodes; i++)
		tainted += s->node[i].tainted;
	if (tainted > s->allowed || tainted == s->nodes)
		fail_msg("%u of %u nodes tainted, %u allowed, after %s", tainted, s->nodes, s->allowed, after);
}

static struct kube_lease *lease_at(struct sim *s, uint32_t number)
{
	for (uint32_t i = 0; i < s->leases.count; i++)
		if (s->leases.lease[i].number == number)
			return &s->leases.lease[i];
	return NULL;
}

static int by_number(const void *a, const void *b)
{
	return (int)((const struct kube_lease *)a)->number - (int)((const struct kube_lease *)b)->number;
}

/* False: a conflict, somebody else wrote meanwhile. */
static bool write_lease(struct sim *s, const struct kube_lease *old, const char *holder, struct kube_lease *ret)
{
	struct kube_lease *there = lease_at(s, old->number);

	if (old->exists ? !there || strcmp(there->version, old->version) != 0 : there != NULL)
		return false;
	if (!there) {
		there = &s->leases.lease[s->leases.count++];
		*there = (struct kube_lease){.number = old->number, .exists = true};
	}
	str_copy(there->holder, sizeof(there->holder), holder);
	there->duration_s = KUBE_LEASE_DURATION_S;
	there->renew_wall_us = s->now_us + 1;
	snprintf(there->version, sizeof(there->version), "%u", ++s->versions);
	*ret = *there;
	qsort(s->leases.lease, s->leases.count, sizeof(*there), by_number);
	struct sim_past *past = &s->past[s->versions % PAST_MAX];
	assert_true(s->leases.count <= PAST_LEASES);
	past->version = s->versions;
	past->count = s->leases.count;
	memcpy(past->lease, s->leases.lease, sizeof(past->lease));
	return true;
}

/* The newest, or where that will do: any that is not older than the node's own write. */
static void answer_leases(struct sim *s, struct sim_node *n)
{
	unsigned least = (unsigned)strtoul(n->brake.as_new_as, NULL, 10), choice;
	scoped(scoped_free) struct kube_lease_list *list = calloc(1, sizeof(*list));

	assert_non_null(list);
	*list = s->leases;
	assert_true(least <= s->versions);
	if (*n->brake.as_new_as && s->versions - least < PAST_MAX) {
		choice = least + roll(s, s->versions - least + 1);
		s->short_looks++;
		list->count = s->past[choice % PAST_MAX].count;
		memcpy(list->lease, s->past[choice % PAST_MAX].lease, sizeof(s->past[0].lease));
	}
	brake_listed(&n->brake, list, s->now_us, s->now_us);
}

static void answer_nodes(struct sim *s, struct sim_node *n)
{
	scoped(scoped_free) struct kube_node_page *page = calloc(1, sizeof(*page));

	assert_non_null(page);
	page->remaining_known = true;
	for (unsigned i = 0; i < s->nodes; i++) {
		struct kube_node_fact *f = &page->node[page->count++];
		str_copy(f->name, sizeof(f->name), s->node[i].name);
		f->tainted = s->node[i].tainted;
		f->schedulable = !f->tainted;
	}
	brake_saw_nodes(&n->brake, page, s->now_us);
}

static void answer_look(struct sim *s, struct sim_node *n, const struct kube_lease *slot)
{
	enum brake_look look = BRAKE_IS_FREE; /* no such node */

	for (unsigned i = 0; i < s->nodes; i++)
		if (strcmp(s->node[i].name, slot->holder) == 0)
			look = s->node[i].tainted ? BRAKE_IS_TAINTED : BRAKE_IS_FREE;
	brake_looked(&n->brake, slot->number, look);
}

static void patch(struct sim *s, struct sim_node *n, bool to)
{
	if (n->patching)
		return;
	n->patching = true;
	n->patch_to = to;
	n->patch_us = s->now_us + roll(s, 10 * US_PER_S);
}

/* One request of one node, answered at once, or lost on the way there or back. */
static void act(struct sim *s, struct sim_node *n)
{
	const struct brake_input in = {.wanted = n->bad, .is_on = n->tainted, .in_doubt = n->patching, .now_us = s->now_us, .random = roll(s, UINT32_MAX)};
	struct brake_step step = brake_next(&n->brake, &in);
	struct kube_lease written;
	bool lost_there = roll(s, 40) == 0, lost_back = roll(s, 40) == 0;

	if (!n->bad && n->tainted)
		patch(s, n, false); /* taking it off needs nothing */
	if (step.need == BRAKE_NOTHING)
		return;
	if (step.need == BRAKE_READY) {
		patch(s, n, true);
		return;
	}
	if (step.need == BRAKE_TAKE_OFF) {
		patch(s, n, false);
		return;
	}
	if (lost_there) {
		brake_in_doubt(&n->brake);
		return;
	}
	if (step.need == BRAKE_LIST_LEASES) {
		answer_leases(s, n);
	} else if (step.need == BRAKE_LIST_NODES) {
		s->looks++;
		answer_nodes(s, n);
	} else if (step.need == BRAKE_LOOK_AT) {
		answer_look(s, n, &step.slot);
	} else {
		bool made = !step.slot.exists, take = step.need == BRAKE_TAKE;
		s->takes += take;
		if (!write_lease(s, &step.slot, take ? n->name : "", &written) || lost_back)
			brake_in_doubt(&n->brake);
		else
			brake_wrote(&n->brake, &written, made, s->now_us, in.random);
	}
}

static void arrive(struct sim *s)
{
	for (unsigned i = 0; i < s->nodes; i++) {
		struct sim_node *n = &s->node[i];
		if (!n->patching || n->patch_us > s->now_us)
			continue;
		n->patching = false;
		s->taints += n->patch_to && !n->tainted;
		n->tainted = n->patch_to;
			check(s, n->patch_to ? "a taint" : "a taint was taken off");
	}
}

static void start(struct sim *s, struct sim_node *n)
{
	brake_start(&n->brake, n->name, s->now_us);
	str_copy(n->brake.share, sizeof(n->brake.share), s->share);
}

static struct sim *new_sim(uint64_t seed, unsigned nodes, unsigned allowed)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->seed = seed;
	s->now_us = 1000 * US_PER_S;
	s->nodes = nodes;
	s->allowed = allowed;
	s->storms = seed % 3 == 0;
	s->pace_us = seed % 2 ? 300000 : 20000; /* half of them so quick that a second look may be a short one */
	snprintf(s->share, sizeof(s->share), "%u", allowed);
	for (unsigned i = 0; i < nodes; i++) {
		snprintf(s->node[i].name, sizeof(s->node[i].name), "node-%u", i);
		start(s, &s->node[i]);
	}
	return s;
}

static void run(struct sim *s, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		struct sim_node *n = &s->node[roll(s, s->nodes)];
		/* mostly a busy second, now and then minutes in which leases lapse */
		s->now_us += roll(s, 200) == 0 ? roll(s, 400) * US_PER_S : roll(s, s->pace_us);
		arrive(s);
		if (roll(s, 60) == 0)
			n->bad = !n->bad;
		for (unsigned k = 0; k < s->nodes && i % 100 == 0 && s->storms; k++)
			s->node[k].bad = i % 200 == 0; /* what they share fails: all look at the same moment */
		if (roll(s, 150) == 0)
			start(s, n); /* killed, and started again: what it had under way arrives all the same */
		if (roll(s, 400) == 0)
			n->dead = !n->dead;
		if (!n->dead)
			act(s, n);
	}
}

static void test_never_too_many_in_any_order(void **unused)
{
	unsigned taints = 0, takes = 0, looks = 0, short_looks = 0;

	(void)unused;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		unsigned nodes = 2 + (unsigned)(seed % (NODES_MAX - 1)), allowed = 1 + (unsigned)(seed / 7 % nodes);
		scoped(scoped_free) struct sim *s = new_sim(seed, nodes, allowed);
		run(s, 4000);
		taints += s->taints;
		takes += s->takes;
		looks += s->looks;
		short_looks += s->short_looks;
	}
	print_message("%u taints, %u slots taken, nodes listed %u times, %u lists of Leases that may be old\n", taints, takes, looks, short_looks);
	/* a brake that lets nobody through would be safe too */
	assert_true(taints > 4000 && takes > taints && short_looks > 1000);
}

static void test_shares_of_the_nodes(void **unused)
{
	static const struct {
		const char *share;
		uint64_t nodes;
		uint32_t allowed;
	} rows[] = {{"1", 0, 1}, {"3", 2, 3}, {"10%", 0, 1}, {"10%", 1, 1}, {"10%", 9, 1}, {"10%", 10, 1}, {"10%", 19, 1}, {"10%", 20, 2}, {"100%", 5, 5},
		    {"100%", 1000000, KUBE_LEASES_MAX}, {"50%", 3, 1}, {"100", 5, KUBE_LEASES_MAX}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(brake_allowed(rows[i].share, rows[i].nodes), rows[i].allowed);
}

/* All alone, healthy neighbours: how many requests until it may? */
static void test_a_sick_node_gets_its_taint_and_gives_the_slot_back(void **unused)
{
	scoped(scoped_free) struct sim *s = new_sim(3, 3, 1);
	struct sim_node *n = &s->node[0];

	(void)unused;
	s->seed = 0x9e3779b97f4a7c15ULL;
	n->bad = true;
	for (unsigned i = 0; i < 200 && !n->tainted; i++) {
		s->now_us += 100000;
		arrive(s);
		act(s, n);
	}
	assert_true(n->tainted);
	assert_string_equal(s->leases.lease[0].holder, "node-0");
	n->bad = false;
	for (unsigned i = 0; i < 400 && *s->leases.lease[0].holder; i++) {
		s->now_us += 100000;
		arrive(s);
		act(s, n);
		assert_false(n->tainted && !*s->leases.lease[0].holder);
	}
	assert_string_equal(s->leases.lease[0].holder, "");
	assert_false(n->tainted);
}

/* Where there is room the way to the taint is four requests: look at Leases and nodes, take a slot, look at the Leases again. */
static void test_the_second_look_is_a_short_one(void **unused)
{
	static const enum brake_need quiet[] = {BRAKE_LIST_LEASES, BRAKE_LIST_NODES, BRAKE_TAKE, BRAKE_LIST_LEASES, BRAKE_READY};
	/* a Lease was made; a second has gone by; the only other node took a slot meanwhile */
	static const enum brake_need long_way[] = {BRAKE_LIST_LEASES, BRAKE_LIST_NODES, BRAKE_TAKE, BRAKE_LIST_LEASES, BRAKE_LIST_NODES};

	(void)unused;
	for (unsigned row = 0; row < 4; row++) {
		scoped(scoped_free) struct sim *s = new_sim(3, 2, 2);
		struct sim_node *n = &s->node[0];
		struct kube_lease free_slot = {.number = 0}, other_slot = {.number = 1}, written;
		brake_start(&n->brake, n->name, s->now_us);
		str_copy(n->brake.share, sizeof(n->brake.share), "2");
		if (row != 1)
			write_lease(s, &free_slot, "", &written);
		for (unsigned i = 0; i < 5; i++) {
			const struct brake_input in = {.wanted = true, .now_us = s->now_us};
			struct brake_step step = brake_next(&n->brake, &in);
			assert_int_equal(step.need, (row == 0 ? quiet : long_way)[i]);
			s->now_us += 1000;
			assert_int_equal(*n->brake.as_new_as != '\0', i == 3);
			if (i == 2) {
				assert_true(write_lease(s, &step.slot, n->name, &written));
				brake_wrote(&n->brake, &written, !step.slot.exists, s->now_us, 0);
				assert_string_equal(n->brake.as_new_as, written.version);
				s->now_us += row == 2 ? 2 * US_PER_S : 0;
				if (row == 3)
					write_lease(s, &other_slot, "node-1", &written);
			} else if (step.need == BRAKE_LIST_LEASES) {
				brake_listed(&n->brake, &s->leases, s->now_us, s->now_us);
			} else if (step.need == BRAKE_LIST_NODES) {
				answer_nodes(s, n);
			}
		}
	}
}

static struct kube_lease_list *read_leases(const char *items)
{
	struct kube_lease_list *list = calloc(1, sizeof(*list));
	char text[2048];
	struct err e = {0};

	assert_non_null(list);
	snprintf(text, sizeof(text), "{\"kind\":\"LeaseList\",\"items\":[%s]}", items);
	assert_int_equal(kube_lease_list_read(text, strlen(text), list, &e), 0);
	return list;
}

/* What a person or a stolen token may have written. */
static void test_forged_leases_are_bounded(void **unused)
{
	scoped(scoped_free) struct kube_lease_list *list = read_leases(
		"{\"metadata\":{\"name\":\"stoker-brake-3\"}},"
		"{\"metadata\":{\"name\":\"stoker-brake-1\",\"resourceVersion\":\"5\"},\"spec\":{\"holderIdentity\":7,\"leaseDurationSeconds\":\"x\",\"renewTime\":1}},"
		"{\"metadata\":{\"name\":\"stoker-brake-2\",\"resourceVersion\":\"6\"},\"spec\":{\"holderIdentity\":\"liar\",\"leaseDurationSeconds\":1e300,"
		"\"leaseTransitions\":-4,\"renewTime\":\"9999-12-31T23:59:59.000000Z\"}},"
		"{\"metadata\":{\"name\":\"stoker-brake-02\"}},{\"metadata\":{\"name\":\"stoker-brake-100\"}},{\"metadata\":{\"name\":\"stoker-brake-\"}},"
		"{\"metadata\":{\"name\":\"stoker-brake-2\"}},null,7");

	(void)unused;
	assert_int_equal(list->count, 3); /* sorted, each number once, others' names passed over */
	assert_int_equal(list->lease[0].number, 1);
	assert_string_equal(list->lease[0].holder, "");
	assert_int_equal(list->lease[0].duration_s, 0);
	assert_int_equal(list->lease[1].number, 2);
	assert_string_equal(list->lease[1].holder, "liar");
	assert_int_equal(list->lease[2].number, 3);
	/* to take over the liar's would need a time beyond the calendar: it is left alone */
	assert_null(kube_lease_body(&list->lease[1], "node-1", 1795680900ULL * US_PER_S));
	scoped(scoped_free) char *body = kube_lease_body(&list->lease[0], "node-1", 1795680900ULL * US_PER_S);
	assert_non_null(strstr(body, "\"holderIdentity\":\"node-1\""));
	assert_non_null(strstr(body, "\"resourceVersion\":\"5\""));
}

/* Whose clock is wrong does not matter: a Lease lapses when we have not seen it change for its duration by our own clock. */
static void test_a_lease_of_the_future_lapses_by_our_clock(void **unused)
{
	scoped(scoped_free) struct sim *s = new_sim(1, 3, 1);
	struct sim_node *n = &s->node[0];

	(void)unused;
	s->leases.count = 1;
	s->leases.lease[0] = (struct kube_lease){.exists = true, .holder = "gone", .version = "1", .renew_wall_us = 3000000000ULL * US_PER_S, .duration_s = 300};
	s->versions = 1;
	n->bad = true;
	uint64_t begin_us = s->now_us;
	for (unsigned i = 0; i < 5000 && !n->tainted; i++) {
		s->now_us += 200000;
		arrive(s);
		act(s, n);
		assert_false(n->tainted && s->now_us - begin_us < 300 * US_PER_S);
	}
	assert_true(n->tainted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_too_many_in_any_order),
		cmocka_unit_test(test_shares_of_the_nodes),
		cmocka_unit_test(test_forged_leases_are_bounded),
		cmocka_unit_test(test_a_lease_of_the_future_lapses_by_our_clock),
		cmocka_unit_test(test_the_second_look_is_a_short_one),
		cmocka_unit_test(test_a_sick_node_gets_its_taint_and_gives_the_slot_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
