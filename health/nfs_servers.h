/* nfs_servers.h - which NFS servers the kernel says do not answer. Bounded, pure: lines and times in, words out. It taints
 * nothing: a server that is down is down for every node. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "health/kmsg.h"
#include "volumes/mount_table.h"

#define NFS_SERVERS_MAX	      16
#define NFS_TIMED_OUT_KEEP_US (5 * 60 * 1000000ULL) /* of a soft mount the kernel does not say when it is over */

struct nfs_server {
	char name[KMSG_SERVER_BYTES];
	enum kmsg_nfs_state state; /* not KMSG_NFS_OK: those are forgotten */
	uint64_t since_us, last_us; /* monotonic */
	uint32_t lines;
};

struct nfs_servers {
	size_t count;
	struct nfs_server server[NFS_SERVERS_MAX];
	bool heard; /* a line has come since the start */
};

/* A line of the kernel. When there is no room, the one that was heard of longest ago gives way. */
void nfs_servers_note(struct nfs_servers *servers, const struct kmsg_nfs *line, uint64_t now_us);

/* Servers that nothing is mounted from any more, and old time-outs, are forgotten. `table` may be NULL: not known now. */
void nfs_servers_forget(struct nfs_servers *servers, const struct mount_table *table, uint64_t now_us);

/* In words. True if all is well. */
bool nfs_servers_say(const struct nfs_servers *servers, uint64_t now_us, char *detail, size_t size);
