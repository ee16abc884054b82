/* A volume as a peer of the broker sends it: whatever is taken cannot lead anywhere else. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "volumes/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_one_name(const char *name)
{
	if (strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct volume v = {0};
	struct err e = {0};
	char around[VOLUME_SUB_PATH_BYTES + 3] = "/";

	memcpy(&v, data, size < sizeof(v) ? size : sizeof(v));
	if (volume_at_check(&v.at, &e) == 0) {
		must_be_one_name(v.at.pod_uid);
		must_be_one_name(v.at.name);
	}
	if (volume_check(&v, &e) < 0) {
		if (e.code <= 0 || !e.text[0])
			abort();
		return 0;
	}
	strcat(strcat(around, v.sub_path), "/");
	if (strstr(around, "/../") || strstr(around, "/./") || v.sub_path[0] == '/')
		abort();
	if (v.type != VOLUME_CHECKPOINT && (v.size_bytes < VOLUME_SIZE_MIN_BYTES || v.inodes < VOLUME_INODES_MIN))
		abort();
	if (volume_digest(&v) == 0)
		abort();
	return 0;
}
