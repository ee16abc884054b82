/* csi_flights.h - the calls that wait for stokerd's answer. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/grpc_server.h"
#include "volumes/volume.h"

#define CSI_FLIGHTS_MAX 128
#define CSI_FLIGHT_US	180000000ULL /* an answer that has not come by then never will: the kubelet gave up after 120 s */

struct csi_flight {
	uint64_t id; /* of the record, never 0 while it is under way */
	uint64_t until_us;
	struct grpc_call call;
	uint32_t method; /* the service's own number */
	bool is_change;	 /* publishes or unpublishes */
	struct volume_at at;
};

struct csi_flights {
	uint64_t last_id;
	struct csi_flight all[CSI_FLIGHTS_MAX];
};

/* NULL: too many. The caller fills in what is its own. */
struct csi_flight *csi_flights_begin(struct csi_flights *flights, uint64_t now_us);
void csi_flights_end(struct csi_flight *flight);
struct csi_flight *csi_flights_find(struct csi_flights *flights, uint64_t id); /* NULL: it was given up */
bool csi_flights_has_change(const struct csi_flights *flights, const struct volume_at *at, uint64_t now_us);
