/* volume_id.c - the kubelet's id of an inline volume; apart from volume.c, since only who speaks CSI needs libnettle. */
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "volumes/volume.h"

void volume_id(const char *pod_uid, const char *name, char ret[static VOLUME_ID_BYTES])
{
	struct sha256_ctx context;
	uint8_t digest[SHA256_DIGEST_SIZE];
	char *end = ret + sprintf(ret, "csi-");

	sha256_init(&context);
	sha256_update(&context, strlen(pod_uid), (const uint8_t *)pod_uid);
	sha256_update(&context, strlen(name), (const uint8_t *)name);
	sha256_digest(&context, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		end += snprintf(end, 3, "%02x", digest[i]);
}
