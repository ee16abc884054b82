/* csi_target.h - where the kubelet wants a volume: the one form of path that is taken. Pure. */
#pragma once

#include "base/err.h"
#include "shim/view.h"
#include "volumes/volume.h"

/* KUBELET/pods/UID/volumes/kubernetes.io~csi/NAME/mount and nothing else. The path itself goes no further: whoever mounts builds it
 * anew from UID and name. `key` names the field in the error (EINVAL). */
int csi_target(const char *key, struct text path, const char *kubelet_root, struct volume_at *ret, struct err *e);

/* Is it the id that the kubelet makes for this volume? */
bool csi_target_has_id(const struct volume_at *at, struct text id);
