/* disk_volume.h - a volume on a disk of the node: a directory DISK/.stoker-volumes/UID.NAME with a project quota, bound to its place.
 *
 * The name tells whose it is, the mark (volume_mark.h) what was asked for; it is set last, so a directory without one was never in use.
 * What it holds outlives a reboot, as an emptyDir does: the next publish binds it again. A removed one is first taken out of reach
 * (UID.NAME.gone), then emptied, as far as there is time; the next request goes on. For the broker's children. */
#pragma once

#include "base/config.h"
#include "base/err.h"
#include "volumes/volume.h"
#include "volumes/volume_spot.h"

#define DISK_VOLUME_DIRECTORY ".stoker-volumes"
#define DISK_VOLUME_GONE      ".gone"

int disk_volume_make(const struct config *config, const struct volume *volume, const struct volume_spot *spot, struct volume_result *result, struct err *e);

/* On whichever disk it lies; its place was left before. 1 = removed, 0 = there was none, -EAGAIN: ask again. */
int disk_volume_remove(const struct config *config, const struct volume_at *at, struct err *e);
