/* csi.h - the CSI node service and the kubelet's plugin registration: calls in, questions to stokerd out, answers back.
 *
 * Knows no socket and reads no clock. What can be answered from memory is answered at once; a publish, an unpublish and the
 * figures of a volume are asked of stokerd, and the call is answered when its answer comes. Of one volume one publish or unpublish
 * is under way at a time (ABORTED for a second), also when the client that began it has gone: the work goes on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/record.h"
#include "health/wire.h"
#include "shim/csi_flights.h"
#include "shim/csi_known.h"
#include "shim/grpc_server.h"

#define CSI_REPLY_BYTES 4096
#define CSI_FRESH_US	1000000 /* figures younger than that are not measured again (VOLUMES_FRESH_US of stokerd) */

enum csi_service { CSI_SERVICE_NODE, CSI_SERVICE_REGISTRATION };

struct csi_ops {
	/* A record to stokerd. False: it does not read. */
	bool (*ask)(void *owner, enum wire_type type, uint64_t id, const void *payload, size_t length);
	void (*answer)(void *owner, const struct grpc_call *call, enum grpc_code code, const char *text, const void *payload, size_t length);
};

struct csi {
	const struct csi_ops *ops;
	void *owner;
	bool has_config;
	struct wire_csi_config config;
	struct wire_csi_storage storage;
	struct wire_csi_counts counts;
	struct csi_flights flights;
	struct csi_known known;
};

void csi_open(struct csi *csi, const struct csi_ops *ops, void *owner);

/* A call on the socket of `call->service`. */
void csi_call(struct csi *csi, const struct grpc_call *call, const char *path, struct text message, uint64_t now_us);

/* What stokerd sends; false: not understood. Strings in it are checked. */
bool csi_take(struct csi *csi, const struct record *record, uint64_t now_us);
