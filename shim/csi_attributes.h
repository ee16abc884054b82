/* csi_attributes.h - what a pod asks for (volumeAttributes, and what the kubelet adds) as a struct volume. Pure.
 *
 * Judges form only, with a closed list of keys (docs/volumes.md): what is not understood is refused, never left out. Who may have
 * which checkpoint or disk, and how large, is stokerd's to say; size_bytes and inodes are 0 where nothing was asked. */
#pragma once

#include "base/err.h"
#include "shim/csi_message.h"
#include "volumes/volume.h"

#define CSI_SIZE_MIN_BYTES (1ULL << 20) /* 1Mi */
#define CSI_SIZE_MAX_BYTES (1ULL << 40) /* 1Ti */

/* EINVAL: a broken rule, naming the key. ENOTSUP: understood, and not what this driver has (blocks, volumes that stay). */
int csi_volume(const struct csi_publish *request, const char *kubelet_root, struct volume *ret, struct err *e);
