#include "health/checkpoint_report.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"

/* The worst speaks for all. One that nobody has used yet says nothing, as long as there is another. */
static unsigned badness(enum checkpoint_state state)
{
	static const unsigned rank[CHECKPOINT_STATE_MAX_] = {
		[CHECKPOINT_UNKNOWN] = 0, [CHECKPOINT_HEALTHY] = 1, [CHECKPOINT_RECOVERED] = 2, [CHECKPOINT_SLOW] = 3, [CHECKPOINT_STALE] = 4, [CHECKPOINT_UNREACHABLE] = 5};

	return rank[state];
}

static enum condition_status status_of(enum checkpoint_state state)
{
	if (state == CHECKPOINT_UNKNOWN)
		return CONDITION_UNKNOWN;
	return state == CHECKPOINT_UNREACHABLE || state == CHECKPOINT_STALE ? CONDITION_FALSE : CONDITION_TRUE;
}

/* Only what changes when a state changes: each difference is a write to the API server. */
static void describe(const struct health *h, const struct health_checkpoint *worst, unsigned alike, char *message, size_t size)
{
	char since[CLOCK_TEXT_BYTES], source[2 * sizeof(worst->source)];

	str_escape(source, sizeof(source), worst->source);
	if (worst->state == CHECKPOINT_HEALTHY || worst->state == CHECKPOINT_UNKNOWN) {
		str_append(message, size, "%u of %" PRIu32 " checkpoints %s", alike, h->checkpoint_count,
			   worst->state == CHECKPOINT_HEALTHY ? "answer" : "have not been used yet");
	} else {
		str_append(message, size, "checkpoint %s (%s) is %s", worst->name, source, checkpoint_state_name(worst->state));
		if (*worst->message)
			str_append(message, size, ": %s", worst->message);
		if (worst->since_wall_us) {
			clock_format(worst->since_wall_us, 0, since);
			str_append(message, size, " since %s", since);
		}
		str_append(message, size, "; %u of %" PRIu32 " checkpoints", alike, h->checkpoint_count);
	}
	str_append(message, size, "; more: stoker health, on this node");
}

void checkpoint_report(const struct health *h, const struct config *config, struct report_condition *ret)
{
	const struct health_checkpoint *worst = NULL;
	const uint64_t transition_wall_us = ret->transition_wall_us;
	unsigned alike = 0;

	/* Zeroed first: reports are compared as bytes. */
	memset(ret, 0, sizeof(*ret));
	if (h->checkpoint_count == 0 || config->retire)
		return;
	for (uint32_t i = 0; i < h->checkpoint_count; i++)
		if (!worst || badness(h->checkpoints[i].state) > badness(worst->state))
			worst = &h->checkpoints[i];
	for (uint32_t i = 0; i < h->checkpoint_count; i++)
		alike += h->checkpoints[i].state == worst->state;
	ret->transition_wall_us = transition_wall_us;
	ret->status = status_of(worst->state);
	str_copy(ret->type, sizeof(ret->type), STOKER_CHECKPOINT_READY);
	str_copy(ret->reason, sizeof(ret->reason), checkpoint_state_reason(worst->state));
	describe(h, worst, alike, ret->message, sizeof(ret->message));
}
