/* death.h - why an executor (or one of its workers) died: facts in, one record out. Pure.
 *
 * The rule of the house: wrong is worse than unknown. A cause is named only when the evidence for it is there and the evidence
 * against its neighbours is not; `confidence` says how sure. The record is what is kept, logged, shown and sent: a plain value
 * without pointers, every string foreign text already cut, escaped and redacted. docs/executors.md lists causes and settings. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/executor.h"
#include "base/redact.h"
#include "cgroups/sample.h"
#include "health/local_disk.h"
#include "health/oom.h"
#include "health/pod_end.h"
#include "health/report.h"
#include "volumes/volume.h"

enum death_cause {
	DEATH_UNKNOWN,
	DEATH_FINISHED,		   /* 0 */
	DEATH_DECOMMISSIONED,	   /* 0 after SIGPWR */
	DEATH_DECOMMISSION_UNHANDLED, /* 158 */
	DEATH_HEAP,		   /* ExecutorHeapExhausted */
	DEATH_OVERHEAD,		   /* native, off-heap, direct memory beside the heap */
	DEATH_PYTHON,		   /* Python workers; the executor may live */
	DEATH_R,
	DEATH_SCRATCH_MEMORY,	   /* files in tmpfs */
	DEATH_PAGE_CACHE,
	DEATH_KERNEL_MEMORY,	   /* kernel, sockets */
	DEATH_SIDECAR,		   /* another container of the pod */
	DEATH_POD_LIMIT,	   /* the pod's limit, no container's own */
	DEATH_NODE_MEMORY,	   /* global OOM: a victim */
	DEATH_LIMIT_LOWERED,	   /* memory.max was set below what was in use */
	DEATH_DISK_READ_ONLY, DEATH_DISK_FULL, DEATH_DISK_FAILED, /* 53, 135, EROFS/ENOSPC/EIO in its log */
	DEATH_EVICTED,		   /* kubelet: node pressure, emptyDir sizeLimit */
	DEATH_DELETED,		   /* 143: deleted through the API, drained, perhaps preempted */
	DEATH_PREEMPTED,	   /* so the API server says: for a pod of higher priority */
	DEATH_KILLED,		   /* a signal that nobody here sent: SIGKILL without OOM evidence */
	DEATH_CRASHED,		   /* SIGSEGV, SIGABRT, SIGBUS, SIGILL of its own */
	DEATH_WRONG_ARCHITECTURE, DEATH_MISSING_FILE, /* 126, 127 */
	DEATH_START_FAILED,	   /* 128: the runtime could not start it */
	DEATH_NOT_REGISTERED,	   /* the driver could not be reached: DNS, refused, timed out */
	DEATH_DRIVER_GONE,	   /* its driver died or left */
	DEATH_HEARTBEAT,	   /* 56: lost heartbeats; under pressure or not */
	DEATH_APPLICATION,	   /* uncaught exception, exit code of the application */
	DEATH_THREADS,		   /* no new thread: the limit of processes */
	DEATH_DISK_DENIED,	   /* 53, and its user may not write to the local dirs */
	DEATH_SCRATCH_FULL,	   /* a bounded volume in memory is: tasks fail, it lives */
	DEATH_CAUSE_MAX_
};

enum death_confidence { DEATH_GUESS, DEATH_LIKELY, DEATH_CERTAIN };
enum death_exit_source { DEATH_EXIT_UNKNOWN, DEATH_EXIT_NRI, DEATH_EXIT_RUNTIME, DEATH_EXIT_WAITED /* stoker run */ };

/* What the tail of its log says; bits, set by death_read_log(). */
#define DEATH_LOG_HEAP_OOM	  0x0001U /* java.lang.OutOfMemoryError: Java heap space, GC overhead limit, array size */
#define DEATH_LOG_METASPACE_OOM	  0x0002U
#define DEATH_LOG_DIRECT_OOM	  0x0004U /* Direct buffer memory */
#define DEATH_LOG_THREAD_OOM	  0x0008U /* unable to create native thread */
#define DEATH_LOG_READ_ONLY	  0x0010U
#define DEATH_LOG_NO_SPACE	  0x0020U
#define DEATH_LOG_IO_ERROR	  0x0040U
#define DEATH_LOG_NO_LOCAL_DIR	  0x0080U /* Failed to create any local dir. */
#define DEATH_LOG_SIGTERM	  0x0100U /* RECEIVED SIGNAL TERM, and it had not lost its driver before */
#define DEATH_LOG_DECOMMISSION	  0x0200U
#define DEATH_LOG_DRIVER_GONE	  0x0400U /* Driver … disassociated */
#define DEATH_LOG_UNKNOWN_HOST	  0x0800U
#define DEATH_LOG_REFUSED	  0x1000U
#define DEATH_LOG_CONNECT_TIMEOUT 0x2000U
#define DEATH_LOG_HEARTBEAT	  0x4000U
#define DEATH_LOG_PYTHON_CRASHED  0x8000U /* Python worker exited unexpectedly */
#define DEATH_LOG_EXCEPTION	  0x10000U
#define DEATH_LOG_MEMORY_ERROR	  0x20000U /* Python's MemoryError */
#define DEATH_LOG_EXEC_FORMAT	  0x40000U
#define DEATH_LOG_NOT_FOUND	  0x80000U
#define DEATH_LOG_REGISTERED	  0x100000U /* Successfully registered with driver */
#define DEATH_LOG_SHUTDOWN	  0x200000U /* Driver commanded a shutdown: the application is over */
#define DEATH_LOG_NATIVE_OOM	  0x400000U /* insufficient memory for the Java Runtime Environment */
#define DEATH_LOG_DENIED	  0x800000U /* Permission denied */
#define DEATH_LOG_JVM_CRASH	  0x1000000U /* fatal error detected by the Java Runtime Environment */
#define DEATH_LOG_COLLECTED	  0x2000000U /* no word of its log but of the JVM's counters (run_jvm.h): it collected its whole heap right before its end */

#define DEATH_LOG_DISK (DEATH_LOG_READ_ONLY | DEATH_LOG_NO_SPACE | DEATH_LOG_IO_ERROR)

#define DEATH_LOG_TAIL_BYTES (16 * 1024)
/* The tail of a container's log: CRI lines ("2026-11-26T16:00:00.1Z stderr F TEXT"), or plain ones. What is older than two minutes
 * before its last line is left out, but for that it had registered. `line`: the one that says most, redacted, escaped and cut, "" = none. Without a redactor only the
 * bits are told. */
uint32_t death_read_log(const char *tail, size_t length, const struct redactor *redactor, char *line, size_t line_size);

/* Memory of its processes by kind (RSS of /proc/PID/status), at the last sample that has it. */
struct death_processes {
	uint64_t time_us; /* monotonic; 0 = never sampled */
	uint64_t jvm_bytes, python_bytes, r_bytes, other_bytes;
	uint32_t jvm_count, python_count, r_count, other_count;
};

#define DEATH_OOM_MAX 8
#define DEATH_PERIODS_LEAST 50 /* of a CPU's limit, 0.1 s each: fewer tell nothing */

struct death_facts {
	struct executor executor;
	uint32_t lives;	      /* bool: a process of it was killed, it goes on */
	uint32_t exit_source; /* enum death_exit_source */
	int32_t exit_code;    /* as kubelet shows it: 128 + signal; -1 = not known */
	char runtime_reason[32]; /* "OOMKilled", "StartError" …; "" */
	char runtime_message[256]; /* redacted */
	struct pod_end api; /* what the API server says of the pod, where that may be asked */
	/* Counters: what is not explained yet. A Python worker that was killed an hour ago is no part of this death. */
	uint32_t counters_are_final; /* bool: one of the two below was read after the end: no oom_kill in them then means none */
	struct sample last;   /* the container's last sample before the end; have = 0: none */
	struct sample at_peak; /* the one with the highest use in the last minute */
	struct sample_events container; /* deltas */
	struct sample_events pod;	/* deltas, without live siblings' */
	uint64_t pod_limit_bytes;
	uint64_t limit_was_bytes; /* before it was lowered; 0 = it was not */
	uint64_t cpu_periods, throttled_periods; /* in its last minute of samples; 0 = not known, or its CPU has no limit */
	uint64_t growth_bytes;	  /* how much its use rose in the last minute of samples; 0 = not known */
	uint32_t oom_count;
	struct oom_kill ooms[DEATH_OOM_MAX]; /* of this pod, or global with a victim here */
	uint32_t sibling_oom; /* bool: another container of the pod was OOM-killed */
	struct death_processes processes;
	uint64_t scratch_bytes; /* files in memory-backed mounts; = shmem where not known apart */
	char scratch_name[128]; /* of volumes in memory that may be full, and their size; "" = none may */
	uint64_t scratch_total_bytes;
	uint32_t log_is_read; /* bool: a word that is missing in log_bits is missing in its log */
	uint32_t log_bits;
	char log_line[256]; /* redacted */
	struct local_disk disk; /* the node's verdict on the filesystem of its local dirs, as it is now */
	uint32_t deleted; /* bool: the pod was being stopped (NRI StopPodSandbox before the exit) */
	uint64_t started_wall_us, ended_wall_us;
};

struct death {
	struct executor executor;
	uint64_t number; /* of this agent, rises; keeps its order */
	uint32_t cause;	 /* enum death_cause */
	uint32_t confidence;
	uint32_t lives;
	int32_t exit_code;
	uint64_t started_wall_us, ended_wall_us;
	uint64_t explained_after_us; /* from the first evidence to this record */
	uint64_t limit_bytes, used_bytes, anon_bytes, shmem_bytes, cache_bytes, kernel_bytes;
	uint64_t jvm_bytes, python_bytes, other_bytes; /* processes; R among the others */
	char volume[VOLUME_NAME_BYTES]; /* of its pod's volumes the fullest; "" = none is known */
	uint64_t volume_size_bytes, volume_used_bytes;
	char setting[96];   /* "spark.executor.memoryOverhead"; "" = none helps */
	char value[48];	    /* "1229m" */
	uint64_t value_bytes;
	char pod_reason[POD_END_WORD_BYTES]; /* as the API server says it: "Evicted", "PreemptionByScheduler" …; "" = none, or not known */
	char summary[320];  /* one sentence with the number first */
	char advice[320];   /* what to change or do, and why */
	char evidence[640]; /* what it rests on, "; " between */
};

#define DEATH_NOTE_BYTES      1024
#define DEATH_JSON_MAX_BYTES  (32 * 1024)
#define DEATH_JSON_KIND	      "ExecutorDeath"

/* May the container have lived by this victim? In an image with an init or a shell that is not its first process: it is an executor's JVM; of a driver its
 * Python too, since SparkSubmit ends with the code of its Python; of a neighbour, and of what stoker run is given that is no executor, nobody knows which. A standalone worker lives by its own JVM, not by its executors'. */
bool death_is_main(const struct executor *executor, const struct oom_kill *kill);
bool death_lives_by_any(const struct executor *executor); /* nobody knows by which of its processes */

const char *death_confidence_name(enum death_confidence confidence); /* "guess", "likely", "certain" */
const char *death_cause_name(enum death_cause cause);	/* "heap", "overhead", "python" …: metric label, JSON */
const char *death_cause_reason(enum death_cause cause); /* "ExecutorHeapExhausted" …: Event reason */
bool death_is_good(enum death_cause cause);		/* finished, decommissioned: no Event of type Warning */

/* The rules, in their order: death_rules.c; who grew: death_memory.c; by how much to raise what: death_need.c. */
void death_explain(const struct death_facts *facts, struct death *ret);

/* "app NAME exec 3: " + number and setting first; at most 1,024 bytes with NUL, for an Event's note. */
void death_note(const struct death *death, char *text, size_t size);

/* JSON of docs/contract.md ("kind":"ExecutorDeath"), on one line; malloc'ed. */
int death_to_json(const struct death *death, char **ret_text, struct err *e);
int death_from_json(const char *text, size_t length, struct death *ret, struct err *e);
