/* nfs_mount.h - an NFS export mounted, detached as yet: what mount.nfs(8) does, without its program.
 *
 * Every option is named, so that nothing of the host's nfsmount.conf has a say. The kernel waits for the server: the caller is a child
 * that is killed at its deadline, and its waits are killable. Linux 5.2. */
#pragma once

#include "base/config_volumes.h"
#include "base/err.h"

#define NFS_SOURCE_BYTES (NAME_NODE_BYTES + CONFIG_VOLUME_PATH_BYTES + 4)

/* As the mount table shows it, and the kernel names the server: "nas1:/spark", "[fd00::1]:/spark". */
void nfs_source(const struct config_checkpoint *checkpoint, char ret[static NFS_SOURCE_BYTES]);

/* A descriptor of the detached mount, nosuid, nodev and noexec, shared by all mounts of this server. checkpoint->address must be set.
 * Version 4: the newest minor version that both sides have. Version 3: without locks, since nobody here runs rpc.statd. The error holds
 * the kernel's words. */
int nfs_mount(const struct config_checkpoint *checkpoint, struct err *e);
