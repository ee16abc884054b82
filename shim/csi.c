#include "shim/csi.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "build_config.h"
#include "shim/csi_attributes.h"
#include "shim/csi_code.h"
#include "shim/csi_message.h"
#include "shim/csi_target.h"
#include "shim/text.h"

struct request {
	const struct grpc_call *call;
	struct text message;
	uint64_t now_us;
	uint32_t method;
};

typedef void handle_fn(struct csi *csi, const struct request *request);

static handle_fn get_plugin_info, get_plugin_capabilities, probe, publish, unpublish, get_stats, get_health, get_storage_health, get_capabilities, get_info,
	registration_info, registration_status;

static const struct method {
	enum csi_service service;
	const char *path;
	enum wire_csi_call counted;
	handle_fn *handle;
} methods[] = {
	{CSI_SERVICE_NODE, "/csi.v1.Identity/GetPluginInfo", WIRE_CSI_CALL_OTHER, get_plugin_info},
	{CSI_SERVICE_NODE, "/csi.v1.Identity/GetPluginCapabilities", WIRE_CSI_CALL_OTHER, get_plugin_capabilities},
	{CSI_SERVICE_NODE, "/csi.v1.Identity/Probe", WIRE_CSI_CALL_OTHER, probe},
	{CSI_SERVICE_NODE, "/csi.v1.Node/NodePublishVolume", WIRE_CSI_CALL_PUBLISH, publish},
	{CSI_SERVICE_NODE, "/csi.v1.Node/NodeUnpublishVolume", WIRE_CSI_CALL_UNPUBLISH, unpublish},
	{CSI_SERVICE_NODE, "/csi.v1.Node/NodeGetVolumeStats", WIRE_CSI_CALL_STATS, get_stats},
	{CSI_SERVICE_NODE, "/csi.v1.Node/NodeGetVolumeHealth", WIRE_CSI_CALL_STATS, get_health},
	{CSI_SERVICE_NODE, "/csi.v1.Node/NodeGetStorageHealth", WIRE_CSI_CALL_OTHER, get_storage_health},
	{CSI_SERVICE_NODE, "/csi.v1.Node/NodeGetCapabilities", WIRE_CSI_CALL_OTHER, get_capabilities},
	{CSI_SERVICE_NODE, "/csi.v1.Node/NodeGetInfo", WIRE_CSI_CALL_OTHER, get_info},
	{CSI_SERVICE_REGISTRATION, "/pluginregistration.Registration/GetInfo", WIRE_CSI_CALL_OTHER, registration_info},
	{CSI_SERVICE_REGISTRATION, "/pluginregistration.Registration/NotifyRegistrationStatus", WIRE_CSI_CALL_OTHER, registration_status},
};

/* --- answers --- */

static void answer(struct csi *csi, const struct grpc_call *call, uint32_t method, enum grpc_code code, const char *text, const struct proto_writer *reply)
{
	const enum wire_csi_call counted = methods[method].counted;

	if (code == GRPC_OK && reply && reply->overflow) {
		code = GRPC_INTERNAL;
		text = "the answer is too long";
	}
	csi->counts.calls_total[counted]++;
	csi->counts.failed_total[counted] += code != GRPC_OK;
	csi->ops->answer(csi->owner, call, code, text, code == GRPC_OK && reply ? reply->bytes : NULL, code == GRPC_OK && reply ? reply->length : 0);
}

static void fail(struct csi *csi, const struct request *request, enum grpc_code code, const char *text)
{
	answer(csi, request->call, request->method, code, text, NULL);
}

#define REPLY(writer)                               \
	unsigned char writer##_bytes[CSI_REPLY_BYTES]; \
	struct proto_writer writer = {.bytes = writer##_bytes, .size = sizeof(writer##_bytes)}

/* NULL: an empty message. */
static void reply(struct csi *csi, const struct request *request, const struct proto_writer *writer)
{
	answer(csi, request->call, request->method, GRPC_OK, NULL, writer);
}

/* --- what is known without asking --- */

static void get_plugin_info(struct csi *csi, const struct request *request)
{
	REPLY(w);

	csi_write_plugin_info(&w, STOKER_CSI_DRIVER, STOKER_VERSION);
	reply(csi, request, &w);
}

/* None: there is no controller, and no topology to know. */
static void get_plugin_capabilities(struct csi *csi, const struct request *request)
{
	reply(csi, request, NULL);
}

static void probe(struct csi *csi, const struct request *request)
{
	REPLY(w);

	csi_write_probe(&w, csi->has_config);
	reply(csi, request, &w);
}

static void get_capabilities(struct csi *csi, const struct request *request)
{
	REPLY(w);

	csi_write_capabilities(&w);
	reply(csi, request, &w);
}

static bool is_configured(struct csi *csi, const struct request *request)
{
	if (!csi->has_config)
		fail(csi, request, GRPC_UNAVAILABLE, "stokerd has not said yet which node this is; try again");
	return csi->has_config;
}

static void get_info(struct csi *csi, const struct request *request)
{
	REPLY(w);

	if (!is_configured(csi, request))
		return;
	csi_write_node_info(&w, csi->config.node);
	reply(csi, request, &w);
}

static void get_storage_health(struct csi *csi, const struct request *request)
{
	REPLY(w);

	csi_write_storage_health(&w, &csi->storage);
	reply(csi, request, &w);
}

/* --- registration --- */

static void registration_info(struct csi *csi, const struct request *request)
{
	char endpoint[NAME_PATH_BYTES + sizeof(STOKER_CSI_SOCKET) + 1];
	REPLY(w);

	if (!is_configured(csi, request))
		return;
	snprintf(endpoint, sizeof(endpoint), "%s/%s", csi->config.kubelet_root, STOKER_CSI_SOCKET);
	csi_write_registration(&w, STOKER_CSI_DRIVER, endpoint);
	reply(csi, request, &w);
}

static void registration_status(struct csi *csi, const struct request *request)
{
	struct wire_csi_registered told = {0};
	struct text error;
	bool registered;

	if (csi_decode_status(request->message, &registered, &error) < 0) {
		fail(csi, request, GRPC_INVALID_ARGUMENT, "RegistrationStatus is not understood");
		return;
	}
	told.registered = registered;
	text_copy(told.text, sizeof(told.text), error);
	csi->ops->ask(csi->owner, WIRE_CSI_REGISTERED, 0, &told, sizeof(told));
	reply(csi, request, NULL);
}

/* --- what is asked of stokerd --- */

static void ask(struct csi *csi, const struct request *request, enum wire_type type, const struct volume *volume)
{
	const struct wire_volume record = {.volume = *volume}; /* of which configuration, stokerd says */
	const enum wire_csi_call counted = methods[request->method].counted;
	const bool is_change = counted == WIRE_CSI_CALL_PUBLISH || counted == WIRE_CSI_CALL_UNPUBLISH;
	struct csi_flight *flight = NULL;

	if (is_change && csi_flights_has_change(&csi->flights, &volume->at, request->now_us))
		fail(csi, request, GRPC_ABORTED, "a call about this volume is under way");
	else if (!(flight = csi_flights_begin(&csi->flights, request->now_us)))
		fail(csi, request, GRPC_UNAVAILABLE, "too many calls are under way; try again");
	else {
		flight->call = *request->call;
		flight->method = request->method;
		flight->is_change = is_change;
		flight->at = volume->at;
		if (csi->ops->ask(csi->owner, type, flight->id, &record, sizeof(record)))
			return;
		csi_flights_end(flight);
		fail(csi, request, GRPC_UNAVAILABLE, "stokerd does not read; try again");
	}
}

static void publish(struct csi *csi, const struct request *request)
{
	struct csi_publish asked;
	struct volume volume;
	struct err e = {0};

	if (csi_decode_publish(request->message, &asked) < 0)
		fail(csi, request, GRPC_INVALID_ARGUMENT, "NodePublishVolumeRequest is not understood");
	else if (is_configured(csi, request)) {
		if (csi_volume(&asked, csi->config.kubelet_root, &volume, &e) < 0)
			fail(csi, request, csi_code(e.code), e.text);
		else
			ask(csi, request, WIRE_CSI_PUBLISH, &volume);
	}
}

/* Reads a request that names a volume that is there. `missing`: what a path is that is not of this volume. */
static bool read_named(struct csi *csi, const struct request *request, const char *key, enum grpc_code missing, struct csi_named *named, struct volume_at *ret)
{
	struct err e = {0};

	if (csi_decode_named(request->message, named) < 0)
		fail(csi, request, GRPC_INVALID_ARGUMENT, "the request is not understood");
	else if (named->volume_id.length == 0)
		fail(csi, request, GRPC_INVALID_ARGUMENT, "volume_id: must be given");
	else if (named->path.length == 0 && missing != GRPC_OK) {
		err_rule(&e, EINVAL, "%s: must be given", key);
		fail(csi, request, GRPC_INVALID_ARGUMENT, e.text);
	} else if (!is_configured(csi, request))
		return false;
	else if (named->path.length == 0)
		return true;
	else if (csi_target(key, named->path, csi->config.kubelet_root, ret, &e) < 0)
		fail(csi, request, missing == GRPC_INVALID_ARGUMENT ? missing : GRPC_NOT_FOUND, e.text);
	else if (!csi_target_has_id(ret, named->volume_id))
		fail(csi, request, GRPC_NOT_FOUND, "volume_id: is not that of the pod and the name in the path");
	else
		return true;
	return false;
}

static void unpublish(struct csi *csi, const struct request *request)
{
	struct volume volume = {0};
	struct csi_named named;

	if (read_named(csi, request, "target_path", GRPC_INVALID_ARGUMENT, &named, &volume.at))
		ask(csi, request, WIRE_CSI_UNPUBLISH, &volume);
}

/* What stokerd measured last; it is told that somebody wants to know, and measures anew behind our back. */
static void reply_figures(struct csi *csi, const struct request *request, const struct csi_known_volume *known)
{
	const struct wire_volume asked = {.volume.at = known->at};
	REPLY(w);

	csi_write_stats(&w, &(struct wire_volume_stats){.known = 1, .figures = known->figures});
	reply(csi, request, &w);
	if (request->now_us - known->told_us > CSI_FRESH_US)
		csi->ops->ask(csi->owner, WIRE_CSI_ASKED, 0, &asked, sizeof(asked));
}

static void get_stats(struct csi *csi, const struct request *request)
{
	struct volume volume = {0};
	struct csi_named named;

	if (!read_named(csi, request, "volume_path", GRPC_NOT_FOUND, &named, &volume.at))
		return;
	const struct csi_known_volume *known = csi_known_measured(&csi->known, &volume.at);
	if (known)
		reply_figures(csi, request, known);
	else
		ask(csi, request, WIRE_CSI_GET_STATS, &volume);
}

static void get_health(struct csi *csi, const struct request *request)
{
	struct volume volume = {0};
	struct csi_named named;

	if (!read_named(csi, request, "volume_publish_path", GRPC_OK, &named, &volume.at))
		return;
	if (named.path.length == 0 && !csi_known_find(&csi->known, named.volume_id, &volume.at))
		fail(csi, request, GRPC_NOT_FOUND, "no volume with this id was published since stoker-csi runs; with volume_publish_path it can be found");
	else
		ask(csi, request, WIRE_CSI_GET_STATS, &volume);
}

/* --- what stokerd answers --- */

static void take_result(struct csi *csi, struct csi_flight *flight, const struct volume_result *result)
{
	const enum wire_csi_call counted = methods[flight->method].counted;
	char text[GRPC_TEXT_BYTES];

	if (result->errnum == 0 && counted == WIRE_CSI_CALL_PUBLISH)
		csi_known_add(&csi->known, &flight->at);
	if (result->errnum == 0 && counted == WIRE_CSI_CALL_UNPUBLISH)
		csi_known_remove(&csi->known, &flight->at);
	/* The kernel's own words, or the rule; without either the errno's, and what was done. */
	if (*result->text)
		snprintf(text, sizeof(text), "%s", result->text);
	else
		snprintf(text, sizeof(text), "%s: %s", volume_step_name((enum volume_step)result->step), strerror(result->errnum));
	answer(csi, &flight->call, flight->method, csi_code(result->errnum), result->errnum ? text : NULL, NULL);
}

static void take_stats(struct csi *csi, struct csi_flight *flight, const struct wire_volume_stats *stats)
{
	char id[VOLUME_ID_BYTES];
	REPLY(w);

	if (!stats->known) {
		answer(csi, &flight->call, flight->method, GRPC_NOT_FOUND, "no volume of ours is mounted there", NULL);
		return;
	}
	csi_known_add(&csi->known, &flight->at);
	if (methods[flight->method].handle == get_health) {
		volume_id(flight->at.pod_uid, flight->at.name, id);
		csi_write_volume_health(&w, id, stats);
	} else {
		csi_write_stats(&w, stats);
	}
	answer(csi, &flight->call, flight->method, GRPC_OK, NULL, &w);
}

/* Whoever waits gets an answer, whatever has come. */
static bool take_answer(struct csi *csi, const struct record *record)
{
	const struct volume_result *result = record->header.type == WIRE_CSI_RESULT ? record_payload(record, sizeof(*result)) : NULL;
	const struct wire_volume_stats *stats = record->header.type == WIRE_CSI_STATS ? record_payload(record, sizeof(*stats)) : NULL;
	struct csi_flight *flight = csi_flights_find(&csi->flights, record->header.id);
	bool understood = true;

	if (!flight)
		return true; /* it was given up */
	if (result && str_is_ended(result->text, sizeof(result->text)) && (flight->is_change || result->errnum != 0))
		take_result(csi, flight, result);
	else if (stats && str_is_ended(stats->message, sizeof(stats->message)) && !flight->is_change)
		take_stats(csi, flight, stats);
	else {
		understood = false;
		answer(csi, &flight->call, flight->method, GRPC_INTERNAL, "stokerd's answer is not understood", NULL);
	}
	csi_flights_end(flight);
	return understood;
}

static bool take_config(struct csi *csi, const struct wire_csi_config *config)
{
	if (!config || !str_is_ended(config->node, sizeof(config->node)) || !str_is_ended(config->kubelet_root, sizeof(config->kubelet_root)))
		return false;
	csi->config = *config;
	csi->has_config = true;
	return true;
}

static bool take_storage(struct csi *csi, const struct wire_csi_storage *storage)
{
	if (!storage || !csi_storage_is_sound(storage))
		return false;
	csi->storage = *storage;
	return true;
}

static bool take_figures(struct csi *csi, const struct wire_volume_stats *told, uint64_t now_us)
{
	const bool sound = told && volume_at_check(&told->at, NULL) == 0;

	if (sound)
		csi_known_tell(&csi->known, told, now_us);
	return sound;
}

bool csi_take(struct csi *csi, const struct record *record, uint64_t now_us)
{
	switch (record->header.type) {
	case WIRE_CSI_FIGURES: return take_figures(csi, record_payload(record, sizeof(struct wire_volume_stats)), now_us);
	case WIRE_CSI_CONFIG: return take_config(csi, record_payload(record, sizeof(struct wire_csi_config)));
	case WIRE_CSI_STORAGE: return take_storage(csi, record_payload(record, sizeof(struct wire_csi_storage)));
	case WIRE_CSI_RESULT:
	case WIRE_CSI_STATS: return take_answer(csi, record);
	default: return false;
	}
}

/* --- calls --- */

void csi_open(struct csi *csi, const struct csi_ops *ops, void *owner)
{
	csi->ops = ops;
	csi->owner = owner;
}

void csi_call(struct csi *csi, const struct grpc_call *call, const char *path, struct text message, uint64_t now_us)
{
	struct request request = {.call = call, .message = message, .now_us = now_us};

	for (; request.method < ARRAY_SIZE(methods); request.method++) {
		const struct method *method = &methods[request.method];
		if ((uint32_t)method->service == call->service && strcmp(method->path, path) == 0) {
			method->handle(csi, &request);
			return;
		}
	}
	csi->counts.refused_total++;
	csi->ops->answer(csi->owner, call, GRPC_UNIMPLEMENTED, "this driver has no such method", NULL, 0);
}
