#include "health/settle.h"

#include <stddef.h>

#include "base/scoped.h"

/* Until when something is waited for; 0 = not (any more). */

static uint64_t kernel_until(const struct settle_evidence *v)
{
	if (!v->log_is_read || v->ended_us == 0)
		return 0;
	if (v->killed_us && v->logged < v->counted)
		return v->killed_us + SETTLE_LOG_LAG_US;
	return v->killed_us ? 0 : v->ended_us + SETTLE_KERNEL_US;
}

static bool explains_itself(const struct settle_evidence *v)
{
	return v->killed_us && v->main_killed;
}

/* What the kernel killed needs no exit code: it is 137, whatever a wrapper makes of it. */
static uint64_t code_until(const struct settle_evidence *v)
{
	if (v->has_code || !v->code_may_come || explains_itself(v))
		return 0;
	/* While the cgroup is there somebody may be left in it, and the runtime waits as we do. */
	return (v->gone_us ? v->gone_us : v->ended_us) + SETTLE_CODE_US;
}

/* --- who may be asked --- */

static uint64_t log_until(const struct settle_evidence *v)
{
	const uint64_t asked_us = v->questions[SETTLE_LOG].asked_us;

	return (asked_us ? asked_us : v->now_us) + SETTLE_TAIL_US;
}

/* Only where no code comes by itself: the question costs forks, and the runtime has others to answer. */
static uint64_t runtime_until(const struct settle_evidence *v)
{
	const uint64_t code_us = code_until(v);

	if (v->has_code || code_us > v->now_us)
		return 0;
	return (code_us ? code_us : v->ended_us) + SETTLE_STATUS_US;
}

/* At once: the driver deletes the pod 1.6 s after the kill (measured). */
static uint64_t api_until(const struct settle_evidence *v)
{
	const struct settle_question *q = &v->questions[SETTLE_API];

	if (!v->api_wanted)
		return 0;
	if (!q->is_behind)
		return v->ended_us + SETTLE_API_US;
	/* It may be behind for as long as it goes on answering. */
	const uint64_t until_us = v->ended_us + SETTLE_API_BEHIND_US, silent_us = q->asked_us + SETTLE_API_US;
	return q->awaited && silent_us < until_us ? silent_us : until_us;
}

static const struct {
	uint64_t (*until_us)(const struct settle_evidence *evidence);
	uint64_t again_us, later_us; /* where there was not all to say yet, it is asked again after so long; from SETTLE_OFTEN_US after the end on */
} whom[SETTLE_WHOM_MAX_] = {
	[SETTLE_LOG] = {log_until, SETTLE_TAIL_US, SETTLE_TAIL_US}, /* when nobody waits for it any more: never */
	[SETTLE_RUNTIME] = {runtime_until, SETTLE_ASK_US, SETTLE_ASK_US},
	[SETTLE_API] = {api_until, SETTLE_API_AGAIN_US, SETTLE_API_LATER_US},
};

static uint64_t again_at(const struct settle_evidence *v, enum settle_whom who)
{
	const uint64_t asked_us = v->questions[who].asked_us;

	if (!asked_us)
		return v->now_us;
	return asked_us + (asked_us < v->ended_us + SETTLE_OFTEN_US ? whom[who].again_us : whom[who].later_us);
}

static uint64_t question_until(const struct settle_evidence *v, enum settle_whom who, bool *ret_ask)
{
	const struct settle_question *q = &v->questions[who];

	*ret_ask = false;
	/* A kill of the main process explains itself; everything else is told best by others, and by its own last words. */
	if (q->is_known || explains_itself(v))
		return 0;
	const uint64_t until_us = whom[who].until_us(v);
	if (until_us <= v->now_us || q->awaited)
		return until_us;
	const uint64_t again_us = again_at(v, who);
	*ret_ask = again_us <= v->now_us;
	return *ret_ask || again_us >= until_us ? until_us : again_us;
}

static struct settle settle_end(const struct settle_evidence *v)
{
	struct settle settle = {.what = SETTLE_END};
	uint64_t waits[2 + SETTLE_WHOM_MAX_] = {kernel_until(v), code_until(v)};

	for (unsigned i = 0; i < SETTLE_WHOM_MAX_; i++)
		waits[2 + i] = question_until(v, (enum settle_whom)i, &settle.ask[i]);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		if (waits[i] <= v->now_us || (settle.what == SETTLE_WAIT && waits[i] >= settle.until_us))
			continue;
		settle.what = SETTLE_WAIT;
		settle.until_us = waits[i];
	}
	return settle;
}

struct settle settle_decide(const struct settle_evidence *v)
{
	const bool may_end = v->main_killed || v->victims_left;
	uint64_t survived_us = v->killed_us + (may_end ? SETTLE_MAIN_US : SETTLE_WORKER_US);

	if (v->reaped_us && v->reaped_us + SETTLE_REAPED_US < survived_us)
		survived_us = v->reaped_us + SETTLE_REAPED_US;
	if (v->ended_us)
		return settle_end(v);
	if (v->killed_us == 0)
		return (struct settle){.what = SETTLE_IDLE};
	if (v->now_us >= survived_us)
		return (struct settle){.what = SETTLE_WORKER};
	const uint64_t look_us = v->now_us + (v->now_us - v->killed_us < SETTLE_SOON_US ? SETTLE_POLL_US : SETTLE_POLL_LATE_US);
	return (struct settle){.what = SETTLE_WAIT, .until_us = look_us < survived_us ? look_us : survived_us};
}
