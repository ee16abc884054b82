/* checkpoint_mount.h - the part of a volume's work that knows NFS: called by volume_work.c in a child of the broker, which has a deadline
 * (volumes.checkpointDeadline) and may be killed at any step. */
#pragma once

#include "base/config.h"
#include "base/err.h"
#include "volumes/volume.h"
#include "volumes/volume_spot.h"

/* Mounts the export on the node (VOLUME_AT_NODE) or binds it to the pod's place (VOLUME_AT_CSI), or finds that it is so already. Sets
 * step, already and what is known of the sizes; the caller adds the error. */
int checkpoint_mount(const struct config *config, const struct volume *volume, struct volume_result *result, struct err *e);

/* Is what is mounted at this spot one of the exports of the configuration? Told without waiting for its server. 1 or 0. */
int checkpoint_is_mounted(const struct config *config, const struct volume_spot *spot, struct err *e);
