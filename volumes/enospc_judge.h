/* enospc_judge.h - inside of enospc.h: each cause by itself. A judge says the numbers in words and how sure it is. Pure. */
#pragma once

#include "volumes/enospc.h"

typedef enum enospc_confidence enospc_judge(const struct enospc_case *what, const struct enospc_facts *facts, struct enospc_answer *answer);

/* enospc_judge_disk.c */
enospc_judge enospc_judge_space, enospc_judge_reserved, enospc_judge_inodes, enospc_judge_quota, enospc_judge_directory, enospc_judge_xattr;
/* enospc_judge_cgroup.c */
enospc_judge enospc_judge_memcg, enospc_judge_leak, enospc_judge_descendants, enospc_judge_depth, enospc_judge_pids, enospc_judge_cpuset_empty,
	enospc_judge_cpuset_in_use, enospc_judge_domain, enospc_judge_processes, enospc_judge_controllers, enospc_judge_in_use;
/* enospc_judge_kernel.c */
enospc_judge enospc_judge_watches, enospc_judge_instances, enospc_judge_mounts, enospc_judge_user_ns, enospc_judge_other_ns;

/* --- for the judges --- */

bool enospc_known(const struct enospc_facts *facts, enum enospc_number number);
__attribute__((format(printf, 2, 3))) void enospc_say(struct enospc_answer *answer, const char *format, ...);
void enospc_say_where(struct enospc_answer *answer, const char *where);

/* Used against limit, the usual kind. */
enum enospc_confidence enospc_reached(const struct enospc_facts *facts, enum enospc_number used, enum enospc_number limit, const char *noun,
				      struct enospc_answer *answer);
/* One number that is either there or not. */
enum enospc_confidence enospc_flag(const struct enospc_facts *facts, enum enospc_number number, const char *yes, const char *no,
				   struct enospc_answer *answer);
