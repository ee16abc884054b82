/* nfs_ping.h - does an NFS server answer? The bytes of one NULL call (ONC RPC over TCP) and of its reply. Pure.
 *
 * The NULL procedure of a program does nothing and needs no credentials: it is answered by a server that serves, and no process of
 * ours ever waits in the kernel for it. Sources: RFC 5531 (RPC, record marking), RFC 7530 and RFC 1813 (program 100003). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NFS_PING_BYTES	     44
#define NFS_PING_REPLY_BYTES 512 /* a reply is 28 bytes, and at most 400 more of a verifier */

enum nfs_ping_answer {
	NFS_PING_MORE,	  /* the reply is not whole yet */
	NFS_PING_SERVED,  /* it serves this version */
	NFS_PING_REFUSED, /* it answers, and says that it does not serve it: `ret_why` */
	NFS_PING_BROKEN,  /* no RPC reply to this call: another service listens there */
};

/* `version` of NFS: 3 or 4. */
void nfs_ping_build(uint32_t xid, uint32_t version, uint8_t ret[static NFS_PING_BYTES]);

/* What has been read so far. *ret_why: a text that lives for ever, for people; "" when served. */
enum nfs_ping_answer nfs_ping_read(const uint8_t *bytes, size_t length, uint32_t xid, const char **ret_why);
