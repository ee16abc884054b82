/* supervisor_checkpoints.h - stokerd's checkpoints: mounts on this node what is wanted, watches their servers, replaces what is stale.
 *
 * A checkpoint is mounted when it is first wanted: by a pod that asks for it, or by the configuration, when a policy injects it or pods
 * may choose it by annotation. What an earlier life has mounted is found by a look. Each has at most one request to the broker and one ping under way, so a server that hangs costs the others
 * nothing. States: health/checkpoint.h. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/config.h"
#include "base/record.h"
#include "health/checkpoint.h"
#include "health/kmsg.h"
#include "health/nfs_pinger.h"
#include "health/wire.h"

#define CHECKPOINTS_LOOK_TICKS	 6		    /* a statfs of a healthy one at every 6th probe.period */
#define CHECKPOINTS_RETRY_MAX_US (60 * 1000000ULL) /* of a mount that fails; from 1 s, doubled each time */
#define CHECKPOINTS_EAGER_US	 (1000 * 1000ULL)  /* between two pings of one that is not reachable */

struct supervisor;

struct checkpoint_watch {
	struct supervisor *supervisor;
	struct config_checkpoint config;
	struct checkpoint health;
	uint64_t since_wall_us;
	char address[CONFIG_ADDRESS_BYTES]; /* "" = a name, which the broker looks up with the first mount */
	bool looked;  /* whether it is mounted is known */
	bool mounted, wanted;
	uint64_t asked; /* id of the request to the broker; 0 = none */
	uint32_t asked_what; /* enum wire_type */
	unsigned failures; /* of mounts, in a row */
	uint64_t again_us, looked_us, pinged_us;
	uint64_t calls, wait_ms; /* of the mount, at the last look */
	struct nfs_pinger pinger;
};

struct supervisor_checkpoints {
	uint32_t count;
	struct checkpoint_watch watch[CONFIG_CHECKPOINTS_MAX]; /* as numbered in the configuration */
	uint32_t ready; /* as stoker-nri was told */
	struct wire_csi_storage storage; /* as stoker-csi was told */
	uv_timer_t tick;
};

void supervisor_checkpoints_start(struct supervisor *supervisor);
void supervisor_checkpoints_configure(struct supervisor *supervisor);
void supervisor_checkpoints_broker(struct supervisor *supervisor, bool up);

/* A pod is given it: it is to be mounted, and watched from now on. */
void supervisor_checkpoint_want(struct supervisor *supervisor, uint32_t index);

/* May pods be given it now? If not, `why` says in words what is wrong. */
bool supervisor_checkpoint_usable(const struct supervisor *supervisor, uint32_t index, char *why, size_t size);

bool supervisor_checkpoints_answer(struct supervisor *supervisor, const struct record *record); /* of the broker; true if it was one */
bool supervisor_checkpoints_refused(struct supervisor *supervisor, uint64_t id, const struct wire_refused *refused, const char *why);
void supervisor_checkpoints_kmsg(struct supervisor *supervisor, const struct kmsg_nfs *line);

/* supervisor_checkpoints_tell.c: everybody, what has changed for them; or one of them. */
void supervisor_checkpoints_tell(struct supervisor *supervisor);
void supervisor_checkpoints_tell_monitor(struct supervisor *supervisor);
void supervisor_checkpoints_tell_nri(struct supervisor *supervisor, bool anew); /* which are ready; `anew`: it knows nothing */
void supervisor_checkpoints_tell_csi(struct supervisor *supervisor, bool anew); /* which servers are ill; likewise */
