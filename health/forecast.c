#include "health/forecast.h"

#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"

#define SAMPLE_EVERY_S	4  /* probes come each probe.period, and more of them after hints */
#define DENSE_AGE_S	60 /* samples younger than this are thinned out as if they had this age */
#define GRID		16 /* points in a window, at equal distances */
#define FIFTHS		5
#define GRID_FIFTH	((GRID - 1) / FIFTHS)
#define PAIR_DISTANCE	5  /* at least so many points between the two of a slope: jitter is no trend */
#define PAIR_COUNT	66 /* of such pairs: 11 + 10 + … + 1 */
#define PAIR_SLOWEST	6  /* a tenth of the pairs falls more slowly, a tenth faster */
#define SAMPLES_MIN	12 /* in a window */
#define GAPS_MAX	4  /* no gap longer than a fourth of the window */
#define COMEBACK_SHARE	0.25
#define STEADY_START	0.6 /* each fifth falls by so much of what is its part */
#define STEADY_GO_ON	0.2
#define HORIZON_GO_ON	1.5 /* an alarm ends only when full is so much farther than it must be to begin */
#define OUTLOOK_MAX_S	(30.0 * 24 * 3600)

static const uint32_t windows_s[] = {720, 1440, 2880};

/* --- the memory --- */

static void drop(struct forecast *f, uint32_t index)
{
	/* What was lowest is not forgotten with the sample. */
	for (int r = 0; r < SPACE_RESOURCE_MAX_ && index + 1 < f->count; r++)
		if (f->samples[index].lowest[r] < f->samples[index + 1].lowest[r])
			f->samples[index + 1].lowest[r] = f->samples[index].lowest[r];
	f->count--;
	memmove(&f->samples[index], &f->samples[index + 1], (f->count - index) * sizeof(f->samples[0]));
}

/* The sample that is missed least: close to its neighbours, measured by its age. */
static uint32_t find_spare(const struct forecast *f, uint64_t now_s)
{
	double least = 0;
	uint32_t spare = 0;

	for (uint32_t i = 1; i + 1 < f->count; i++) {
		uint64_t age = now_s - f->samples[i].at_s;
		double need = (double)(f->samples[i + 1].at_s - f->samples[i - 1].at_s) / (double)(age > DENSE_AGE_S ? age : DENSE_AGE_S);
		if (spare == 0 || need < least) {
			least = need;
			spare = i;
		}
	}
	return spare;
}

/* False: too soon after the last one. */
static bool remember(struct forecast *f, const struct space *space, uint64_t now_s)
{
	const uint64_t left[] = {[SPACE_BYTES] = space->available_bytes, [SPACE_INODES] = space->available_inodes};
	struct forecast_sample *last = f->count ? &f->samples[f->count - 1] : NULL;

	if (last && now_s < last->at_s + SAMPLE_EVERY_S) {
		for (int r = 0; r < SPACE_RESOURCE_MAX_; r++)
			if ((float)left[r] < last->lowest[r])
				last->lowest[r] = (float)left[r];
		return false;
	}
	while (f->count && f->samples[0].at_s + FORECAST_MEMORY_S < now_s)
		drop(f, 0);
	if (f->count == FORECAST_SAMPLES)
		drop(f, find_spare(f, now_s));
	struct forecast_sample *new = &f->samples[f->count++];
	new->at_s = (uint32_t)now_s;
	for (int r = 0; r < SPACE_RESOURCE_MAX_; r++)
		new->left[r] = new->lowest[r] = (float)left[r];
	return true;
}

/* --- the trend --- */

struct trend {
	double grid[GRID];
	double slowest, fastest; /* fall a second; negative = it grows */
};

static double left_at(const struct forecast *f, enum space_resource r, double at_s)
{
	uint32_t i = 1;

	while (i + 1 < f->count && (double)f->samples[i].at_s < at_s)
		i++;
	const struct forecast_sample *a = &f->samples[i - 1], *b = &f->samples[i];
	double part = (at_s - (double)a->at_s) / (double)(b->at_s - a->at_s);
	return (double)a->left[r] + part * ((double)b->left[r] - (double)a->left[r]);
}

static bool has_window(const struct forecast *f, uint32_t window_s)
{
	uint32_t begin_s = f->samples[f->count - 1].at_s - window_s, inside = 0;

	if (f->samples[f->count - 1].at_s < window_s || f->samples[0].at_s > begin_s)
		return false;
	for (uint32_t i = 1; i < f->count; i++) {
		if (f->samples[i].at_s <= begin_s)
			continue;
		inside++;
		if (f->samples[i].at_s - f->samples[i - 1].at_s > window_s / GAPS_MAX)
			return false;
	}
	return inside >= SAMPLES_MIN;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Theil-Sen: the slopes of all pairs of points, without the tenth at either end. */
static struct trend find_trend(const struct forecast *f, enum space_resource r, uint32_t window_s)
{
	const double now_s = f->samples[f->count - 1].at_s, step_s = (double)window_s / (GRID - 1);
	double slopes[PAIR_COUNT];
	struct trend t;
	int n = 0;

	for (int k = 0; k < GRID; k++)
		t.grid[k] = left_at(f, r, now_s - step_s * (GRID - 1 - k));
	t.slowest = t.fastest = 0;
	if (t.grid[0] <= t.grid[GRID - 1])
		return t; /* the usual case, and the cheap one */
	for (int i = 0; i < GRID; i++)
		for (int j = i + PAIR_DISTANCE; j < GRID; j++)
			slopes[n++] = (t.grid[i] - t.grid[j]) / (step_s * (j - i));
	qsort(slopes, PAIR_COUNT, sizeof(slopes[0]), by_size);
	t.slowest = slopes[PAIR_SLOWEST];
	t.fastest = slopes[PAIR_COUNT - 1 - PAIR_SLOWEST];
	return t;
}

/* Each fifth of the window takes at least `share` of its part of the fall: one copy that takes eight minutes is not enough. */
static bool is_steady(const struct trend *t, double share)
{
	double at[FIFTHS + 1];

	for (int k = 0; k <= FIFTHS; k++) {
		int from = k ? k * GRID_FIFTH - 1 : 0, to = k < FIFTHS ? k * GRID_FIFTH + 1 : GRID - 1;
		at[k] = 0;
		for (int g = from; g <= to; g++)
			at[k] += t->grid[g] / (to - from + 1);
	}
	for (int k = 0; k < FIFTHS; k++)
		if (at[k] - at[k + 1] < share * (at[0] - at[FIFTHS]) / FIFTHS)
			return false;
	return at[0] > at[FIFTHS];
}

/* Files that come and go have come back before: it must have got worse than that. The largest comeback is looked for in all
 * of the memory, since the last one may have been where the window begins. */
static bool is_record(const struct forecast *f, enum space_resource r, uint32_t window_s)
{
	const struct forecast_sample *last = &f->samples[f->count - 1];
	double lowest = (double)f->samples[0].lowest[r], before = lowest, comeback = 0;
	bool has_before = false;

	for (uint32_t i = 0; i < f->count; i++) {
		double back = (double)f->samples[i].left[r] - lowest;
		comeback = back > comeback ? back : comeback;
		lowest = (double)f->samples[i].lowest[r] < lowest ? (double)f->samples[i].lowest[r] : lowest;
		if (f->samples[i].at_s < last->at_s - window_s) {
			before = lowest;
			has_before = true;
		}
	}
	return !has_before || (double)last->left[r] < before - COMEBACK_SHARE * comeback;
}

/* --- the outlook --- */

static struct forecast_outlook outlook_of(const struct trend *t, double left)
{
	struct forecast_outlook outlook = {0};

	if (t->slowest <= 0 || left / t->slowest > OUTLOOK_MAX_S)
		return outlook;
	outlook.low_s = (uint64_t)(left / t->fastest);
	outlook.high_s = (uint64_t)(left / t->slowest) + 1;
	return outlook;
}

static struct forecast_outlook look(const struct forecast *f, enum space_resource r, uint64_t floor, uint64_t horizon_s)
{
	const bool before = f->outlook[r].alarm;
	const double limit_s = (double)horizon_s * (before ? HORIZON_GO_ON : 1);
	const double left = (double)f->samples[f->count - 1].left[r] - (double)floor;
	struct forecast_outlook shown = {.alarm = before && left <= 0}; /* it has come true */

	for (size_t i = 0; left > 0 && i < ARRAY_SIZE(windows_s) && has_window(f, windows_s[i]); i++) {
		struct trend t = find_trend(f, r, windows_s[i]);
		struct forecast_outlook outlook = outlook_of(&t, left);
		if (outlook.high_s == 0 || !is_steady(&t, STEADY_GO_ON))
			continue;
		outlook.alarm = (double)outlook.high_s <= limit_s && (before || (is_steady(&t, STEADY_START) && is_record(f, r, windows_s[i])));
		if (outlook.alarm)
			return outlook;
		if (shown.high_s == 0)
			shown = outlook;
	}
	return shown;
}

void forecast_step(struct forecast *f, const struct space *space, const uint64_t floor[static SPACE_RESOURCE_MAX_], uint64_t horizon_s,
		   uint64_t now_s)
{
	/* XFS: its inodes are its free blocks, told once. */
	const uint64_t total[] = {[SPACE_BYTES] = space->total_bytes, [SPACE_INODES] = space->inodes_are_dynamic ? 0 : space->total_inodes};

	if (memcmp(f->total, total, sizeof(total)) != 0) {
		memset(f, 0, sizeof(*f));
		memcpy(f->total, total, sizeof(total));
	}
	if (!remember(f, space, now_s))
		return;
	for (int r = 0; r < SPACE_RESOURCE_MAX_; r++)
		f->outlook[r] = total[r] ? look(f, (enum space_resource)r, floor[r], horizon_s) : (struct forecast_outlook){0};
}
