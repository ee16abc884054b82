/* supervisor_volumes_view.c - what is known of the volumes, as JSON for stoker-web and in a death. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/supervisor.h"
#include "health/volume_view.h"

static void view(const struct volumes_entry *entry, uint64_t now_us, uint64_t wall_us, struct volume_view *ret)
{
	const struct volume *v = &entry->volume;
	const bool owned = *entry->owner.container_id;

	*ret = (struct volume_view){.mounted = entry->made, .bounded = entry->bound_bytes != 0 && entry->bound_bytes == v->size_bytes, .size_bytes = v->size_bytes,
				    .inodes = entry->total_inodes ? entry->total_inodes : v->inodes};
	str_copy(ret->name_space, sizeof(ret->name_space), *v->name_space ? v->name_space : entry->owner.name_space);
	str_copy(ret->pod, sizeof(ret->pod), *v->pod ? v->pod : entry->owner.pod);
	str_copy(ret->pod_uid, sizeof(ret->pod_uid), v->at.pod_uid);
	str_copy(ret->name, sizeof(ret->name), v->at.name);
	str_copy(ret->place, sizeof(ret->place), volume_place_name((enum volume_place)v->at.place));
	str_copy(ret->type, sizeof(ret->type), volume_type_name((enum volume_type)v->type));
	str_copy(ret->source, sizeof(ret->source), v->source_name);
	if (owned)
		executor_say(&entry->owner, ret->owner, sizeof(ret->owner));
	if (!entry->measured_us)
		return;
	ret->used_bytes = volumes_used_bytes(entry);
	ret->used_inodes = volumes_used_inodes(entry);
	ret->measured_wall_us = wall_us - (now_us - entry->measured_us);
}

/* By a path that people know, where one is watched on it. */
static void name_filesystems(const struct supervisor *s, struct account_view *views)
{
	for (uint32_t i = 0; i < s->accounts.count; i++) {
		for (uint32_t w = 0; w < s->monitor.watch_count; w++) {
			const struct monitor_watch *watch = &s->monitor.watch[w];
			char device[32] = "";
			if (!watch->placed || watch->alias_of >= 0)
				continue;
			str_append(device, sizeof(device), "%u:%u", watch->device_major, watch->device_minor);
			if (strcmp(device, views[i].filesystem) == 0)
				str_copy(views[i].filesystem, sizeof(views[i].filesystem), watch->target.path);
		}
	}
}

int supervisor_tell_volumes(struct supervisor *s, char **ret_text, struct err *e)
{
	const uint64_t now_us = clock_mono_us(), wall_us = clock_wall_us();
	scoped(scoped_free) struct volume_view *views = calloc(s->volumes.count + 1, sizeof(*views));
	scoped(scoped_free) struct account_view *accounts = calloc(s->accounts.count + 1, sizeof(*accounts));

	if (!views || !accounts)
		return err_set(e, ENOMEM, "cannot tell the volumes");
	for (unsigned i = 0; i < s->volumes.count; i++) {
		view(s->volumes.entries[i], now_us, wall_us, &views[i]);
		supervisor_volumes_measure(s, s->volumes.entries[i]);
	}
	account_views(&s->accounts, now_us, wall_us, accounts);
	name_filesystems(s, accounts);
	return volume_views_to_json(views, s->volumes.count, accounts, s->accounts.count, s->monitor.config.node, wall_us, ret_text, e);
}

void supervisor_volumes_of_death(struct supervisor *s, struct death *death)
{
	const struct volumes_entry *entry = volumes_fullest(&s->volumes, death->executor.pod_uid);

	if (entry) {
		str_copy(death->volume, sizeof(death->volume), entry->volume.at.name);
		death->volume_size_bytes = entry->total_bytes;
		death->volume_used_bytes = volumes_left_bytes(entry);
	} else if (death->executor.injected_bytes) {
		/* It went with the container; what lay in it was its files in memory. */
		str_copy(death->volume, sizeof(death->volume), VOLUMES_INJECTED);
		death->volume_size_bytes = death->executor.injected_bytes;
		death->volume_used_bytes = death->shmem_bytes < death->volume_size_bytes ? death->shmem_bytes : death->volume_size_bytes;
	}
}
