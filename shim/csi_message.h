/* csi_message.h - the messages of CSI and of the kubelet's plugin registration: read as views, written into a buffer. Pure.
 *
 * Only what a node driver of inline volumes needs. Field numbers: CSI 1.12, csi.proto; the two calls of volume health: 1.13; the
 * condition within NodeGetVolumeStats, which 1.13 has removed: 1.12, for kubelets up to 1.36. Registration:
 * k8s.io/kubelet/pkg/apis/pluginregistration/v1. Read with shim/proto.h as NRI is: seven small requests, no allocation. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "health/wire.h"
#include "shim/proto.h"
#include "shim/view.h"

#define CSI_CONTEXT_MAX 64
#define CSI_FLAGS_MAX	16

enum csi_access_mode {
	CSI_ACCESS_UNKNOWN,
	CSI_SINGLE_NODE_WRITER,
	CSI_SINGLE_NODE_READER_ONLY,
	CSI_MULTI_NODE_READER_ONLY,
	CSI_MULTI_NODE_SINGLE_WRITER,
	CSI_MULTI_NODE_MULTI_WRITER,
	CSI_SINGLE_NODE_SINGLE_WRITER,
	CSI_SINGLE_NODE_MULTI_WRITER,
	CSI_ACCESS_MAX_
};

/* NodePublishVolumeRequest. Its secrets are never looked at. */
struct csi_publish {
	struct text volume_id, target_path;
	bool has_capability, is_block, is_mount, has_access_mode, readonly;
	struct text fs_type, mount_group;
	uint64_t access_mode; /* enum csi_access_mode, or what is not known */
	uint32_t flag_count, context_count, cut; /* cut: more flags or pairs than there is room for */
	struct text flags[CSI_FLAGS_MAX];
	struct text_pair context[CSI_CONTEXT_MAX];
};

/* NodeUnpublishVolume, NodeGetVolumeStats, NodeGetVolumeHealth: the id is field 1, the path field 2. */
struct csi_named {
	struct text volume_id, path;
};

/* -EBADMSG: no such message. */
int csi_decode_publish(struct text message, struct csi_publish *ret);
int csi_decode_named(struct text message, struct csi_named *ret);
int csi_decode_status(struct text message, bool *ret_registered, struct text *ret_error); /* RegistrationStatus */

void csi_write_plugin_info(struct proto_writer *writer, const char *name, const char *version);
void csi_write_probe(struct proto_writer *writer, bool ready);
void csi_write_capabilities(struct proto_writer *writer); /* of NodeGetCapabilities */
void csi_write_node_info(struct proto_writer *writer, const char *node);
void csi_write_stats(struct proto_writer *writer, const struct wire_volume_stats *stats);
void csi_write_volume_health(struct proto_writer *writer, const char *volume_id, const struct wire_volume_stats *stats);
void csi_write_storage_health(struct proto_writer *writer, const struct wire_csi_storage *storage);
/* As stokerd tells it: strings that end, and no more than there is room for. */
bool csi_storage_is_sound(const struct wire_csi_storage *storage);

void csi_write_registration(struct proto_writer *writer, const char *name, const char *endpoint); /* PluginInfo */
