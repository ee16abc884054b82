/* nfs_pinger.h - one question to an NFS server, over a TCP connection of its own that ends with it: does it serve?
 *
 * On the loop: connecting, writing and reading never wait. One struct for each server, one question at a time. The loop's network
 * namespace must be the host's, as the DaemonSet has it (hostNetwork). */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "volumes/nfs_ping.h"

#define NFS_PINGER_DEADLINE_US (5 * 1000000ULL)
#define NFS_PINGER_EAGER_US    (1000 * 1000ULL) /* for the connection to one that is known to be gone: it is asked for anew soon */

struct nfs_pinger;

/* `why` "" = it serves. The question is over: another may be asked at once. */
typedef void nfs_pinger_answered(struct nfs_pinger *pinger, uint64_t duration_us, const char *why);

struct nfs_pinger {
	uv_loop_t *loop;
	void *owner;
	nfs_pinger_answered *on_answer;
	int fd;		   /* -1 = none is asked */
	bool sent, eager, closing; /* closing: the poll handle is not closed yet */
	uint32_t xid;
	uint64_t started_us;
	size_t length;
	uint8_t call[NFS_PING_BYTES], reply[NFS_PING_REPLY_BYTES];
	uv_poll_t poll;
	uv_timer_t deadline;
};

void nfs_pinger_init(struct nfs_pinger *pinger, uv_loop_t *loop, nfs_pinger_answered *on_answer, void *owner);

/* An address, no name; version 3 or 4. False: one is under way. What cannot be asked is answered too, before this returns. `eager`: gives
 * up a connection that does not come within NFS_PINGER_EAGER_US, since the kernel asks again later and later. */
bool nfs_pinger_ask(struct nfs_pinger *pinger, const char *address, uint32_t port, uint32_t version, bool eager);
void nfs_pinger_stop(struct nfs_pinger *pinger); /* without an answer */
