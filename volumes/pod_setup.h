/* pod_setup.h - a volume made as the kubelet makes one for every pod (projected tokens, ConfigMaps, Secrets): directories beneath
 * pods/, a tmpfs on them, the atomic writer's swap of a symbolic link, owner and mode. Names the step that fails: a node on which this
 * does not work shows `FailedMount` and leaves every pod in ContainerCreating.
 *
 * As root, in a process that ends afterwards: it leaves its mount namespace for one of its own, so that the tmpfs cannot stay. Every step
 * that was done is undone in reverse, also after a failure. */
#pragma once

#include <stdint.h>

#include "volumes/enospc.h"

enum pod_setup_step {
	POD_NAMESPACE, /* a mount namespace of our own */
	POD_MKDIR,     /* pods/UID/volumes/kubernetes.io~projected/NAME */
	POD_TMPFS,     /* mounted there */
	POD_PAYLOAD,   /* a directory with the time in its name, and a file in it */
	POD_LINK,      /* ..data_tmp -> that directory */
	POD_SWAP,      /* renamed to ..data */
	POD_OWNER,     /* chown to the fsGroup, chmod with setgid */
	POD_UMOUNT,
	POD_RMDIR,
	POD_STEP_MAX_
};

struct pod_setup {
	uint32_t count; /* steps tried; all but the last went well, and the last too if count is POD_STEP_MAX_ and errnum 0 */
	int32_t errnum; /* of the last one */
};

/* `root` is the kubelet's root directory. */
void pod_setup_run(const char *root, struct pod_setup *ret);

const char *pod_setup_step_name(enum pod_setup_step step);
enum enospc_call pod_setup_step_call(enum pod_setup_step step); /* what enospc.h calls it */
