/* supervisor_nri.h - stokerd's side of NRI: keeps stoker-nri running, dials the container runtime's socket for it, and passes on
 * what it tells.
 *
 * The socket is dialled here because stoker-nri may not connect; the descriptor goes to it as a record. One connection for each
 * node: two of them make every CreateContainer fail ("plugins stoker and stoker both tried to set …", koordinator#2334). So a
 * lock is held (flock on RUNTIMEDIR/nri.lock), and stoker-nri holds the same lock: it is free only when the connection is gone.
 * When the runtime is away it is dialled again after 100 ms to 5 s, with jitter; whoever starts first does not matter. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/config.h"
#include "base/log.h"
#include "base/role_child.h"
#include "health/wire.h"

#define SUPERVISOR_NRI_RETRY_MIN_MS 100
#define SUPERVISOR_NRI_RETRY_MAX_MS 5000

struct supervisor_nri_ops {
	void (*on_input)(void *owner, const char *state, const char *detail); /* of the input "nri": ok, degraded, missing, off */
	void (*on_state)(void *owner, const struct wire_nri_state *state);    /* changed, or its counters */
	/* WIRE_EXECUTOR, WIRE_CONTAINER_…, WIRE_POD_STOPPING, WIRE_SYNCHRONIZED, unchecked. False = not understood. */
	bool (*on_record)(void *owner, const struct record *record);
	void (*on_complaint)(void *owner, const struct wire_complaint *complaint); /* its strings end */
};

struct supervisor_nri {
	uv_loop_t *loop;
	const struct log *log;
	const struct supervisor_nri_ops *ops;
	void *owner;
	struct role_child role;
	struct wire_nri_config config; /* as stoker-nri has it */
	struct wire_nri_volumes volumes; /* the same */
	struct wire_nri_state state;   /* its last word */
	struct wire_nri_state earlier; /* counters of stoker-nri before it was started again */
	char lock_path[CONFIG_SOCKET_BYTES + 16];
	int lock_fd;	/* -1 = not held */
	bool connected; /* handed over, and not reported lost */
	uint64_t handed_over_total;
	unsigned failures; /* since it was live, for the back-off */
	bool ended_early;  /* stoker-nri ended before it was live: what the runtime tells may be what ends it */
	uv_timer_t dial;
};

/* Zeroed by the caller. `path` is the executable stoker-nri; "" = there is none. Before the filter is closed. */
void supervisor_nri_start(struct supervisor_nri *nri, uv_loop_t *loop, const struct log *log, const char *path, const struct config *config,
			  const struct supervisor_nri_ops *ops, void *owner);
void supervisor_nri_again(struct supervisor_nri *nri); /* close the connection and make it again: the runtime names all its containers anew */
void supervisor_nri_configure(struct supervisor_nri *nri, const struct config *config);
