/* volumeAttributes as lines "key=value": what is taken keeps every rule of volumes/, what is refused has a name and changes nothing. */
#include <stdlib.h>

#include "shim/csi_attributes.h"
#include "shim/text.h"

#define UID "3f1c9a2e-5b77-4c1d-9e0f-aa0000000001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct csi_publish *request, struct text key, struct text value)
{
	if (request->context_count < CSI_CONTEXT_MAX)
		request->context[request->context_count++] = (struct text_pair){key, value};
	else
		request->cut++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[VOLUME_ID_BYTES];
	struct text rest = {(const char *)data, (uint32_t)size}, line, key;
	struct volume volume = {.type = VOLUME_TYPE_MAX_};
	struct err e = {0};

	volume_id(UID, "scratch", id);
	struct csi_publish request = {.volume_id = text_of(id), .target_path = text_of("/k/pods/" UID "/volumes/kubernetes.io~csi/scratch/mount"), .has_capability = true,
				      .is_mount = true, .has_access_mode = true, .access_mode = CSI_SINGLE_NODE_WRITER};
	add(&request, text_of("csi.storage.k8s.io/ephemeral"), text_of("true"));
	add(&request, text_of("csi.storage.k8s.io/pod.name"), text_of("exec-1"));
	add(&request, text_of("csi.storage.k8s.io/pod.namespace"), text_of("team-a"));
	while (text_next(&rest, '\n', &line)) {
		if (!text_next(&line, '=', &key))
			key = text_of("");
		add(&request, key, line);
	}
	if (csi_volume(&request, "/k", &volume, &e) < 0) {
		if (volume.type != VOLUME_TYPE_MAX_ || !*e.text)
			abort();
		return 0;
	}
	volume.size_bytes = volume.size_bytes ? volume.size_bytes : CSI_SIZE_MIN_BYTES;
	volume.inodes = volume.inodes ? volume.inodes : VOLUME_INODES_MIN;
	if (volume_check(&volume, NULL) < 0)
		abort();
	return 0;
}
