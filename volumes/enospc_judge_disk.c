#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/scoped.h"
#include "volumes/enospc_judge.h"

#define USUAL_BLOCK_BYTES 4096
#define INODE_CHUNK_BYTES (1024 * 1024) /* of XFS, and room for its being in pieces */

/* What is left when a filesystem is full all the same: a file of one block needs others for its map or its name. XFS makes inodes in
 * chunks and keeps some room for its trees. */
static uint64_t slack_of(uint64_t block_bytes, bool is_xfs)
{
	return block_bytes * (is_xfs ? 128 : 4);
}

/* ext4 keeps 2 % (at most 4096 blocks) as free for its own delayed work: not for root either, whatever tune2fs -m says. statfs(2) leaves
 * the metadata out of the total, so a little more than 2 % of it. */
static uint64_t without_own_reserve(uint64_t free_bytes, uint64_t total_bytes, uint64_t block_bytes)
{
	uint64_t own = total_bytes / 40 < 4096 * block_bytes ? total_bytes / 40 : 4096 * block_bytes;

	return free_bytes > own ? free_bytes - own : 0;
}

static uint64_t block_of(const struct enospc_facts *f)
{
	return enospc_known(f, NUMBER_BLOCK_BYTES) ? f->number[NUMBER_BLOCK_BYTES] : USUAL_BLOCK_BYTES;
}

static uint64_t slack(const struct enospc_facts *f)
{
	return slack_of(block_of(f), strcmp(f->fs_type, "xfs") == 0);
}

static uint64_t free_for_root(const struct enospc_facts *f)
{
	uint64_t free_bytes = f->number[NUMBER_BYTES_FREE];

	return strcmp(f->fs_type, "ext4") == 0 && enospc_known(f, NUMBER_BYTES_TOTAL) ?
		       without_own_reserve(free_bytes, f->number[NUMBER_BYTES_TOTAL], block_of(f)) : free_bytes;
}

enum enospc_confidence enospc_judge_space(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (!enospc_known(f, NUMBER_BYTES_FREE) || !enospc_known(f, NUMBER_BYTES_TOTAL)) {
		enospc_say(a, "statfs could not be read");
		return CONFIDENCE_UNKNOWN;
	}
	uint64_t free_bytes = f->number[NUMBER_BYTES_FREE], total = f->number[NUMBER_BYTES_TOTAL];
	if (total == 0) {
		enospc_say(a, "no limit of bytes");
		return CONFIDENCE_RULED_OUT;
	}
	enospc_say(a, "%" PRIu64 " of %" PRIu64 " KiB are free", free_bytes >> 10, total >> 10);
	return free_for_root(f) < slack(f) ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

enum enospc_confidence enospc_judge_reserved(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (!enospc_known(f, NUMBER_BYTES_FREE) || !enospc_known(f, NUMBER_BYTES_AVAILABLE)) {
		enospc_say(a, "statfs could not be read");
		return CONFIDENCE_UNKNOWN;
	}
	uint64_t free_bytes = f->number[NUMBER_BYTES_FREE], available = f->number[NUMBER_BYTES_AVAILABLE];
	enospc_say(a, "%" PRIu64 " KiB are free, of them %" PRIu64 " KiB for ordinary users", free_bytes >> 10, available >> 10);
	return available < slack(f) && free_for_root(f) >= slack(f) ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

enum enospc_confidence enospc_judge_inodes(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (!enospc_known(f, NUMBER_INODES_FREE) || !enospc_known(f, NUMBER_INODES_TOTAL)) {
		enospc_say(a, "statfs could not be read");
		return CONFIDENCE_UNKNOWN;
	}
	if (f->number[NUMBER_INODES_TOTAL] == 0) {
		enospc_say(a, "no limit of inodes");
		return CONFIDENCE_RULED_OUT;
	}
	enospc_say(a, "%" PRIu64 " of %" PRIu64 " inodes are free", f->number[NUMBER_INODES_FREE], f->number[NUMBER_INODES_TOTAL]);
	return f->number[NUMBER_INODES_FREE] == 0 ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

enum enospc_confidence enospc_judge_quota(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	static const struct {
		enum enospc_number used;
		const char *noun;
		bool kib;
	} row[] = {
		{NUMBER_USER_BYTES, "KiB of uid", true},	  {NUMBER_USER_INODES, "inodes of uid", false},
		{NUMBER_GROUP_BYTES, "KiB of gid", true},	  {NUMBER_GROUP_INODES, "inodes of gid", false},
		{NUMBER_PROJECT_BYTES, "KiB of project", true}, {NUMBER_PROJECT_INODES, "inodes of project", false},
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint64_t used = f->number[row[i].used], limit = f->number[row[i].used + 1];
		if (used == ENOSPC_UNKNOWN || limit == ENOSPC_UNKNOWN)
			continue;
		any = true;
		/* less than a block below the limit is at the limit */
		if (limit != ENOSPC_UNLIMITED && used + (row[i].kib ? 4096 : 1) > limit) {
			a->numbers[0] = '\0';
			enospc_say(a, "%" PRIu64 " of at most %" PRIu64 " %s %u", row[i].kib ? used >> 10 : used, row[i].kib ? limit >> 10 : limit, row[i].noun,
			    row[i].used < NUMBER_PROJECT_BYTES ? f->uid : f->project);
			return CONFIDENCE_SEEN;
		}
	}
	if (what->errnum == EDQUOT) {
		enospc_say(a, "the kernel answers EDQUOT");
		return CONFIDENCE_LIKELY;
	}
	enospc_say(a, any ? "quotas of uid %u and its project are not used up" : "no quota could be read for uid %u", f->uid);
	return any ? CONFIDENCE_RULED_OUT : CONFIDENCE_UNKNOWN;
}

enum enospc_confidence enospc_judge_directory(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (!enospc_known(f, NUMBER_NAMELESS_WORKS)) {
		enospc_say(a, "a file without a name was not tried");
		return CONFIDENCE_UNKNOWN;
	}
	if (f->number[NUMBER_NAMELESS_WORKS] == 0) {
		enospc_say(a, "a file without a name fails too");
		return CONFIDENCE_RULED_OUT;
	}
	enospc_say(a, "a file without a name can be made there, a name in the directory cannot");
	return CONFIDENCE_SEEN;
}

enum enospc_confidence enospc_judge_xattr(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	enum enospc_confidence count = CONFIDENCE_RULED_OUT, bytes;

	if (what->object == ENOSPC_CGROUP2 || what->object == ENOSPC_CGROUP1) {
		count = enospc_reached(f, NUMBER_XATTRS, NUMBER_XATTRS_MAX, "user attributes", a);
		enospc_say(a, ", ");
	}
	bytes = enospc_reached(f, NUMBER_XATTR_BYTES, NUMBER_XATTR_BYTES_MAX, "bytes of them", a);
	if (count == CONFIDENCE_SEEN || bytes == CONFIDENCE_SEEN)
		return CONFIDENCE_SEEN;
	return count == CONFIDENCE_UNKNOWN || bytes == CONFIDENCE_UNKNOWN ? CONFIDENCE_UNKNOWN : CONFIDENCE_RULED_OUT;
}

/* --- the same from a write probe's numbers --- */

/* XFS makes inodes from free blocks: without blocks there are none either, and blocks are what is missing. */
static bool are_inodes_gone(const struct space *space)
{
	return space->total_inodes > 0 && space->available_inodes == 0 && !(space->inodes_are_dynamic && space->available_bytes < INODE_CHUNK_BYTES);
}

enum enospc_cause enospc_of_space(const struct space *space, enum space_resource resource)
{
	uint64_t root = space->kind == SPACE_ON_EXT4 ? without_own_reserve(space->free_bytes, space->total_bytes, USUAL_BLOCK_BYTES) : space->free_bytes;
	uint64_t left = space->available_bytes;

	if (resource == SPACE_INODES)
		return space->kind == SPACE_ON_TMPFS ? ENOSPC_TMPFS_INODES : ENOSPC_INODES;
	if (space->kind == SPACE_ON_TMPFS)
		return ENOSPC_TMPFS_SIZE;
	/* nearly all that is free is not for everybody */
	return root > 4 * left && root >= slack_of(USUAL_BLOCK_BYTES, space->inodes_are_dynamic) ? ENOSPC_RESERVED : ENOSPC_SPACE;
}

enum enospc_cause enospc_of_probe(int errnum, const struct space *space)
{
	if (errnum == EDQUOT)
		return ENOSPC_QUOTA;
	if (errnum != ENOSPC)
		return ENOSPC_CAUSE_UNKNOWN;
	if (are_inodes_gone(space))
		return enospc_of_space(space, SPACE_INODES);
	if (space->total_bytes == 0 || space->available_bytes >= slack_of(USUAL_BLOCK_BYTES, space->inodes_are_dynamic))
		return ENOSPC_CAUSE_UNKNOWN;
	return enospc_of_space(space, SPACE_BYTES);
}
