/* supervisor_csi.h - stokerd's side of the CSI driver: keeps stoker-csi running and has the two sockets made that the kubelet knows.
 *
 * The sockets are made here because stoker-csi may not open anything: KUBELET/plugins/csi.stoker.dev/csi.sock first, then
 * KUBELET/plugins_registry/csi.stoker.dev-reg.sock, whose appearing makes the kubelet call both. They are kept, so that a new
 * stoker-csi gets the same, and made again when the kubelet's directories come later or were emptied. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/role_child.h"
#include "health/csi_sockets.h"
#include "health/wire.h"

#define SUPERVISOR_CSI_PENDING 128 /* questions to the broker about volumes, at once */

/* What the broker was asked, for whom. */
struct volume_question {
	uint64_t id;	 /* of the question; 0 = free */
	uint64_t csi_id; /* of stoker-csi's call; 0 = stokerd's own wish */
	uint32_t what;	 /* enum wire_type of the question */
	uint32_t answer; /* WIRE_CSI_RESULT or WIRE_CSI_STATS, with csi_id */
	struct volume_at at;
};

struct supervisor_csi {
	struct role_child role;
	bool started;
	bool off;			/* volumes.csi, or no executable */
	char root[NAME_PATH_BYTES];	/* of the kubelet whose directories the sockets are in; "" = none */
	int fds[CSI_SOCKETS];		/* -1 = none */
	struct child look;		/* who looks for them, and makes them */
	int channel;			/* to it */
	struct csi_sockets_ask ask;
	bool again, anew;		/* look once more; make them in any case */
	uint32_t ticks;
	bool registered;		/* the kubelet said so to this stoker-csi */
	char trouble[256];		/* "" or why there are no sockets, or what the kubelet said */
	struct wire_csi_counts counts;
	struct volume_question questions[SUPERVISOR_CSI_PENDING];
};
