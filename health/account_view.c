#include "health/account_view.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"

#define AT(member) offsetof(struct account_view, member), sizeof(((struct account_view *)0)->member)
static const struct view_field fields[] = {
	{"pod", VIEW_TEXT, AT(pod)},
	{"podUID", VIEW_TEXT, AT(pod_uid)},
	{"filesystem", VIEW_TEXT, AT(filesystem)},
	{"usedBytes", VIEW_NUMBER, AT(bytes)},
	{"usedInodes", VIEW_NUMBER, AT(inodes)},
	{"atLeast", VIEW_BOOL, AT(at_least)},
	{"grownBytes", VIEW_NUMBER, AT(grown_bytes)},
	{"grownInodes", VIEW_NUMBER, AT(grown_inodes)},
	{"grownSeconds", VIEW_NUMBER, AT(grown_seconds)},
	{"fastest", VIEW_BOOL, AT(fastest)},
	{"measuredTime", VIEW_TIME, AT(measured_wall_us)},
};

const struct view_list account_list = {"VolumeList", "accounts", fields, ARRAY_SIZE(fields), sizeof(struct account_view), ACCOUNT_VIEWS_MAX};

static double speed(const struct accounts_sum *s)
{
	const uint64_t over_us = accounts_over_us(s);

	return over_us ? (double)accounts_grown(s, SPACE_BYTES) / (double)over_us : 0;
}

static bool is_fastest(const struct accounts *a, const struct accounts_sum *sum)
{
	for (uint32_t i = 0; i < a->count; i++) {
		const struct accounts_sum *s = a->sums[i];
		if (s->device_major == sum->device_major && s->device_minor == sum->device_minor && speed(s) > speed(sum))
			return false;
	}
	return accounts_grown(sum, SPACE_BYTES) > 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int by_growth(const void *a, const void *b)
{
	const struct account_view *x = a, *y = b;
	const int r = compare(x->grown_bytes, y->grown_bytes);

	return r ? r : compare(x->bytes, y->bytes);
}

static void view(const struct accounts *a, const struct accounts_sum *s, uint64_t now_us, uint64_t wall_us, struct account_view *ret)
{
	*ret = (struct account_view){.at_least = s->at_least,
				     .fastest = is_fastest(a, s),
				     .bytes = accounts_held(s, SPACE_BYTES),
				     .inodes = accounts_held(s, SPACE_INODES),
				     .grown_bytes = accounts_grown(s, SPACE_BYTES),
				     .grown_inodes = accounts_grown(s, SPACE_INODES),
				     .grown_seconds = accounts_over_us(s) / US_PER_S};
	str_copy(ret->pod, sizeof(ret->pod), s->pod);
	str_copy(ret->pod_uid, sizeof(ret->pod_uid), s->pod_uid);
	str_append(ret->filesystem, sizeof(ret->filesystem), "%u:%u", s->device_major, s->device_minor);
	if (s->count)
		ret->measured_wall_us = wall_us - (now_us - s->samples[s->count - 1].at_us);
}

void account_views(const struct accounts *a, uint64_t now_us, uint64_t wall_us, struct account_view *ret)
{
	for (uint32_t i = 0; i < a->count; i++)
		view(a, a->sums[i], now_us, wall_us, &ret[i]);
	qsort(ret, a->count, sizeof(*ret), by_growth);
}
