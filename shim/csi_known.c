#include "shim/csi_known.h"

#include <string.h>

#include "shim/csi_target.h"

static struct volume_at *find(struct csi_known *known, const struct volume_at *at)
{
	for (size_t i = 0; i < CSI_KNOWN_MAX; i++)
		if (strcmp(known->all[i].pod_uid, at->pod_uid) == 0 && strcmp(known->all[i].name, at->name) == 0)
			return &known->all[i];
	return NULL;
}

void csi_known_add(struct csi_known *known, const struct volume_at *at)
{
	if (!find(known, at))
		known->all[known->next++ % CSI_KNOWN_MAX] = *at;
}

void csi_known_remove(struct csi_known *known, const struct volume_at *at)
{
	struct volume_at *found = find(known, at);

	if (found)
		*found = (struct volume_at){0};
}

bool csi_known_find(const struct csi_known *known, struct text id, struct volume_at *ret)
{
	for (size_t i = 0; i < CSI_KNOWN_MAX; i++) {
		if (*known->all[i].name && csi_target_has_id(&known->all[i], id)) {
			*ret = known->all[i];
			return true;
		}
	}
	return false;
}
