/* supervisor_scratch.c - scratch of executors: bounded to what their memory limits leave, emptied when they are dead. The broker does it; see
 * supervisor_volumes.c for how it is asked. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/supervisor.h"

static void say_event(struct supervisor *s, const struct volumes_entry *entry, const char *reason, bool warning, const char *note)
{
	struct event event = {.warning = warning, .wall_us = clock_wall_us(), .subject = event_subject(entry->volume.at.pod_uid)};

	str_copy(event.reason, sizeof(event.reason), reason);
	str_copy(event.action, sizeof(event.action), "Adjust");
	str_copy(event.note, sizeof(event.note), note);
	str_copy(event.pod.name_space, sizeof(event.pod.name_space), entry->owner.name_space);
	str_copy(event.pod.name, sizeof(event.pod.name), entry->owner.pod);
	str_copy(event.pod.uid, sizeof(event.pod.uid), entry->owner.pod_uid);
	if (!event_pod_is_sound(&event.pod))
		return;
	supervisor_tell_event(s, &event);
	supervisor_send_events(s);
}

/* --- what became of it --- */

void supervisor_scratch_bounded(struct supervisor *s, struct volumes_entry *entry, const struct volume_result *result)
{
	char note[512] = "";

	if (result->errnum) { /* it holds more already: what is written stays, and nothing more comes than the limit allows */
		log_warn(s->log, "scratch not bounded", "pod", entry->owner.pod, "volume", entry->volume.at.name, "errno", log_number(result->errnum), "why", result->text);
		return;
	}
	s->volumes.bounded_total++;
	log_info(s->log, "scratch bounded", "pod", entry->owner.pod, "volume", entry->volume.at.name, "bytes", log_number((int64_t)result->size_bytes));
	str_append(note, sizeof(note), "volume %s: %" PRIu64 " MiB, what the memory limit leaves beside heap, off-heap and reserve: full is ENOSPC for a task, not a kill",
		   entry->volume.at.name, result->size_bytes >> 20);
	say_event(s, entry, EVENT_SCRATCH_BOUNDED, false, note);
}

void supervisor_scratch_emptied(struct supervisor *s, struct volumes_entry *entry, const struct volume_result *result)
{
	if (result->errnum == 0) {
		s->volumes.emptied_total++;
		if (entry)
			volumes_emptied(entry, result);
		return;
	}
	if (!entry)
		return;
	entry->empty_again = entry->empty_again || result->errnum == EBUSY; /* more files than there was time for */
	log_warn(s->log, "scratch not emptied", "pod", entry->owner.pod, "volume", entry->volume.at.name, "errno", log_number(result->errnum), "why", result->text);
}

/* --- executors come and go --- */

void supervisor_scratch_bound(struct supervisor *s, const char *pod_uid)
{
	struct volume volume;

	for (struct volumes_entry *entry; (entry = volumes_next_bound(&s->volumes, &s->monitor.config.volumes, pod_uid, &volume));)
		entry->bound_again = !supervisor_volumes_wish(s, WIRE_VOLUME_BOUND, &volume);
}

static void empty(struct supervisor *s, struct volumes_entry *entry)
{
	entry->empty_again = !supervisor_volumes_wish(s, WIRE_VOLUME_EMPTY, &entry->volume);
}

/* A volume without a bound, or with what a dead one left, is a pod that files may kill: nobody else asks again. */
void supervisor_scratch_tick(struct supervisor *s)
{
	for (unsigned i = 0; i < s->volumes.count && link_is_up(&s->broker); i++) {
		struct volumes_entry *entry = s->volumes.entries[i];
		if (volumes_bound_again(entry))
			supervisor_scratch_bound(s, entry->volume.at.pod_uid);
		if (entry->empty_again)
			empty(s, entry);
	}
}

static void warn_without_limit(struct supervisor *s, const struct executor *x)
{
	char note[512] = "";

	if (executor_memory_left(x, 0) != UINT64_MAX)
		return;
	for (unsigned i = 0; i < s->volumes.count; i++) {
		struct volumes_entry *entry = s->volumes.entries[i];
		if (strcmp(entry->volume.at.pod_uid, x->pod_uid) != 0 || !volumes_is_scratch(entry) || entry->volume.at.place != VOLUME_AT_CSI || entry->warned)
			continue;
		entry->warned = true;
		*note = '\0';
		str_append(note, sizeof(note), "volume %s: %" PRIu64 " MiB in memory, and the pod has no memory limit: what is written there is taken from the node",
			   entry->volume.at.name, entry->volume.size_bytes >> 20);
		say_event(s, entry, EVENT_SCRATCH_WITHOUT_LIMIT, true, note);
	}
}

void supervisor_scratch_executor(struct supervisor *s, const struct executor *x)
{
	if (!volumes_own(&s->volumes, x))
		return;
	supervisor_scratch_bound(s, x->pod_uid);
	warn_without_limit(s, x);
}

/* In the same pod: what is in the scratch now may be its own. */
static bool has_successor(const struct supervisor *s, const struct executor *x)
{
	bool has = false;

	for (unsigned i = 0; i < s->executors.count; i++) {
		const struct executor *other = &s->executors.entries[i]->executor;
		has = has || (!other->sidecar && strcmp(other->pod_uid, x->pod_uid) == 0 && strcmp(other->container_id, x->container_id) != 0);
	}
	return has;
}

static unsigned empty_scratch_of(struct supervisor *s, const char *pod_uid)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->volumes.count; i++) {
		struct volumes_entry *entry = s->volumes.entries[i];
		if (!volumes_is_scratch(entry) || strcmp(entry->volume.at.pod_uid, pod_uid) != 0)
			continue;
		empty(s, entry);
		count++;
	}
	return count;
}

/* What a dead executor wrote to memory still counts against its pod's limit: the next one is killed by it (kubernetes#128339). */
void supervisor_scratch_ended(struct supervisor *s, const struct executor *x)
{
	if (!s->monitor.config.volumes.empty_dead_scratch || x->sidecar || has_successor(s, x))
		return;
	if (empty_scratch_of(s, x->pod_uid) > 0)
		return;
	/* It lived for less than a second: its mounts may not have been looked at yet. */
	supervisor_read_mounts_now(s);
	empty_scratch_of(s, x->pod_uid);
}
