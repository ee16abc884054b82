#include "health/death_event.h"

#include <string.h>

#include "base/hash.h"
#include "base/scoped.h"
#include "base/str.h"

bool death_is_said(const struct death *death)
{
	static const uint32_t with_its_pod[] = {DEATH_DELETED, DEATH_PREEMPTED, DEATH_EVICTED, DEATH_DECOMMISSIONED};

	for (size_t i = 0; death->executor.sidecar && i < ARRAY_SIZE(with_its_pod); i++)
		if (death->cause == with_its_pod[i])
			return false;
	return death->cause != DEATH_FINISHED;
}

bool death_is_counted(const struct death *death)
{
	return !death->executor.sidecar || death->cause == DEATH_SIDECAR;
}

struct event_pod death_pod(const struct executor *executor)
{
	struct event_pod pod = {0};

	str_copy(pod.name_space, sizeof(pod.name_space), executor->name_space);
	str_copy(pod.name, sizeof(pod.name), executor->pod);
	str_copy(pod.uid, sizeof(pod.uid), executor->pod_uid);
	return pod;
}

static bool is_same(const char *a, const char *b)
{
	return *a && strcmp(a, b) == 0;
}

bool death_is_driver(const struct executor *dead, const struct executor *other)
{
	if (!executor_is_driver(other) || other->sidecar || strcmp(dead->name_space, other->name_space) != 0 || is_same(dead->pod_uid, other->pod_uid))
		return false;
	return is_same(dead->app_id, other->app_id) || is_same(dead->connect_name, other->connect_name);
}

void death_event(const struct death *death, const struct event_pod *about, struct event *ret)
{
	struct event event = {.wall_us = death->ended_wall_us, .pod = *about};
	uint64_t hash = hash_fnv1a(HASH_START, about->uid, strlen(about->uid));

	/* Somebody wanted it so, and the application is not charged with it. */
	event.warning = !death_is_good((enum death_cause)death->cause) && death->cause != DEATH_DELETED && death->cause != DEATH_PREEMPTED;
	/* A driver hears of each of its executors. */
	hash = hash_fnv1a(hash, death->executor.pod_uid, strlen(death->executor.pod_uid));
	if (death->executor.sidecar) /* else the same reason of both would be one Event, with the words of whoever was first */
		hash = hash_fnv1a(hash, death->executor.container, strlen(death->executor.container));
	event.subject = hash ? hash : 1;
	str_copy(event.reason, sizeof(event.reason), death_cause_reason((enum death_cause)death->cause));
	str_copy(event.action, sizeof(event.action), "Explain");
	death_note(death, event.note, sizeof(event.note));
	*ret = event;
}
