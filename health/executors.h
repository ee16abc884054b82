/* executors.h - the containers of Spark pods that live here: watched in their cgroups, and their ends explained.
 *
 * Told of by the runtime (records of stoker-nri) or by a look at cgroupfs; watched by inotify or eventfd and by samples (idle ones
 * every 10 s, busy ones every second); when one ends, or a process of it is killed, what is known is put together (death.h)
 * and handed to ops->death. When everything is there that will be known is settle.h's decision. At most EXECUTORS_MAX; what is
 * beyond is counted and left alone. Every call brings the time. Nothing here blocks: files are cgroupfs only, the rest is asked
 * of the broker. Memory: struct executors_entry, allocated when it comes; the kernel's words about OOM kills only while needed. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/log.h"
#include "cgroups/cgroup.h"
#include "cgroups/watch.h"
#include "health/death.h"
#include "health/footprint.h"
#include "health/settle.h"
#include "health/suspicion.h"
#include "health/wire.h"

#define EXECUTORS_MAX	       512
#define EXECUTORS_BUSY_US      1000000ULL
#define EXECUTORS_IDLE_US      10000000ULL
#define EXECUTORS_BUSY_PERCENT 80 /* of its limit, page cache left out */
#define EXECUTORS_CALM_US      30000000ULL /* busy so long after the last reason to be */
#define EXECUTORS_RING	       6 /* samples: the highest of each 10 s */
#define EXECUTORS_SLICE	       16 /* are sampled at a time: 2 ms at most, of hundreds 25 (measured) */
#define EXECUTORS_TOLD	       64 /* ends that are remembered, so that a late word does not make a second one */
#define EXECUTORS_MERGE_US     5000000ULL /* kills that were survived: one record for all within that */

struct moment {
	uint64_t us;	  /* monotonic */
	uint64_t wall_us; /* since 1970 */
};

struct executors;
struct executors_pod;

struct executors_entry {
	struct executor executor;
	struct executors *table;
	struct executors_pod *pod;
	struct cgroup cgroup;
	struct cgroup_watch watch;
	bool open;	   /* `cgroup` is */
	bool unreachable;  /* its cgroup was not found: said once */
	bool named;	   /* since the last synchronisation */
	bool removed;	   /* the runtime keeps it no more */
	bool busy;
	bool stall;	   /* memory pressure since the last sample */
	bool unread;	   /* its counters changed and were not read yet */
	bool counted_at_end; /* they were read after its end */
	struct moment started, ended; /* 0 = not yet, or not known */
	uint64_t stopping_us; /* somebody stops its pod; 0 = nobody. Not the pod's: kubelet may make its sandbox anew */
	uint64_t reaped_us; /* settle.h */
	uint64_t gone_us, killed_us, busy_until_us, sampled_us, worker_told_us;
	uint64_t limit_was_bytes, limit_lowered_us;
	uint64_t settle_us; /* when to look again at what has happened */
	struct sample last;			/* the newest full one before a kill */
	struct footprint ring[EXECUTORS_RING];
	/* counters: when it was opened; up to what is explained; as last read */
	struct sample_events first, explained_events, counted;
	uint64_t counted_us;
	struct oom_kill *ooms;			/* DEATH_OOM_MAX of them; NULL = none */
	uint32_t oom_count;
	struct sample_events told_events; /* before the kill that was told last as survived: it may have been the end all the same */
	uint32_t told_ooms;
	bool has_code;
	int32_t exit_code;
	bool code_is_runtimes; /* the runtime was asked for it */
	struct settle_question questions[SETTLE_WHOM_MAX_]; /* about its end */
	struct executors_set {		/* at its creation; what is still to be looked for */
		bool has_oom_group, has_oom_score_adj, oom_group;
		int32_t oom_score_adj;
	} set;
	struct death_processes processes;
	uint64_t processes_asked_us;
	bool log_was_read; /* its end, and not only waited for */
	uint32_t log_bits;
	struct executors_words *words; /* NULL = none yet */
	struct suspicion *suspicion;   /* NULL = it was never suspected of failing its tasks */
};

/* About its end: most live, and each of 250 costs what is in its entry. */
struct executors_words {
	char runtime_reason[32], runtime_message[256];
	char log_line[256];
	struct pod_end api; /* what the API server says of its pod */
};

/* Keeps the counts of containers that are gone: on v2 its counters do too. */
struct executors_pod {
	char uid[EXECUTOR_UID_BYTES];
	struct executors *table;
	unsigned users;
	struct cgroup cgroup;
	struct cgroup_watch watch;
	bool open;
	struct sample_events counted, first; /* as last read; when we came */
	struct sample_events told; /* of its containers that are gone */
	uint64_t oom_us;	   /* a container of it was OOM-killed last */
	char oom_container[EXECUTOR_CONTAINER_ID_BYTES];
	uint64_t limit_bytes;
	uint64_t counted_us;	   /* when `counted` was read */
	struct executors_pod *next;
};

struct executors_ops {
	/* Ask the broker; answered by executors_processes(). False: not now. NULL: nobody to be asked. */
	bool (*processes)(struct executors *executors, const struct executors_entry *entry);
	/* Ask about its end; the question's number, which comes with the answer: executors_status(), executors_api(), executors_tail(),
	 * executors_refused(). 0: not now, or never. */
	uint64_t (*ask)(struct executors *executors, const struct executors_entry *entry, enum settle_whom whom);
	/* What was set at its creation is not in force: said once, and not tried again. NULL: nobody to be told. */
	void (*unverified)(struct executors *executors, const struct executors_entry *entry, const char *what);
	/* What this node's health says of the disk that its local dirs lie on. NULL: nothing. */
	void (*storage)(struct executors *executors, const struct executor *executor, struct local_disk *ret);
	void (*death)(struct executors *executors, const struct death *death);
	void (*changed)(struct executors *executors); /* something to be waited for: executors_due() is another. NULL: looks by itself */
};

struct executors {
	const struct executors_ops *ops;
	const struct log *log;
	void *owner;
	struct cgroup_layout layout;
	struct cgroup_watcher watcher;
	bool has_cgroups; /* the two above are there */
	bool kmsg;	  /* the kernel's log is read */
	uint64_t gap_us;  /* when records of it were lost last; 0 = never */
	bool nri;	  /* the runtime tells of containers */
	bool codes;	  /* and of their exit codes */
	struct executors_entry *entries[EXECUTORS_MAX];
	unsigned count;
	unsigned turn; /* index of whose sample is looked at next */
	struct executors_pod *pods;
	uint64_t told[EXECUTORS_TOLD]; /* hashes of container ids whose end was told */
	unsigned told_next;
	uint64_t beyond_total, unreachable_total;
	struct death_facts facts; /* scratch */
};

/* Finds the hierarchies and starts to watch. Without cgroups it still works, and knows less: then the error says why. */
int executors_start(struct executors *executors, uv_loop_t *loop, const struct log *log, const struct executors_ops *ops, void *owner, struct err *e);
void executors_stop(struct executors *executors);

/* --- what the runtime tells (supervisor_nri.c, or the look without NRI) --- */

void executors_add(struct executors *executors, const struct executor *executor, struct moment now);
void executors_adjusted(struct executors *executors, const struct wire_adjusted *adjusted, struct moment now); /* before its start */
void executors_started(struct executors *executors, const struct wire_container *who, struct moment now);
void executors_stopped(struct executors *executors, const struct wire_container *who, struct moment now);
void executors_removed(struct executors *executors, const struct wire_container *who, struct moment now);
void executors_pod_stopping(struct executors *executors, const struct wire_container *who, struct moment now);
void executors_synchronized(struct executors *executors, struct moment now); /* who was not named since the last time is gone */
void executors_nri(struct executors *executors, bool live, bool codes);	     /* is it told of containers, and of exit codes? */

/* --- what the kernel and the broker tell --- */

void executors_oom(struct executors *executors, const struct oom_kill *kill, struct moment now);
void executors_processes(struct executors *executors, const struct wire_processes *processes, struct moment now);
void executors_tail(struct executors *executors, uint64_t id, const struct wire_log *log, struct moment now); /* `id`: of the question */
void executors_status(struct executors *executors, const struct wire_status *status, struct moment now);
void executors_refused(struct executors *executors, uint64_t id); /* this question is not answered */
void executors_api(struct executors *executors, uint64_t id, const struct wire_pod_told *told);

/* It may live on and fail its tasks: if its log says so, that is told, once for as long as it goes on. Not asked if it was a moment ago. */
void executors_suspect(struct executors_entry *entry, const struct suspect *of, struct moment now);

/* --- the clock --- */

/* Explains what is settled, and samples of what is due EXECUTORS_SLICE: then others of the loop have a turn. */
void executors_run(struct executors *executors, struct moment now);
/* When executors_run() wants to be called next; UINT64_MAX = not before something happens. */
uint64_t executors_due(const struct executors *executors, uint64_t now_us);

/* --- for others --- */

struct executor_view;
void executors_view(const struct executors_entry *entry, struct executor_view *ret);
struct executors_entry *executors_find(const struct executors *executors, const char *container_id);
bool executors_knows(const struct executors *executors, const char *container_id); /* or its end was told a moment ago */
/* Memory that it cannot give back: use without clean page cache. */
uint64_t executors_working_set(const struct sample *sample);
