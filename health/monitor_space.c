#include <string.h>

#include "health/monitor.h"

/* A reason that a failed probe gave is a level too: what is full is not enough before it is above the margin. */
static void note_exhaustion(struct monitor_watch *w, const char *reason)
{
	if (strcmp(reason, "SpaceExhausted") == 0)
		w->levels.of[SPACE_BYTES] = SPACE_EXHAUSTED;
	else if (strcmp(reason, "InodesExhausted") == 0)
		w->levels.of[SPACE_INODES] = SPACE_EXHAUSTED;
}

void monitor_judge_space(const struct monitor *m, struct monitor_watch *w, const struct finding *f, struct verdict_input *input)
{
	if (f->space.total_bytes || f->space.total_inodes)
		w->space = f->space;
	if (input->event == VERDICT_FAILED)
		note_exhaustion(w, input->reason);
	if (input->event != VERDICT_GOOD)
		return;
	w->levels = space_judge(&f->space, &m->config.space, &m->config.inodes, w->levels);
	*input = verdict_judge_space(&f->space, w->levels);
}

void monitor_restore_space(struct monitor_watch *w, const char *reason)
{
	note_exhaustion(w, reason);
}

void monitor_forget_space(struct monitor_watch *w)
{
	memset(&w->space, 0, sizeof(w->space));
	memset(&w->levels, 0, sizeof(w->levels));
}
