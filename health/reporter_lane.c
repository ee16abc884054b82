#include "health/reporter_lane.h"

#include "base/clock.h"
#include "health/reporter.h"

/* Nothing was said about the request: nobody answered, or somebody before the API server did. */
static bool is_silence(enum kube_meaning meaning)
{
	return meaning == KUBE_UNREACHABLE || meaning == KUBE_BROKEN;
}

bool reporter_lane_note(struct reporter_lane *l, enum kube_meaning meaning, uint64_t retry_after_s, uint64_t now_us, uint32_t random)
{
	/* What an hour's outage has grown must not be the pause after the first 403 of a server that has just started. */
	if (is_silence(l->meaning) != is_silence(meaning))
		l->failures = 0;
	l->failures++;
	l->meaning = meaning;
	l->failed_us = now_us;
	/* Conflicts are the daily bread of a shared list: at once at first, said only when they do not end. */
	bool at_once = meaning == KUBE_CONFLICT && l->failures <= REPORTER_CONFLICTS_AT_ONCE;
	l->not_before_us = now_us + (at_once ? 0 : kube_answer_pause_us(meaning, l->failures, retry_after_s, random));
	return !at_once;
}

void reporter_lanes_heard(struct reporter_lane lanes[static KUBE_LANE_MAX_], enum kube_meaning meaning, uint64_t now_us)
{
	if (is_silence(meaning) || meaning == KUBE_BUSY)
		return;
	for (unsigned i = 0; i < KUBE_LANE_MAX_; i++)
		if (lanes[i].failures && is_silence(lanes[i].meaning) && now_us > lanes[i].failed_us + US_PER_S && lanes[i].not_before_us > now_us)
			lanes[i].not_before_us = now_us;
}

void reporter_lane_fail(struct reporter *r, enum kube_lane lane, enum kube_meaning meaning, long status, uint64_t retry_after_s, const char *detail)
{
	struct reporter_lane *l = &r->lanes[lane];

	if (meaning == KUBE_CONFLICT)
		r->read_wanted = true;
	if (!reporter_lane_note(l, meaning, retry_after_s, clock_mono_us(), reporter_random()))
		return;
	kube_answer_words(lane, meaning, status, detail, l->words, sizeof(l->words));
	if (l->said != meaning)
		log_warn(r->log, "the node object cannot be brought in line, trying again", "detail", l->words);
	l->said = meaning;
}

void reporter_lane_succeed(struct reporter *r, enum kube_lane lane)
{
	struct reporter_lane *l = &r->lanes[lane];

	if (*l->words)
		log_info(r->log, "works again", "after", l->words, "failures", log_number(l->failures));
	*l = (struct reporter_lane){0};
}

bool reporter_lane_send(struct reporter *r, enum kube_lane lane, const char *target, char *body)
{
	struct err e = {0};

	reporter_aliases_asked(r, lane);
	if (kube_client_send(&r->client, lane, target, body, &e) == 0)
		return true;
	reporter_lane_fail(r, lane, KUBE_UNREACHABLE, 0, 0, e.text);
	return false;
}

bool reporter_lane_is_due(const struct reporter *r, enum kube_lane lane, bool wanted, uint64_t now_us, uint64_t *next_us)
{
	if (!wanted || kube_client_is_busy(&r->client, lane))
		return false;
	if (r->lanes[lane].not_before_us <= now_us)
		return true;
	if (r->lanes[lane].not_before_us < *next_us)
		*next_us = r->lanes[lane].not_before_us;
	return false;
}

void reporter_lane_settle(struct reporter *r, enum kube_lane lane, bool wanted)
{
	struct reporter_lane *l = &r->lanes[lane];

	if (wanted || l->failures == 0 || kube_client_is_busy(&r->client, lane))
		return;
	r->lanes[KUBE_READ] = *l;
	*l = (struct reporter_lane){0};
	r->read_wanted = true;
}
