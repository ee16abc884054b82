#include "shim/scratch_pods.h"

#include <string.h>

#include "base/str.h"

static uint32_t index_of(const struct scratch_pods *pods, const char *uid)
{
	uint32_t i = 0;

	while (i < pods->count && strcmp(pods->pods[i].uid, uid) != 0)
		i++;
	return i;
}

void scratch_pods_set(struct scratch_pods *pods, const char *uid, uint32_t volumes)
{
	const uint32_t i = index_of(pods, uid);

	if (volumes == 0) {
		if (i < pods->count)
			pods->pods[i] = pods->pods[--pods->count];
		return;
	}
	if (i == SCRATCH_PODS_MAX)
		return;
	pods->count += i == pods->count;
	str_copy(pods->pods[i].uid, sizeof(pods->pods[i].uid), uid);
	pods->pods[i].volumes = volumes;
}

uint32_t scratch_pods_get(const struct scratch_pods *pods, const char *uid)
{
	const uint32_t i = index_of(pods, uid);

	return i < pods->count ? pods->pods[i].volumes : 0;
}
