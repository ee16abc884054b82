#include "volumes/enospc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"

#define KERNEL_EBUSY 6011 /* from here on mkdir answers EBUSY when memory-cgroup ids have run out */

/* --- names --- */

static const char *const cause_names[ENOSPC_CAUSE_MAX_] = {
	"Unknown", "SpaceExhausted", "ReservedBlocks", "InodesExhausted", "QuotaExhausted", "TmpfsSize", "TmpfsInodes", "DirectoryFull",
	"MemcgIdsExhausted", "MemcgLeak", "CgroupMaxDescendants", "CgroupMaxDepth", "CpusetEmpty", "CpusetInUse", "CgroupDomainInvalid",
	"CgroupHasProcesses", "CgroupHasControllers", "CgroupInUse", "PidsMax", "InotifyWatchesExhausted", "InotifyInstancesExhausted",
	"MountMaxReached", "XattrSpaceExhausted", "UserNamespacesExhausted", "NamespacesExhausted",
};

static const char *const call_names[ENOSPC_CALL_MAX_] = {"open",  "write",  "mkdir",	    "rmdir",		      "setxattr",   "mount", "inotify_init",
							 "inotify_add_watch", "unshare", "fork", "cgroup.procs", "cgroup.subtree_control", "cpuset"};

static const char *const object_names[ENOSPC_OBJECT_MAX_] = {"disk", "tmpfs", "cgroup v1", "cgroup v2"};
static const char *const confidence_names[CONFIDENCE_MAX_] = {"seen", "likely", "unknown", "ruled out"};

static const char *const number_names[NUMBER_MAX_] = {
	"totalBytes", "freeBytes", "availableBytes", "totalInodes", "freeInodes", "blockBytes", "userQuotaBytes", "userQuotaBytesMax",
	"userQuotaInodes", "userQuotaInodesMax", "groupQuotaBytes", "groupQuotaBytesMax", "groupQuotaInodes", "groupQuotaInodesMax",
	"projectQuotaBytes", "projectQuotaBytesMax", "projectQuotaInodes", "projectQuotaInodesMax", "namelessFileWorks", "kernelVersion",
	"memoryCgroups", "memoryCgroupsMax", "memoryCgroupsDying", "cgroupDirectories", "childIsMemoryCgroup", "cgroupDescendants",
	"cgroupDescendantsMax", "cgroupDepth", "cgroupDepthMax", "cpusetCpus", "cpusetMems", "cgroupDomainInvalid", "cgroupPopulated",
	"cgroupProcesses", "cgroupChildren", "cgroupControllersOn", "pids", "pidsMax", "inotifyWatches", "inotifyWatchesMax",
	"inotifyInstances", "inotifyInstancesMax", "mounts", "mountsMax", "xattrs", "xattrsMax", "xattrBytes", "xattrBytesMax",
	"userNamespaces", "userNamespacesMax", "otherNamespaces", "otherNamespacesMax",
};

static const char *name_of(const char *const *names, size_t count, unsigned index)
{
	return index < count ? names[index] : "?";
}

const char *enospc_cause_name(enum enospc_cause cause)
{
	return name_of(cause_names, ARRAY_SIZE(cause_names), cause);
}

const char *enospc_call_name(enum enospc_call call)
{
	return name_of(call_names, ARRAY_SIZE(call_names), call);
}

const char *enospc_object_name(enum enospc_object object)
{
	return name_of(object_names, ARRAY_SIZE(object_names), object);
}

const char *enospc_confidence_name(enum enospc_confidence confidence)
{
	return name_of(confidence_names, ARRAY_SIZE(confidence_names), confidence);
}

const char *enospc_number_name(enum enospc_number number)
{
	return name_of(number_names, ARRAY_SIZE(number_names), number);
}

int enospc_call_parse(const char *word, enum enospc_call *ret)
{
	for (unsigned i = 0; i < ENOSPC_CALL_MAX_; i++) {
		if (strcmp(word, call_names[i]) == 0) {
			*ret = (enum enospc_call)i;
			return 0;
		}
	}
	return -EINVAL;
}

void enospc_facts_clear(struct enospc_facts *facts)
{
	*facts = (struct enospc_facts){0};
	for (size_t i = 0; i < NUMBER_MAX_; i++)
		facts->number[i] = ENOSPC_UNKNOWN;
}

/* --- each cause: what the numbers say --- */

typedef enum enospc_confidence judge(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a);

static bool known(const struct enospc_facts *f, enum enospc_number n)
{
	return f->number[n] != ENOSPC_UNKNOWN;
}

__attribute__((format(printf, 2, 3))) static void say(struct enospc_answer *a, const char *format, ...)
{
	va_list args;
	size_t length = strlen(a->numbers);

	va_start(args, format);
	vsnprintf(a->numbers + length, sizeof(a->numbers) - length, format, args);
	va_end(args);
}

/* Used against limit, the usual kind. */
static enum enospc_confidence reached(const struct enospc_facts *f, enum enospc_number used, enum enospc_number limit, const char *noun, struct enospc_answer *a)
{
	uint64_t u = f->number[used], l = f->number[limit];

	if (l == ENOSPC_UNLIMITED) {
		say(a, "%s: no limit", noun);
		return CONFIDENCE_RULED_OUT;
	}
	if (l == ENOSPC_UNKNOWN || (u == ENOSPC_UNKNOWN && l > 0)) {
		say(a, "%s: %s could not be read", noun, l == ENOSPC_UNKNOWN ? "the limit" : "what is used");
		return CONFIDENCE_UNKNOWN;
	}
	say(a, "%s: %" PRIu64 " of at most %" PRIu64, noun, u == ENOSPC_UNKNOWN ? 0 : u, l);
	return l == 0 || u >= l ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

/* What is left when a filesystem is full all the same: a file of one block needs others for its map or its name. XFS makes inodes in
 * chunks and keeps some room for its trees. */
static uint64_t slack_of(const struct enospc_facts *f)
{
	uint64_t block = known(f, NUMBER_BLOCK_BYTES) ? f->number[NUMBER_BLOCK_BYTES] : 4096;

	return block * (strcmp(f->fs_type, "xfs") == 0 ? 128 : 4);
}

/* ext4 keeps 2 % (at most 4096 blocks) as free for its own delayed work: not for root either, whatever tune2fs -m says. statfs(2) leaves
 * the metadata out of the total, so a little more than 2 % of it. */
static uint64_t own_reserve(uint64_t total_bytes, uint64_t block_bytes)
{
	return total_bytes / 40 < 4096 * block_bytes ? total_bytes / 40 : 4096 * block_bytes;
}

static uint64_t free_for_root(const struct enospc_facts *f)
{
	uint64_t free_bytes = f->number[NUMBER_BYTES_FREE];
	uint64_t block = known(f, NUMBER_BLOCK_BYTES) ? f->number[NUMBER_BLOCK_BYTES] : 4096;
	uint64_t own = strcmp(f->fs_type, "ext4") == 0 && known(f, NUMBER_BYTES_TOTAL) ? own_reserve(f->number[NUMBER_BYTES_TOTAL], block) : 0;

	return free_bytes > own ? free_bytes - own : 0;
}

static enum enospc_confidence judge_space(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (!known(f, NUMBER_BYTES_FREE) || !known(f, NUMBER_BYTES_TOTAL)) {
		say(a, "statfs could not be read");
		return CONFIDENCE_UNKNOWN;
	}
	uint64_t free_bytes = f->number[NUMBER_BYTES_FREE], total = f->number[NUMBER_BYTES_TOTAL];
	if (total == 0) {
		say(a, "no limit of bytes");
		return CONFIDENCE_RULED_OUT;
	}
	say(a, "%" PRIu64 " of %" PRIu64 " KiB are free", free_bytes >> 10, total >> 10);
	return free_for_root(f) < slack_of(f) ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

static enum enospc_confidence judge_reserved(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (!known(f, NUMBER_BYTES_FREE) || !known(f, NUMBER_BYTES_AVAILABLE)) {
		say(a, "statfs could not be read");
		return CONFIDENCE_UNKNOWN;
	}
	uint64_t free_bytes = f->number[NUMBER_BYTES_FREE], available = f->number[NUMBER_BYTES_AVAILABLE];
	say(a, "%" PRIu64 " KiB are free, of them %" PRIu64 " KiB for ordinary users", free_bytes >> 10, available >> 10);
	return available < slack_of(f) && free_for_root(f) >= slack_of(f) ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

static enum enospc_confidence judge_inodes(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (!known(f, NUMBER_INODES_FREE) || !known(f, NUMBER_INODES_TOTAL)) {
		say(a, "statfs could not be read");
		return CONFIDENCE_UNKNOWN;
	}
	if (f->number[NUMBER_INODES_TOTAL] == 0) {
		say(a, "no limit of inodes");
		return CONFIDENCE_RULED_OUT;
	}
	say(a, "%" PRIu64 " of %" PRIu64 " inodes are free", f->number[NUMBER_INODES_FREE], f->number[NUMBER_INODES_TOTAL]);
	return f->number[NUMBER_INODES_FREE] == 0 ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

static enum enospc_confidence judge_quota(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
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
			say(a, "%" PRIu64 " of at most %" PRIu64 " %s %u", row[i].kib ? used >> 10 : used, row[i].kib ? limit >> 10 : limit, row[i].noun,
			    row[i].used < NUMBER_PROJECT_BYTES ? f->uid : f->project);
			return CONFIDENCE_SEEN;
		}
	}
	if (what->errnum == EDQUOT) {
		say(a, "the kernel answers EDQUOT");
		return CONFIDENCE_LIKELY;
	}
	say(a, any ? "quotas of uid %u and its project are not used up" : "no quota could be read for uid %u", f->uid);
	return any ? CONFIDENCE_RULED_OUT : CONFIDENCE_UNKNOWN;
}

static enum enospc_confidence judge_directory(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (!known(f, NUMBER_NAMELESS_WORKS)) {
		say(a, "a file without a name was not tried");
		return CONFIDENCE_UNKNOWN;
	}
	if (f->number[NUMBER_NAMELESS_WORKS] == 0) {
		say(a, "a file without a name fails too");
		return CONFIDENCE_RULED_OUT;
	}
	say(a, "a file without a name can be made there, a name in the directory cannot");
	return CONFIDENCE_SEEN;
}

static enum enospc_confidence judge_memcg(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	bool new_kernel = known(f, NUMBER_KERNEL) && f->number[NUMBER_KERNEL] >= KERNEL_EBUSY;

	if (f->number[NUMBER_MEMCG_IN_CHILD] == 0) {
		say(a, "a directory made here is no memory cgroup");
		return CONFIDENCE_RULED_OUT;
	}
	if (known(f, NUMBER_KERNEL) && new_kernel != (what->errnum == EBUSY)) {
		say(a, "this kernel answers %s then", new_kernel ? "EBUSY" : "ENOSPC");
		return CONFIDENCE_RULED_OUT;
	}
	if (!known(f, NUMBER_MEMCGS)) {
		say(a, "the number of memory cgroups could not be read");
		return CONFIDENCE_UNKNOWN;
	}
	say(a, "%" PRIu64 " memory cgroups of at most %u", f->number[NUMBER_MEMCGS], (unsigned)ENOSPC_MEMCG_MAX);
	if (known(f, NUMBER_MEMCGS_DYING))
		say(a, ", and %" PRIu64 " dying ones", f->number[NUMBER_MEMCGS_DYING]);
	/* Swapped-out pages of removed ones hold ids that nobody counts; so the last 2 % are not above suspicion. */
	if (f->number[NUMBER_MEMCGS] >= ENOSPC_MEMCG_MAX - 64)
		return CONFIDENCE_SEEN;
	return f->number[NUMBER_MEMCGS] >= ENOSPC_MEMCG_MAX / 100 * 98 ? CONFIDENCE_LIKELY : CONFIDENCE_RULED_OUT;
}

static enum enospc_confidence judge_leak(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (known(f, NUMBER_KERNEL) && f->number[NUMBER_KERNEL] >= 4008) {
		say(a, "kernels since 4.8 give the ids of removed cgroups back");
		return CONFIDENCE_RULED_OUT;
	}
	if (!known(f, NUMBER_DIRECTORIES) || !known(f, NUMBER_MEMCGS)) {
		say(a, "directories and memory cgroups could not be counted");
		return CONFIDENCE_UNKNOWN;
	}
	say(a, "%" PRIu64 " memory cgroups, %" PRIu64 " directories", f->number[NUMBER_MEMCGS], f->number[NUMBER_DIRECTORIES]);
	return f->number[NUMBER_MEMCGS] > 2 * f->number[NUMBER_DIRECTORIES] + 1000 ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

static void say_where(struct enospc_answer *a, const char *where)
{
	char shown[ENOSPC_WHERE_BYTES * 2];

	str_escape(shown, sizeof(shown), where);
	if (*shown)
		say(a, " (%s)", shown);
}

static enum enospc_confidence judge_descendants(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	enum enospc_confidence c = reached(f, NUMBER_DESCENDANTS, NUMBER_DESCENDANTS_MAX, "cgroups below cgroup.max.descendants", a);
	say_where(a, f->descendants_where);
	return c;
}

static enum enospc_confidence judge_depth(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	enum enospc_confidence c = reached(f, NUMBER_DEPTH, NUMBER_DEPTH_MAX, "levels below cgroup.max.depth", a);
	say_where(a, f->depth_where);
	return c;
}

static enum enospc_confidence judge_pids(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	enum enospc_confidence c = reached(f, NUMBER_PIDS, NUMBER_PIDS_MAX, "processes and threads (pids.max)", a);
	say_where(a, f->pids_where);
	return c;
}

static enum enospc_confidence judge_cpuset_empty(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	if (what->object != ENOSPC_CGROUP1 || !known(f, NUMBER_CPUS) || !known(f, NUMBER_MEMS)) {
		say(a, "%s", what->object == ENOSPC_CGROUP1 ? "no cpuset hierarchy, or it could not be read" : "cgroup v2 inherits what is empty");
		return what->object == ENOSPC_CGROUP1 ? CONFIDENCE_UNKNOWN : CONFIDENCE_RULED_OUT;
	}
	say(a, "cpuset.cpus names %" PRIu64 ", cpuset.mems %" PRIu64, f->number[NUMBER_CPUS], f->number[NUMBER_MEMS]);
	return f->number[NUMBER_CPUS] == 0 || f->number[NUMBER_MEMS] == 0 ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

/* One number that is either there or not. */
static enum enospc_confidence flag(const struct enospc_facts *f, enum enospc_number n, const char *yes, const char *no, struct enospc_answer *a)
{
	say(a, "%s", !known(f, n) ? "could not be read" : f->number[n] ? yes : no);
	return !known(f, n) ? CONFIDENCE_UNKNOWN : f->number[n] ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

static enum enospc_confidence judge_cpuset_in_use(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return flag(f, NUMBER_POPULATED, "processes live in it, so it may not become empty", "no processes live in it", a);
}

static enum enospc_confidence judge_domain(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return flag(f, NUMBER_DOMAIN_INVALID, "its cgroup.type is threaded, or invalid within a threaded subtree", "its cgroup.type is domain", a);
}

static enum enospc_confidence judge_processes(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return flag(f, NUMBER_PROCESSES, "processes are in this very cgroup", "no process is in this very cgroup", a);
}

static enum enospc_confidence judge_controllers(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return flag(f, NUMBER_CONTROLLERS_ON, "its cgroup.subtree_control hands out controllers", "its cgroup.subtree_control is empty", a);
}

static enum enospc_confidence judge_in_use(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (known(f, NUMBER_CHILDREN) && f->number[NUMBER_CHILDREN] > 0) {
		say(a, "%" PRIu64 " cgroups are below it", f->number[NUMBER_CHILDREN]);
		return CONFIDENCE_SEEN;
	}
	return flag(f, NUMBER_POPULATED, "processes live in it", "no processes live in it", a);
}

static enum enospc_confidence judge_watches(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return reached(f, NUMBER_WATCHES, NUMBER_WATCHES_MAX, "inotify watches of the uid (max_user_watches)", a);
}

static enum enospc_confidence judge_instances(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return reached(f, NUMBER_INSTANCES, NUMBER_INSTANCES_MAX, "inotify instances of the uid (max_user_instances)", a);
}

static enum enospc_confidence judge_mounts(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return reached(f, NUMBER_MOUNTS, NUMBER_MOUNTS_MAX, "mounts in this mount namespace (fs.mount-max)", a);
}

static enum enospc_confidence judge_xattr(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	enum enospc_confidence count = CONFIDENCE_RULED_OUT, bytes;

	if (what->object == ENOSPC_CGROUP2 || what->object == ENOSPC_CGROUP1) {
		count = reached(f, NUMBER_XATTRS, NUMBER_XATTRS_MAX, "user attributes", a);
		say(a, ", ");
	}
	bytes = reached(f, NUMBER_XATTR_BYTES, NUMBER_XATTR_BYTES_MAX, "bytes of them", a);
	if (count == CONFIDENCE_SEEN || bytes == CONFIDENCE_SEEN)
		return CONFIDENCE_SEEN;
	return count == CONFIDENCE_UNKNOWN || bytes == CONFIDENCE_UNKNOWN ? CONFIDENCE_UNKNOWN : CONFIDENCE_RULED_OUT;
}

static enum enospc_confidence judge_user_ns(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return reached(f, NUMBER_USER_NS, NUMBER_USER_NS_MAX, "user namespaces seen (user.max_user_namespaces)", a);
}

static enum enospc_confidence judge_other_ns(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	enum enospc_confidence c = reached(f, NUMBER_OTHER_NS, NUMBER_OTHER_NS_MAX, "namespaces seen of the kind nearest to its limit", a);
	say_where(a, f->other_ns);
	return c;
}

/* --- the table: which cause can answer what --- */

#define CALL(c)	  (1U << ENOSPC_##c)
#define FILES	  (CALL(OPEN) | CALL(WRITE) | CALL(MKDIR) | CALL(SETXATTR))
#define NAMES	  (CALL(OPEN) | CALL(MKDIR))
#define DISK	  (1U << ENOSPC_DISK)
#define TMPFS	  (1U << ENOSPC_TMPFS)
#define V1	  (1U << ENOSPC_CGROUP1)
#define V2	  (1U << ENOSPC_CGROUP2)
#define ANYTHING  (DISK | TMPFS | V1 | V2)

static const struct rule {
	enum enospc_cause cause;
	unsigned calls, objects;
	int errnums[3];
	bool guess; /* likely, if the numbers cannot be had: nothing else answers so there */
	judge *judge;
	const char *advice;
} rules[] = {
	{ENOSPC_INODES, NAMES, DISK, {ENOSPC}, false, judge_inodes, "Delete files that nobody needs (many small ones: du --inodes -x), or make the filesystem anew with more inodes."},
	{ENOSPC_RESERVED, FILES, DISK, {ENOSPC}, false, judge_reserved, "Free space: what is left is kept for root. tune2fs -m 0 on a disk of data gives it to everybody."},
	{ENOSPC_SPACE, FILES, DISK, {ENOSPC}, false, judge_space, "Free space or enlarge the filesystem: du -x, old images, shuffle directories of executors that are gone."},
	{ENOSPC_QUOTA, FILES, DISK | TMPFS, {EDQUOT, ENOSPC}, false, judge_quota, "Raise the quota (setquota, xfs_quota), or free what this uid or project holds."},
	{ENOSPC_TMPFS_INODES, NAMES, TMPFS, {ENOSPC}, false, judge_inodes, "Delete files, or remount with a larger nr_inodes=."},
	{ENOSPC_TMPFS_SIZE, FILES, TMPFS, {ENOSPC}, false, judge_space, "Delete files, or remount with a larger size= (for an emptyDir: sizeLimit); it counts as memory of the pod."},
	{ENOSPC_DIRECTORY_FULL, NAMES, DISK, {ENOSPC}, false, judge_directory, "The directory's index is full: spread the files over directories; on ext4 tune2fs -O large_dir."},
	{ENOSPC_XATTR_SPACE, CALL(SETXATTR), ANYTHING, {ENOSPC, EDQUOT}, true, judge_xattr, "Remove attributes (getfattr -d, setfattr -x), or make the values shorter; on ext4 a large one needs the ea_inode feature."},
	{ENOSPC_MAX_DESCENDANTS, CALL(MKDIR), V2, {EAGAIN}, false, judge_descendants, "Remove cgroups that are empty, or raise cgroup.max.descendants there."},
	{ENOSPC_MAX_DEPTH, CALL(MKDIR), V2, {EAGAIN}, false, judge_depth, "Nest less, or raise cgroup.max.depth there."},
	{ENOSPC_MEMCG_IDS, CALL(MKDIR), V1 | V2, {ENOSPC, EBUSY}, false, judge_memcg, "Find who makes cgroups and leaves them: find the cgroup tree's empty directories and rmdir them; restart their owner."},
	{ENOSPC_MEMCG_LEAK, CALL(MKDIR), V1, {ENOSPC}, false, judge_leak, "The kernel does not give the ids of removed memory cgroups back: reboot, and take a newer kernel (4.8 or later)."},
	{ENOSPC_CPUSET_EMPTY, CALL(CGROUP_PROCS), V1 | V2, {ENOSPC}, false, judge_cpuset_empty, "Write cpuset.cpus and cpuset.mems first (as in the parent), or set cgroup.clone_children there."},
	{ENOSPC_CPUSET_IN_USE, CALL(CPUSET), V1 | V2, {ENOSPC}, false, judge_cpuset_in_use, "Move the processes away first. systemctl daemon-reload does this to cpusets that systemd does not know."},
	{ENOSPC_DOMAIN_INVALID, CALL(CGROUP_PROCS), V2, {EOPNOTSUPP}, false, judge_domain, "Use a cgroup outside of the threaded subtree, or write single threads to cgroup.threads."},
	{ENOSPC_HAS_PROCESSES, CALL(SUBTREE_CONTROL), V2, {EBUSY}, false, judge_processes, "Move the processes into a leaf below: a cgroup holds processes or hands out controllers, not both."},
	{ENOSPC_HAS_CONTROLLERS, CALL(CGROUP_PROCS), V2, {EBUSY}, false, judge_controllers, "Move the process to a leaf below: a cgroup holds processes or hands out controllers, not both."},
	{ENOSPC_CGROUP_IN_USE, CALL(RMDIR), V1 | V2, {EBUSY}, false, judge_in_use, "End or move the processes, remove the cgroups below first."},
	{ENOSPC_PIDS_MAX, CALL(FORK), V1 | V2, {EAGAIN}, false, judge_pids, "End processes or threads of this cgroup, or raise the limit (podPidsLimit of the kubelet)."},
	{ENOSPC_INOTIFY_WATCHES, CALL(INOTIFY_ADD_WATCH), ANYTHING, {ENOSPC}, true, judge_watches, "Raise fs.inotify.max_user_watches (sysctl), or end who holds them: Stoker's docs/enospc.md shows how to find out."},
	{ENOSPC_INOTIFY_INSTANCES, CALL(INOTIFY_INIT), ANYTHING, {EMFILE}, true, judge_instances, "Raise fs.inotify.max_user_instances (sysctl); if it is not that, the process has reached its own limit of open files."},
	{ENOSPC_MOUNT_MAX, CALL(MOUNT), ANYTHING, {ENOSPC}, false, judge_mounts, "Find mounts that pile up (findmnt), unmount them, or raise fs.mount-max (sysctl)."},
	{ENOSPC_USER_NAMESPACES, CALL(UNSHARE), ANYTHING, {ENOSPC}, true, judge_user_ns, "Raise user.max_user_namespaces (sysctl). In a namespace of a namespace, look there too; more than 32 levels are refused."},
	{ENOSPC_OTHER_NAMESPACES, CALL(UNSHARE), ANYTHING, {ENOSPC}, false, judge_other_ns, "Raise user.max_mnt_namespaces and its relatives (sysctl user), or end who holds the namespaces."},
};

static bool applies(const struct rule *rule, const struct enospc_case *what)
{
	bool answers = false;

	for (size_t i = 0; i < ARRAY_SIZE(rule->errnums); i++)
		answers = answers || (rule->errnums[i] && rule->errnums[i] == what->errnum);
	return answers && (rule->calls & 1U << what->call) && (rule->objects & 1U << what->object);
}

static const char *advice_of_unknown(const struct enospc_case *what, const struct enospc_facts *f)
{
	if (what->errnum != ENOSPC && what->errnum != EDQUOT)
		return "This errno is not about space: stoker health --direct says more of a disk.";
	if (strcmp(f->fs_type, "xfs") == 0)
		return "On XFS free space may lie in pieces too small for inodes (xfs_db -c freesp), or a project's limit may hide beneath (xfs_quota).";
	return "None of the limits that answer so is reached now: try again while it fails, as the user who sees it (--uid), with the call that fails (--syscall).";
}

size_t enospc_classify(const struct enospc_case *what, const struct enospc_facts *facts, struct enospc_answer answers[static ENOSPC_CAUSE_MAX_])
{
	struct enospc_answer all[ARRAY_SIZE(rules)];
	size_t count = 0, found = 0;
	bool named = false;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!applies(&rules[i], what))
			continue;
		struct enospc_answer *a = &all[found];
		*a = (struct enospc_answer){.cause = rules[i].cause, .advice = rules[i].advice};
		a->confidence = rules[i].judge(what, facts, a);
		if (a->confidence == CONFIDENCE_UNKNOWN && rules[i].guess)
			a->confidence = CONFIDENCE_LIKELY;
		named = named || a->confidence <= CONFIDENCE_LIKELY;
		found++;
	}
	if (!named)
		answers[count++] = (struct enospc_answer){.confidence = CONFIDENCE_UNKNOWN, .advice = advice_of_unknown(what, facts)};
	for (unsigned c = 0; c < CONFIDENCE_MAX_; c++)
		for (size_t i = 0; i < found; i++)
			if (all[i].confidence == c)
				answers[count++] = all[i];
	return count;
}

enum enospc_cause enospc_of_probe(int errnum, uint64_t total_bytes, uint64_t free_bytes, uint64_t available_bytes, uint64_t total_inodes, uint64_t free_inodes)
{
	if (errnum == EDQUOT)
		return ENOSPC_QUOTA;
	if (errnum != ENOSPC)
		return ENOSPC_CAUSE_UNKNOWN;
	if (total_inodes > 0 && free_inodes == 0)
		return ENOSPC_INODES;
	return available_bytes == 0 && free_bytes > own_reserve(total_bytes, 4096) ? ENOSPC_RESERVED : ENOSPC_SPACE;
}
