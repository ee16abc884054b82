/* volume_work.h - what is done about one volume, in a child of the broker that stands in the host's mount namespace and may be killed at
 * any step. Every step that fails is undone in reverse, every one that was cut off is found and finished by the next request.
 *
 * Each returns 0 or -errno with the words in `e`; `result` says how far it came, whether it was so before, and the sizes. Idempotent:
 *
 *                    nothing there   ours, as asked   ours, other attributes   somebody else's mount   a file or a link
 *   volume_make      mounted         already          EEXIST                   EBUSY                   ENOTDIR, ELOOP
 *   volume_remove    already         unmounted        unmounted                EBUSY                   ENOTDIR, ELOOP
 *   volume_bound     ENOENT          bounded          bounded                  EBUSY                   ENOTDIR, ELOOP
 *
 * What is somebody else's is never touched. */
#pragma once

#include <stdbool.h>

#include "base/config.h"
#include "base/err.h"
#include "volumes/volume.h"

typedef int volume_work(const struct config *config, const struct volume *volume, struct volume_result *result, struct err *e);

volume_work volume_make;
volume_work volume_remove; /* of these and the rest only `at` counts */
volume_work volume_bound;  /* and the bounds; also of the kubelet's own tmpfs */
volume_work volume_stat;
volume_work checkpoint_look; /* checkpoint_look.c: the same of the node's mount of one, and what its calls took */
volume_work volume_empty; /* volume_empty.c; the sizes are those of before */

/* Into *result. */
int volume_measure(int root_fd, struct volume_result *result, struct err *e);

/* The root (O_PATH) of a volume that is there and is ours, or of the kubelet's emptyDir: a tmpfs, and with `directory` also one on disk.
 * *ret_type is VOLUME_NONE for the kubelet's. */
int volume_open_root(const struct config *config, const struct volume_at *at, bool directory, enum volume_type *ret_type, struct err *e);
