/* supervisor_suspicion.c - every few seconds: which executors may live on and fail their tasks (suspicion.h)? Their logs are asked. */
#include "base/clock.h"
#include "health/supervisor.h"

#define LOOK_US (5 * US_PER_S)

void supervisor_suspicion_look(struct supervisor *s, uint64_t now_us)
{
	const struct moment now = {now_us, clock_wall_us()};
	const bool sick = s->monitor.report.condition.status == CONDITION_FALSE;
	struct suspect suspect;

	if (s->suspicion_looked_us && now_us - s->suspicion_looked_us < LOOK_US)
		return;
	s->suspicion_looked_us = now_us;
	for (unsigned i = 0; i < s->executors.count; i++) {
		struct executors_entry *entry = s->executors.entries[i];
		struct local_disk disk = {0};
		if (sick) /* whose disk it is */
			monitor_local_disk(&s->monitor, &entry->executor, &disk);
		if (suspicion_find(entry->suspicion, &s->volumes, &entry->executor, &entry->last, &disk, &suspect))
			executors_suspect(entry, &suspect, now);
	}
}
