#include "shim/csi_known.h"

#include <string.h>

#include "shim/csi_target.h"

/* Its number; CSI_KNOWN_MAX = not there. */
static size_t find(const struct csi_known *known, const struct volume_at *at)
{
	size_t i = 0;

	while (i < CSI_KNOWN_MAX && !volume_at_is(&known->all[i].at, at))
		i++;
	return i;
}

struct csi_known_volume *csi_known_add(struct csi_known *known, const struct volume_at *at)
{
	size_t i = find(known, at);

	if (i == CSI_KNOWN_MAX) {
		i = known->next++ % CSI_KNOWN_MAX;
		known->all[i] = (struct csi_known_volume){.at = *at};
	}
	return &known->all[i];
}

void csi_known_remove(struct csi_known *known, const struct volume_at *at)
{
	const size_t i = find(known, at);

	if (i < CSI_KNOWN_MAX)
		known->all[i] = (struct csi_known_volume){0};
}

bool csi_known_find(const struct csi_known *known, struct text id, struct volume_at *ret)
{
	for (size_t i = 0; i < CSI_KNOWN_MAX; i++) {
		if (*known->all[i].at.name && csi_target_has_id(&known->all[i].at, id)) {
			*ret = known->all[i].at;
			return true;
		}
	}
	return false;
}

void csi_known_tell(struct csi_known *known, const struct wire_volume_stats *told, uint64_t now_us)
{
	if (!told->known) {
		csi_known_remove(known, &told->at);
		return;
	}
	struct csi_known_volume *volume = csi_known_add(known, &told->at);
	volume->told_us = now_us;
	volume->figures = told->figures;
}

const struct csi_known_volume *csi_known_measured(const struct csi_known *known, const struct volume_at *at)
{
	const size_t i = find(known, at);

	return i < CSI_KNOWN_MAX && known->all[i].told_us ? &known->all[i] : NULL;
}
