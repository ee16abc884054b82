#include "health/accounts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/str.h"

#define WORTH_PERCENT 2 /* of what is used: below it nobody is named */

bool account_place_is_well_formed(const struct account_place *p)
{
	return p->kind < ACCOUNT_KIND_MAX_ && str_is_ended(p->pod_uid, sizeof(p->pod_uid)) && str_is_ended(p->name_space, sizeof(p->name_space)) &&
	       str_is_ended(p->pod, sizeof(p->pod)) && str_is_ended(p->name, sizeof(p->name));
}

/* --- a round --- */

void accounts_begin(struct accounts *a, bool short_of_room, uint64_t now_us)
{
	a->round_was_short = short_of_room;
	memset(a->kind_bytes, 0, sizeof(a->kind_bytes));
	for (uint32_t i = 0; i < a->count; i++)
		a->sums[i]->named = false;
	a->round_us = now_us;
}

static struct accounts_sum *find_or_add(struct accounts *a, const struct account_place *p)
{
	for (uint32_t i = 0; i < a->count; i++) {
		struct accounts_sum *s = a->sums[i];
		if (s->device_major == p->device_major && s->device_minor == p->device_minor && strcmp(s->pod_uid, p->pod_uid) == 0)
			return s;
	}
	struct accounts_sum *s = a->count < ACCOUNTS_MAX ? calloc(1, sizeof(*s)) : NULL;
	if (!s) {
		a->beyond_total++;
		return NULL;
	}
	str_copy(s->pod_uid, sizeof(s->pod_uid), p->pod_uid);
	s->device_major = p->device_major;
	s->device_minor = p->device_minor;
	a->sums[a->count++] = s;
	return s;
}

static void name_sum(struct accounts_sum *s, const struct account_place *p)
{
	s->pod[0] = '\0';
	if (*p->pod)
		str_append(s->pod, sizeof(s->pod), "%s/%s", p->name_space, p->pod);
	else
		str_append(s->pod, sizeof(s->pod), "%s", p->pod_uid);
}

/* Of samples that are too old one is kept: growth is since then at the earliest. */
static struct accounts_sample *new_sample(struct accounts_sum *s, uint64_t now_us)
{
	while (s->count > 0 && (s->count == ACCOUNTS_SAMPLES || now_us - s->samples[0].at_us > ACCOUNTS_WINDOW_US)) {
		s->count--;
		memmove(&s->samples[0], &s->samples[1], s->count * sizeof(s->samples[0]));
	}
	s->samples[s->count] = (struct accounts_sample){.at_us = now_us};
	return &s->samples[s->count++];
}

void accounts_take(struct accounts *a, const struct account_place *p, uint64_t now_us)
{
	struct accounts_sum *s = find_or_add(a, p);

	a->kind_bytes[p->kind] += p->bytes;
	if (!s)
		return;
	if (!s->named) {
		new_sample(s, now_us);
		name_sum(s, p);
		s->at_least = false;
	}
	s->named = true;
	s->at_least = s->at_least || p->at_least;
	s->samples[s->count - 1].used[SPACE_BYTES] += p->bytes;
	s->samples[s->count - 1].used[SPACE_INODES] += p->inodes;
}

static void drop(struct accounts *a, uint32_t index)
{
	free(a->sums[index]);
	a->sums[index] = a->sums[--a->count];
}

void accounts_end(struct accounts *a)
{
	for (uint32_t i = a->count; i > 0; i--)
		if (!a->sums[i - 1]->named)
			drop(a, i - 1);
}

void accounts_free(struct accounts *a)
{
	while (a->count > 0)
		drop(a, a->count - 1);
	memset(a->kind_bytes, 0, sizeof(a->kind_bytes));
	a->round_us = 0;
}

bool accounts_is_due(const struct accounts *a, bool short_of_room, uint64_t now_us)
{
	const uint64_t pause_us = !short_of_room ? ACCOUNTS_RARE_US : a->round_was_short ? ACCOUNTS_OFTEN_US : ACCOUNTS_FIRST_US;

	return a->round_us == 0 || now_us - a->round_us >= pause_us;
}

/* --- who --- */

uint64_t accounts_held(const struct accounts_sum *s, enum space_resource resource)
{
	return s->count ? s->samples[s->count - 1].used[resource] : 0;
}

uint64_t accounts_grown(const struct accounts_sum *s, enum space_resource resource)
{
	const uint64_t now = accounts_held(s, resource);

	return s->count > 1 && now > s->samples[0].used[resource] ? now - s->samples[0].used[resource] : 0;
}

uint64_t accounts_over_us(const struct accounts_sum *s)
{
	return s->count > 1 ? s->samples[s->count - 1].at_us - s->samples[0].at_us : 0;
}

static const struct accounts_sum *most(const struct accounts *a, uint32_t major, uint32_t minor, enum space_resource resource,
				       uint64_t (*of)(const struct accounts_sum *, enum space_resource))
{
	const struct accounts_sum *best = NULL;

	for (uint32_t i = 0; i < a->count; i++) {
		const struct accounts_sum *s = a->sums[i];
		if (s->device_major == major && s->device_minor == minor && of(s, resource) > (best ? of(best, resource) : 0))
			best = s;
	}
	return best;
}

static void say_amount(char *text, size_t size, enum space_resource resource, uint64_t amount)
{
	if (resource == SPACE_BYTES)
		space_append_bytes(text, size, amount);
	else
		str_append(text, size, "%" PRIu64 " files", amount);
}

static void say_who(const struct accounts_sum *s, char *text, size_t size)
{
	if (*s->pod_uid)
		str_append(text, size, "pod %s ", s->pod);
	else
		str_append(text, size, "what dead pods left on hostPaths ");
}

static void say_share(const struct accounts_sum *s, enum space_resource resource, uint64_t used, char *text, size_t size)
{
	const uint64_t amount = accounts_held(s, resource);

	if (used)
		str_append(text, size, ", %s%.0f %% of what is used", s->at_least ? "at least " : "", 100.0 * (double)(amount < used ? amount : used) / (double)used);
}

void accounts_say_time(uint64_t seconds, char *text, size_t size)
{
	if (seconds < 120)
		str_append(text, size, " in %" PRIu64 " s", seconds);
	else
		str_append(text, size, " in %" PRIu64 " min", seconds / 60);
}

static void say_growth(const struct accounts_sum *s, enum space_resource resource, char *text, size_t size)
{
	say_who(s, text, size);
	str_append(text, size, "wrote ");
	say_amount(text, size, resource, accounts_grown(s, resource));
	accounts_say_time(accounts_over_us(s) / US_PER_S, text, size);
}

static void say_held(const struct accounts_sum *s, enum space_resource resource, uint64_t used, char *text, size_t size)
{
	say_who(s, text, size);
	str_append(text, size, "holds %s", s->at_least ? "at least " : "");
	say_amount(text, size, resource, accounts_held(s, resource));
	say_share(s, resource, used, text, size);
}

static bool is_worth(uint64_t amount, uint64_t used)
{
	return amount > 0 && amount >= used / 100 * WORTH_PERCENT;
}

bool accounts_blame(const struct accounts *a, uint32_t major, uint32_t minor, enum space_resource resource, uint64_t used, char *text, size_t size,
		    uint64_t *ret_pods)
{
	const struct accounts_sum *fastest = most(a, major, minor, resource, accounts_grown), *largest = most(a, major, minor, resource, accounts_held);
	uint64_t pods = HASH_START;

	text[0] = '\0';
	if (fastest && is_worth(accounts_grown(fastest, resource), used)) {
		say_growth(fastest, resource, text, size);
		if (fastest == largest)
			say_share(largest, resource, used, text, size);
		pods = hash_fnv1a(pods, fastest->pod_uid, sizeof(fastest->pod_uid));
	} else {
		fastest = NULL;
	}
	if (largest && largest != fastest && is_worth(accounts_held(largest, resource), used)) {
		str_append(text, size, "%s", *text ? "; " : "");
		say_held(largest, resource, used, text, size);
		pods = hash_fnv1a(pods, largest->pod_uid, sizeof(largest->pod_uid));
	}
	*ret_pods = pods;
	return *text != '\0';
}
