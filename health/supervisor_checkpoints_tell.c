/* supervisor_checkpoints_tell.c - what people, stoker-nri and stoker-csi are told of checkpoints. */
#include <string.h>

#include "base/str.h"
#include "health/supervisor.h"
#include "volumes/nfs_mount.h"

void supervisor_checkpoints_tell_monitor(struct supervisor *s)
{
	struct health_checkpoint list[CONFIG_CHECKPOINTS_MAX] = {0};

	for (uint32_t i = 0; i < s->checkpoints.count; i++) {
		const struct checkpoint_watch *w = &s->checkpoints.watch[i];
		str_copy(list[i].name, sizeof(list[i].name), w->config.name);
		nfs_source(&w->config, list[i].source);
		list[i].state = w->health.state;
		list[i].mounted = w->mounted;
		str_copy(list[i].message, sizeof(list[i].message), w->health.words);
		list[i].since_wall_us = w->since_wall_us;
	}
	monitor_checkpoints(&s->monitor, list, s->checkpoints.count);
}

void supervisor_checkpoints_tell_nri(struct supervisor *s, bool anew)
{
	const struct config *config = &s->monitor.config;
	struct wire_checkpoints_ready told = {.config_hash = config->hash};

	for (uint32_t i = 0; i < s->checkpoints.count; i++)
		if (s->checkpoints.watch[i].mounted && checkpoint_is_usable(&s->checkpoints.watch[i].health))
			told.ready |= 1U << i;
	if ((told.ready == s->checkpoints.ready && !anew) || (config->volumes.inject_count == 0 && !config->volumes.annotations))
		return;
	if (role_child_send(&s->nri.role, WIRE_NRI_CHECKPOINTS, 0, &told, sizeof(told), -1))
		s->checkpoints.ready = told.ready;
}

/* For NodeGetStorageHealth: the servers that do not answer as they should. */
void supervisor_checkpoints_tell_csi(struct supervisor *s, bool anew)
{
	struct wire_csi_storage told = {0};

	for (uint32_t i = 0; i < s->checkpoints.count; i++) {
		const struct checkpoint_watch *w = &s->checkpoints.watch[i];
		if (w->health.state == CHECKPOINT_UNKNOWN || w->health.state == CHECKPOINT_HEALTHY || w->health.state == CHECKPOINT_RECOVERED)
			continue;
		struct wire_csi_backend *b = &told.backends[told.count++];
		b->unreachable = !checkpoint_is_usable(&w->health);
		str_copy(b->reason, sizeof(b->reason), checkpoint_state_reason(w->health.state));
		str_append(b->message, sizeof(b->message), "checkpoint %s: %s", w->config.name, w->health.words);
	}
	if ((memcmp(&told, &s->checkpoints.storage, sizeof(told)) == 0 && !anew) || !role_child_is_up(&s->csi.role))
		return;
	if (role_child_send(&s->csi.role, WIRE_CSI_STORAGE, 0, &told, sizeof(told), -1))
		s->checkpoints.storage = told;
}

void supervisor_checkpoints_tell(struct supervisor *s)
{
	supervisor_checkpoints_tell_monitor(s);
	supervisor_checkpoints_tell_nri(s, false);
	supervisor_checkpoints_tell_csi(s, false);
}
