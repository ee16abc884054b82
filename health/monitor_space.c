#include <string.h>

#include "base/clock.h"
#include "health/monitor.h"

/* A reason that a failed probe gave is a level too: what is full is not enough before it is above the margin. */
static void note_exhaustion(struct monitor_watch *w, const char *reason)
{
	int resource = verdict_shortage(reason);

	if (resource >= 0)
		w->levels.of[resource] = SPACE_EXHAUSTED;
}

/* Full is when it counts as bad: so much is left then. */
static void foresee(const struct monitor *m, struct monitor_watch *w, const struct space *space, uint64_t now_us)
{
	const uint64_t floor[SPACE_RESOURCE_MAX_] = {
		[SPACE_BYTES] = config_amount_of(&m->config.space.bad, space->total_bytes),
		[SPACE_INODES] = config_amount_of(&m->config.inodes.bad, space->total_inodes),
	};

	forecast_step(&w->forecast, space, floor, m->config.forecast.horizon_us / US_PER_S, now_us / US_PER_S);
}

void monitor_judge_space(const struct monitor *m, struct monitor_watch *w, const struct finding *f, struct verdict_input *input, uint64_t now_us)
{
	if (f->space.total_bytes || f->space.total_inodes) {
		w->space = f->space;
		foresee(m, w, &f->space, now_us);
	}
	if (input->event == VERDICT_FAILED)
		note_exhaustion(w, input->reason);
	if (input->event != VERDICT_GOOD)
		return;
	w->levels = space_judge(&f->space, &m->config.space, &m->config.inodes, w->levels);
	*input = verdict_judge_space(&f->space, w->levels);
	if (input->event == VERDICT_GOOD)
		*input = verdict_judge_forecast(&w->forecast);
}

void monitor_restore_space(struct monitor_watch *w, const char *reason)
{
	note_exhaustion(w, reason);
}

void monitor_forget_space(struct monitor_watch *w)
{
	memset(&w->space, 0, sizeof(w->space));
	memset(&w->levels, 0, sizeof(w->levels));
	memset(&w->forecast, 0, sizeof(w->forecast));
}
