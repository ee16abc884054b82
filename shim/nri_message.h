/* nri_message.h - what a runtime asks of an NRI plugin, read from protobuf into views. Pure; nothing is copied or allocated.
 *
 * Field numbers: containerd/nri pkg/api/api.proto (v0.3 to v0.12). Unknown fields and methods are no error. A message that is no
 * protobuf is -EBADMSG. As in Go an embedded message said twice is merged and of a scalar or a map's key said twice the later
 * counts. Unlike Go: text that is not UTF-8 and nonsense inside embedded messages that nobody here reads are let pass, and
 * groups are refused (tests/peers/test_nri_wire.py compares the two).
 * Fields that no part of Stoker uses are not read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "shim/proto.h"
#include "shim/ttrpc.h"
#include "shim/view.h"

#define NRI_SERVICE_PLUGIN  "nri.pkg.api.v1alpha1.Plugin"
#define NRI_SERVICE_RUNTIME "nri.pkg.api.v1alpha1.Runtime"

/* NRI's numbers of events: bit N - 1 of the mask. */
enum nri_event_kind {
	NRI_EVENT_NONE,
	NRI_RUN_POD,
	NRI_STOP_POD,
	NRI_REMOVE_POD,
	NRI_CREATE_CONTAINER,
	NRI_POST_CREATE_CONTAINER,
	NRI_START_CONTAINER,
	NRI_POST_START_CONTAINER,
	NRI_UPDATE_CONTAINER,
	NRI_POST_UPDATE_CONTAINER,
	NRI_STOP_CONTAINER,
	NRI_REMOVE_CONTAINER,
	NRI_UPDATE_POD,
	NRI_POST_UPDATE_POD,
	NRI_VALIDATE_ADJUSTMENT,
	NRI_EVENT_KIND_MAX_
};
#define NRI_EVENT_BIT(kind) (1U << ((kind)-1))

const char *nri_event_name(enum nri_event_kind kind); /* "RunPodSandbox" …, "unknown" */

enum nri_method {
	NRI_METHOD_UNKNOWN, /* answer Unimplemented */
	NRI_METHOD_CONFIGURE,
	NRI_METHOD_SYNCHRONIZE,
	NRI_METHOD_SHUTDOWN,
	NRI_METHOD_EVENT, /* a call of its own for each kind (NRI ≥ 0.12, and those with an answer), or StateChange */
	NRI_METHOD_MAX_
};

/* `ret_kind` is set for NRI_METHOD_EVENT, to NRI_EVENT_NONE for StateChange (the kind is in the message). */
enum nri_method nri_method_of(const struct ttrpc_request *request, enum nri_event_kind *ret_kind);

struct nri_configure {
	struct text config, runtime_name, runtime_version, nri_version;
	int64_t registration_timeout_ms, request_timeout_ms; /* 0 = not said (NRI < 0.8) */
};

int nri_decode_configure(struct text payload, struct nri_configure *ret, struct err *e);

/* About 33 KB: keep one. Only the first `…_count` entries of a view's lists are written. */
struct nri_event {
	enum nri_event_kind kind; /* NRI_EVENT_NONE: a StateChange of an event that is not known here */
	bool state_change;	  /* a notification: its answer is empty, whatever the kind */
	bool has_pod, has_container;
	bool has_memory_limit; /* the new one, of NRI_UPDATE_CONTAINER (the container's) and NRI_UPDATE_POD (the pod's) */
	int64_t memory_limit_bytes;
	struct pod_view pod;	   /* may hold nothing but its id when the sandbox is gone */
	struct container_view container;
};

/* `kind` as nri_method_of says. */
int nri_decode_event(enum nri_event_kind kind, struct text payload, struct nri_event *ret, struct err *e);

/* Synchronize: pods and containers of the whole node, in parts when they are over 4 MiB (`more`: further parts follow; a container's
 * pod may be in another part). An iterator over the message: nothing grows with their number. */
enum nri_sync_kind { NRI_SYNC_END, NRI_SYNC_POD, NRI_SYNC_CONTAINER };

struct nri_sync {
	struct proto_reader reader;
	uint32_t pod_count, container_count; /* of this part */
	bool more;
};

int nri_sync_open(struct nri_sync *sync, struct text payload, struct err *e);

/* The next one's bytes, for nri_decode_pod or nri_decode_container. They may be kept (copied) to be decoded later. */
enum nri_sync_kind nri_sync_next(struct nri_sync *sync, struct text *ret);

int nri_decode_pod(struct text bytes, struct pod_view *ret, struct err *e);
int nri_decode_container(struct text bytes, struct container_view *ret, struct err *e);

/* Its id, and a container's pod, without the rest: to find who belongs together. Empty if there is none. */
struct text nri_peek_id(struct text bytes);
struct text nri_peek_pod_id(struct text container_bytes);
