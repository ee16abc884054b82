#include "shim/nri_message.h"

#include <errno.h>

#include "base/scoped.h"
#include "shim/nri_view.h"
#include "shim/text.h"

/* Where an event's own message holds what: a number that is not there is 0, which no field has. */
struct layout {
	uint32_t pod, container, resources;
};

static const struct layout of_pod = {1, 0, 0}, of_pod_update = {1, 0, 3}, of_container = {1, 2, 0}, of_container_update = {1, 2, 3},
			   of_state_change = {2, 3, 0};
#define STATE_CHANGE_EVENT 1

static const struct {
	const char *name;
	enum nri_method method;
	enum nri_event_kind kind;
	const struct layout *layout;
} methods[] = {
	/* the hot ones first */
	{"CreateContainer", NRI_METHOD_EVENT, NRI_CREATE_CONTAINER, &of_container},
	{"StateChange", NRI_METHOD_EVENT, NRI_EVENT_NONE, &of_state_change},
	{"RunPodSandbox", NRI_METHOD_EVENT, NRI_RUN_POD, &of_pod},
	{"PostStartContainer", NRI_METHOD_EVENT, NRI_POST_START_CONTAINER, &of_container},
	{"StopContainer", NRI_METHOD_EVENT, NRI_STOP_CONTAINER, &of_container},
	{"RemoveContainer", NRI_METHOD_EVENT, NRI_REMOVE_CONTAINER, &of_container},
	{"RemovePodSandbox", NRI_METHOD_EVENT, NRI_REMOVE_POD, &of_pod},
	{"UpdateContainer", NRI_METHOD_EVENT, NRI_UPDATE_CONTAINER, &of_container_update},
	{"Configure", NRI_METHOD_CONFIGURE, NRI_EVENT_NONE, NULL},
	{"Synchronize", NRI_METHOD_SYNCHRONIZE, NRI_EVENT_NONE, NULL},
	{"Shutdown", NRI_METHOD_SHUTDOWN, NRI_EVENT_NONE, NULL},
	{"StopPodSandbox", NRI_METHOD_EVENT, NRI_STOP_POD, &of_pod},
	{"PostCreateContainer", NRI_METHOD_EVENT, NRI_POST_CREATE_CONTAINER, &of_container},
	{"StartContainer", NRI_METHOD_EVENT, NRI_START_CONTAINER, &of_container},
	{"PostUpdateContainer", NRI_METHOD_EVENT, NRI_POST_UPDATE_CONTAINER, &of_container},
	{"UpdatePodSandbox", NRI_METHOD_EVENT, NRI_UPDATE_POD, &of_pod_update},
	{"PostUpdatePodSandbox", NRI_METHOD_EVENT, NRI_POST_UPDATE_POD, &of_pod},
	{"ValidateContainerAdjustment", NRI_METHOD_EVENT, NRI_VALIDATE_ADJUSTMENT, &of_container},
};

const char *nri_event_name(enum nri_event_kind kind)
{
	for (size_t i = 0; kind != NRI_EVENT_NONE && i < ARRAY_SIZE(methods); i++)
		if (methods[i].kind == kind)
			return methods[i].name;
	return "unknown";
}

enum nri_method nri_method_of(const struct ttrpc_request *request, enum nri_event_kind *ret_kind)
{
	*ret_kind = NRI_EVENT_NONE;
	if (!text_is(request->service, NRI_SERVICE_PLUGIN))
		return NRI_METHOD_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (text_is(request->method, methods[i].name)) {
			*ret_kind = methods[i].kind;
			return methods[i].method;
		}
	}
	return NRI_METHOD_UNKNOWN;
}

static int no_protobuf(struct err *e, const char *what)
{
	return err_rule(e, EBADMSG, "the runtime's %s is cut short or no protobuf", what);
}

int nri_decode_configure(struct text payload, struct nri_configure *ret, struct err *e)
{
	struct nri_configure configure = {0};
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, payload);
	while ((r = proto_next(&reader, &field)) > 0) {
		switch (field.tag) {
		case PROTO_TAG(1, PROTO_BYTES): configure.config = field.bytes; break;
		case PROTO_TAG(2, PROTO_BYTES): configure.runtime_name = field.bytes; break;
		case PROTO_TAG(3, PROTO_BYTES): configure.runtime_version = field.bytes; break;
		case PROTO_TAG(4, PROTO_VARINT): configure.registration_timeout_ms = (int64_t)field.value; break;
		case PROTO_TAG(5, PROTO_VARINT): configure.request_timeout_ms = (int64_t)field.value; break;
		case PROTO_TAG(6, PROTO_BYTES): configure.nri_version = field.bytes; break;
		default: break;
		}
	}
	if (r < 0)
		return no_protobuf(e, "Configure");
	*ret = configure;
	return 0;
}

static const struct layout *layout_of(enum nri_event_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (methods[i].layout && methods[i].kind == kind)
			return methods[i].layout;
	return &of_pod;
}

static int read_event(struct text payload, const struct layout *layout, struct nri_event *event)
{
	struct proto_reader reader;
	struct proto_field field;
	int r, inner = 0;

	proto_open(&reader, payload);
	while (inner == 0 && (r = proto_next(&reader, &field)) > 0) {
		if (field.tag == PROTO_TAG(layout->pod, PROTO_BYTES)) {
			event->has_pod = true;
			inner = nri_read_pod(field.bytes, &event->pod);
		} else if (field.tag == PROTO_TAG(layout->container, PROTO_BYTES)) {
			event->has_container = true;
			inner = nri_read_container(field.bytes, &event->container);
		} else if (field.tag == PROTO_TAG(layout->resources, PROTO_BYTES)) {
			inner = nri_read_memory_limit(field.bytes, &event->has_memory_limit, &event->memory_limit_bytes);
		} else if (event->state_change && field.tag == PROTO_TAG(STATE_CHANGE_EVENT, PROTO_VARINT)) {
			uint32_t kind = (uint32_t)field.value;
			event->kind = kind < NRI_EVENT_KIND_MAX_ ? (enum nri_event_kind)kind : NRI_EVENT_NONE;
		}
	}
	return inner < 0 ? inner : r;
}

int nri_decode_event(enum nri_event_kind kind, struct text payload, struct nri_event *ret, struct err *e)
{
	ret->kind = kind;
	ret->state_change = kind == NRI_EVENT_NONE;
	ret->has_pod = ret->has_container = ret->has_memory_limit = false;
	ret->memory_limit_bytes = 0;
	nri_clear_pod(&ret->pod);
	nri_clear_container(&ret->container);
	if (read_event(payload, layout_of(kind), ret) < 0)
		return no_protobuf(e, kind == NRI_EVENT_NONE ? "StateChange" : nri_event_name(kind));
	return 0;
}

#define SYNC_PODS	PROTO_TAG(1, PROTO_BYTES)
#define SYNC_CONTAINERS PROTO_TAG(2, PROTO_BYTES)
#define SYNC_MORE	PROTO_TAG(3, PROTO_VARINT)

/* One walk over the outer message: after it nri_sync_next cannot fail. */
int nri_sync_open(struct nri_sync *sync, struct text payload, struct err *e)
{
	struct nri_sync found = {0};
	struct proto_reader reader;
	struct proto_field field;
	int r;

	proto_open(&reader, payload);
	while ((r = proto_next(&reader, &field)) > 0) {
		found.pod_count += field.tag == SYNC_PODS;
		found.container_count += field.tag == SYNC_CONTAINERS;
		if (field.tag == SYNC_MORE)
			found.more = field.value != 0;
	}
	if (r < 0)
		return no_protobuf(e, "Synchronize");
	proto_open(&found.reader, payload);
	*sync = found;
	return 0;
}

enum nri_sync_kind nri_sync_next(struct nri_sync *sync, struct text *ret)
{
	struct proto_field field;

	while (proto_next(&sync->reader, &field) > 0) {
		if (field.tag != SYNC_PODS && field.tag != SYNC_CONTAINERS)
			continue;
		*ret = field.bytes;
		return field.tag == SYNC_PODS ? NRI_SYNC_POD : NRI_SYNC_CONTAINER;
	}
	return NRI_SYNC_END;
}

int nri_decode_pod(struct text bytes, struct pod_view *ret, struct err *e)
{
	nri_clear_pod(ret);
	return nri_read_pod(bytes, ret) < 0 ? no_protobuf(e, "pod") : 0;
}

int nri_decode_container(struct text bytes, struct container_view *ret, struct err *e)
{
	nri_clear_container(ret);
	return nri_read_container(bytes, ret) < 0 ? no_protobuf(e, "container") : 0;
}

static struct text peek(struct text bytes, uint32_t tag)
{
	struct text found = {0};
	struct proto_reader reader;
	struct proto_field field;

	proto_open(&reader, bytes);
	while (proto_next(&reader, &field) > 0)
		if (field.tag == tag)
			found = field.bytes;
	return found;
}

struct text nri_peek_id(struct text bytes)
{
	return peek(bytes, PROTO_TAG(1, PROTO_BYTES));
}

struct text nri_peek_pod_id(struct text container_bytes)
{
	return peek(container_bytes, PROTO_TAG(2, PROTO_BYTES));
}
