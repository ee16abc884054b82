/* nfs_wait.h - waiting in user space until an NFS server answers: before the kernel is asked to mount from it.
 *
 * A first mount of a server that hangs leaves a half-made client in the kernel, which the next mount of that server waits for, also when
 * the server is back: one hung mount spoils the later ones. So the kernel is asked only when a NULL call was answered. For a process of its own: it blocks, and what a server sends is foreign. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config_volumes.h"
#include "base/err.h"

#define NFS_WAIT_ADDRESSES_MAX 8

struct nfs_addresses {
	size_t count;
	char address[NFS_WAIT_ADDRESSES_MAX][CONFIG_ADDRESS_BYTES];
};

/* "192.0.2.7", "fd00::1": no name that is to be looked up. */
bool nfs_is_address(const char *server);

/* A connection that is under way, non-blocking: -1 with errno. An address, no name; port 0 = 2049. */
int nfs_dial(const char *address, uint32_t port);

/* The first of the addresses, asked in turn, from which the call is answered: its index. An answer that refuses is one: the kernel says
 * it better. -ETIMEDOUT after `patience_us`, with what was wrong with the last one. */
int nfs_wait(const struct nfs_addresses *addresses, uint32_t port, uint32_t version, uint64_t patience_us, struct err *e);
