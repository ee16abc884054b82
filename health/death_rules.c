/* death_rules.c - from what is known to the cause: one table, the first row that fits counts. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/death_view.h"

/* What must be so for a row, beside exit code and log. */
#define IS_LIVING     0x0001U /* it goes on: something in it was killed */
#define IS_OOM	      0x0002U /* the kernel killed here for memory, and no survivor speaks against it */
#define IS_NO_OOM     0x0004U /* it did not, as far as the last look at the counters tells */
#define IS_SURE	      0x0008U /* with IS_NO_OOM: the counters were read after the end */
#define IS_EVICTED    0x0010U
#define IS_DELETED    0x0020U /* somebody stops the pod */
#define IS_API	      0x0040U /* the API server says that the pod was to go, and by now */
#define IS_NO_START   0x0080U /* the runtime says so */
#define IS_SICK	      0x0100U /* the node's verdict on the disk of its local dirs */
#define IS_SICK_RO    0x0200U
#define IS_SICK_FULL  0x0400U
#define IS_HEAP_FULL  0x0800U /* the JVM's RSS was at least 90 % of -Xmx, or may have been */
#define IS_LOG_READ   0x1000U
#define IS_NO_LOG     0x2000U
#define IS_YOUNG      0x4000U /* it ended within ten minutes */
#define IS_EXECUTOR   0x8000U
#define IS_DRIVER     0x10000U
#define IS_RUN	      0x20000U /* stoker run: no Kubernetes */
#define IS_SURVIVED   0x40000U /* killed for memory were others: the JVM is not among the victims */
#define IS_MAIN_VICTIM 0x80000U /* what the container lived by, whatever an init or a shell makes of it */
#define IS_FILLING    0x100000U /* a volume in memory that it has may be full */
#define IS_PREEMPTED  0x200000U
#define IS_SICK_IO    0x800000U /* and not for want of room */
#define IS_UNHEARD    0x1000000U /* what a JVM itself says, on its standard output, is not known: `stoker run` reads only the other one */
#define IS_UNASKED    0x400000U /* the API server knows of the end, and of nobody who wanted the pod to go */

#define YOUNG_US       (600 * US_PER_S)
#define GRACE_SLACK_US (3 * US_PER_S) /* times of the API are whole seconds, of another clock */

#define CANNOT_REACH  (DEATH_LOG_UNKNOWN_HOST | DEATH_LOG_REFUSED | DEATH_LOG_CONNECT_TIMEOUT)
#define BESIDE_HEAP   (DEATH_LOG_METASPACE_OOM | DEATH_LOG_DIRECT_OOM)
#define CODE_UNKNOWN  (-1)
#define CODE_ANY      INT16_MIN, INT16_MAX
#define CODE(n)	      (n), (n)

struct rule {
	int16_t code_from, code_to; /* exit code */
	uint32_t is;		    /* all of these */
	uint32_t flags;		    /* all of these, of the executor */
	uint32_t log, log_not;	    /* one of these words (0 = no matter); none of those */
	enum death_cause cause;
	enum death_confidence confidence;
	const char *because;
};

/* Stands in for "see death_memory.c". */
#define BY_KERNEL DEATH_CAUSE_MAX_

static const struct rule rules[] = {
	/* it lives on */
	{CODE_ANY, IS_LIVING | IS_OOM, 0, 0, 0, BY_KERNEL, 0, NULL},
	{CODE_ANY, IS_LIVING | IS_SURVIVED, 0, 0, 0, BY_KERNEL, 0, NULL},
	{CODE_ANY, IS_LIVING, 0, DEATH_LOG_READ_ONLY, 0, DEATH_DISK_READ_ONLY, DEATH_LIKELY, "it goes on and fails its tasks"},
	{CODE_ANY, IS_LIVING | IS_FILLING, 0, DEATH_LOG_NO_SPACE, 0, DEATH_SCRATCH_FULL, DEATH_LIKELY, "it goes on and fails its tasks"},
	{CODE_ANY, IS_LIVING, 0, DEATH_LOG_NO_SPACE, 0, DEATH_DISK_FULL, DEATH_LIKELY, "it goes on and fails its tasks"},
	{CODE_ANY, IS_LIVING, 0, DEATH_LOG_IO_ERROR, 0, DEATH_DISK_FAILED, DEATH_LIKELY, "it goes on and fails its tasks"},
	{CODE_ANY, IS_LIVING, 0, 0, 0, DEATH_UNKNOWN, DEATH_GUESS, NULL},
	/* said by who knows */
	{CODE(137), IS_EVICTED | IS_OOM, 0, 0, 0, BY_KERNEL, 0, NULL}, /* the kernel was faster */
	{CODE(137), IS_PREEMPTED | IS_OOM, 0, 0, 0, BY_KERNEL, 0, NULL},
	{CODE_ANY, IS_EVICTED, 0, 0, 0, DEATH_EVICTED, DEATH_CERTAIN, "kubelet evicted it"},
	{CODE_ANY, IS_NO_START, 0, DEATH_LOG_EXEC_FORMAT, 0, DEATH_WRONG_ARCHITECTURE, DEATH_CERTAIN, "the runtime could not start it"},
	{CODE_ANY, IS_NO_START, 0, DEATH_LOG_NOT_FOUND, 0, DEATH_MISSING_FILE, DEATH_CERTAIN, "the runtime could not start it"},
	{CODE_ANY, IS_NO_START, 0, 0, 0, DEATH_START_FAILED, DEATH_CERTAIN, "the runtime could not start it"},
	{CODE(143), IS_PREEMPTED, 0, 0, 0, DEATH_PREEMPTED, DEATH_CERTAIN, "SIGTERM; its pod was preempted"},
	{CODE(137), IS_PREEMPTED | IS_NO_OOM, 0, 0, 0, DEATH_PREEMPTED, DEATH_CERTAIN, "its pod was preempted: killed when the grace period was over"},
	{CODE(137), IS_PREEMPTED, 0, 0, 0, DEATH_PREEMPTED, DEATH_LIKELY, "its pod was preempted: killed when the grace period was over"},
	{CODE(0), IS_PREEMPTED, 0, 0, DEATH_LOG_SHUTDOWN, DEATH_PREEMPTED, DEATH_LIKELY, "its pod was preempted, and it left in time"},
	{CODE(CODE_UNKNOWN), IS_PREEMPTED | IS_NO_OOM, 0, 0, 0, DEATH_PREEMPTED, DEATH_LIKELY, "its pod was preempted"},
	{CODE(0), 0, 0, DEATH_LOG_DECOMMISSION, 0, DEATH_DECOMMISSIONED, DEATH_CERTAIN, "it was asked to hand over and leave"},
	{CODE(0), IS_SURVIVED, 0, 0, 0, BY_KERNEL, 0, NULL}, /* it left right after a kill in it: kubelet shows OOMKilled and Succeeded together */
	{CODE(0), IS_OOM | IS_MAIN_VICTIM, 0, 0, 0, BY_KERNEL, 0, NULL},
	{CODE(0), 0, 0, DEATH_LOG_DRIVER_GONE, DEATH_LOG_SHUTDOWN, DEATH_DRIVER_GONE, DEATH_CERTAIN, "its connection to the driver ended"}, /* it means 1, and its main may return first */
	{CODE(0), IS_API | IS_LOG_READ, EXECUTOR_DECOMMISSION, 0, DEATH_LOG_SHUTDOWN, DEATH_DECOMMISSIONED, DEATH_LIKELY, "its pod was to go, and it may hand over first"},
	{CODE(0), IS_NO_LOG, EXECUTOR_DECOMMISSION, 0, 0, DEATH_FINISHED, DEATH_GUESS, "its log, which would tell an end from a decommissioning, was gone"},
	{CODE(0), 0, 0, 0, 0, DEATH_FINISHED, DEATH_CERTAIN, NULL},
	/* OutOfMemoryError: the JVM's own limits, no kernel in it */
	{CODE(52), 0, 0, DEATH_LOG_THREAD_OOM, DEATH_LOG_HEAP_OOM, DEATH_THREADS, DEATH_CERTAIN, "exit code 52 is Spark's for an OutOfMemoryError"},
	{CODE(52), 0, 0, BESIDE_HEAP, DEATH_LOG_HEAP_OOM, DEATH_OVERHEAD, DEATH_CERTAIN, "exit code 52 is Spark's for an OutOfMemoryError"},
	{CODE(52), 0, 0, DEATH_LOG_HEAP_OOM, 0, DEATH_HEAP, DEATH_CERTAIN, "exit code 52 is Spark's for an OutOfMemoryError"},
	{CODE(52), 0, 0, 0, 0, DEATH_HEAP, DEATH_LIKELY, "exit code 52 is Spark's for an OutOfMemoryError"},
	{CODE(3), 0, 0, DEATH_LOG_THREAD_OOM, DEATH_LOG_HEAP_OOM, DEATH_THREADS, DEATH_LIKELY, "exit code 3 is ExitOnOutOfMemoryError's"},
	{CODE(3), 0, 0, BESIDE_HEAP, DEATH_LOG_HEAP_OOM, DEATH_OVERHEAD, DEATH_LIKELY, "exit code 3 is ExitOnOutOfMemoryError's"},
	{CODE(3), 0, EXECUTOR_JVM_EXIT_ON_OOM, DEATH_LOG_HEAP_OOM, 0, DEATH_HEAP, DEATH_CERTAIN, "exit code 3 is ExitOnOutOfMemoryError's, which is set"},
	{CODE(3), 0, EXECUTOR_JVM_EXIT_ON_OOM, 0, 0, DEATH_HEAP, DEATH_LIKELY, "exit code 3 is ExitOnOutOfMemoryError's, which is set"},
	{CODE(3), 0, 0, DEATH_LOG_HEAP_OOM, 0, DEATH_HEAP, DEATH_LIKELY, "exit code 3 is ExitOnOutOfMemoryError's"},
	{CODE(134), 0, 0, BESIDE_HEAP, DEATH_LOG_HEAP_OOM, DEATH_OVERHEAD, DEATH_LIKELY, "CrashOnOutOfMemoryError ends with 134"},
	{CODE(134), 0, EXECUTOR_JVM_CRASH_ON_OOM, DEATH_LOG_HEAP_OOM, 0, DEATH_HEAP, DEATH_CERTAIN, "CrashOnOutOfMemoryError, which is set, ends with 134"},
	{CODE(134), 0, 0, DEATH_LOG_HEAP_OOM, 0, DEATH_HEAP, DEATH_LIKELY, "CrashOnOutOfMemoryError ends with 134"},
	{CODE(134), IS_HEAP_FULL | IS_UNHEARD, EXECUTOR_JVM_CRASH_ON_OOM, 0, 0, DEATH_HEAP, DEATH_GUESS, "CrashOnOutOfMemoryError, which is set, ends with 134"},
	/* killed for memory by the kernel */
	{CODE(137), IS_OOM, 0, 0, 0, BY_KERNEL, 0, NULL},
	{CODE(CODE_UNKNOWN), IS_OOM, 0, 0, 0, BY_KERNEL, 0, NULL},
	{1, 125, IS_OOM | IS_MAIN_VICTIM, 0, 0, 0, BY_KERNEL, 0, NULL}, /* a script or spark-submit lived on, for as long as it took to say so */
	{CODE(143), IS_OOM | IS_MAIN_VICTIM, 0, 0, 0, BY_KERNEL, 0, NULL},
	/* 137 without that */
	{CODE(137), IS_NO_OOM, EXECUTOR_JVM_KILL_ON_OOM, DEATH_LOG_HEAP_OOM, 0, DEATH_HEAP, DEATH_CERTAIN, "OnOutOfMemoryError='kill -9' is set, the kernel killed nobody"},
	{CODE(137), IS_NO_OOM, 0, DEATH_LOG_HEAP_OOM, 0, DEATH_HEAP, DEATH_LIKELY, "the kernel killed nobody"},
	{CODE(137), IS_NO_OOM, 0, DEATH_LOG_DRIVER_GONE, DEATH_LOG_SIGTERM, DEATH_DRIVER_GONE, DEATH_LIKELY, "its connection to the driver ended, and it was killed while it left"},
	{CODE(137), IS_API | IS_NO_OOM, 0, 0, 0, DEATH_DELETED, DEATH_CERTAIN, "its pod was to go: killed when the grace period was over"},
	{CODE(137), IS_DELETED, 0, 0, 0, DEATH_DELETED, DEATH_LIKELY, "its pod was being stopped: killed when the grace period was over"},
	{CODE(137), IS_NO_OOM, 0, DEATH_LOG_SIGTERM, 0, DEATH_DELETED, DEATH_LIKELY, "SIGTERM first, then killed: the grace period was over"},
	{CODE(137), IS_NO_OOM | IS_UNHEARD, EXECUTOR_JVM_KILL_ON_OOM, DEATH_LOG_COLLECTED, 0, DEATH_HEAP, DEATH_LIKELY, "OnOutOfMemoryError='kill -9' is set, the kernel killed nobody, and its whole heap was collected right before"},
	{CODE(137), IS_NO_OOM | IS_HEAP_FULL | IS_UNHEARD, EXECUTOR_JVM_KILL_ON_OOM, 0, 0, DEATH_HEAP, DEATH_GUESS, "OnOutOfMemoryError='kill -9' is set, the kernel killed nobody"},
	{CODE(137), IS_SURVIVED, 0, 0, 0, DEATH_KILLED, DEATH_LIKELY, "the kernel killed others of its processes for memory, not the JVM"},
	{CODE(137), IS_NO_OOM | IS_UNHEARD, EXECUTOR_JVM_KILL_ON_OOM, 0, 0, DEATH_KILLED, DEATH_LIKELY, "SIGKILL; OnOutOfMemoryError='kill -9' is set, its heap did not look full"},
	{CODE(137), IS_NO_OOM | IS_SURE, 0, 0, 0, DEATH_KILLED, DEATH_CERTAIN, "SIGKILL, and the kernel killed nobody for memory"},
	{CODE(137), IS_NO_OOM, 0, 0, 0, DEATH_KILLED, DEATH_LIKELY, "SIGKILL; no kill for memory was seen"},
	/* disk */
	{CODE(53), 0, 0, DEATH_LOG_READ_ONLY, 0, DEATH_DISK_READ_ONLY, DEATH_CERTAIN, "exit code 53: no local dir could be made"},
	{CODE(53), 0, 0, DEATH_LOG_NO_SPACE, 0, DEATH_DISK_FULL, DEATH_CERTAIN, "exit code 53: no local dir could be made"},
	{CODE(53), 0, 0, DEATH_LOG_IO_ERROR, 0, DEATH_DISK_FAILED, DEATH_CERTAIN, "exit code 53: no local dir could be made"},
	{CODE(53), IS_SICK_RO, 0, 0, 0, DEATH_DISK_READ_ONLY, DEATH_LIKELY, "exit code 53: no local dir could be made"},
	{CODE(53), IS_SICK_FULL, 0, 0, 0, DEATH_DISK_FULL, DEATH_LIKELY, "exit code 53: no local dir could be made"},
	{CODE(53), 0, 0, DEATH_LOG_DENIED, 0, DEATH_DISK_DENIED, DEATH_LIKELY, "exit code 53: no local dir could be made"},
	{CODE(53), 0, 0, 0, 0, DEATH_DISK_FAILED, DEATH_LIKELY, "exit code 53: no local dir could be made"},
	{CODE(135), 0, 0, DEATH_LOG_READ_ONLY, 0, DEATH_DISK_READ_ONLY, DEATH_LIKELY, "SIGBUS: a mapped file could not be read or written"},
	{CODE(135), 0, 0, DEATH_LOG_NO_SPACE, 0, DEATH_DISK_FULL, DEATH_LIKELY, "SIGBUS: a mapped file could not be read or written"},
	{CODE(135), IS_SICK_FULL, 0, 0, 0, DEATH_DISK_FULL, DEATH_LIKELY, "SIGBUS: a mapped file could not be read or written"},
	{CODE(135), IS_SICK_RO, 0, 0, 0, DEATH_DISK_READ_ONLY, DEATH_LIKELY, "SIGBUS: a mapped file could not be read or written"},
	{CODE(135), IS_SICK, 0, 0, 0, DEATH_DISK_FAILED, DEATH_LIKELY, "SIGBUS: a mapped file could not be read or written"},
	{CODE(135), 0, 0, DEATH_LOG_IO_ERROR, 0, DEATH_DISK_FAILED, DEATH_LIKELY, "SIGBUS: a mapped file could not be read or written"},
	{CODE(135), 0, 0, 0, 0, DEATH_CRASHED, DEATH_LIKELY, "SIGBUS"},
	/* asked to go */
	{CODE(143), 0, 0, DEATH_LOG_SHUTDOWN, 0, DEATH_FINISHED, DEATH_LIKELY, "its driver had told it to stop"},
	{CODE(143), 0, 0, DEATH_LOG_DRIVER_GONE, DEATH_LOG_SIGTERM, DEATH_DRIVER_GONE, DEATH_CERTAIN, "its connection to the driver ended, and SIGTERM came while it left"},
	{CODE(143), IS_RUN, 0, DEATH_LOG_DRIVER_GONE, 0, DEATH_DRIVER_GONE, DEATH_LIKELY, "SIGTERM, and its connection to the driver ended"}, /* a Worker's, which ends too */
	{CODE(143), IS_RUN, 0, 0, 0, DEATH_KILLED, DEATH_CERTAIN, "SIGTERM"},
	{CODE(143), IS_DELETED, 0, 0, 0, DEATH_DELETED, DEATH_CERTAIN, "SIGTERM; its pod was being stopped"},
	{CODE(143), IS_UNASKED, 0, 0, 0, DEATH_KILLED, DEATH_LIKELY, "SIGTERM, and nobody had asked the API server for its pod to go"},
	{CODE(143), 0, 0, 0, 0, DEATH_DELETED, DEATH_LIKELY, "SIGTERM"},
	{CODE(158), 0, 0, 0, 0, DEATH_DECOMMISSION_UNHANDLED, DEATH_CERTAIN, "SIGPWR, and nobody handled it"},
	/* lost touch */
	{CODE(56), IS_EXECUTOR, 0, 0, 0, DEATH_HEARTBEAT, DEATH_CERTAIN, "exit code 56: no heartbeat reached the driver"},
	{CODE(58), IS_EXECUTOR, 0, 0, 0, DEATH_HEARTBEAT, DEATH_LIKELY, "exit code 58: it could not register its blocks again"},
	{CODE(1), 0, 0, DEATH_LOG_DRIVER_GONE, 0, DEATH_DRIVER_GONE, DEATH_CERTAIN, "its connection to the driver ended"},
	{CODE(255), 0, 0, DEATH_LOG_DRIVER_GONE, 0, DEATH_DRIVER_GONE, DEATH_CERTAIN, "its connection to its standalone worker ended"},
	{CODE(1), IS_EXECUTOR | IS_YOUNG, 0, CANNOT_REACH, DEATH_LOG_REGISTERED, DEATH_NOT_REGISTERED, DEATH_LIKELY, "it never registered with its driver"},
	/* crashed, or never ran */
	{CODE(126), 0, 0, DEATH_LOG_EXEC_FORMAT, 0, DEATH_WRONG_ARCHITECTURE, DEATH_CERTAIN, "exit code 126: found, but cannot be executed"},
	{CODE(126), 0, 0, 0, 0, DEATH_WRONG_ARCHITECTURE, DEATH_GUESS, "exit code 126: found, but cannot be executed"},
	{CODE(127), 0, 0, 0, 0, DEATH_MISSING_FILE, DEATH_CERTAIN, "exit code 127: command not found"},
	{CODE(128), 0, 0, DEATH_LOG_EXEC_FORMAT, 0, DEATH_WRONG_ARCHITECTURE, DEATH_LIKELY, "the runtime could not start it"},
	{CODE(128), 0, 0, 0, 0, DEATH_START_FAILED, DEATH_LIKELY, "exit code 128 is the runtime's"},
	{CODE(132), 0, 0, 0, 0, DEATH_CRASHED, DEATH_CERTAIN, "SIGILL"},
	{CODE(134), 0, 0, DEATH_LOG_JVM_CRASH, 0, DEATH_CRASHED, DEATH_CERTAIN, "SIGABRT"},
	{CODE(134), 0, 0, 0, 0, DEATH_CRASHED, DEATH_LIKELY, "SIGABRT"},
	{CODE(136), 0, 0, 0, 0, DEATH_CRASHED, DEATH_CERTAIN, "SIGFPE"},
	{CODE(139), 0, 0, 0, 0, DEATH_CRASHED, DEATH_CERTAIN, "SIGSEGV"},
	/* an exit code that says little, and a log that says more */
	{-1, 125, IS_NO_OOM, 0, DEATH_LOG_HEAP_OOM, 0, DEATH_HEAP, DEATH_LIKELY, "its log ends with it"},
	{-1, 125, IS_NO_OOM, 0, BESIDE_HEAP, 0, DEATH_OVERHEAD, DEATH_LIKELY, "its log ends with it"},
	{-1, 125, 0, 0, DEATH_LOG_THREAD_OOM, 0, DEATH_THREADS, DEATH_LIKELY, "its log ends with it"},
	{CODE(1), 0, 0, DEATH_LOG_NATIVE_OOM, 0, DEATH_OVERHEAD, DEATH_GUESS, "the JVM was refused memory"},
	{CODE(1), 0, 0, DEATH_LOG_EXEC_FORMAT, 0, DEATH_WRONG_ARCHITECTURE, DEATH_LIKELY, "its log ends with it"},
	{-1, 1, IS_SICK_RO, 0, DEATH_LOG_READ_ONLY, 0, DEATH_DISK_READ_ONLY, DEATH_CERTAIN, "its log ends with it, and the node says so too"},
	{-1, 1, IS_SICK_FULL, 0, DEATH_LOG_NO_SPACE, 0, DEATH_DISK_FULL, DEATH_CERTAIN, "its log ends with it, and the node says so too"},
	{-1, 1, IS_SICK_IO, 0, DEATH_LOG_IO_ERROR, 0, DEATH_DISK_FAILED, DEATH_CERTAIN, "its log ends with it, and the node says so too"},
	{CODE(1), 0, 0, DEATH_LOG_READ_ONLY, 0, DEATH_DISK_READ_ONLY, DEATH_GUESS, "its log ends with it"}, /* or a mount of its pod's that is meant so */
	{CODE(1), 0, 0, DEATH_LOG_NO_SPACE, 0, DEATH_DISK_FULL, DEATH_LIKELY, "its log ends with it"},
	{CODE(1), 0, 0, DEATH_LOG_IO_ERROR, 0, DEATH_DISK_FAILED, DEATH_LIKELY, "its log ends with it"},
	{CODE(1), IS_EXECUTOR, 0, CANNOT_REACH, 0, DEATH_DRIVER_GONE, DEATH_GUESS, "its driver could not be reached any more"}, /* or another executor */
	{CODE(CODE_UNKNOWN), 0, 0, DEATH_LOG_DRIVER_GONE, 0, DEATH_DRIVER_GONE, DEATH_LIKELY, "its connection to the driver ended"},
	{CODE(CODE_UNKNOWN), 0, 0, DEATH_LOG_HEARTBEAT, 0, DEATH_HEARTBEAT, DEATH_LIKELY, "its log ends with it"},
	{CODE(CODE_UNKNOWN), IS_NO_OOM, 0, DEATH_LOG_SHUTDOWN, 0, DEATH_FINISHED, DEATH_LIKELY, "its driver had told it to stop"},
	{CODE(CODE_UNKNOWN), IS_NO_OOM, 0, DEATH_LOG_DECOMMISSION, 0, DEATH_DECOMMISSIONED, DEATH_LIKELY, "it was asked to hand over and leave"},
	{CODE(CODE_UNKNOWN), IS_NO_OOM | IS_DELETED, 0, 0, 0, DEATH_DELETED, DEATH_LIKELY, "its pod was being stopped"},
	{CODE(CODE_UNKNOWN), 0, 0, 0, 0, DEATH_UNKNOWN, DEATH_GUESS, NULL},
	/* the application's own */
	{CODE(50), 0, 0, 0, 0, DEATH_APPLICATION, DEATH_CERTAIN, "exit code 50: uncaught exception"},
	{CODE(51), 0, 0, 0, 0, DEATH_APPLICATION, DEATH_CERTAIN, "exit code 51: uncaught exception, twice"},
	{CODE(57), IS_EXECUTOR, 0, 0, 0, DEATH_APPLICATION, DEATH_LIKELY, "exit code 57: a task that was to be stopped did not stop (spark.task.reaper)"},
	{CODE(11), IS_DRIVER, 0, 0, 0, DEATH_APPLICATION, DEATH_LIKELY, "exit code 11: too many executors failed; see theirs"},
	{1, 125, 0, 0, DEATH_LOG_EXCEPTION | DEATH_LOG_MEMORY_ERROR, 0, DEATH_APPLICATION, DEATH_LIKELY, "its log ends with an exception"},
	{1, 125, IS_DRIVER, 0, 0, 0, DEATH_APPLICATION, DEATH_LIKELY, "the application chose this exit code"},
	{2, 125, 0, 0, 0, 0, DEATH_APPLICATION, DEATH_GUESS, "no exit code of Spark's or of a signal"},
	{CODE(1), IS_LOG_READ, 0, 0, 0, DEATH_APPLICATION, DEATH_GUESS, "nothing else is known against it"},
	{129, 192, IS_RUN, 0, 0, 0, DEATH_KILLED, DEATH_CERTAIN, "ended by a signal"},
	{CODE(129), 0, 0, 0, 0, DEATH_KILLED, DEATH_LIKELY, "SIGHUP"},
	{CODE(130), 0, 0, 0, 0, DEATH_KILLED, DEATH_LIKELY, "SIGINT"},
	{CODE(131), 0, 0, 0, 0, DEATH_KILLED, DEATH_LIKELY, "SIGQUIT"},
};

/* --- what is so --- */

void death_prove(struct death *death, const char *format, ...)
{
	char text[384];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	str_end_whole(text);
	str_append(death->evidence, sizeof(death->evidence), "%s%s", *death->evidence ? "; " : "", text);
}

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

static uint32_t look_at_disk(const char *reason)
{
	static const char *const full[] = {"SpaceExhausted", "ReservedBlocks", "InodesExhausted", "QuotaExhausted", "TmpfsSize", "TmpfsInodes"};

	if (!*reason)
		return 0;
	if (is_one_of(reason, full, ARRAY_SIZE(full)))
		return IS_SICK | IS_SICK_FULL;
	return IS_SICK | IS_SICK_IO | (strcmp(reason, "ReadOnlyFilesystem") == 0 ? IS_SICK_RO : 0);
}

#define SPARK_CODE_FIRST 50
#define SPARK_CODE_LAST	 58

static bool is_sparks(int32_t code)
{
	return code >= SPARK_CODE_FIRST && code <= SPARK_CODE_LAST;
}

/* A code of Spark's own, or a crash: no signal of who wants a pod to go ends so. */
static bool is_own_end(int32_t code)
{
	return is_sparks(code) || code == 132 || (code >= 134 && code <= 136) || code == 139;
}

/* Who wanted the pod to go, by the words of Kubernetes. */
static uint32_t look_at_api(const struct death_facts *f)
{
	static const char *const preempted[] = {"PreemptionByScheduler", "Preempting" /* kubelet, for a critical pod */};
	static const char *const to_go[] = {"EvictionByEvictionAPI", "DeletionByTaintManager", "DeletionByPodGC", "TerminationByKubelet", "Terminated", "NodeShutdown", "DeadlineExceeded"};
	const struct pod_end *api = &f->api;

	if (is_own_end(f->exit_code))
		return 0;
	if (strcmp(api->reason, "Evicted") == 0)
		return IS_EVICTED;
	/* Kubelet kills when the grace period is over, not before: then it was somebody else. */
	if (f->exit_code == 137 && api->kill_wall_us > f->ended_wall_us + GRACE_SLACK_US)
		return 0;
	if (is_one_of(api->disruption, preempted, ARRAY_SIZE(preempted)) || is_one_of(api->reason, preempted, ARRAY_SIZE(preempted)))
		return IS_PREEMPTED | IS_API | IS_DELETED;
	if (api->deleted_first || is_one_of(api->disruption, to_go, ARRAY_SIZE(to_go)) || is_one_of(api->reason, to_go, ARRAY_SIZE(to_go)))
		return IS_API | IS_DELETED;
	return api->over && !api->kill_wall_us && !*api->reason && !*api->disruption ? IS_UNASKED : 0;
}

/* Where nobody had looked at the JVM, what the container ever used: less than the heap, since a JVM gives up when its old generation, two thirds of it, has
 * no room for what is asked for at once. Good for a guess. */
static bool heap_was_full(const struct death_view *v)
{
	if (v->heap_bytes == 0)
		return false;
	return v->processes.jvm_count > 0 ? v->processes.jvm_bytes >= v->heap_bytes / 10 * 9 : v->facts->last.peak_bytes >= v->heap_bytes / 2;
}

static uint32_t look(const struct death_view *v)
{
	static const char *const not_started[] = {"StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError"};
	const struct death_facts *f = v->facts;
	const struct executor *x = &f->executor;
	const uint64_t lived_us = f->ended_wall_us > f->started_wall_us ? f->ended_wall_us - f->started_wall_us : 0;
	const bool no_log = !f->log_is_read && !f->log_bits;
	const struct {
		bool so;
		uint32_t bit;
	} facts[] = {
		{f->lives, IS_LIVING},
		{v->kill == DEATH_KILL_HERE && !v->main_survived, IS_OOM},
		{v->kill == DEATH_KILL_NONE, IS_NO_OOM},
		{v->sure == DEATH_CERTAIN, IS_SURE},
		{f->deleted, IS_DELETED},
		{is_one_of(f->runtime_reason, not_started, ARRAY_SIZE(not_started)), IS_NO_START},
		{heap_was_full(v), IS_HEAP_FULL},
		{f->log_is_read || f->log_bits, IS_LOG_READ},
		{no_log, IS_NO_LOG},
		{no_log || x->source == EXECUTOR_FROM_RUN, IS_UNHEARD},
		{f->started_wall_us && lived_us <= YOUNG_US, IS_YOUNG},
		{x->role == EXECUTOR_ROLE_EXECUTOR && !x->sidecar, IS_EXECUTOR},
		{executor_is_driver(x) && !x->sidecar, IS_DRIVER},
		{x->source == EXECUTOR_FROM_RUN, IS_RUN},
		{v->main_survived, IS_SURVIVED},
		{*f->scratch_name, IS_FILLING},
		{v->oom && death_is_main(x, v->oom), IS_MAIN_VICTIM},
	};
	uint32_t is = look_at_disk(f->disk.bad ? f->disk.reason : "") | look_at_api(f);

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		is |= facts[i].so ? facts[i].bit : 0;
	return is;
}

static bool fits(const struct rule *rule, const struct death_facts *f, uint32_t is)
{
	/* A neighbour's codes are its own. */
	if (f->executor.sidecar && rule->code_from == rule->code_to && is_sparks(rule->code_from))
		return false;
	return f->exit_code >= rule->code_from && f->exit_code <= rule->code_to && (is & rule->is) == rule->is &&
	       (f->executor.flags & rule->flags) == rule->flags && (rule->log == 0 || f->log_bits & rule->log) && !(f->log_bits & rule->log_not);
}

/* --- what speaks for it --- */

static void prove_api(const struct pod_end *api, struct death *death)
{
	/* Of an eviction the summary has kubelet's words. */
	const char *message = death->cause == DEATH_EVICTED ? "" : api->message, *more = *message ? ": " : "";

	if (*api->reason)
		death_prove(death, "the pod's status says %s%s%s", api->reason, more, message);
	else if (*api->disruption)
		death_prove(death, "the pod's condition DisruptionTarget says %s%s%s", api->disruption, more, message);
	else if (api->deleted_first)
		death_prove(death, "the API server was asked to delete the pod before it ended");
}

/* What kept it from running. */
static void prove_stalls(const struct death_facts *f, struct death *death)
{
	if (f->last.memory.full_avg10_centi >= 1000)
		death_prove(death, "stalled for memory %" PRIu32 " %% of the last 10 s", f->last.memory.full_avg10_centi / 100);
	if (f->last.io.full_avg10_centi >= 1000)
		death_prove(death, "stalled for disks %" PRIu32 " %% of the last 10 s", f->last.io.full_avg10_centi / 100);
	if (f->cpu_periods >= DEATH_PERIODS_LEAST && f->throttled_periods >= f->cpu_periods / 4)
		death_prove(death, "its CPU limit held it up in %" PRIu64 " of the last %" PRIu64 " periods", f->throttled_periods, f->cpu_periods);
	if (f->last.pids_max_events > 0)
		death_prove(death, "its limit of processes has refused it %" PRIu64 " times", f->last.pids_max_events);
	if (death->cause == DEATH_THREADS && f->last.have & SAMPLE_HAS_PIDS)
		death_prove(death, "%" PRIu64 " processes and threads at the last sample", f->last.pids_current);
}

static void prove_rest(const struct death_view *v, uint32_t is, struct death *death)
{
	const struct death_facts *f = v->facts;
	bool by_memory = is & (IS_OOM | IS_SURVIVED);

	prove_api(&f->api, death);
	if (*f->disk.reason)
		death_prove(death, "the node %s %s of '%s', where its local dirs %slie", f->disk.bad ? "says" : "warns", f->disk.reason, f->disk.mount_point,
			    f->disk.sure ? "" : "may ");
	if (is & IS_NO_START && *f->runtime_message)
		death_prove(death, "the runtime: %s", f->runtime_message);
	if (!by_memory && is & IS_SURE && f->exit_code == 137)
		death_prove(death, "oom_kill +0");
	prove_stalls(f, death);
	if (*f->log_line)
		death_prove(death, "its log: %s", f->log_line);
}

void death_judge(const struct death_view *v, struct death *death)
{
	const struct death_facts *f = v->facts;
	uint32_t is = look(v);
	const struct rule *rule = NULL;

	death->cause = DEATH_UNKNOWN;
	death->confidence = DEATH_GUESS;
	for (size_t i = 0; !rule && i < ARRAY_SIZE(rules); i++)
		rule = fits(&rules[i], f, is) ? &rules[i] : NULL;
	if (!f->lives && f->exit_code >= 0 && !(rule && rule->because && str_starts(rule->because, "exit code")))
		death_prove(death, "exit code %" PRId32, f->exit_code);
	if (rule && rule->cause == BY_KERNEL) {
		death_judge_memory(v, death);
	} else if (rule) {
		death->cause = rule->cause;
		death->confidence = rule->confidence;
		if (rule->because)
			death_prove(death, "%s", rule->because);
	}
	prove_rest(v, is, death);
}
