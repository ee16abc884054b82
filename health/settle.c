#include "health/settle.h"

#include <stddef.h>

#include "base/scoped.h"

/* One thing that may be waited for. `until` 0 = not (any more). */
struct settle_wait {
	const char *what;
	uint64_t until_us;
};

static uint64_t kernel_until(const struct settle_evidence *v)
{
	if (!v->log_is_read || v->ended_us == 0)
		return 0;
	if (v->killed_us && v->logged < v->counted)
		return v->killed_us + SETTLE_LOG_LAG_US;
	return v->killed_us ? 0 : v->ended_us + SETTLE_KERNEL_US;
}

/* What the kernel killed needs no exit code: it is 137, whatever a wrapper makes of it. */
static uint64_t code_until(const struct settle_evidence *v)
{
	if (v->has_code || !v->code_may_come || (v->killed_us && v->main_killed))
		return 0;
	/* While the cgroup is there somebody may be left in it, and the runtime waits as we do. */
	return (v->gone_us ? v->gone_us : v->ended_us) + SETTLE_CODE_US;
}

/* Only where no code comes by itself: the question costs forks, and the runtime has others to answer. */
static uint64_t status_until(const struct settle_evidence *v)
{
	const uint64_t code_us = code_until(v);

	if (v->has_code || v->status_is_known || (v->killed_us && v->main_killed) || code_us > v->now_us)
		return 0;
	return (code_us ? code_us : v->ended_us) + SETTLE_STATUS_US;
}

/* At once: the driver deletes the pod 1.6 s after the kill (measured). A kill for memory explains itself. */
static uint64_t api_until(const struct settle_evidence *v)
{
	if (!v->api_wanted || v->api_is_known || (v->killed_us && v->main_killed))
		return 0;
	return v->ended_us + (v->api_is_behind ? SETTLE_API_BEHIND_US : SETTLE_API_US);
}

static uint64_t api_again(const struct settle_evidence *v)
{
	if (!v->api_asked_us)
		return v->now_us;
	return v->api_asked_us + (v->api_asked_us < v->ended_us + SETTLE_API_US ? SETTLE_API_AGAIN_US : SETTLE_API_LATER_US);
}

static uint64_t tail_until(const struct settle_evidence *v)
{
	return v->tail_asked_us && !v->tail_is_there ? v->tail_asked_us + SETTLE_TAIL_US : 0;
}

static struct settle settle_end(const struct settle_evidence *v)
{
	const uint64_t again_us = v->status_asked_us ? v->status_asked_us + SETTLE_ASK_US : v->now_us;
	const uint64_t status_us = status_until(v);
	const bool ask_status = status_us > v->now_us && !v->status_awaited && again_us <= v->now_us;
	const uint64_t api_again_us = api_again(v), api_us = api_until(v);
	const bool ask_api = api_us > v->now_us && !v->api_awaited && api_again_us <= v->now_us;
	const struct settle_wait waits[] = {
		{"the kernel's log", kernel_until(v)},
		{"the exit code", code_until(v)},
		{"the runtime's status", status_us > v->now_us && !v->status_awaited && !ask_status && again_us < status_us ? again_us : status_us},
		{"the pod's status", api_us > v->now_us && !v->api_awaited && !ask_api && api_again_us < api_us ? api_again_us : api_us},
		{"the end of its log", tail_until(v)},
	};
	struct settle settle = {.what = SETTLE_END, .ask_status = ask_status, .ask_api = ask_api};

	/* A kill of the main process explains itself; everything else is told best by its own last words. */
	settle.ask_tail = v->tail_asked_us == 0 && !v->tail_is_there && !(v->killed_us && v->main_killed);
	if (settle.ask_tail) {
		settle.what = SETTLE_WAIT;
		settle.until_us = v->now_us + SETTLE_TAIL_US;
		settle.waits_for = "the end of its log";
	}
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		if (waits[i].until_us <= v->now_us)
			continue;
		if (settle.what != SETTLE_WAIT || waits[i].until_us < settle.until_us)
			settle.until_us = waits[i].until_us;
		settle.what = SETTLE_WAIT;
		settle.waits_for = waits[i].what;
	}
	return settle;
}

struct settle settle_decide(const struct settle_evidence *v)
{
	const bool may_end = v->main_killed || v->victims_left;
	const uint64_t survived_us = v->killed_us + (may_end ? SETTLE_MAIN_US : SETTLE_WORKER_US);

	if (v->ended_us)
		return settle_end(v);
	if (v->killed_us == 0)
		return (struct settle){.what = SETTLE_IDLE};
	if (v->now_us >= survived_us)
		return (struct settle){.what = SETTLE_WORKER};
	const uint64_t look_us = v->now_us + (v->now_us - v->killed_us < SETTLE_SOON_US ? SETTLE_POLL_US : SETTLE_POLL_LATE_US);
	return (struct settle){.what = SETTLE_WAIT, .until_us = look_us < survived_us ? look_us : survived_us, .waits_for = "an end, or none"};
}
