/* Every way in which executors were seen to die (facts of real Spark 4.3 and 3.5, with and without Kubernetes), and its twin that
 * looks the same and is not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/death.h"
#include "health/death_view.h"

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
	uint64_t used;
	uint64_t limit_was;
	uint64_t injected; /* scratch, MiB */
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
	{"no process was looked at, and the victim was small", 137, DEATH_UNKNOWN, DEATH_GUESS, "", "", .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 12}, .python = 1400, .used = 1400, .no_processes = true},
	{"the same, and the victim had it all", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 1380}, .kernel = 1, .used = 2},
	{"the same, and there was scratch in memory", 137, DEATH_OVERHEAD, DEATH_GUESS, "spark.executor.memoryOverhead", NULL, .exact = true, .injected = 640, .container = ONE, .said = {.where = CTR, .comm = "java", .scope = OOM_MEMCG, .rss = 1380}, .kernel = 1, .used = 2},
	{"limit lowered", 137, DEATH_LIMIT_LOWERED, DEATH_CERTAIN, "", "", .container = {.oom = 117, .oom_kill = 1}, .jvm = 1000, .used = 1100, .limit_was = 2048},
	{"cgroup gone, the pod's counters tell", 137, DEATH_OVERHEAD, DEATH_LIKELY, "spark.executor.memoryOverhead", NULL, .pod = {.oom = 1, .oom_kill = 1}, .jvm = 1350, .used = 1400},
	{"cgroup gone, the kernel's log tells", 137, DEATH_OVERHEAD, DEATH_CERTAIN, "spark.executor.memoryOverhead", NULL, .not_final = true, .said = JAVA_HERE},
	{"only the runtime's word", 137, DEATH_OVERHEAD, DEATH_GUESS, NULL, NULL, .not_final = true, .reason = "OOMKilled", .jvm = 1350, .used = 1400},
	{"node out of memory", 137, DEATH_NODE_MEMORY, DEATH_CERTAIN, "", "", .container = {.oom_kill = 1}, .pod = {.oom_kill = 1}, .said = {.where = CTR, .comm = "java", .scope = OOM_GLOBAL}, .jvm = 500, .used = 560},
	{"node out of memory, by counters", 137, DEATH_NODE_MEMORY, DEATH_LIKELY, "", "", .container = {.oom_kill = 1}, .pod = {.oom_kill = 1}, .jvm = 500, .used = 560},
	{"node out of memory, full of page cache before", 137, DEATH_NODE_MEMORY, DEATH_LIKELY, "", "", .container = {.oom_kill = 1, .max = 50}, .pod = {.oom_kill = 1, .max = 50}, .jvm = 500, .used = 560},
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

static void say(const struct said *said, struct oom_kill *kill)
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
static void prepare(const struct expectation *row, struct death_facts *f)
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
	x->heap_bytes = row->sidecar ? 0 : 1024 * MIB;
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
					  .limit_bytes = 1408 * MIB,
					  .anon_bytes = (row->jvm + row->python) * MIB,
					  .shmem_bytes = row->shmem * MIB,
					  .file_bytes = (row->shmem + row->cache) * MIB,
					  .file_dirty_bytes = row->dirty * MIB,
					  .kernel_bytes = row->kernel * MIB};
		f->at_peak = f->last;
		if (!row->no_processes)
			f->processes = (struct death_processes){.time_us = 1, .jvm_bytes = row->jvm * MIB, .python_bytes = row->python * MIB, .jvm_count = 1, .python_count = row->python > 0};
	}
}

static void test_causes(void **unused)
{
	static struct death_facts f;
	unsigned wrong = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct expectation *row = &expected[i];
		struct death d;
		prepare(row, &f);
		death_explain(&f, &d);
		bool right = d.cause == row->want && d.confidence >= row->at_least && (!row->exact || d.confidence == row->at_least) && (!row->setting || strcmp(d.setting, row->setting) == 0) &&
			     (!row->value || strcmp(d.value, row->value) == 0);
		if (!right)
			print_message("# %s: %s (%s), wanted %s; %s=%s; %s; %s\n", row->about, death_cause_name((enum death_cause)d.cause),
				      death_confidence_name((enum death_confidence)d.confidence), death_cause_name(row->want), d.setting, d.value, d.summary, d.evidence);
		wrong += !right;
		/* A setting has a value, and a cause words. */
		assert_true((*d.setting != '\0') == (*d.value != '\0'));
		assert_true(*d.summary != '\0');
	}
	assert_int_equal(wrong, 0);
}

/* What two witnesses say is certain only where they say the same. */
static void test_no_surer_than_what_is_known(void **unused)
{
	static const struct {
		uint32_t log;
		const char *storage;
		enum death_cause cause;
		enum death_confidence confidence;
	} rows[] = {
		{DEATH_LOG_READ_ONLY, "ReadOnlyFilesystem", DEATH_DISK_READ_ONLY, DEATH_CERTAIN},
		{DEATH_LOG_READ_ONLY, "SpaceExhausted", DEATH_DISK_READ_ONLY, DEATH_GUESS}, /* another disk's; and a root that is read-only by the pod's own wish says EROFS too */
		{DEATH_LOG_READ_ONLY, NULL, DEATH_DISK_READ_ONLY, DEATH_GUESS},
		{DEATH_LOG_NO_SPACE, "InodesExhausted", DEATH_DISK_FULL, DEATH_CERTAIN},
		{DEATH_LOG_NO_SPACE, "ReadOnlyFilesystem", DEATH_DISK_FULL, DEATH_LIKELY},
		{DEATH_LOG_IO_ERROR, "IOErrors", DEATH_DISK_FAILED, DEATH_CERTAIN},
		{DEATH_LOG_IO_ERROR, "SpaceExhausted", DEATH_DISK_FAILED, DEATH_LIKELY},
	};
	static struct death_facts f;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct expectation row = {.exit_code = 1, .log = rows[i].log, .storage = rows[i].storage};
		struct death d;
		prepare(&row, &f);
		death_explain(&f, &d);
		if (d.cause != rows[i].cause || d.confidence != rows[i].confidence)
			fail_msg("row %zu: %s (%s)", i, death_cause_name((enum death_cause)d.cause), death_confidence_name((enum death_confidence)d.confidence));
	}
}

/* What Python may use stands in the limit in cluster mode only, and has a setting of its own there. */
static void test_memory_of_pyspark(void **unused)
{
	const struct expectation row = {.exit_code = 137, .container = {.oom = 1, .oom_kill = 3, .oom_group_kill = 1}, .language = EXECUTOR_LANGUAGE_PYTHON, .said = PYTHON_HERE,
					.flags = EXECUTOR_PYSPARK_MEMORY_SET};
	static struct death_facts f;
	struct death d;

	(void)unused;
	prepare(&row, &f);
	f.executor.python_worker_bytes = 256 * MIB; /* of each of two */
	f.executor.cores = 2;
	f.ooms[0].usage_bytes = f.ooms[0].limit_bytes = (1024 + 384 + 512) * MIB;
	death_explain(&f, &d);
	assert_int_equal(d.cause, DEATH_PYTHON);
	assert_string_equal(d.setting, "spark.executor.pyspark.memory");
	assert_string_equal(d.value, "1635m"); /* 1.5 times what Python used */
	f.executor.flags |= EXECUTOR_CLIENT_MODE;
	f.ooms[0].usage_bytes = f.ooms[0].limit_bytes = (1024 + 384) * MIB;
	death_explain(&f, &d);
	assert_string_equal(d.setting, "spark.executor.memoryOverhead");
	assert_string_equal(d.value, "1665m"); /* of 1110 beside the heap: nothing of the limit is Python's own */
	assert_non_null(strstr(d.advice, "spark.executor.pyspark.memory is not added"));
}

/* Nobody saw it lowered, but the kernel names another limit at the kill than the last sample had. */
static void test_from_what_a_limit_was_lowered(void **unused)
{
	const struct expectation row = {.exit_code = 137, .container = ONE, .said = JAVA_HERE, .jvm = 1000, .used = 1100};
	static struct death_facts f;
	struct death d;

	(void)unused;
	prepare(&row, &f);
	f.ooms[0].usage_bytes = f.ooms[0].limit_bytes = 704 * MIB;
	death_explain(&f, &d);
	assert_int_equal(d.cause, DEATH_LIMIT_LOWERED);
	assert_non_null(strstr(d.summary, "the limit was lowered from 1408 MiB"));
	assert_non_null(strstr(d.evidence, "lowered from 1408 to 704 MiB"));
}

/* JSON is UTF-8, and so is what is cut to fit into it. */
static void test_what_is_cut_stays_text(void **unused)
{
	const struct expectation row = {.exit_code = 137, .container = ONE, .said = PYTHON_HERE, .jvm = 900, .used = 1000, .language = EXECUTOR_LANGUAGE_PYTHON};
	static struct death_facts f;

	(void)unused;
	for (unsigned shift = 0; shift < 4; shift++) {
		struct death d;
		char note[DEATH_NOTE_BYTES];
		const char *const texts[] = {d.evidence, note};
		prepare(&row, &f);
		memset(f.log_line, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(f.log_line); i += 4)
			memcpy(f.log_line + i, "\xf0\x9f\x98\x80", 4);
		str_copy(f.api.message, sizeof(f.api.message), f.log_line);
		strcpy(f.api.reason, "OutOf");
		f.last.io.full_avg10_centi = f.last.memory.full_avg10_centi = 9000;
		death_explain(&f, &d);
		death_note(&d, note, sizeof(note));
		assert_true(strlen(d.evidence) > sizeof(d.evidence) - 8);
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			for (const char *p = texts[i]; *p; p += str_utf8_length(p))
				if (str_utf8_length(p) == 0)
					fail_msg("shift %u, text %zu: cut at %zu", shift, i, (size_t)(p - texts[i]));
	}
}

/* "See the evidence", says the advice about lost heartbeats. */
static void test_what_kept_it_from_running(void **unused)
{
	const struct expectation lost = {.exit_code = 56, .jvm = 900, .used = 1000}, threads = {.exit_code = 52, .log = DEATH_LOG_THREAD_OOM, .jvm = 900, .used = 1000};
	static struct death_facts f;
	struct death d;

	(void)unused;
	prepare(&lost, &f);
	f.last.io.full_avg10_centi = 4250;
	f.cpu_periods = 600;
	f.throttled_periods = 427;
	death_explain(&f, &d);
	assert_non_null(strstr(d.evidence, "stalled for disks 42 % of the last 10 s; its CPU limit held it up in 71 % of the last minute"));
	f.throttled_periods = 100; /* now and then: no matter */
	death_explain(&f, &d);
	assert_null(strstr(d.evidence, "CPU"));
	prepare(&threads, &f);
	f.last.have |= SAMPLE_HAS_PIDS;
	f.last.pids_current = 1021;
	f.last.pids_max_events = 7;
	death_explain(&f, &d);
	assert_non_null(strstr(d.evidence, "its limit of processes has refused it 7 times; 1021 processes and threads at the last sample"));
}

/* The heap is as large as the limit, or the limit as small as what is measured: whatever is the largest part of next to nothing did not grow. */
static void test_small_parts_prove_nothing(void **unused)
{
	static const struct {
		const char *about;
		uint64_t heap_kib, limit_kib, jvm_kib, python_kib, shmem_kib, cache_kib, kernel_kib; /* of the kernel's dump */
		enum death_cause want;
	} row[] = {
		{"JVM within a heap as large as the limit", 1408 << 10, 1408 << 10, 1380 << 10, 0, 0, 0, 900, DEATH_OVERHEAD},
		{"files and page cache besides", 1408 << 10, 1408 << 10, 1380 << 10, 0, 1023, 700, 900, DEATH_OVERHEAD},
		{"a Python of next to nothing", 1408 << 10, 1408 << 10, 1380 << 10, 1000, 0, 0, 10, DEATH_OVERHEAD},
		{"nothing that is to be seen", 1 << 20, 1408 << 10, 512, 0, 0, 0, 300, DEATH_UNKNOWN},
	};
	static struct death_facts f;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		static const struct expectation killed = {.exit_code = 137, .container = ONE, .said = JAVA_HERE};
		struct oom_kill *kill = &f.ooms[0];
		struct death d;
		prepare(&killed, &f);
		f.executor.heap_bytes = row[i].heap_kib << 10;
		kill->usage_bytes = kill->limit_bytes = row[i].limit_kib << 10;
		kill->anon_bytes = (row[i].jvm_kib + row[i].python_kib) << 10;
		kill->shmem_bytes = row[i].shmem_kib << 10;
		kill->file_bytes = (row[i].shmem_kib + row[i].cache_kib) << 10;
		kill->kernel_bytes = row[i].kernel_kib << 10;
		kill->anon_rss_bytes = row[i].jvm_kib << 10;
		kill->tasks = (struct oom_tasks){.jvm_bytes = row[i].jvm_kib << 10, .python_bytes = row[i].python_kib << 10, .jvm_count = 1, .python_count = row[i].python_kib > 0};
		death_explain(&f, &d);
		if (d.cause != row[i].want || d.confidence == DEATH_CERTAIN)
			fail_msg("%s: %s, %s; %s", row[i].about, death_cause_name((enum death_cause)d.cause), death_confidence_name((enum death_confidence)d.confidence), d.evidence);
	}
}

static void test_words(void **unused)
{
	static const struct expectation rows[] = {
		{.about = "used 1408 MiB of 1408 MiB: 1110 MiB outside the JVM heap (1024 MiB), Python 1090 MiB", .lives = 0, .exit_code = 137, .container = ONE, .said = PYTHON_HERE},
		{.about = "no space left on volume scratch, 96 MiB in memory: tasks that need more fail, the executor lives", .lives = 1, .exit_code = -1, .log = DEATH_LOG_NO_SPACE, .filling = "scratch"},
		{.about = "1024 MiB of JVM heap are full (exit code 52)", .exit_code = 52, .log = DEATH_LOG_HEAP_OOM},
		{.about = "signal 9, not for memory: used 1338 MiB of 1408 MiB (exit code 137)", .exit_code = 137, .jvm = 1250, .used = 1338},
		{.about = "evicted by kubelet: Usage of EmptyDir volume \"d\" exceeds the limit \"1Gi\" (exit code 143)", .exit_code = 143,
		 .api = {.reason = "Evicted", .message = "Usage of EmptyDir volume \"d\" exceeds the limit \"1Gi\". "}},
		{.about = "evicted by kubelet (exit code 143)", .exit_code = 143, .api = {.reason = "Evicted"}},
		{.about = "its pod was deleted, drained, preempted or evicted (exit code 143)", .exit_code = 143},
	};
	static struct death_facts f;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct death d;
		char note[DEATH_NOTE_BYTES + 8];
		prepare(&rows[i], &f);
		f.oom_count = 0;
		if (rows[i].said.where) {
			f.oom_count = 2; /* the JVM too: the container ended */
			f.container.oom_kill = 2;
			say(&rows[i].said, &f.ooms[0]);
			strcpy(f.ooms[1].comm, "java");
			strcpy(f.ooms[1].task_memcg, CTR);
		}
		f.executor.flags = EXECUTOR_CLIENT_MODE;
		death_explain(&f, &d);
		assert_true(str_starts(d.summary, rows[i].about));
		death_note(&d, note, sizeof(note));
		assert_true(str_starts(note, "app etl exec 3: "));
		assert_true(str_starts(note + strlen("app etl exec 3: "), d.summary));
		if (d.cause == DEATH_PYTHON) {
			assert_non_null(strstr(note, ". Set spark.executor.memoryOverhead=1665m. "));
			assert_non_null(strstr(d.advice, "0.10"));
		}
	}
}

/* docs/executors.md, "How much". */
static void test_need(void **unused)
{
	static const struct {
		uint64_t used, growth, in_force, want; /* MiB */
	} row[] = {
		{384, 0, 384, 576},    /* nothing known of its growth: half as much again */
		{384, 1000, 384, 576}, /* grew at once: no more than that */
		{400, 10, 384, 513},   /* grew slowly: a quarter */
		{819, 0, 819, 1229},
		{100, 0, 384, 576},    /* measured less than it has: what it has counts */
		{0, 0, 0, 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(death_need(row[i].used * MIB, row[i].growth * MIB, row[i].in_force * MIB) / MIB, row[i].want);
}

static uint64_t random_state;

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void test_need_is_monotonic(void **unused)
{
	(void)unused;
	random_state = 88172645463325252;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t used = random_number() % (512 * 1024 * MIB), growth = 1 + random_number() % (used + 1), more = random_number() % (1024 * MIB);
		uint64_t force = random_number() % (512 * 1024 * MIB), need = death_need(used, growth, force), most = used > force ? used : force;
		assert_true(death_need(used + more, growth, force) >= need);
		assert_true(death_need(used, growth + more, force) >= need);
		assert_true(death_need(used, growth, force + more) >= need);
		assert_true(death_need(used, 0, force) >= need);
		assert_true(need >= force && need >= most);
		assert_true(need <= most / 2 * 3 + 3 * MIB);
	}
	assert_true(death_need(UINT64_MAX, UINT64_MAX, UINT64_MAX) < UINT64_MAX / 2);
}

/* --- any facts --- */

static void fill(void *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)p)[i] = (unsigned char)random_number();
}

static void end_strings(struct death_facts *f)
{
	struct executor *x = &f->executor;
	const struct {
		char *text;
		size_t size;
	} all[] = {
		{x->container_id, sizeof(x->container_id)}, {x->pod_uid, sizeof(x->pod_uid)}, {x->name_space, sizeof(x->name_space)}, {x->pod, sizeof(x->pod)},
		{x->container, sizeof(x->container)}, {x->app_id, sizeof(x->app_id)}, {x->app_name, sizeof(x->app_name)}, {x->executor_id, sizeof(x->executor_id)},
		{x->spark_version, sizeof(x->spark_version)}, {x->queue, sizeof(x->queue)}, {f->runtime_reason, sizeof(f->runtime_reason)},
		{f->api.reason, sizeof(f->api.reason)}, {f->api.disruption, sizeof(f->api.disruption)}, {f->api.message, sizeof(f->api.message)}, {f->log_line, sizeof(f->log_line)}, {f->disk.reason, sizeof(f->disk.reason)}, {f->disk.mount_point, sizeof(f->disk.mount_point)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		all[i].text[all[i].size - 1] = '\0';
		if (random_number() % 2)
			all[i].text[random_number() % 8] = '\0';
	}
	for (unsigned i = 0; i < DEATH_OOM_MAX; i++) {
		f->ooms[i].oom_memcg[EXECUTOR_CGROUP_BYTES - 1] = f->ooms[i].task_memcg[EXECUTOR_CGROUP_BYTES - 1] = '\0';
		f->ooms[i].comm[sizeof(f->ooms[i].comm) - 1] = '\0';
	}
	f->started_wall_us %= 4102444800000000;
	f->ended_wall_us %= 4102444800000000;
}

static void test_any_facts(void **unused)
{
	static struct death_facts f;
	static const int32_t codes[] = {-1, 0, 1, 3, 52, 53, 56, 126, 127, 128, 134, 135, 137, 139, 143, 158, 255, INT32_MAX, INT32_MIN};

	(void)unused;
	random_state = 362436069;
	for (unsigned i = 0; i < 3000; i++) {
		struct death d, again;
		char note[DEATH_NOTE_BYTES * 2];
		char *text = NULL;
		struct err e = {0};
		fill(&f, sizeof(f));
		end_strings(&f);
		f.exit_code = codes[random_number() % ARRAY_SIZE(codes)];
		f.oom_count = (uint32_t)(random_number() % 12);
		f.lives = random_number() % 4 == 0;
		if (random_number() % 2)
			f.executor.heap_bytes %= 64 * 1024 * MIB;
		death_explain(&f, &d);
		assert_true(d.cause < DEATH_CAUSE_MAX_ && d.confidence <= DEATH_CERTAIN);
		assert_true(str_is_ended(d.summary, sizeof(d.summary)) && str_is_ended(d.advice, sizeof(d.advice)) && str_is_ended(d.evidence, sizeof(d.evidence)));
		assert_true(str_is_ended(d.setting, sizeof(d.setting)) && str_is_ended(d.value, sizeof(d.value)));
		death_note(&d, note, sizeof(note));
		assert_true(strlen(note) < DEATH_NOTE_BYTES);
		/* One line; read back it says the same. */
		assert_int_equal(death_to_json(&d, &text, &e), 0);
		assert_null(strchr(text, '\n'));
		if (death_from_json(text, strlen(text), &again, &e) == 0) {
			assert_int_equal(again.cause, d.cause);
			assert_int_equal(again.exit_code, d.exit_code < 0 ? -1 : d.exit_code);
		}
		free(text);
	}
}

static void test_no_evidence_is_unknown(void **unused)
{
	static struct death_facts f;
	struct death d;

	(void)unused;
	memset(&f, 0, sizeof(f));
	f.exit_code = -1;
	death_explain(&f, &d);
	assert_int_equal(d.cause, DEATH_UNKNOWN);
	assert_int_equal(d.confidence, DEATH_GUESS);
	assert_string_equal(d.setting, "");
}

static void test_json(void **unused)
{
	static struct death_facts f;
	struct death d, again;
	char *text = NULL, *twice = NULL;
	struct err e = {0};

	(void)unused;
	prepare(&expected[6], &f);
	death_explain(&f, &d);
	d.number = 7;
	str_copy(d.volume, sizeof(d.volume), "scratch");
	d.volume_size_bytes = 64 * MIB;
	d.volume_used_bytes = 63 * MIB;
	assert_int_equal(death_to_json(&d, &text, &e), 0);
	assert_int_equal(death_from_json(text, strlen(text), &again, &e), 0);
	assert_int_equal(death_to_json(&again, &twice, &e), 0);
	assert_string_equal(text, twice);
	assert_non_null(strstr(text, "\"kind\":\"ExecutorDeath\""));
	assert_non_null(strstr(text, "\"setting\":\"spark.executor.memoryOverhead\",\"value\":\"576m\""));
	assert_int_equal(again.number, 7);
	assert_string_equal(again.volume, "scratch");
	assert_true(again.volume_size_bytes == 64 * MIB && again.volume_used_bytes == 63 * MIB);
	free(text);
	free(twice);
	assert_int_equal(death_from_json("{}", 2, &again, &e), -EBADMSG);
	assert_string_equal(e.text, "death: apiVersion: must be 'stoker.dev/v1alpha1'");
}

static void test_names(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < DEATH_CAUSE_MAX_; i++) {
		const char *reason = death_cause_reason((enum death_cause)i);
		assert_true(*death_cause_name((enum death_cause)i) && reason[0] >= 'A' && reason[0] <= 'Z');
		for (unsigned k = 0; k < i; k++) {
			assert_string_not_equal(death_cause_name((enum death_cause)i), death_cause_name((enum death_cause)k));
			assert_string_not_equal(reason, death_cause_reason((enum death_cause)k));
		}
	}
	assert_string_equal(death_cause_name(DEATH_CAUSE_MAX_), "unknown");
	assert_true(death_is_good(DEATH_FINISHED) && death_is_good(DEATH_DECOMMISSIONED) && !death_is_good(DEATH_UNKNOWN));
}

/* --- its log --- */

static void test_log(void **unused)
{
	static const struct {
		const char *tail;
		uint32_t bits;
		const char *line;
	} row[] = {
		{"2026-11-26T16:00:00.123456789Z stderr F 26/11/26 16:00:00 ERROR SparkUncaughtExceptionHandler: Uncaught exception in thread Thread[Executor task launch worker,5,main]\n"
		 "2026-11-26T16:00:00.123456790Z stderr F java.lang.OutOfMemoryError: Java heap space\n",
		 DEATH_LOG_HEAP_OOM | DEATH_LOG_EXCEPTION, "java.lang.OutOfMemoryError: Java heap space"},
		{"java.lang.OutOfMemoryError: Java heap space", DEATH_LOG_HEAP_OOM, "java.lang.OutOfMemoryError: Java heap space"},
		{"java.lang.OutOfMemoryError: Cannot reserve 1048576 bytes of direct buffer memory (allocated: 1, limit: 2)\n", DEATH_LOG_DIRECT_OOM, NULL},
		{"26/11/26 ERROR CoarseGrainedExecutorBackend: RECEIVED SIGNAL TERM\n", DEATH_LOG_SIGTERM, NULL},
		{"26/11/26 ERROR WorkerWatcher: Lost connection to worker rpc endpoint spark://Worker@127.0.0.1:4711. Exiting.\n", DEATH_LOG_DRIVER_GONE, NULL},
		{"26/11/26 ERROR CoarseGrainedExecutorBackend: Executor self-exiting due to : Driver 10.0.0.1:7078 disassociated! Shutting down.\n", DEATH_LOG_DRIVER_GONE, NULL},
		{"26/11/26 ERROR DiskBlockManager: Failed to create local dir in /var/data/x. Ignoring this directory.\njava.nio.file.FileSystemException: /var/data/x: Read-only file system\n26/11/26 ERROR DiskBlockManager: Failed to create any local dir.\n",
		 DEATH_LOG_NO_LOCAL_DIR | DEATH_LOG_READ_ONLY, "java.nio.file.FileSystemException: /var/data/x: Read-only file system"},
		{"MemoryError\n", DEATH_LOG_MEMORY_ERROR, "MemoryError"},
		{"caught a MemoryError\n", 0, ""},
		{"org.apache.spark.memory.SparkOutOfMemoryError: Unable to acquire 65536 bytes of memory\n", 0, ""},
		{"Exception in thread \"main\" java.sql.SQLException: jdbc:pg://etl:p4ss@db/x?password=hunter2 \xc2\x9b" "31m\n", DEATH_LOG_EXCEPTION,
		 "Exception in thread \"main\" java.sql.SQLException: jdbc:pg://*********(redacted)@db/x?password=*********(redacted) \\xc2\\x9b31m"},
		{"", 0, ""},
		/* long ago: not of this death */
		{"2026-11-26T15:00:00Z stderr F java.io.IOException: No space left on device\n2026-11-26T16:00:00Z stderr F RECEIVED SIGNAL TERM\n", DEATH_LOG_SIGTERM, "RECEIVED SIGNAL TERM"},
		/* … but that it had registered stays so */
		{"2026-11-26T15:00:00Z stderr F 26/11/26 INFO CoarseGrainedExecutorBackend: Successfully registered with driver\n2026-11-26T16:00:00Z stderr F java.net.ConnectException: Connection refused\n",
		 DEATH_LOG_REGISTERED | DEATH_LOG_REFUSED, "java.net.ConnectException: Connection refused"},
		{"26/11/26 INFO Executor: Running task 3.0 in stage 7.0 (TID 12)\n", DEATH_LOG_REGISTERED, ""},
		/* a line that the runtime cut: the name of what is secret may stand in the part before */
		{"2026-11-26T16:00:00Z stderr P a long line, password=\n2026-11-26T16:00:00Z stderr F hunter2 No space left on device\n", DEATH_LOG_NO_SPACE, ""},
		{"\x01\xff Read-only file system \x1b[31m\n", DEATH_LOG_READ_ONLY, "\\x01\\xff Read-only file system \\x1b[31m"},
	};

	struct redactor *redactor = redactor_new(REDACT_REGEX, NULL);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char line[256] = "x";
		assert_int_equal(death_read_log(row[i].tail, strlen(row[i].tail), redactor, line, sizeof(line)), row[i].bits);
		if (row[i].line)
			assert_string_equal(line, row[i].line);
	}
	redactor_free(redactor);
}

/* What makes a secret of the words beside it lies where the line, or the tail, is cut. */
static void test_log_is_redacted_before_it_is_cut(void **unused)
{
	static const char sentence[] = "Exception in thread \"main\" X: https://etl:";
	struct redactor *redactor = redactor_new(REDACT_REGEX, NULL);
	char line[256], tail[DEATH_LOG_TAIL_BYTES + 1];

	(void)unused;
	memset(tail, 'p', sizeof(tail)); /* a token of 600 bytes */
	memcpy(tail, sentence, strlen(sentence));
	memcpy(tail + 600, "@git.example/x", 15);
	assert_int_equal(death_read_log(tail, 614, redactor, line, sizeof(line)), DEATH_LOG_EXCEPTION);
	assert_string_equal(line, "Exception in thread \"main\" X: https://*********(redacted)@git.example/x");

	memset(tail, 'p', sizeof(tail)); /* "…password=", cut before the '=' */
	memcpy(tail, "word=hunter2 No space left on device\n", 37);
	assert_int_equal(death_read_log(tail, DEATH_LOG_TAIL_BYTES, redactor, line, sizeof(line)), DEATH_LOG_NO_SPACE);
	assert_string_equal(line, "");
	redactor_free(redactor);
}

static void test_any_log(void **unused)
{
	static char tail[DEATH_LOG_TAIL_BYTES + 100];
	struct redactor *redactor = redactor_new(REDACT_REGEX, NULL);

	(void)unused;
	random_state = 521288629;
	for (unsigned i = 0; i < 300; i++) {
		char line[40];
		size_t length = random_number() % sizeof(tail);
		fill(tail, length);
		for (size_t k = 0; k + 12 < length; k += 400)
			memcpy(tail + k, " stdout F \nD", 12);
		death_read_log(tail, length, redactor, line, sizeof(line));
		assert_true(str_is_ended(line, sizeof(line)));
	}
	redactor_free(redactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_no_surer_than_what_is_known),
		cmocka_unit_test(test_memory_of_pyspark),
		cmocka_unit_test(test_from_what_a_limit_was_lowered),
		cmocka_unit_test(test_what_is_cut_stays_text),
		cmocka_unit_test(test_what_kept_it_from_running),
		cmocka_unit_test(test_small_parts_prove_nothing),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_need),
		cmocka_unit_test(test_need_is_monotonic),
		cmocka_unit_test(test_any_facts),
		cmocka_unit_test(test_no_evidence_is_unknown),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_is_redacted_before_it_is_cut),
		cmocka_unit_test(test_any_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
