/* oom.h - the kernel's words about an OOM kill, put together from several records of its log. Pure.
 *
 * Formats of 4.19 to 7.x (mm/oom_kill.c, mm/memcontrol.c). comm is the victim's own choice ("a,pid=1,uid=0"): fields are taken
 * from the right, cgroup paths between fixed keys, and the pid must be the one of the "Killed process" line. A global kill has no
 * oom_memcg=: it is the node's memory, not the executor's. Secondary kills of memory.oom.group are kills too.
 *
 * The kernel writes one OOM at a time (oom_lock), but of more than ten in five seconds it prints the "Killed process" line alone:
 * then only pid, comm and sizes are known, and whose memory it was is left open rather than taken from the one before.
 * The dump before the kill is the last word on who used what: it is taken along, because the cgroup is gone 0.4 s later. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/executor.h"
#include "health/kmsg.h"

enum oom_scope { OOM_UNKNOWN, OOM_MEMCG, OOM_GLOBAL /* also cpuset and mempolicy */ };

#define OOM_HAS_USAGE 1U /* usage_bytes, limit_bytes */
#define OOM_HAS_STAT  2U /* anon_bytes and the rest of memory.stat */
#define OOM_HAS_TASKS 4U /* memory by kind of process */

/* RSS by what a process calls itself ("java", "python3.11", "R"): foreign words, good for a guess. */
struct oom_tasks {
	uint64_t jvm_bytes, python_bytes, r_bytes, other_bytes;
	uint32_t jvm_count, python_count, r_count, other_count;
};

struct oom_kill {
	uint32_t scope;	    /* enum oom_scope */
	uint32_t secondary; /* bool: killed because of memory.oom.group, the first victim was another */
	uint64_t kernel_time_us, sequence;
	char oom_memcg[EXECUTOR_CGROUP_BYTES];	/* whose limit it was; "" for a global one */
	char task_memcg[EXECUTOR_CGROUP_BYTES]; /* where the victim lived; "" = the format does not tell */
	char comm[64];				/* foreign */
	uint32_t pid, uid;			/* of the initial namespaces; uid UINT32_MAX = the format does not tell */
	uint64_t anon_rss_bytes, file_rss_bytes, shmem_rss_bytes;
	int32_t oom_score_adj;
	uint32_t have; /* OOM_HAS_…: of oom_memcg and all beneath it, just before the kill */
	uint64_t usage_bytes, limit_bytes;
	uint64_t anon_bytes, file_bytes /* page cache and shmem */, shmem_bytes, kernel_bytes, sock_bytes;
	struct oom_tasks tasks;
};

enum oom_stage { OOM_STAGE_NONE, OOM_STAGE_DUMP, OOM_STAGE_STAT, OOM_STAGE_TASKS };

struct oom_reader { /* zeroed before the first record */
	struct oom_kill pending;
	uint32_t stage;	       /* enum oom_stage: what the lines to come are about */
	uint32_t task_columns; /* numbers between "[pid]" and the name */
	bool has_task;	       /* an "oom-kill:" or "Task in" line was seen; its pid is pending.pid, 0 = not told yet */
	bool group;	       /* "Tasks in … are going to be killed" was seen: pending is the first victim */
	uint32_t chosen_scope; /* enum oom_scope of the last "Kill process" line (to 5.1) */
	uint64_t task_us;      /* kernel time of that line */
	uint64_t last_us;      /* of the last kill */
};

/* True when `record` completes a kill. */
bool oom_read(struct oom_reader *reader, const struct kmsg_record *record, struct oom_kill *ret);
