/* csi_sockets.h - the two sockets by which the kubelet knows the driver: looked for, made and removed in a child of stokerd.
 *
 * They lie on the kubelet's filesystem, and where that hangs so does every call that names them; bind(2) on a frozen one waits until it is thawed.
 * So nothing of it is done in stokerd's own loop. */
#pragma once

#include "base/config.h"

enum { CSI_SOCKET, CSI_REGISTRATION, CSI_SOCKETS };

enum csi_sockets_state {
	CSI_SOCKETS_NONE, /* no kubelet here has the directory, or they are off: there are none */
	CSI_SOCKETS_KEPT, /* they are as they were */
	CSI_SOCKETS_MADE, /* new ones */
	CSI_SOCKETS_FAILED,
	CSI_SOCKETS_STATE_MAX_
};

/* What is so, and what is wanted. Read by the child: it must stay while the child lives. */
struct csi_sockets_ask {
	const struct config *config; /* where kubelets may be */
	char root[NAME_PATH_BYTES];  /* of the kubelet in whose directories they are; "" = they are not */
	bool off;		     /* there are to be none */
	bool anew;		     /* even if they are there: the kubelet does not try a second time by itself */
};

struct csi_sockets_answer {
	uint32_t state; /* enum csi_sockets_state */
	char root[NAME_PATH_BYTES];
	char text[256]; /* of FAILED: why */
};

#define CSI_REGISTRY_DIR "plugins_registry"

/* For child_fork. */
int csi_sockets_body(void *ask, int channel);

/* When it has ended. With MADE the descriptors are the caller's. */
int csi_sockets_read(int channel, struct csi_sockets_answer *ret, int ret_fds[static CSI_SOCKETS], struct err *e);
