/* supervisor_volumes_figures.c - how much is in a volume. What the kubelet asks for every minute comes from memory, that of stoker-csi, which is
 * told whatever was measured; it is measured anew behind its back, at most every VOLUMES_FRESH_US. */
#include <string.h>

#include "base/clock.h"
#include "health/supervisor.h"

void supervisor_volumes_measure(struct supervisor *s, const struct volumes_entry *entry)
{
	/* A server that hangs is not waited for, not even by a child: checkpoints are watched otherwise. */
	if (entry->volume.type != VOLUME_CHECKPOINT && clock_mono_us() - entry->measured_us > VOLUMES_FRESH_US)
		supervisor_volumes_wish(s, WIRE_VOLUME_STAT, &entry->volume);
}

void supervisor_volumes_measure_pod(struct supervisor *s, const char *pod_uid)
{
	for (unsigned i = 0; i < s->volumes.count; i++)
		if (strcmp(s->volumes.entries[i]->volume.at.pod_uid, pod_uid) == 0)
			supervisor_volumes_measure(s, s->volumes.entries[i]);
}

/* `entry` NULL: it is none of ours. */
static struct wire_volume_stats stats_of(const struct volume_at *at, const struct volumes_entry *entry)
{
	struct wire_volume_stats stats = {.at = *at, .known = entry != NULL};

	if (entry)
		stats.figures = (struct wire_figures){
			.bytes_total = entry->total_bytes,
			.bytes_available = entry->free_bytes,
			.bytes_used = volumes_used_bytes(entry),
			.inodes_total = entry->total_inodes,
			.inodes_free = entry->free_inodes,
			.inodes_used = volumes_used_inodes(entry),
		};
	return stats;
}

/* What stoker-csi gives the kubelet without asking. */
void supervisor_volumes_tell_figures(struct supervisor *s, const struct volume_at *at, const struct volumes_entry *entry)
{
	const struct wire_volume_stats stats = stats_of(at, entry);

	if (at->place == VOLUME_AT_CSI && (!entry || (entry->measured_us && entry->volume.type != VOLUME_CHECKPOINT)))
		supervisor_csi_figures(s, &stats);
}

void supervisor_volumes_tell_stats(struct supervisor *s, uint64_t csi_id, const struct volume_at *at, const struct volumes_entry *entry)
{
	struct wire_volume_stats stats = stats_of(at, entry);

	if (entry && entry->volume.type == VOLUME_CHECKPOINT)
		stats.abnormal = !supervisor_checkpoint_usable(s, entry->volume.source, stats.message, sizeof(stats.message));
	supervisor_csi_stats(s, csi_id, &stats);
}

/* stoker-csi has given what it was told last. */
void supervisor_volumes_asked(struct supervisor *s, const struct volume_at *at)
{
	const struct volumes_entry *entry = volumes_find(&s->volumes, at);

	if (entry)
		supervisor_volumes_measure(s, entry);
	else
		supervisor_volumes_tell_figures(s, at, NULL); /* somebody has unmounted it */
}
