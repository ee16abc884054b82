/* checkpoint_mount.h - the part of a volume's work that knows NFS: called by volume_work.c in a child of the broker, which has a deadline
 * (volumes.checkpointDeadline) and may be killed at any step.
 *
 * An export is mounted once on the node, at RUNTIMEDIR/checkpoints/NAME, and bound from there into pods. It is built detached and moved
 * to its place in one step: a child that is killed while the server hangs leaves nothing. A stale mount is replaced by removing it from
 * that place and mounting anew: pods that have it keep it until they end, the next ones get the new one. */
#pragma once

#include "base/config.h"
#include "base/err.h"
#include "volumes/volume.h"
#include "volumes/volume_spot.h"

/* Mounts the export on the node (VOLUME_AT_NODE), or binds it or its sub path to the pod's place (VOLUME_AT_CSI), mounted before if need
 * be; or finds that it is so already. Sets step and already; the caller adds the error. Only a sub path, and the first mount of an
 * export, wait for the server. -EDESTADDRREQ: it has to be mounted, and the checkpoint's `address` is not set. Of VOLUME_AT_NODE the
 * result's text is the address that is used. */
int checkpoint_mount(const struct config *config, const struct volume *volume, struct volume_result *result, struct err *e);

/* Is what is mounted at this spot an NFS export of the configuration, or one that is mounted on the node? Told
 * without waiting for its server. 1 or 0. */
int checkpoint_is_mounted(const struct config *config, const struct volume_spot *spot, struct err *e);
