/* death_rows.h - every way in which executors were seen to die (facts of real Spark 4.3 and 3.5, with and without Kubernetes), and its twin
 * that looks the same and is not: a table, and the facts that a row of it stands for. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"
#include "health/death.h"

#define MIB  ((uint64_t)1 << 20)
#define ID   "3f2c5a1e9d0b47c68a1f3f2c5a1e9d0b47c68a1f3f2c5a1e9d0b47c68a1f3f2c"
#define UID  "0a1b2c3d-1111-2222-3333-444455556666"
#define POD  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_1111_2222_3333_444455556666.slice"
#define CTR  POD "/cri-containerd-" ID ".scope"
#define SIDE POD "/cri-containerd-ffff.scope"

/* What the kernel's log says of a kill; NULL path = nothing. In MiB. */
struct said {
	const char *limit, *where, *comm;
	uint32_t scope;
	uint64_t jvm, python, shmem, cache, kernel;
	uint64_t rss; /* of the victim */
	bool secondary;
};

struct expectation {
	const char *about;
	int32_t exit_code;
	enum death_cause want;
	enum death_confidence at_least; /* exact: and no surer */
	const char *setting, *value; /* NULL = no matter, "" = none */
	uint32_t lives, flags, log;
	enum executor_language language;
	struct sample_events container, pod;
	struct said said;
	uint64_t jvm, python, shmem, cache, dirty, kernel; /* of the last sample, MiB */
	uint64_t used, peak;
	uint64_t limit_was;
	uint64_t injected; /* scratch, MiB */
	uint64_t heap;	   /* MiB; 0 = 1024 */
	const char *storage, *reason, *filling;
	struct pod_end api;
	bool warns, not_final, sibling, neighbours, deleted, run, driver, sidecar, no_log, no_processes, exact;
};

#define JAVA_HERE {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 1290, .python = 60, .kernel = 20}
#define ONE	  {.oom = 1, .oom_kill = 1, .max = 40}
#define PYTHON_HERE {.limit = CTR, .where = CTR, .comm = "python3", .scope = OOM_MEMCG, .jvm = 290, .python = 1090, .kernel = 20}

static const struct expectation expected[] = {
	/* facts "Causes, without Kubernetes" */
	{"heap, default flags", 52, DEATH_HEAP, DEATH_CERTAIN, "spark.executor.memory", "1536m", .log = DEATH_LOG_HEAP_OOM},
	{"heap, log already gone", 52, DEATH_HEAP, DEATH_LIKELY, "spark.executor.memory", "1536m", .no_log = true},
	{"heap, ExitOnOutOfMemoryError", 3, DEATH_HEAP, DEATH_LIKELY, "spark.executor.memory", "1536m", .flags = EXECUTOR_JVM_EXIT_ON_OOM},
	{"heap, kill -9 by the JVM", 137, DEATH_HEAP, DEATH_CERTAIN, "spark.executor.memory", "1536m", .flags = EXECUTOR_JVM_KILL_ON_OOM, .log = DEATH_LOG_HEAP_OOM},
	{"heap, kill -9 by the JVM, log gone", 137, DEATH_HEAP, DEATH_GUESS, "spark.executor.memory", "1536m", .flags = EXECUTOR_JVM_KILL_ON_OOM, .no_log = true, .jvm = 1200},
	{"heap, CrashOnOutOfMemoryError", 134, DEATH_HEAP, DEATH_CERTAIN, "spark.executor.memory", "1536m", .flags = EXECUTOR_JVM_CRASH_ON_OOM, .log = DEATH_LOG_HEAP_OOM},
	{"memcg, JVM outside its heap", 137, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.memoryOverhead", "576m", .container = ONE, .said = JAVA_HERE},
	{"memcg, by samples only", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", "576m", .container = ONE, .jvm = 1300, .python = 0, .kernel = 20, .used = 1350},
	{"memcg, by samples, and page cache that could be taken back", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = ONE, .jvm = 1100, .cache = 280, .dirty = 10, .kernel = 20, .used = 1400},
	{"memcg, Python worker, it lives", -1, DEATH_PYTHON, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .lives = 1, .container = ONE, .language = EXECUTOR_LANGUAGE_PYTHON, .said = PYTHON_HERE},
	{"memcg, Python worker, all of the group", 137, DEATH_PYTHON, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .container = {.oom = 1, .oom_kill = 4, .oom_group_kill = 1}, .language = EXECUTOR_LANGUAGE_PYTHON, .said = PYTHON_HERE},
	{"tmpfs scratch charged", 137, DEATH_SCRATCH_MEMORY, DEATH_CERTAIN, "spark.kubernetes.local.dirs.tmpfs", "false", .flags = EXECUTOR_TMPFS_LOCAL_DIRS, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 700, .shmem = 631, .kernel = 10}},
	{"emptyDir in memory charged", 137, DEATH_SCRATCH_MEMORY, DEATH_CERTAIN, "spark.kubernetes.local.dirs.tmpfs", "false", .flags = EXECUTOR_EMPTY_DIRS, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 700, .shmem = 631, .kernel = 10}},
	{"injected scratch charged", 137, DEATH_SCRATCH_MEMORY, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .flags = EXECUTOR_TMPFS_LOCAL_DIRS, .injected = 640, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 700, .shmem = 631, .kernel = 10}},
	{"tmpfs that is no local dir", 137, DEATH_SCRATCH_MEMORY, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 700, .shmem = 631, .kernel = 10}},
	{"heap, kill -9 by the JVM, which says so where nobody reads", 137, DEATH_HEAP, DEATH_GUESS, NULL, "1536m", .flags = EXECUTOR_JVM_KILL_ON_OOM, .run = true, .jvm = 1200},
	{"heap never full, kill -9 by the JVM, and it had collected all of it", 137, DEATH_HEAP, DEATH_LIKELY, NULL, "1536m", .flags = EXECUTOR_JVM_KILL_ON_OOM, .log = DEATH_LOG_COLLECTED, .run = true, .used = 400, .jvm = 300, .exact = true},
	{"the same without the JVM's flag is somebody's", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .log = DEATH_LOG_COLLECTED, .run = true, .used = 400, .jvm = 300},
	{"heap, abort by the JVM, its processes were not looked at", 134, DEATH_HEAP, DEATH_GUESS, NULL, "1536m", .flags = EXECUTOR_JVM_CRASH_ON_OOM, .run = true, .used = 1250, .no_processes = true},
	{"SIGTERM, no Kubernetes", 143, DEATH_KILLED, DEATH_CERTAIN, "", "", .run = true, .log = DEATH_LOG_SIGTERM},
	{"SIGKILL", 137, DEATH_KILLED, DEATH_CERTAIN, "", ""},
	{"SIGSEGV", 139, DEATH_CRASHED, DEATH_CERTAIN, "", ""},
	{"SIGABRT", 134, DEATH_CRASHED, DEATH_CERTAIN, "", "", .log = DEATH_LOG_JVM_CRASH},
	{"decommissioned", 0, DEATH_DECOMMISSIONED, DEATH_CERTAIN, "", "", .log = DEATH_LOG_DECOMMISSION},
	{"SIGPWR without a handler", 158, DEATH_DECOMMISSION_UNHANDLED, DEATH_CERTAIN, "", ""},
	{"disk full, it lives", -1, DEATH_DISK_FULL, DEATH_LIKELY, "", "", .lives = 1, .log = DEATH_LOG_NO_SPACE},
	{"scratch in memory full, it lives", -1, DEATH_SCRATCH_FULL, DEATH_LIKELY, "", "", .lives = 1, .log = DEATH_LOG_NO_SPACE, .filling = "spark-local-dir-1"},
	{"scratch in memory filling, a disk failed", -1, DEATH_DISK_FAILED, DEATH_LIKELY, "", "", .lives = 1, .log = DEATH_LOG_IO_ERROR, .filling = "spark-local-dir-1"},
	{"finished", 0, DEATH_FINISHED, DEATH_CERTAIN, "", "", .flags = EXECUTOR_DECOMMISSION, .log = DEATH_LOG_SHUTDOWN},
	{"disk read-only, it lives", -1, DEATH_DISK_READ_ONLY, DEATH_LIKELY, "", "", .lives = 1, .log = DEATH_LOG_READ_ONLY},
	{"disk shut down, it lives", -1, DEATH_DISK_FAILED, DEATH_LIKELY, "", "", .lives = 1, .log = DEATH_LOG_IO_ERROR},
	{"local dir read-only at start", 53, DEATH_DISK_READ_ONLY, DEATH_CERTAIN, "", "", .log = DEATH_LOG_NO_LOCAL_DIR | DEATH_LOG_READ_ONLY},
	{"local dir, the node knows", 53, DEATH_DISK_READ_ONLY, DEATH_LIKELY, "", "", .log = DEATH_LOG_NO_LOCAL_DIR, .storage = "ReadOnlyFilesystem"},
	{"local dir, full", 53, DEATH_DISK_FULL, DEATH_LIKELY, "", "", .no_log = true, .storage = "InodesExhausted"},
	{"local dir, not writable", 53, DEATH_DISK_DENIED, DEATH_LIKELY, "", "", .log = DEATH_LOG_NO_LOCAL_DIR | DEATH_LOG_DENIED},
	{"local dir, why is not known", 53, DEATH_DISK_FAILED, DEATH_LIKELY, "", "", .log = DEATH_LOG_NO_LOCAL_DIR},
	{"local dir, the node only warns", 53, DEATH_DISK_FAILED, DEATH_LIKELY, "", "", .no_log = true, .storage = "SpaceLow", .warns = true},
	{"SIGBUS on a full disk", 135, DEATH_DISK_FULL, DEATH_LIKELY, "", "", .storage = "SpaceExhausted"},
	{"SIGBUS on a disk whose rest is kept for root", 135, DEATH_DISK_FULL, DEATH_LIKELY, "", "", .storage = "ReservedBlocks"},
	{"SIGBUS", 135, DEATH_CRASHED, DEATH_LIKELY, "", ""},
	/* "Causes, as pods" */
	{"Python OOM twice, exit 0, OOMKilled", 0, DEATH_FINISHED, DEATH_CERTAIN, "", "", .reason = "OOMKilled", .container = ONE},
	{"pod deleted", 143, DEATH_DELETED, DEATH_CERTAIN, "", "", .deleted = true, .log = DEATH_LOG_SIGTERM},
	{"its driver died, then SIGTERM", 143, DEATH_DRIVER_GONE, DEATH_CERTAIN, "", "", .deleted = true, .log = DEATH_LOG_DRIVER_GONE},
	{"its driver died, then SIGTERM and SIGKILL", 137, DEATH_DRIVER_GONE, DEATH_LIKELY, "", "", .api = {.deleted_first = 1, .kill_wall_us = 1}, .log = DEATH_LOG_DRIVER_GONE},
	{"pod deleted, then its driver died", 143, DEATH_DELETED, DEATH_CERTAIN, "", "", .deleted = true, .log = DEATH_LOG_DRIVER_GONE | DEATH_LOG_SIGTERM},
	{"SIGTERM and its driver gone, no Kubernetes", 143, DEATH_DRIVER_GONE, DEATH_LIKELY, "", "", .run = true, .log = DEATH_LOG_DRIVER_GONE | DEATH_LOG_SIGTERM},
	{"stopped by its driver, no Kubernetes", 143, DEATH_FINISHED, DEATH_LIKELY, "", "", .run = true, .log = DEATH_LOG_SHUTDOWN | DEATH_LOG_SIGTERM},
	{"pod deleted, nobody saw who", 143, DEATH_DELETED, DEATH_LIKELY, "", "", .log = DEATH_LOG_SIGTERM},
	{"pod deleted, grace period over", 137, DEATH_DELETED, DEATH_LIKELY, "", "", .deleted = true},
	{"the application is over", 143, DEATH_FINISHED, DEATH_LIKELY, "", "", .deleted = true, .log = DEATH_LOG_SIGTERM | DEATH_LOG_SHUTDOWN},
	{"emptyDir sizeLimit", 143, DEATH_EVICTED, DEATH_CERTAIN, "", "", .api = {.over = 1, .reason = "Evicted", .disruption = "TerminationByKubelet"}},
	{"node pressure", 137, DEATH_EVICTED, DEATH_CERTAIN, "", "", .api = {.over = 1, .reason = "Evicted"}},
	{"evicted, its heap was full before", 52, DEATH_HEAP, DEATH_CERTAIN, "spark.executor.memory", "1536m", .log = DEATH_LOG_HEAP_OOM, .api = {.over = 1, .reason = "Evicted"}},
	{"evicted, it had crashed before", 139, DEATH_CRASHED, DEATH_CERTAIN, "", "", .api = {.over = 1, .reason = "Evicted"}},
	{"the kernel was faster than kubelet", 137, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = JAVA_HERE, .api = {.over = 1, .reason = "Evicted"}},
	{"preempted by the scheduler", 143, DEATH_PREEMPTED, DEATH_CERTAIN, "", "", .api = {.disruption = "PreemptionByScheduler", .kill_wall_us = 90000000, .deleted_first = 1}},
	{"preempted by kubelet", 137, DEATH_PREEMPTED, DEATH_CERTAIN, "", "", .api = {.over = 1, .reason = "Preempting"}},
	{"preempted, killed at the end of the grace period", 137, DEATH_PREEMPTED, DEATH_CERTAIN, "", "", .api = {.disruption = "PreemptionByScheduler", .kill_wall_us = 61000000}},
	{"preempted, killed by somebody else before that", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .api = {.disruption = "PreemptionByScheduler", .kill_wall_us = 91000000}},
	{"preempted, and it handed over", 0, DEATH_PREEMPTED, DEATH_LIKELY, "", "", .api = {.disruption = "PreemptionByScheduler"}, .flags = EXECUTOR_DECOMMISSION},
	{"preempted, a worker was killed for memory before", 137, DEATH_PREEMPTED, DEATH_LIKELY, "", "", .container = ONE, .said = PYTHON_HERE, .api = {.disruption = "PreemptionByScheduler"}},
	{"preempted, killed for memory", 137, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = JAVA_HERE, .api = {.disruption = "PreemptionByScheduler"}},
	{"preempted, no exit code", -1, DEATH_PREEMPTED, DEATH_LIKELY, "", "", .api = {.disruption = "PreemptionByScheduler"}},
	{"preempted, its heap was full", 52, DEATH_HEAP, DEATH_LIKELY, "spark.executor.memory", "1536m", .api = {.disruption = "PreemptionByScheduler"}},
	{"drained", 143, DEATH_DELETED, DEATH_CERTAIN, "", "", .api = {.disruption = "EvictionByEvictionAPI", .deleted_first = 1, .kill_wall_us = 90000000}},
	{"tainted off", 137, DEATH_DELETED, DEATH_CERTAIN, "", "", .api = {.disruption = "DeletionByTaintManager", .deleted_first = 1, .kill_wall_us = 62000000}},
	{"node shut down", 143, DEATH_DELETED, DEATH_CERTAIN, "", "", .api = {.over = 1, .reason = "Terminated", .disruption = "TerminationByKubelet"}},
	{"deleted by somebody", 143, DEATH_DELETED, DEATH_CERTAIN, "", "", .api = {.deleted_first = 1, .kill_wall_us = 90000000}},
	{"deleted, killed at the end of the grace period", 137, DEATH_DELETED, DEATH_CERTAIN, "", "", .api = {.deleted_first = 1, .kill_wall_us = 60000000}},
	{"deleted because it was dead", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .api = {.kill_wall_us = 62000000}},
	{"deleted, it may hand over", 0, DEATH_DECOMMISSIONED, DEATH_LIKELY, "", "", .api = {.deleted_first = 1, .kill_wall_us = 90000000}, .flags = EXECUTOR_DECOMMISSION},
	{"… when the application was over", 0, DEATH_FINISHED, DEATH_CERTAIN, "", "", .api = {.deleted_first = 1, .kill_wall_us = 90000000}, .flags = EXECUTOR_DECOMMISSION, .log = DEATH_LOG_SHUTDOWN},
	{"… its log is not known", 0, DEATH_FINISHED, DEATH_GUESS, "", "", .api = {.deleted_first = 1, .kill_wall_us = 90000000}, .flags = EXECUTOR_DECOMMISSION, .no_log = true},
	{"over by SIGTERM, and nobody wanted it so", 143, DEATH_KILLED, DEATH_LIKELY, "", "", .log = DEATH_LOG_SIGTERM, .api = {.knows = 1, .over = 1}},
	{"over by SIGTERM, and its driver deletes it", 143, DEATH_DELETED, DEATH_LIKELY, "", "", .log = DEATH_LOG_SIGTERM, .api = {.knows = 1, .over = 1, .kill_wall_us = 91000000}},
	{"by SIGTERM, the API server does not know of it yet", 143, DEATH_DELETED, DEATH_LIKELY, "", "", .log = DEATH_LOG_SIGTERM, .api = {.knows = 1}},
	{"over, and nobody wanted it so", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .api = {.over = 1}},
	{"standalone worker gone", 255, DEATH_DRIVER_GONE, DEATH_CERTAIN, "", "", .log = DEATH_LOG_DRIVER_GONE | DEATH_LOG_REGISTERED},
	{"driver killed, its main was faster", 0, DEATH_DRIVER_GONE, DEATH_CERTAIN, "", "", .log = DEATH_LOG_DRIVER_GONE | DEATH_LOG_REGISTERED},
	{"told to stop, then its driver left", 0, DEATH_FINISHED, DEATH_CERTAIN, "", "", .log = DEATH_LOG_DRIVER_GONE | DEATH_LOG_SHUTDOWN},
	{"driver killed", 1, DEATH_DRIVER_GONE, DEATH_CERTAIN, "", "", .log = DEATH_LOG_DRIVER_GONE | DEATH_LOG_REGISTERED},
	/* the attribution matrix */
	{"container limit, by counters", 137, DEATH_OVERHEAD, DEATH_GUESS, "spark.executor.memoryOverhead", NULL, .container = ONE, .pod = {.oom = 1, .oom_kill = 1}},
	{"pod limit, this one filled it", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = {.oom_kill = 1}, .pod = {.oom = 1, .oom_kill = 1}, .jvm = 1350, .used = 1400},
	{"pod limit, neighbours filled it", 137, DEATH_POD_LIMIT, DEATH_LIKELY, "", "", .neighbours = true, .container = {.oom_kill = 1}, .pod = {.oom = 1, .oom_kill = 1}, .jvm = 500, .used = 560},
	{"pod limit, and it had grown since it was sampled", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .neighbours = true, .container = {.oom_kill = 1}, .pod = {.oom = 1, .oom_kill = 1}, .said = {.limit = POD, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 1900}, .jvm = 500, .used = 560},
	{"pod limit, a neighbour was killed too", 137, DEATH_SIDECAR, DEATH_LIKELY, "", "", .neighbours = true, .sibling = true, .container = {.oom_kill = 1}, .pod = {.oom = 1, .oom_kill = 1}, .jvm = 500, .used = 560},
	{"pod limit on v1", 137, DEATH_PYTHON, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = {.oom_kill = 2}, .pod = {.max = 732}, .said = {.limit = POD, .where = CTR, .comm = "python3", .scope = OOM_MEMCG, .jvm = 300, .python = 1050, .kernel = 10}, .used = 1400},
	{"pod limit of a pod of one container, and an old sample", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = {.oom_kill = 1}, .pod = {.oom = 1, .oom_kill = 1}, .jvm = 500, .used = 560},
	{"a driver's Python was killed, and SparkSubmit ends with its code", 137, DEATH_PYTHON, DEATH_CERTAIN, "spark.driver.memoryOverhead", NULL, .driver = true, .language = EXECUTOR_LANGUAGE_PYTHON, .container = ONE, .said = PYTHON_HERE},
	{"the same, and a script makes 1 of it", 1, DEATH_PYTHON, DEATH_CERTAIN, "spark.driver.memoryOverhead", NULL, .driver = true, .language = EXECUTOR_LANGUAGE_PYTHON, .container = ONE, .said = PYTHON_HERE},
	{"its JVM was killed, and a script makes 7 of it", 7, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = JAVA_HERE},
	{"its JVM was killed, and a script makes 0 of it", 0, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = JAVA_HERE},
	{"exit 0 right after a worker was killed", 0, DEATH_PYTHON, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = {.oom_kill = 1}, .said = {.limit = CTR, .where = CTR, .comm = "python3", .scope = OOM_MEMCG, .jvm = 300, .python = 1050, .kernel = 10}, .used = 1400},
	/* more kills than the kernel writes of: a sample from before it grew is all there is */
	{"samples from before it grew", 137, DEATH_OVERHEAD, DEATH_GUESS, "spark.executor.memoryOverhead", NULL, .container = ONE, .kernel = 1, .used = 2},
	{"the same, and it lives", -1, DEATH_UNKNOWN, DEATH_GUESS, "", "", .lives = 1, .container = ONE, .kernel = 1, .used = 2},
	{"the same, and the victim was small", 137, DEATH_UNKNOWN, DEATH_GUESS, "", "", .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 12}, .kernel = 1, .used = 2},
	{"nor was it most of what was used", 137, DEATH_UNKNOWN, DEATH_GUESS, "", "", .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 600}},
	{"it was most of it", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 800}, .exact = true},
	{"no process was looked at, and the victim was small", 137, DEATH_UNKNOWN, DEATH_GUESS, "", "", .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 12}, .python = 1400, .used = 1400, .no_processes = true},
	{"the same, and the victim had it all", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 1380}, .kernel = 1, .used = 2},
	{"the same, and there was scratch in memory", 137, DEATH_OVERHEAD, DEATH_GUESS, "spark.executor.memoryOverhead", NULL, .exact = true, .injected = 640, .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 1380}, .kernel = 1, .used = 2},
	/* what explains the excess */
	{"a heap as large as the limit", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", "384m", .heap = 1408, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 1400, .kernel = 6}, .exact = true},
	{"the same, and a little Python", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", "384m", .heap = 1408, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 1350, .python = 50, .kernel = 6}, .exact = true},
	{"the same, by samples only", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", "384m", .heap = 1408, .container = ONE, .jvm = 1390, .kernel = 6, .used = 1400, .exact = true},
	{"a heap larger than the limit", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", "410m", .heap = 4096, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 1400, .kernel = 6}, .exact = true},
	{"a heap as large as the limit, and it was Python that grew", 137, DEATH_PYTHON, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .heap = 1408, .container = {.oom = 1, .oom_kill = 4, .oom_group_kill = 1}, .language = EXECUTOR_LANGUAGE_PYTHON, .said = PYTHON_HERE},
	{"a heap as large as the limit, stoker run", 137, DEATH_OVERHEAD, DEATH_LIKELY, "--memory", "1792m", .run = true, .heap = 1408, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 1400, .kernel = 6}, .exact = true},
	{"the same beside a JVM that is half of it", 137, DEATH_PYTHON, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .heap = 1408, .container = {.oom = 1, .oom_kill = 4, .oom_group_kill = 1}, .language = EXECUTOR_LANGUAGE_PYTHON, .said = {.limit = CTR, .where = CTR, .comm = "python3", .scope = OOM_MEMCG, .jvm = 760, .python = 620, .kernel = 20}},
	{"little, and no more was to have room", 137, DEATH_KERNEL_MEMORY, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .heap = 1300, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 1290, .kernel = 80}, .exact = true},
	{"a heap of most of the limit, and what is beside it explains the rest", 137, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .heap = 1280, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 1400, .kernel = 8}},
	{"limit lowered", 137, DEATH_LIMIT_LOWERED, DEATH_CERTAIN, "", "", .container = {.oom = 117, .oom_kill = 1}, .jvm = 1000, .used = 1100, .limit_was = 2048},
	{"cgroup gone, the pod's counters tell", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .pod = {.oom = 1, .oom_kill = 1}, .jvm = 1350, .used = 1400},
	{"cgroup gone, the kernel's log tells", 137, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .not_final = true, .said = JAVA_HERE},
	{"only the runtime's word", 137, DEATH_OVERHEAD, DEATH_GUESS, NULL, NULL, .not_final = true, .reason = "OOMKilled", .jvm = 1350, .used = 1400},
	{"node out of memory", 137, DEATH_NODE_MEMORY, DEATH_CERTAIN, "", "", .container = {.oom_kill = 1}, .pod = {.oom_kill = 1}, .said = {.where = CTR, .comm = "java", .scope = OOM_GLOBAL}, .jvm = 500, .used = 560},
	{"node out of memory, by counters", 137, DEATH_NODE_MEMORY, DEATH_LIKELY, "", "", .container = {.oom_kill = 1}, .pod = {.oom_kill = 1}, .jvm = 500, .used = 560},
	{"node out of memory, full of page cache before", 137, DEATH_NODE_MEMORY, DEATH_LIKELY, "", "", .container = {.oom_kill = 1, .max = 50}, .pod = {.oom_kill = 1, .max = 50}, .jvm = 500, .used = 560},
	{"full before, too, and v2 counts where the limit is", 137, DEATH_NODE_MEMORY, DEATH_LIKELY, "", "", .container = {.oom_kill = 1}, .pod = {.oom_kill = 1}, .jvm = 500, .used = 560, .peak = 1408},
	{"node out of memory on v1, never full", 137, DEATH_NODE_MEMORY, DEATH_LIKELY, "", "", .container = {.oom_kill = 1}, .jvm = 500, .used = 560, .peak = 1300},
	{"full by its highest use, v1 counts no failure where swap has the same limit", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = {.oom_kill = 1}, .jvm = 500, .used = 560, .peak = 1408, .exact = true},
	{"all pods of the node together", 137, DEATH_NODE_MEMORY, DEATH_CERTAIN, "", "", .container = {.oom_kill = 1}, .said = {.limit = "/kubepods.slice", .where = CTR, .comm = "java", .scope = OOM_MEMCG}, .jvm = 500, .used = 560},
	{"page cache", 137, DEATH_PAGE_CACHE, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 500, .cache = 850}},
	{"kernel memory", 137, DEATH_KERNEL_MEMORY, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "java", .scope = OOM_MEMCG, .jvm = 500, .kernel = 850}},
	{"a sidecar's own limit, beneath a shell", 1, DEATH_SIDECAR, DEATH_CERTAIN, "resources.limits.memory", NULL, .sidecar = true, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "envoy", .scope = OOM_MEMCG}},
	{"a sidecar's own limit", 137, DEATH_SIDECAR, DEATH_CERTAIN, "resources.limits.memory", NULL, .sidecar = true, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "envoy", .scope = OOM_MEMCG}},
	/* the twins */
	{"a worker was OOM-killed, and whether a JVM lived beside it nobody saw", 137, DEATH_PYTHON, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = {.oom = 1, .oom_kill = 1}, .said = {.limit = CTR, .where = CTR, .comm = "python3", .scope = OOM_MEMCG, .python = 1350}, .no_processes = true},
	{"kill -9 at 95 % of the limit", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .jvm = 1250, .used = 1338},
	{"kill -9 at 95 %, log gone", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .jvm = 1250, .used = 1338, .no_log = true},
	{"kill -9, a neighbour was OOM-killed", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .sibling = true, .reason = "OOMKilled", .jvm = 900, .used = 1000},
	{"kill -9 with the JVM's flag, heap not full", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .flags = EXECUTOR_JVM_KILL_ON_OOM, .jvm = 300, .used = 400},
	{"kill -9 with the JVM's flag, heap never full", 137, DEATH_KILLED, DEATH_LIKELY, "", "", .flags = EXECUTOR_JVM_KILL_ON_OOM, .run = true, .used = 400, .no_processes = true},
	{"kill -9, and a log without OutOfMemoryError", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .flags = EXECUTOR_JVM_KILL_ON_OOM, .jvm = 1200, .used = 1250},
	{"abort with the JVM's flag, log read", 134, DEATH_CRASHED, DEATH_LIKELY, "", "", .flags = EXECUTOR_JVM_CRASH_ON_OOM, .jvm = 1200},
	{"the neighbour's kill in the log is not ours", 137, DEATH_KILLED, DEATH_CERTAIN, "", "", .sibling = true, .said = {.limit = SIDE, .where = SIDE, .comm = "java", .scope = OOM_MEMCG, .jvm = 1290}, .used = 700},
	{"a worker was OOM-killed, then somebody killed the JVM", 137, DEATH_KILLED, DEATH_LIKELY, NULL, NULL, .container = {.oom = 1, .oom_kill = 1}, .said = PYTHON_HERE, .jvm = 290},
	{"the kernel's log names others, and its name is not java", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = {.limit = CTR, .where = CTR, .comm = "a,pid=1,uid=0", .scope = OOM_MEMCG}, .jvm = 0, .used = 1400},
	/* nothing is known */
	{"137, nothing was read", 137, DEATH_UNKNOWN, DEATH_GUESS, "", "", .not_final = true, .no_log = true},
	{"no exit code, no evidence", -1, DEATH_UNKNOWN, DEATH_GUESS, "", "", .no_log = true},
	{"1, log gone", 1, DEATH_UNKNOWN, DEATH_GUESS, "", "", .no_log = true},
	{"it lives, and nothing is known", -1, DEATH_UNKNOWN, DEATH_GUESS, "", "", .lives = 1, .no_log = true},
	/* exit codes */
	{"direct memory", 52, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.extraJavaOptions", "-XX:MaxDirectMemorySize=1536m", .log = DEATH_LOG_DIRECT_OOM},
	{"metaspace", 52, DEATH_OVERHEAD, DEATH_CERTAIN, "", "", .log = DEATH_LOG_METASPACE_OOM},
	{"threads", 52, DEATH_THREADS, DEATH_CERTAIN, "", "", .log = DEATH_LOG_THREAD_OOM},
	{"heartbeats", 56, DEATH_HEARTBEAT, DEATH_CERTAIN, "", ""},
	{"a driver's 56 is its application's", 56, DEATH_APPLICATION, DEATH_GUESS, "", "", .driver = true},
	{"a neighbour's 53 is not Spark's", 53, DEATH_APPLICATION, DEATH_GUESS, "", "", .sidecar = true},
	{"a neighbour's 52 is not Spark's", 52, DEATH_APPLICATION, DEATH_GUESS, "", "", .sidecar = true, .no_log = true},
	{"a neighbour's 52, and its log has OutOfMemoryError", 52, DEATH_HEAP, DEATH_LIKELY, NULL, NULL, .sidecar = true, .log = DEATH_LOG_HEAP_OOM},
	{"wrong architecture", 126, DEATH_WRONG_ARCHITECTURE, DEATH_CERTAIN, "", "", .log = DEATH_LOG_EXEC_FORMAT},
	{"wrong architecture, runtime", 128, DEATH_WRONG_ARCHITECTURE, DEATH_CERTAIN, "", "", .reason = "StartError", .log = DEATH_LOG_EXEC_FORMAT},
	{"missing file", 127, DEATH_MISSING_FILE, DEATH_CERTAIN, "", ""},
	{"not started", 128, DEATH_START_FAILED, DEATH_CERTAIN, "", "", .reason = "StartError"},
	{"driver's host unknown", 1, DEATH_NOT_REGISTERED, DEATH_LIKELY, "", "", .log = DEATH_LOG_UNKNOWN_HOST},
	{"driver refuses", 1, DEATH_NOT_REGISTERED, DEATH_LIKELY, "", "", .log = DEATH_LOG_REFUSED | DEATH_LOG_EXCEPTION},
	{"refused by another executor, and its disk was full", 1, DEATH_DISK_FULL, DEATH_LIKELY, "", "", .log = DEATH_LOG_REFUSED | DEATH_LOG_REGISTERED | DEATH_LOG_NO_SPACE},
	{"refused by another executor, and its heap was full", 1, DEATH_HEAP, DEATH_LIKELY, NULL, NULL, .log = DEATH_LOG_REFUSED | DEATH_LOG_REGISTERED | DEATH_LOG_HEAP_OOM},
	{"refused, but it had registered", 1, DEATH_DRIVER_GONE, DEATH_GUESS, "", "", .log = DEATH_LOG_REFUSED | DEATH_LOG_REGISTERED},
	{"uncaught exception", 50, DEATH_APPLICATION, DEATH_CERTAIN, "", ""},
	{"exception", 1, DEATH_APPLICATION, DEATH_LIKELY, "", "", .log = DEATH_LOG_EXCEPTION},
	{"driver's own code", 7, DEATH_APPLICATION, DEATH_LIKELY, "", "", .driver = true},
	{"finished", 0, DEATH_FINISHED, DEATH_CERTAIN, "", ""},
	{"driver's heap", 52, DEATH_HEAP, DEATH_LIKELY, "spark.driver.memory", "1536m", .driver = true, .log = DEATH_LOG_HEAP_OOM},
	{"stoker run", 137, DEATH_OVERHEAD, DEATH_LIKELY, "--memory", NULL, .run = true, .container = ONE, .jvm = 1350, .used = 1400},
};

static inline void say(const struct said *said, struct oom_kill *kill)
{
	str_copy(kill->oom_memcg, sizeof(kill->oom_memcg), said->limit ? said->limit : "");
	str_copy(kill->task_memcg, sizeof(kill->task_memcg), said->where);
	str_copy(kill->comm, sizeof(kill->comm), said->comm);
	kill->scope = said->scope;
	kill->secondary = said->secondary;
	kill->pid = 4242;
	kill->anon_rss_bytes = said->rss * MIB;
	if (said->scope == OOM_GLOBAL || said->jvm + said->python == 0)
		return;
	kill->have = OOM_HAS_USAGE | OOM_HAS_STAT | OOM_HAS_TASKS;
	kill->usage_bytes = kill->limit_bytes = 1408 * MIB;
	kill->anon_bytes = (said->jvm + said->python) * MIB;
	kill->shmem_bytes = said->shmem * MIB;
	kill->file_bytes = (said->shmem + said->cache) * MIB;
	kill->kernel_bytes = said->kernel * MIB;
	kill->tasks = (struct oom_tasks){.jvm_bytes = said->jvm * MIB, .python_bytes = said->python * MIB, .jvm_count = said->jvm > 0, .python_count = said->python > 0};
}

/* 1g of heap, 384m of overhead. */
static inline void prepare(const struct expectation *row, struct death_facts *f)
{
	struct executor *x = &f->executor;

	memset(f, 0, sizeof(*f));
	strcpy(x->container_id, ID);
	strcpy(x->pod_uid, UID);
	strcpy(x->app_name, "etl");
	strcpy(x->executor_id, "3");
	strcpy(x->container, "spark-kubernetes-executor");
	x->role = row->driver ? EXECUTOR_ROLE_DRIVER : EXECUTOR_ROLE_EXECUTOR;
	x->sidecar = row->sidecar;
	x->source = row->run ? EXECUTOR_FROM_RUN : EXECUTOR_FROM_NRI;
	x->language = row->language ? row->language : EXECUTOR_LANGUAGE_JVM;
	x->flags = row->flags;
	x->heap_bytes = row->sidecar ? 0 : (row->heap ? row->heap : 1024) * MIB;
	x->limit_bytes = 1408 * MIB;
	x->injected_bytes = row->injected * MIB;
	f->pod_limit_bytes = (row->neighbours ? 2048 : 1408) * MIB;
	f->lives = row->lives;
	f->exit_code = row->exit_code;
	f->container = row->container;
	f->pod = row->pod;
	f->counters_are_final = !row->not_final;
	f->sibling_oom = row->sibling;
	f->deleted = row->deleted;
	f->limit_was_bytes = row->limit_was * MIB;
	f->log_bits = row->log;
	f->log_is_read = !row->no_log;
	f->started_wall_us = 1000000;
	f->ended_wall_us = 61000000;
	str_copy(f->runtime_reason, sizeof(f->runtime_reason), row->reason ? row->reason : "");
	f->api = row->api;
	str_copy(f->disk.reason, sizeof(f->disk.reason), row->storage ? row->storage : "");
	f->disk.bad = !row->warns;
	str_copy(f->scratch_name, sizeof(f->scratch_name), row->filling ? row->filling : "");
	f->scratch_total_bytes = row->filling ? 96 * MIB : 0;
	if (row->said.where) {
		say(&row->said, &f->ooms[0]);
		f->oom_count = 1;
	}
	if (row->used || row->jvm) {
		f->last = (struct sample){.have = SAMPLE_HAS_CURRENT | SAMPLE_HAS_STAT | SAMPLE_HAS_LIMIT,
					  .current_bytes = row->used * MIB,
					  .peak_bytes = row->peak ? row->peak * MIB : row->no_processes ? row->used * MIB : 0,
					  .limit_bytes = 1408 * MIB,
					  .anon_bytes = (row->jvm + row->python) * MIB,
					  .shmem_bytes = row->shmem * MIB,
					  .file_bytes = (row->shmem + row->cache) * MIB,
					  .file_dirty_bytes = row->dirty * MIB,
					  .kernel_bytes = row->kernel * MIB};
		f->last.have |= row->peak ? SAMPLE_HAS_PEAK : 0;
		f->at_peak = f->last;
		if (!row->no_processes)
			f->processes = (struct death_processes){.time_us = 1, .jvm_bytes = row->jvm * MIB, .python_bytes = row->python * MIB, .jvm_count = 1, .python_count = row->python > 0};
	}
}
