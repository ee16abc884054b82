/* Any message to any method, and any record of stokerd as its answer. The first byte names the method, the second how long the
 * message is, in sixteenths of what is there: the rest is the answer. */
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "shim/csi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t asked;
static unsigned answers;

static bool ask(void *owner, enum wire_type type, uint64_t id, const void *payload, size_t length)
{
	(void)owner;
	(void)type;
	asked = id;
	/* What is asked is read: a sanitizer sees what was never written. */
	for (size_t i = 0; i < length; i++)
		__asm__ volatile("" : : "r"(((const unsigned char *)payload)[i]));
	return true;
}

static void answer(void *owner, const struct grpc_call *call, enum grpc_code code, const char *text, const void *payload, size_t length)
{
	(void)owner;
	(void)call;
	if (code != GRPC_OK && !(text && *text))
		abort(); /* a refusal without a word */
	for (size_t i = 0; i < length; i++)
		__asm__ volatile("" : : "r"(((const unsigned char *)payload)[i]));
	answers++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/csi.v1.Node/NodePublishVolume", "/csi.v1.Node/NodeUnpublishVolume", "/csi.v1.Node/NodeGetVolumeStats", "/csi.v1.Node/NodeGetVolumeHealth", "/csi.v1.Node/NodeGetStorageHealth", "/csi.v1.Identity/Probe", "/pluginregistration.Registration/NotifyRegistrationStatus", "/pluginregistration.Registration/GetInfo"};
	static const struct csi_ops ops = {ask, answer};
	static struct csi csi;
	static struct record record;

	if (size < 2)
		return 0;
	const size_t length = (size - 2) * (data[1] % 17) / 16, left = size - 2 - length;
	const struct text message = {(const char *)data + 2, (uint32_t)length};
	const char *path = paths[data[0] % ARRAY_SIZE(paths)];
	const struct grpc_call call = {.connection = 1, .stream = 1, .service = path[1] == 'p' ? CSI_SERVICE_REGISTRATION : CSI_SERVICE_NODE};

	csi = (struct csi){.has_config = true, .config = {.node = "node", .kubelet_root = "/var/lib/kubelet"}};
	csi_open(&csi, &ops, NULL);
	asked = answers = 0;
	csi_call(&csi, &call, path, message, 1);
	if (asked && left <= sizeof(record.payload)) {
		record.header = (struct record_header){RECORD_VERSION, call.service || data[0] & 1 ? WIRE_CSI_STATS : WIRE_CSI_RESULT, (uint32_t)left, asked};
		memcpy(record.payload, data + 2 + length, left);
		csi_take(&csi, &record, 1);
		if (answers != 1)
			abort(); /* whoever asked is answered, once */
	}
	return 0;
}
