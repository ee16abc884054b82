/* death_say.c - one sentence, the number first. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "health/death_view.h"

#define MIB ((uint64_t)1 << 20)

static void say_use(const struct death_view *v, struct death *death)
{
	if (v->limit_bytes > 0)
		str_append(death->summary, sizeof(death->summary), "used %" PRIu64 " MiB of %" PRIu64 " MiB", v->used_bytes / MIB, v->limit_bytes / MIB);
	else
		str_append(death->summary, sizeof(death->summary), "used %" PRIu64 " MiB", v->used_bytes / MIB);
}

/* "used 1408 MiB of 1408 MiB: 702 MiB outside the JVM heap (1024 MiB), most of them Python (650 MiB)" */
static void say_memory(const struct death_view *v, struct death *death)
{
	struct death_part parts[DEATH_PARTS_MAX];
	unsigned n = death_parts(v, parts);

	if (v->used_bytes == 0 && n == 0) {
		str_append(death->summary, sizeof(death->summary), "killed for memory at its limit of %" PRIu64 " MiB; its use was not seen", v->limit_bytes / MIB);
		return;
	}
	say_use(v, death);
	if (v->heap_bytes > 0 && v->outside_bytes > 0)
		str_append(death->summary, sizeof(death->summary), ": %" PRIu64 " MiB outside the JVM heap (%" PRIu64 " MiB)", v->outside_bytes / MIB, v->heap_bytes / MIB);
	/* What is said already is not said again. */
	bool all_said = v->heap_bytes > 0 && death->cause == DEATH_OVERHEAD && v->processes.other_bytes < v->outside_bytes / 2;
	for (unsigned i = 0; i < n && !all_said; i++)
		if (parts[i].cause == death->cause && parts[i].bytes >= MIB)
			str_append(death->summary, sizeof(death->summary), ", %s %" PRIu64 " MiB", parts[i].what, parts[i].bytes / MIB);
}

static void say_heap(const struct death_view *v, struct death *death)
{
	if (v->heap_bytes > 0)
		str_append(death->summary, sizeof(death->summary), "%" PRIu64 " MiB of JVM heap are full", v->heap_bytes / MIB);
	else
		str_append(death->summary, sizeof(death->summary), "the JVM heap is full");
}

static void say_killed(const struct death_view *v, struct death *death)
{
	if (death->exit_code > 128)
		str_append(death->summary, sizeof(death->summary), "signal %" PRId32, death->exit_code - 128);
	else
		str_append(death->summary, sizeof(death->summary), "killed");
	if (v->used_bytes > 0) {
		str_append(death->summary, sizeof(death->summary), v->sure == DEATH_CERTAIN ? ", not for memory: " : ", no kill for memory was seen: ");
		say_use(v, death);
	}
}

static void say_scratch(const struct death_facts *f, struct death *death)
{
	str_append(death->summary, sizeof(death->summary), "no space left on volume %s, %" PRIu64 " MiB in memory: tasks that need more fail, the executor lives",
		   f->scratch_name, f->scratch_total_bytes / MIB);
}

/* Kubelet's own words: which resource, how much was there, how much this one used. */
static void say_evicted(const struct death_facts *f, struct death *death)
{
	size_t length = strlen(f->api.message);

	while (length > 0 && strchr(" .", f->api.message[length - 1]))
		length--;
	str_append(death->summary, sizeof(death->summary), "evicted by kubelet%s%.*s", length ? ": " : "", (int)length, f->api.message);
}

/* What has no number but the exit code. */
static const char *const words[DEATH_CAUSE_MAX_] = {
	[DEATH_UNKNOWN] = "not enough is known to say why",
	[DEATH_FINISHED] = "finished",
	[DEATH_DECOMMISSIONED] = "decommissioned: it handed over and left",
	[DEATH_DECOMMISSION_UNHANDLED] = "SIGPWR ended it at once: decommissioning is not enabled in it",
	[DEATH_DISK_READ_ONLY] = "its local disk cannot be written (read-only)",
	[DEATH_DISK_FULL] = "its local disk is full",
	[DEATH_DISK_FAILED] = "its local disk failed",
	[DEATH_DISK_DENIED] = "its local dirs are not writable for its user",
	[DEATH_DELETED] = "its pod was deleted, drained, preempted or evicted",
	[DEATH_PREEMPTED] = "its pod was preempted, for one of higher priority",
	[DEATH_CRASHED] = "crashed by itself",
	[DEATH_WRONG_ARCHITECTURE] = "its command cannot be executed here",
	[DEATH_MISSING_FILE] = "its command was not found",
	[DEATH_START_FAILED] = "the container could not be started",
	[DEATH_NOT_REGISTERED] = "it never reached its driver",
	[DEATH_DRIVER_GONE] = "its driver is gone",
	[DEATH_HEARTBEAT] = "its heartbeats did not reach the driver",
	[DEATH_APPLICATION] = "the application ended it",
	[DEATH_THREADS] = "no more threads could be made",
};

static bool is_memory(enum death_cause cause)
{
	return cause >= DEATH_OVERHEAD && cause <= DEATH_LIMIT_LOWERED;
}

void death_say(const struct death_view *v, struct death *death)
{
	enum death_cause cause = (enum death_cause)death->cause;

	if (death->lives && death->exit_code < 0 && is_memory(cause))
		str_append(death->summary, sizeof(death->summary), "a process of it was killed, it goes on: ");
	if (cause == DEATH_HEAP)
		say_heap(v, death);
	else if (cause == DEATH_KILLED)
		say_killed(v, death);
	else if (cause == DEATH_SCRATCH_FULL)
		say_scratch(v->facts, death);
	else if (cause == DEATH_EVICTED)
		say_evicted(v->facts, death);
	else if (cause == DEATH_OVERHEAD && v->kill != DEATH_KILL_HERE)
		str_append(death->summary, sizeof(death->summary), "the JVM's own limit of memory outside the heap is reached");
	else if (is_memory(cause))
		say_memory(v, death);
	else
		str_append(death->summary, sizeof(death->summary), "%s", words[cause]);
	if (cause == DEATH_NODE_MEMORY)
		str_append(death->summary, sizeof(death->summary), ": the node ran out of memory, and the kernel chose this one");
	else if (cause == DEATH_LIMIT_LOWERED)
		str_append(death->summary, sizeof(death->summary), ": the limit was lowered from %" PRIu64 " MiB", v->limit_was_bytes / MIB);
	else if (cause == DEATH_POD_LIMIT || (cause == DEATH_SIDECAR && !v->facts->executor.sidecar))
		str_append(death->summary, sizeof(death->summary), ": the pod's limit, used up by its containers together");
	if (!death->lives && death->exit_code >= 0)
		str_append(death->summary, sizeof(death->summary), " (exit code %" PRId32 ")", death->exit_code);
}
