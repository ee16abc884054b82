/* volume_spot.h - the place of a volume: found beneath its root, looked at without touching what is mounted there, taken and left in
 * one step each.
 *
 * The place is a name in a directory that is kept open (O_PATH): what is above it may be renamed or become a symbolic link meanwhile, and
 * nothing else is reached. The kubelet makes that directory, we make and remove the place in it. For the broker's children. */
#pragma once

#include <stdbool.h>

#include "base/config.h"
#include "base/err.h"
#include "volumes/volume.h"

struct volume_spot {
	int parent_fd; /* owned; -1 = not open */
	char name[VOLUME_NAME_BYTES];
};
#define VOLUME_SPOT_CLOSED {.parent_fd = -1}

enum volume_there {
	VOLUME_THERE_NOTHING,
	VOLUME_THERE_DIRECTORY,
	VOLUME_THERE_MOUNT, /* whose, volume_mark.h tells */
};

/* -ENOENT: the directory is not there: the pod is gone, or the kubelet has not made it. */
int volume_spot_open(const struct config *config, const struct volume_at *at, struct volume_spot *ret, struct err *e);
void volume_spot_drop(struct volume_spot *spot);

/* enum volume_there; -ENOTDIR or -ELOOP: a file or a symbolic link, which is left alone. Never waits for a server. */
int volume_spot_look(const struct volume_spot *spot, struct err *e);

/* The root of what is mounted there, or the directory; `flags` as for open(2): O_PATH does not wait for a server. */
int volume_spot_enter(const struct volume_spot *spot, int flags, struct err *e);

/* Puts a detached mount (fsmount(2), open_tree(2)) there; makes the directory. After an error all is as it was before. */
int volume_spot_attach(const struct volume_spot *spot, int mount_fd, struct err *e);

/* The same for kernels before 5.2: the directory is made and `bind_path` bound to it. */
int volume_spot_bind(const struct volume_spot *spot, const char *bind_path, struct err *e);

/* Takes the mount away, at once also when files on it are open: then it is detached, and ends with the last of them. It is not looked
 * at, so a dead server does not matter. Returns 1 if it was in use, else 0. */
int volume_spot_detach(const struct volume_spot *spot, struct err *e);

/* Removes the directory. 0 also if there is none. */
int volume_spot_clear(const struct volume_spot *spot, struct err *e);
