#include "volumes/nfs_ping.h"

#include <string.h>

#include "base/scoped.h"

#define NFS_PROGRAM   100003
#define LAST_FRAGMENT 0x80000000U
#define VERIFIER_MAX  400 /* RFC 5531 §8.2 */

enum { RPC_CALL, RPC_REPLY };
enum { RPC_VERSION = 2 };

static void put(uint8_t *p, uint32_t word)
{
	p[0] = (uint8_t)(word >> 24);
	p[1] = (uint8_t)(word >> 16);
	p[2] = (uint8_t)(word >> 8);
	p[3] = (uint8_t)word;
}

static uint32_t word_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void nfs_ping_build(uint32_t xid, uint32_t version, uint8_t ret[static NFS_PING_BYTES])
{
	/* mark, xid, type, rpcvers, prog, vers, proc NULL, credentials AUTH_NONE of no bytes, verifier likewise */
	const uint32_t words[NFS_PING_BYTES / 4] = {LAST_FRAGMENT | (NFS_PING_BYTES - 4), xid, RPC_CALL, RPC_VERSION, NFS_PROGRAM, version};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		put(ret + 4 * i, words[i]);
}

/* What follows the verifier: accept_stat of RFC 5531 §9. */
static const char *accepted(uint32_t status)
{
	static const char *const words[] = {"", "it does not serve NFS", "it does not serve this version of NFS", "it does not know the procedure NULL",
					    "it does not understand the call", "it has an error of its own"};

	return status < ARRAY_SIZE(words) ? words[status] : "it answers with an unknown status";
}

enum nfs_ping_answer nfs_ping_read(const uint8_t *bytes, size_t length, uint32_t xid, const char **ret_why)
{
	*ret_why = "what listens there does not speak NFS";
	if (length < 4)
		return NFS_PING_MORE;
	const uint32_t mark = word_at(bytes), size = mark & ~LAST_FRAGMENT;
	/* A reply this short comes in one fragment. */
	if (!(mark & LAST_FRAGMENT) || size < 16 || size > NFS_PING_REPLY_BYTES - 4)
		return NFS_PING_BROKEN;
	if (length < 4 + (size_t)size)
		return NFS_PING_MORE;
	const uint8_t *p = bytes + 4;
	if (word_at(p) != xid || word_at(p + 4) != RPC_REPLY)
		return NFS_PING_BROKEN;
	const uint32_t denied = word_at(p + 8);
	*ret_why = "it refuses the call";
	if (denied != 0)
		return denied == 1 ? NFS_PING_REFUSED : NFS_PING_BROKEN;
	if (size < 24)
		return NFS_PING_BROKEN;
	const uint32_t verifier = word_at(p + 16), padded = (verifier + 3) & ~3U;
	if (verifier > VERIFIER_MAX || size < 24 + padded)
		return NFS_PING_BROKEN;
	*ret_why = accepted(word_at(p + 20 + padded));
	return **ret_why ? NFS_PING_REFUSED : NFS_PING_SERVED;
}
