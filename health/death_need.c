/* death_need.c - what to change, computed. The rule in words: docs/executors.md, "How much". */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/death_view.h"

#define MIB ((uint64_t)1 << 20)
#define AMOUNT_MAX (1ULL << 50) /* more is no memory, and leaves room to calculate */

/* Who sets it: the names differ. */
enum target { FOR_EXECUTOR, FOR_DRIVER, FOR_POD /* nothing of Spark's: the container's limit */, FOR_RUN, TARGET_MAX_ };

static const struct {
	const char *overhead, *heap, *unit;
	bool total; /* `overhead` names the whole limit */
} settings[TARGET_MAX_] = {
	[FOR_EXECUTOR] = {"spark.executor.memoryOverhead", "spark.executor.memory", "m", false},
	[FOR_DRIVER] = {"spark.driver.memoryOverhead", "spark.driver.memory", "m", false},
	[FOR_POD] = {"resources.limits.memory", "spark.driver.memory", "Mi", true},
	[FOR_RUN] = {"--memory", "-Xmx", "m", true},
};

static enum target target_of(const struct executor *x)
{
	if (x->source == EXECUTOR_FROM_RUN)
		return FOR_RUN;
	if (x->sidecar)
		return FOR_POD;
	if (x->role == EXECUTOR_ROLE_EXECUTOR)
		return FOR_EXECUTOR;
	return x->role == EXECUTOR_ROLE_DRIVER || x->role == EXECUTOR_ROLE_CONNECT_SERVER ? FOR_DRIVER : FOR_POD;
}

static uint64_t bounded(uint64_t bytes)
{
	return bytes < AMOUNT_MAX ? bytes : AMOUNT_MAX;
}

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + MIB - 1) / MIB * MIB;
}

/* Killed at the limit, it wanted more than it got, and nobody saw how much. What it used is the least; to that what it grew by in
 * its last minute, at most a fifth of it, and a quarter of all as margin: 1.25 to 1.5 times what was measured. */
uint64_t death_need(uint64_t used_bytes, uint64_t growth_bytes, uint64_t in_force_bytes)
{
	uint64_t used = bounded(used_bytes > in_force_bytes ? used_bytes : in_force_bytes), fifth = used / 5;
	uint64_t growth = growth_bytes > 0 && growth_bytes < fifth ? growth_bytes : fifth;

#ifdef STOKER_SABOTAGE_NEED_HALVED
	return round_up((used + growth) / 8 * 5);
#endif
	return round_up((used + growth) / 4 * 5);
}

static void set(struct death *death, const char *setting, const char *prefix, uint64_t bytes, const char *unit)
{
	if (bytes == 0)
		return;
	str_copy(death->setting, sizeof(death->setting), setting);
	snprintf(death->value, sizeof(death->value), "%s%" PRIu64 "%s", prefix, bytes / MIB, unit);
	death->value_bytes = bytes;
}

/* What Spark leaves beside a heap if nothing is set: a tenth of it, at least 384 MiB. */
static uint64_t least_overhead(uint64_t heap_bytes)
{
	const uint64_t least = 384 * MIB, tenth = round_up(bounded(heap_bytes) / 10);

	return tenth > least ? tenth : least;
}

/* memoryOverhead for what is beside the heap, or the whole limit where nothing of Spark's divides it. */
static uint64_t overhead_need(const struct death_view *v, bool total)
{
	uint64_t kept = bounded(v->heap_bytes) + bounded(v->fixed_bytes), outside = v->outside_bytes;
	uint64_t used = outside > v->fixed_bytes ? outside - v->fixed_bytes : 0;
	uint64_t need = death_need(used, v->facts->growth_bytes, v->overhead_bytes);

	if (v->limit_bytes == 0 || need == 0)
		return 0;
	/* Where the limit has no room beside the heap, what the JVM has of its own cannot be told from heap: as much as Spark itself leaves. */
	if (kept > 0 && v->limit_bytes <= kept && need < least_overhead(v->heap_bytes))
		need = least_overhead(v->heap_bytes);
	return total ? round_up(kept + need) : need;
}

static void advise_overhead(const struct death_view *v, enum target target, struct death *death)
{
	set(death, settings[target].overhead, "", overhead_need(v, settings[target].total), settings[target].unit);
}

/* Nobody can measure what a full heap would have needed: half as much again, and again if that is not enough. */
static void advise_heap(const struct death_view *v, enum target target, struct death *death)
{
	set(death, settings[target].heap, "", round_up(bounded(v->heap_bytes) / 2 * 3), "m");
}

static void advise_python(const struct death_view *v, enum target target, struct death *death)
{
	const struct executor *x = &v->facts->executor;
	uint64_t in_force = v->fixed_bytes > x->off_heap_bytes ? v->fixed_bytes - x->off_heap_bytes : 0;

	/* In client mode spark.executor.pyspark.memory is no part of the limit. */
	if (target == FOR_EXECUTOR && in_force > 0)
		set(death, "spark.executor.pyspark.memory", "", death_need(v->processes.python_bytes, v->facts->growth_bytes, in_force), "m");
	else
		advise_overhead(v, target, death);
	if (target == FOR_EXECUTOR && x->flags & EXECUTOR_CLIENT_MODE)
		str_append(death->advice, sizeof(death->advice),
			   "Its driver runs in client mode: the overhead factor is 0.10 there, not Python's 0.40, and spark.executor.pyspark.memory is not added. ");
}

static void advise_scratch(const struct death_view *v, enum target target, struct death *death)
{
	const struct executor *x = &v->facts->executor;
	uint64_t need = overhead_need(v, settings[target].total);

	/* What was written is in memory, so an emptyDir of Spark's that it was written to is. Injected scratch is none of Spark's settings. */
	if (target != FOR_EXECUTOR || x->injected_bytes > 0 || !(x->flags & (EXECUTOR_TMPFS_LOCAL_DIRS | EXECUTOR_EMPTY_DIRS))) {
		advise_overhead(v, target, death);
		return;
	}
	str_copy(death->setting, sizeof(death->setting), "spark.kubernetes.local.dirs.tmpfs");
	str_copy(death->value, sizeof(death->value), "false");
	if (need > 0)
		str_append(death->advice, sizeof(death->advice), "To keep it in memory: spark.executor.memoryOverhead=%" PRIu64 "m. ", need / MIB);
}

static void advise_direct(const struct death_view *v, enum target target, struct death *death)
{
	const char *name = target == FOR_DRIVER ? "spark.driver.extraJavaOptions" : target == FOR_EXECUTOR ? "spark.executor.extraJavaOptions" : "JAVA_TOOL_OPTIONS";

	/* -XX:MaxDirectMemorySize is -Xmx where it is not set. */
	if (v->facts->log_bits & DEATH_LOG_DIRECT_OOM)
		set(death, name, "-XX:MaxDirectMemorySize=", round_up(bounded(v->heap_bytes) / 2 * 3), "m");
	else
		str_append(death->advice, sizeof(death->advice), "Raise -XX:MaxMetaspaceSize or leave it out. ");
}

/* In words, after what was computed. */
static const char *const advices[DEATH_CAUSE_MAX_] = {
	[DEATH_DECOMMISSION_UNHANDLED] = "Set spark.decommission.enabled=true, so that SIGPWR is handled",
	[DEATH_HEAP] = "What a full heap would have needed cannot be measured: raise it by half and look again; fewer cores per executor or more partitions help too",
	[DEATH_OVERHEAD] = "Native, direct and off-heap memory is beside the heap: the limit must have room for both",
	[DEATH_PYTHON] = "Python workers are beside the heap; fewer cores per executor are fewer of them",
	[DEATH_R] = "R workers are beside the heap; fewer cores per executor are fewer of them",
	[DEATH_SCRATCH_MEMORY] = "Files in a memory-backed volume count as memory of the pod, and stay when a process dies",
	[DEATH_PAGE_CACHE] = "Page cache that is written too slowly counts as memory: a faster disk, or room for it",
	[DEATH_KERNEL_MEMORY] = "Sockets, pipes and page tables count as memory: fewer connections at a time (spark.reducer.maxSizeInFlight), or room for them",
	[DEATH_SIDECAR] = "It was not the executor that grew: see the pod's other container and its limit",
	[DEATH_POD_LIMIT] = "The containers of the pod together need more than it may use: raise the limit of the one that grew",
	[DEATH_NODE_MEMORY] = "The node had no memory left: its pods may use more than it has. Equal requests and limits, or fewer pods per node; no setting of this job",
	[DEATH_LIMIT_LOWERED] = "Somebody lowered the limit while it ran (a resize, VPA, an agent): not below what is in use",
	[DEATH_DISK_READ_ONLY] = "The node's disk is at fault, not the job: see stoker health there; if that is well, a mount of the pod's own is read-only (readOnlyRootFilesystem, readOnly)",
	[DEATH_DISK_FULL] = "Free space for its local dirs: a larger or another disk, fewer bytes spilled (more memory, more partitions)",
	[DEATH_DISK_FAILED] = "The node's disk is at fault, not the job: see stoker health there",
	[DEATH_DISK_DENIED] = "The local dirs must be writable for the user of the pod (fsGroup, or the owner of the hostPath)",
	[DEATH_EVICTED] = "For a disk: a request of ephemeral-storage, a larger sizeLimit, or a disk of its own for its local dirs. For memory: the node's pods use more than they ask for",
	[DEATH_DELETED] = "Look who wanted it to go: its driver, a drain, a preemption, kubelet (Evicted); spark.decommission.enabled=true hands blocks over first",
	[DEATH_PREEMPTED] = "A pod of higher priority took its place (PriorityClass, queue); spark.decommission.enabled=true hands blocks over first",
	[DEATH_KILLED] = "Somebody sent the signal, the kernel did not run out of memory: kubelet does when a deleted or evicted pod has not ended within its grace period, or a liveness probe fails",
	[DEATH_CRASHED] = "A bug in native code or in the JVM: see hs_err_pid*.log and the libraries in use",
	[DEATH_WRONG_ARCHITECTURE] = "Is the image built for this node's architecture, and is the volume not mounted noexec?",
	[DEATH_MISSING_FILE] = "The command is not in the image: compare image, entrypoint and Spark version",
	[DEATH_START_FAILED] = "The runtime could not start the container: see stoker doctor and the kubelet's log on this node",
	[DEATH_NOT_REGISTERED] = "The driver's host and port must be reachable from here: its service, DNS, network policy, spark.driver.host",
	[DEATH_DRIVER_GONE] = "A consequence: look why the driver ended",
	[DEATH_HEARTBEAT] = "Long garbage collections, a throttled CPU or a stalled disk: see the evidence; spark.network.timeout only hides it",
	[DEATH_APPLICATION] = "The application's own error: its log says more",
	[DEATH_SCRATCH_FULL] = "A larger volume, and a memory limit with room for it; fewer bytes at a time (more partitions); or local dirs on disk",
	[DEATH_THREADS] = "Fewer threads, or a higher podPidsLimit where the limit of processes was reached; else there was no memory for another stack",
};

static const struct {
	enum death_cause cause;
	void (*advise)(const struct death_view *v, enum target target, struct death *death);
} advisers[] = {
	{DEATH_HEAP, advise_heap},	     {DEATH_PYTHON, advise_python},	      {DEATH_R, advise_overhead},
	{DEATH_SCRATCH_MEMORY, advise_scratch}, {DEATH_PAGE_CACHE, advise_overhead}, {DEATH_KERNEL_MEMORY, advise_overhead},
};

void death_advise(const struct death_view *v, struct death *death)
{
	const struct executor *x = &v->facts->executor;
	enum target target = target_of(x);

	for (size_t i = 0; i < ARRAY_SIZE(advisers); i++)
		if (death->cause == advisers[i].cause)
			advisers[i].advise(v, target, death);
	if (death->cause == DEATH_OVERHEAD)
		(v->kill == DEATH_KILL_HERE ? advise_overhead : advise_direct)(v, target, death);
	if (death->cause == DEATH_SIDECAR && x->sidecar)
		advise_overhead(v, target, death);
	if (death->cause < DEATH_CAUSE_MAX_ && advices[death->cause])
		str_append(death->advice, sizeof(death->advice), "%s", advices[death->cause]);
	if (target == FOR_POD && *death->setting && *x->container)
		str_append(death->advice, sizeof(death->advice), " (container %s)", x->container);
}
