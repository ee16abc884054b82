#include "volumes/enospc.h"

#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "volumes/enospc_judge.h"

void enospc_facts_clear(struct enospc_facts *facts)
{
	*facts = (struct enospc_facts){0};
	for (size_t i = 0; i < NUMBER_MAX_; i++)
		facts->number[i] = ENOSPC_UNKNOWN;
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
	enospc_judge *judge;
	const char *advice;
} rules[] = {
	{ENOSPC_INODES, NAMES, DISK, {ENOSPC}, false, enospc_judge_inodes, "Delete files that nobody needs (many small ones: du --inodes -x), or make the filesystem anew with more inodes."},
	{ENOSPC_RESERVED, FILES, DISK, {ENOSPC}, false, enospc_judge_reserved, "Free space: what is left is kept for root. tune2fs -m 0 on a disk of data gives it to everybody."},
	{ENOSPC_SPACE, FILES, DISK, {ENOSPC}, false, enospc_judge_space, "Free space or enlarge the filesystem: du -x, old images, shuffle directories of executors that are gone."},
	{ENOSPC_QUOTA, FILES, DISK | TMPFS, {EDQUOT, ENOSPC}, false, enospc_judge_quota, "Raise the quota (setquota, xfs_quota), or free what this uid or project holds."},
	{ENOSPC_TMPFS_INODES, NAMES, TMPFS, {ENOSPC}, false, enospc_judge_inodes, "Delete files, or remount with a larger nr_inodes=."},
	{ENOSPC_TMPFS_SIZE, FILES, TMPFS, {ENOSPC}, false, enospc_judge_space, "Delete files, or remount with a larger size= (for an emptyDir: sizeLimit); it counts as memory of the pod."},
	{ENOSPC_DIRECTORY_FULL, NAMES, DISK, {ENOSPC}, false, enospc_judge_directory, "The directory's index is full: spread the files over directories; on ext4 tune2fs -O large_dir."},
	{ENOSPC_XATTR_SPACE, CALL(SETXATTR), ANYTHING, {ENOSPC, EDQUOT}, true, enospc_judge_xattr, "Remove attributes (getfattr -d, setfattr -x), or make the values shorter; on ext4 a large one needs the ea_inode feature."},
	{ENOSPC_MAX_DESCENDANTS, CALL(MKDIR), V2, {EAGAIN}, false, enospc_judge_descendants, "Remove cgroups that are empty, or raise cgroup.max.descendants there."},
	{ENOSPC_MAX_DEPTH, CALL(MKDIR), V2, {EAGAIN}, false, enospc_judge_depth, "Nest less, or raise cgroup.max.depth there."},
	{ENOSPC_MEMCG_IDS, CALL(MKDIR), V1 | V2, {ENOSPC, EBUSY}, false, enospc_judge_memcg, "Find who makes cgroups and leaves them: find the cgroup tree's empty directories and rmdir them; restart their owner."},
	{ENOSPC_MEMCG_LEAK, CALL(MKDIR), V1, {ENOSPC}, false, enospc_judge_leak, "The kernel does not give the ids of removed memory cgroups back: reboot, and take a newer kernel (4.8 or later)."},
	{ENOSPC_CPUSET_EMPTY, CALL(CGROUP_PROCS), V1 | V2, {ENOSPC}, false, enospc_judge_cpuset_empty, "Write cpuset.cpus and cpuset.mems first (as in the parent), or set cgroup.clone_children there."},
	{ENOSPC_CPUSET_IN_USE, CALL(CPUSET), V1 | V2, {ENOSPC}, false, enospc_judge_cpuset_in_use, "Move the processes away first. systemctl daemon-reload does this to cpusets that systemd does not know."},
	{ENOSPC_DOMAIN_INVALID, CALL(CGROUP_PROCS), V2, {EOPNOTSUPP}, false, enospc_judge_domain, "Use a cgroup outside of the threaded subtree, or write single threads to cgroup.threads."},
	{ENOSPC_HAS_PROCESSES, CALL(SUBTREE_CONTROL), V2, {EBUSY}, false, enospc_judge_processes, "Move the processes into a leaf below: a cgroup holds processes or hands out controllers, not both."},
	{ENOSPC_HAS_CONTROLLERS, CALL(CGROUP_PROCS), V2, {EBUSY}, false, enospc_judge_controllers, "Move the process to a leaf below: a cgroup holds processes or hands out controllers, not both."},
	{ENOSPC_CGROUP_IN_USE, CALL(RMDIR), V1 | V2, {EBUSY}, false, enospc_judge_in_use, "End or move the processes, remove the cgroups below first."},
	{ENOSPC_PIDS_MAX, CALL(FORK), V1 | V2, {EAGAIN}, false, enospc_judge_pids, "End processes or threads of this cgroup, or raise the limit (podPidsLimit of the kubelet)."},
	{ENOSPC_INOTIFY_WATCHES, CALL(INOTIFY_ADD_WATCH), ANYTHING, {ENOSPC}, true, enospc_judge_watches, "Raise fs.inotify.max_user_watches (sysctl), or end who holds them: Stoker's docs/enospc.md shows how to find out."},
	{ENOSPC_INOTIFY_INSTANCES, CALL(INOTIFY_INIT), ANYTHING, {EMFILE}, true, enospc_judge_instances, "Raise fs.inotify.max_user_instances (sysctl); if it is not that, the process has reached its own limit of open files."},
	{ENOSPC_MOUNT_MAX, CALL(MOUNT), ANYTHING, {ENOSPC}, false, enospc_judge_mounts, "Find mounts that pile up (findmnt), unmount them, or raise fs.mount-max (sysctl)."},
	{ENOSPC_USER_NAMESPACES, CALL(UNSHARE), ANYTHING, {ENOSPC}, true, enospc_judge_user_ns, "Raise user.max_user_namespaces (sysctl). In a namespace of a namespace, look there too; more than 32 levels are refused."},
	{ENOSPC_OTHER_NAMESPACES, CALL(UNSHARE), ANYTHING, {ENOSPC}, false, enospc_judge_other_ns, "Raise user.max_mnt_namespaces and its relatives (sysctl user), or end who holds the namespaces."},
};

static bool applies(const struct rule *rule, const struct enospc_case *what)
{
	bool answers = false;

	for (size_t i = 0; i < ARRAY_SIZE(rule->errnums); i++)
		answers = answers || (rule->errnums[i] && rule->errnums[i] == what->errnum);
	return answers && (rule->calls & 1U << what->call) && (rule->objects & 1U << what->object);
}

static const char *advice_of_unknown(const struct enospc_case *what, const struct enospc_facts *f, bool limited)
{
	if (!limited && (1U << what->call & FILES) && (1U << what->object & (DISK | TMPFS)))
		return "This errno is not about space: stoker health --direct says more of a disk.";
	if (!limited)
		return "This errno is not about a limit of this call: are --syscall and --errno what failed (strace shows both)?";
	if (strcmp(f->fs_type, "xfs") == 0)
		return "On XFS free space may lie in pieces too small for inodes (xfs_db -c freesp), or a project's limit may hide beneath (xfs_quota).";
	return "None of the limits that answer so and could be read is reached now: try again while it fails, as the user who sees it (--uid), with the call that fails (--syscall).";
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
		answers[count++] = (struct enospc_answer){.confidence = CONFIDENCE_UNKNOWN, .advice = advice_of_unknown(what, facts, found > 0)};
	for (unsigned c = 0; c < CONFIDENCE_MAX_; c++)
		for (size_t i = 0; i < found; i++)
			if (all[i].confidence == c)
				answers[count++] = all[i];
	return count;
}
