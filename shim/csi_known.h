/* csi_known.h - the volumes that were published, or asked about, since we run: an id alone can be turned back into pod and name.
 *
 * Only NodeGetVolumeHealth may come without a path. The oldest is forgotten when there are too many: with a path all are found. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shim/view.h"
#include "volumes/volume.h"

#define CSI_KNOWN_MAX 256

struct csi_known {
	size_t next;
	struct volume_at all[CSI_KNOWN_MAX]; /* name "" = free */
};

void csi_known_add(struct csi_known *known, const struct volume_at *at);
void csi_known_remove(struct csi_known *known, const struct volume_at *at);
bool csi_known_find(const struct csi_known *known, struct text id, struct volume_at *ret);
