/* supervisor_scratch.c - do executors live on and fail their tasks? Of a sick disk the node's verdict tells. Of full scratch in memory nobody does: the
 * kernel gives ENOSPC to the task and to no one else, and what the task had written is gone a moment later. But it was memory of its pod: when that
 * moved, or its highest use rose, the executor's log is asked. An idle one costs nothing. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/supervisor.h"

#define LOOK_US	    (5 * US_PER_S)
#define PART	    4 /* of its scratch: so much must have moved */
#define LEAST_BYTES (VOLUMES_LEAST_BYTES / PART)

static bool has_moved(const struct executors_entry *entry, uint64_t step)
{
	const struct sample *last = &entry->last;

	return last->current_bytes > entry->seen_bytes + step || last->current_bytes + step < entry->seen_bytes || last->peak_bytes > entry->seen_peak_bytes + step;
}

/* Their names, and how large they are together. */
static uint64_t scratch_of(const struct supervisor *s, const struct executor *x, char *names, size_t size)
{
	uint64_t bytes = 0;

	*names = '\0';
	for (unsigned i = 0; i < s->volumes.count; i++) {
		const struct volumes_entry *entry = s->volumes.entries[i];
		if (!volumes_is_scratch(entry) || !entry->made || strcmp(entry->volume.at.pod_uid, x->pod_uid) != 0)
			continue;
		str_append(names, size, "%s%s", *names ? " or " : "", entry->volume.at.name);
		bytes += entry->volume.size_bytes;
	}
	return bytes;
}

static void look(struct supervisor *s, struct executors_entry *entry, bool sick, struct moment now)
{
	char names[sizeof(entry->scratch_name)];

	if (entry->executor.sidecar)
		return;
	if (sick) {
		executors_suspect(entry, "", 0, now);
		return;
	}
	if (!has_moved(entry, LEAST_BYTES))
		return;
	const uint64_t bytes = scratch_of(s, &entry->executor, names, sizeof(names));
	if (bytes == 0 || !has_moved(entry, bytes / PART) || !executors_suspect(entry, names, bytes, now))
		return;
	entry->seen_bytes = entry->last.current_bytes;
	entry->seen_peak_bytes = entry->last.peak_bytes;
}

void supervisor_scratch_look(struct supervisor *s, uint64_t now_us)
{
	const struct moment now = {now_us, clock_wall_us()};
	const bool sick = s->monitor.report.condition.status == CONDITION_FALSE;

	if ((s->volumes.count == 0 && !sick) || (s->scratch_looked_us && now_us - s->scratch_looked_us < LOOK_US))
		return;
	s->scratch_looked_us = now_us;
	for (unsigned i = 0; i < s->executors.count; i++)
		look(s, s->executors.entries[i], sick, now);
}
