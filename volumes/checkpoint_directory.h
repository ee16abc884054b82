/* checkpoint_directory.h - the directory beneath an export that a pod gets (subPath): found, or made and given to the pod's user.
 *
 * All of it asks the server: for a child with a deadline. Never across a symbolic link, and never onto another filesystem of the server:
 * a referral could lead to a server that nobody has allowed. */
#pragma once

#include "base/err.h"
#include "volumes/volume.h"

/* O_PATH. "" = the export itself. A directory that is there keeps its owner and mode. */
int checkpoint_directory(int export_fd, const struct volume *volume, struct err *e);
