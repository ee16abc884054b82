/* csi_known.h - the volumes that were published, or told of, since we run: an id alone can be turned back into pod and name, and the
 * figures that stokerd measured last are at hand.
 *
 * Only NodeGetVolumeHealth may come without a path. The oldest is forgotten when there are too many: with a path all are found, and stokerd
 * is asked. Of checkpoints there are never figures: whether their server answers is asked each time. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "health/wire.h"
#include "shim/view.h"
#include "volumes/volume.h"

#define CSI_KNOWN_MAX 256

struct csi_known_volume {
	struct volume_at at; /* name "" = free */
	uint64_t told_us; /* when its figures were told; 0 = they were not */
	struct wire_figures figures;
};

struct csi_known {
	size_t next;
	struct csi_known_volume all[CSI_KNOWN_MAX];
};

struct csi_known_volume *csi_known_add(struct csi_known *known, const struct volume_at *at);
void csi_known_remove(struct csi_known *known, const struct volume_at *at);
bool csi_known_find(const struct csi_known *known, struct text id, struct volume_at *ret);

/* What stokerd measured, or that it knows the volume no more. */
void csi_known_tell(struct csi_known *known, const struct wire_volume_stats *told, uint64_t now_us);
/* One with figures; NULL: they were not told. */
const struct csi_known_volume *csi_known_measured(const struct csi_known *known, const struct volume_at *at);
