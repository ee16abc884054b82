#include "shim/csi_flights.h"

#include <string.h>

struct csi_flight *csi_flights_begin(struct csi_flights *flights, uint64_t now_us)
{
	for (size_t i = 0; i < CSI_FLIGHTS_MAX; i++) {
		struct csi_flight *f = &flights->all[i];
		if (f->id != 0 && f->until_us > now_us)
			continue;
		*f = (struct csi_flight){.id = ++flights->last_id, .until_us = now_us + CSI_FLIGHT_US};
		return f;
	}
	return NULL;
}

void csi_flights_end(struct csi_flight *flight)
{
	*flight = (struct csi_flight){0};
}

struct csi_flight *csi_flights_find(struct csi_flights *flights, uint64_t id)
{
	for (size_t i = 0; i < CSI_FLIGHTS_MAX; i++)
		if (id != 0 && flights->all[i].id == id)
			return &flights->all[i];
	return NULL;
}

bool csi_flights_has_change(const struct csi_flights *flights, const struct volume_at *at, uint64_t now_us)
{
	for (size_t i = 0; i < CSI_FLIGHTS_MAX; i++) {
		const struct csi_flight *f = &flights->all[i];
		if (f->id != 0 && f->until_us > now_us && f->is_change && strcmp(f->at.pod_uid, at->pod_uid) == 0 && strcmp(f->at.name, at->name) == 0)
			return true;
	}
	return false;
}
