/* death.c - the names of causes, and the explanation put together: rule, numbers, advice, words. */
#include "health/death.h"

#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/death_view.h"

static const struct {
	const char *name, *reason;
	bool good;
} causes[DEATH_CAUSE_MAX_] = {
	[DEATH_UNKNOWN] = {"unknown", "ExecutorDeathUnexplained", false},
	[DEATH_FINISHED] = {"finished", "ExecutorFinished", true},
	[DEATH_DECOMMISSIONED] = {"decommissioned", "ExecutorDecommissioned", true},
	[DEATH_DECOMMISSION_UNHANDLED] = {"decommission-unhandled", "DecommissionUnhandled", false},
	[DEATH_HEAP] = {"heap", "ExecutorHeapExhausted", false},
	[DEATH_OVERHEAD] = {"overhead", "ExecutorOverheadExceeded", false},
	[DEATH_PYTHON] = {"python", "PythonWorkerExhausted", false},
	[DEATH_R] = {"r", "RWorkerExhausted", false},
	[DEATH_SCRATCH_MEMORY] = {"scratch-memory", "ScratchExhausted", false},
	[DEATH_PAGE_CACHE] = {"page-cache", "PageCacheExceeded", false},
	[DEATH_KERNEL_MEMORY] = {"kernel-memory", "KernelMemoryExceeded", false},
	[DEATH_SIDECAR] = {"sidecar", "SidecarMemoryExceeded", false},
	[DEATH_POD_LIMIT] = {"pod-limit", "PodMemoryExceeded", false},
	[DEATH_NODE_MEMORY] = {"node-memory", "NodeOutOfMemory", false},
	[DEATH_LIMIT_LOWERED] = {"limit-lowered", "MemoryLimitLowered", false},
	[DEATH_DISK_READ_ONLY] = {"disk-read-only", "LocalDiskReadOnly", false},
	[DEATH_DISK_FULL] = {"disk-full", "LocalDiskFull", false},
	[DEATH_DISK_FAILED] = {"disk-failed", "LocalDiskFailed", false},
	[DEATH_EVICTED] = {"evicted", "ExecutorEvicted", false},
	[DEATH_DELETED] = {"deleted", "ExecutorDeleted", false},
	[DEATH_PREEMPTED] = {"preempted", "ExecutorPreempted", false},
	[DEATH_KILLED] = {"killed", "ExecutorKilled", false},
	[DEATH_CRASHED] = {"crashed", "ExecutorCrashed", false},
	[DEATH_WRONG_ARCHITECTURE] = {"wrong-architecture", "NotExecutable", false},
	[DEATH_MISSING_FILE] = {"missing-file", "CommandNotFound", false},
	[DEATH_START_FAILED] = {"start-failed", "ContainerStartFailed", false},
	[DEATH_NOT_REGISTERED] = {"not-registered", "DriverUnreachable", false},
	[DEATH_DRIVER_GONE] = {"driver-gone", "DriverGone", false},
	[DEATH_HEARTBEAT] = {"heartbeat", "HeartbeatLost", false},
	[DEATH_APPLICATION] = {"application", "ApplicationFailed", false},
	[DEATH_THREADS] = {"threads", "ThreadsExhausted", false},
	[DEATH_DISK_DENIED] = {"disk-denied", "LocalDiskDenied", false},
	[DEATH_SCRATCH_FULL] = {"scratch-full", "ScratchFull", false},
};

const char *death_cause_name(enum death_cause cause)
{
	return (size_t)cause < ARRAY_SIZE(causes) ? causes[cause].name : causes[DEATH_UNKNOWN].name;
}

const char *death_cause_reason(enum death_cause cause)
{
	return (size_t)cause < ARRAY_SIZE(causes) ? causes[cause].reason : causes[DEATH_UNKNOWN].reason;
}

bool death_is_good(enum death_cause cause)
{
	return (size_t)cause < ARRAY_SIZE(causes) && causes[cause].good;
}

const char *death_confidence_name(enum death_confidence confidence)
{
	static const char *const names[] = {"guess", "likely", "certain"};

	return (size_t)confidence < ARRAY_SIZE(names) ? names[confidence] : names[0];
}

void death_explain(const struct death_facts *facts, struct death *ret)
{
	struct death_view view;
	struct death death = {.executor = facts->executor, .lives = facts->lives ? 1 : 0, .exit_code = facts->exit_code};

	death_look(facts, &view);
	death.started_wall_us = facts->started_wall_us;
	death.ended_wall_us = facts->ended_wall_us;
	death.limit_bytes = view.limit_bytes;
	death.used_bytes = view.used_bytes;
	death.anon_bytes = view.anon_bytes;
	death.shmem_bytes = view.shmem_bytes;
	death.cache_bytes = view.cache_bytes;
	death.kernel_bytes = view.kernel_bytes;
	death.jvm_bytes = view.processes.jvm_bytes;
	death.python_bytes = view.processes.python_bytes;
	death.other_bytes = view.processes.other_bytes + view.processes.r_bytes;
	str_copy(death.pod_reason, sizeof(death.pod_reason), *facts->api.reason ? facts->api.reason : facts->api.disruption);
	death_judge(&view, &death);
	death_advise(&view, &death);
	death_say(&view, &death);
	*ret = death;
}

void death_note(const struct death *death, char *text, size_t size)
{
	char who[256];

	if (size == 0)
		return;
	size = size < DEATH_NOTE_BYTES ? size : DEATH_NOTE_BYTES;
	*text = '\0';
	executor_say(&death->executor, who, sizeof(who));
	str_append(text, size, "%s: %s", who, death->summary);
	if (*death->setting)
		str_append(text, size, ". Set %s=%s", death->setting, death->value);
	if (*death->advice)
		str_append(text, size, ". %s", death->advice);
	str_append(text, size, ". Cause: %s (%s)", death_cause_name((enum death_cause)death->cause),
		   death_confidence_name((enum death_confidence)death->confidence));
	if (*death->evidence)
		str_append(text, size, ". Evidence: %s", death->evidence);
}
