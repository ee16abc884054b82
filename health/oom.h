/* oom.h - the kernel's words about an OOM kill, put together from several records of its log. Pure.
 *
 * Formats of 4.19 to 7.x. comm is the victim's own choice ("a,pid=1,uid=0"): fields are taken from the right, cgroup paths
 * between fixed keys, and the pid must be the one of the "Killed process" line. A global kill has no oom_memcg=: it is the
 * node's memory, not the executor's. Secondary kills of memory.oom.group are kills too. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/executor.h"
#include "health/kmsg.h"

enum oom_scope { OOM_UNKNOWN, OOM_MEMCG, OOM_GLOBAL /* also cpuset and mempolicy */ };

struct oom_kill {
	uint32_t scope;	    /* enum oom_scope */
	uint32_t secondary; /* bool: killed because of memory.oom.group, the first victim was another */
	uint64_t kernel_time_us, sequence;
	char oom_memcg[EXECUTOR_CGROUP_BYTES];	/* whose limit it was; "" for a global one */
	char task_memcg[EXECUTOR_CGROUP_BYTES]; /* where the victim lived; "" = the format does not tell */
	char comm[64];				/* foreign */
	uint32_t pid, uid;			/* of the initial namespaces */
	uint64_t anon_rss_bytes, file_rss_bytes, shmem_rss_bytes;
	int32_t oom_score_adj;
};

struct oom_reader { /* zeroed before the first record */
	struct oom_kill pending;
	bool has_task;	   /* an "oom-kill:" line was seen */
	bool group;	   /* "Tasks in … are going to be killed" was seen */
	uint64_t sequence; /* of the last record of it */
};

/* True when `record` completes a kill. */
bool oom_read(struct oom_reader *reader, const struct kmsg_record *record, struct oom_kill *ret);
