#include <errno.h>
#include <inttypes.h>

#include "volumes/enospc_judge.h"

#define KERNEL_EBUSY 6011 /* from here on mkdir answers EBUSY when memory-cgroup ids have run out */

enum enospc_confidence enospc_judge_memcg(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	bool new_kernel = enospc_known(f, NUMBER_KERNEL) && f->number[NUMBER_KERNEL] >= KERNEL_EBUSY;

	if (f->number[NUMBER_MEMCG_IN_CHILD] == 0) {
		enospc_say(a, "a directory made here is no memory cgroup");
		return CONFIDENCE_RULED_OUT;
	}
	if (enospc_known(f, NUMBER_KERNEL) && new_kernel != (what->errnum == EBUSY)) {
		enospc_say(a, "this kernel answers %s then", new_kernel ? "EBUSY" : "ENOSPC");
		return CONFIDENCE_RULED_OUT;
	}
	if (!enospc_known(f, NUMBER_MEMCGS)) {
		enospc_say(a, "the number of memory cgroups could not be read");
		return CONFIDENCE_UNKNOWN;
	}
	enospc_say(a, "%" PRIu64 " memory cgroups of at most %u", f->number[NUMBER_MEMCGS], (unsigned)ENOSPC_MEMCG_MAX);
	if (enospc_known(f, NUMBER_MEMCGS_DYING))
		enospc_say(a, ", and %" PRIu64 " dying ones", f->number[NUMBER_MEMCGS_DYING]);
	/* Swapped-out pages of removed ones hold ids that nobody counts; so the last 2 % are not above suspicion. */
	if (f->number[NUMBER_MEMCGS] >= ENOSPC_MEMCG_MAX - 64)
		return CONFIDENCE_SEEN;
	return f->number[NUMBER_MEMCGS] >= ENOSPC_MEMCG_MAX / 100 * 98 ? CONFIDENCE_LIKELY : CONFIDENCE_RULED_OUT;
}

enum enospc_confidence enospc_judge_leak(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (enospc_known(f, NUMBER_KERNEL) && f->number[NUMBER_KERNEL] >= 4008) {
		enospc_say(a, "kernels since 4.8 give the ids of removed cgroups back");
		return CONFIDENCE_RULED_OUT;
	}
	if (!enospc_known(f, NUMBER_DIRECTORIES) || !enospc_known(f, NUMBER_MEMCGS)) {
		enospc_say(a, "directories and memory cgroups could not be counted");
		return CONFIDENCE_UNKNOWN;
	}
	enospc_say(a, "%" PRIu64 " memory cgroups, %" PRIu64 " directories", f->number[NUMBER_MEMCGS], f->number[NUMBER_DIRECTORIES]);
	return f->number[NUMBER_MEMCGS] > 2 * f->number[NUMBER_DIRECTORIES] + 1000 ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

enum enospc_confidence enospc_judge_descendants(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	enum enospc_confidence c = enospc_reached(f, NUMBER_DESCENDANTS, NUMBER_DESCENDANTS_MAX, "cgroups below cgroup.max.descendants", a);
	enospc_say_where(a, f->descendants_where);
	return c;
}

enum enospc_confidence enospc_judge_depth(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	enum enospc_confidence c = enospc_reached(f, NUMBER_DEPTH, NUMBER_DEPTH_MAX, "levels below cgroup.max.depth", a);
	enospc_say_where(a, f->depth_where);
	return c;
}

enum enospc_confidence enospc_judge_pids(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	enum enospc_confidence c = enospc_reached(f, NUMBER_PIDS, NUMBER_PIDS_MAX, "processes and threads (pids.max)", a);
	enospc_say_where(a, f->pids_where);
	return c;
}

enum enospc_confidence enospc_judge_cpuset_empty(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	if (what->object != ENOSPC_CGROUP1 || !enospc_known(f, NUMBER_CPUS) || !enospc_known(f, NUMBER_MEMS)) {
		enospc_say(a, "%s", what->object == ENOSPC_CGROUP1 ? "no cpuset hierarchy, or it could not be read" : "cgroup v2 inherits what is empty");
		return what->object == ENOSPC_CGROUP1 ? CONFIDENCE_UNKNOWN : CONFIDENCE_RULED_OUT;
	}
	enospc_say(a, "cpuset.cpus names %" PRIu64 ", cpuset.mems %" PRIu64, f->number[NUMBER_CPUS], f->number[NUMBER_MEMS]);
	return f->number[NUMBER_CPUS] == 0 || f->number[NUMBER_MEMS] == 0 ? CONFIDENCE_SEEN : CONFIDENCE_RULED_OUT;
}

enum enospc_confidence enospc_judge_cpuset_in_use(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return enospc_flag(f, NUMBER_POPULATED, "processes live in it, so it may not become empty", "no processes live in it", a);
}

enum enospc_confidence enospc_judge_domain(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return enospc_flag(f, NUMBER_DOMAIN_INVALID, "its cgroup.type is threaded, or invalid within a threaded subtree", "its cgroup.type is domain", a);
}

enum enospc_confidence enospc_judge_processes(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return enospc_flag(f, NUMBER_PROCESSES, "processes are in this very cgroup", "no process is in this very cgroup", a);
}

enum enospc_confidence enospc_judge_controllers(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return enospc_flag(f, NUMBER_CONTROLLERS_ON, "its cgroup.subtree_control hands out controllers", "its cgroup.subtree_control is empty", a);
}

enum enospc_confidence enospc_judge_in_use(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	if (enospc_known(f, NUMBER_CHILDREN) && f->number[NUMBER_CHILDREN] > 0) {
		enospc_say(a, "%" PRIu64 " cgroups are below it", f->number[NUMBER_CHILDREN]);
		return CONFIDENCE_SEEN;
	}
	return enospc_flag(f, NUMBER_POPULATED, "processes live in it", "no processes live in it", a);
}
