#include <inttypes.h>

#include "base/scoped.h"
#include "health/metrics_text.h"

#define AT(member) offsetof(struct health_volumes, member)

static const struct {
	const char *name, *kind, *help;
	size_t offset; /* of a uint64_t */
} values[] = {
	{"stoker_volumes", "gauge", "Volumes that Stoker made or bounds.", AT(count)},
	{"stoker_volumes_size_bytes", "gauge", "How large they may become together.", AT(size_bytes)},
	{"stoker_volumes_used_bytes", "gauge", "What is in them together, as measured last.", AT(used_bytes)},
	{"stoker_volumes_bounded_total", "counter", "Volumes in memory that were bounded to what a memory limit leaves.", AT(bounded)},
	{"stoker_volumes_emptied_total", "counter", "Volumes in memory that were emptied of a dead executor's files.", AT(emptied)},
	{"stoker_volumes_refused_total", "counter", "Requests of pods that a rule refused.", AT(refused)},
	{"stoker_csi_publish_total", "counter", "NodePublishVolume calls of the kubelet.", AT(publish)},
	{"stoker_csi_unpublish_total", "counter", "NodeUnpublishVolume calls of the kubelet.", AT(unpublish)},
	{"stoker_csi_stats_total", "counter", "NodeGetVolumeStats calls of the kubelet.", AT(stats)},
	{"stoker_csi_failed_total", "counter", "Calls of the kubelet that ended with an error.", AT(failed)},
};

void metrics_put_volumes(FILE *out, const struct health *h)
{
	if (!h->volumes.present)
		return;
	metrics_head(out, "stoker_csi_registered", "gauge", "1 while the kubelet has registered the driver csi.stoker.dev.");
	fprintf(out, "stoker_csi_registered %" PRIu32 "\n", h->volumes.registered);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const uint64_t *value = (const uint64_t *)(const void *)((const char *)&h->volumes + values[i].offset);
		metrics_head(out, values[i].name, values[i].kind, values[i].help);
		fprintf(out, "%s %" PRIu64 "\n", values[i].name, *value);
	}
}
