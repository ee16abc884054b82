/* Each rule of death_rules.c by itself: its cause, how sure it is, and what it says that it rests on. Without one of them a row here is red. */
#include "tests/unit/death_rows.h"

#include "base/scoped.h"

#define AT_LIMIT .container = ONE, .said = JAVA_HERE
#define SAMPLED	 .jvm = 900, .used = 1000

static const struct {
	struct expectation is;
	const char *evidence; /* in this order, '|' between */
} rules[] = {
	/* it lives on */
	{{"a notebook's JVM", -1, DEATH_OVERHEAD, DEATH_CERTAIN, .lives = 1, .driver = true, AT_LIMIT}, "oom_kill +1 in its cgroup|kernel log: killed process 4242 (java)|MiB at the kill: JVM 1290"},
	{{"whatever its log has", -1, DEATH_UNKNOWN, DEATH_GUESS, .lives = 1, .log = DEATH_LOG_DRIVER_GONE}, ""},
	/* it did not start */
	{{"not started, no such file", 128, DEATH_MISSING_FILE, DEATH_CERTAIN, .reason = "StartError", .log = DEATH_LOG_NOT_FOUND}, "exit code 128|the runtime could not start it"},
	{{"126", 126, DEATH_WRONG_ARCHITECTURE, DEATH_GUESS, 0}, "exit code 126: found"},
	{{"126, and its log says why", 126, DEATH_WRONG_ARCHITECTURE, DEATH_CERTAIN, .log = DEATH_LOG_EXEC_FORMAT}, "exit code 126: found"},
	{{"128, and its log says why", 128, DEATH_WRONG_ARCHITECTURE, DEATH_LIKELY, .log = DEATH_LOG_EXEC_FORMAT}, "exit code 128|the runtime could not start it"},
	{{"128", 128, DEATH_START_FAILED, DEATH_LIKELY, 0}, "exit code 128 is the runtime's"},
	{{"1, and its log says why", 1, DEATH_WRONG_ARCHITECTURE, DEATH_LIKELY, .log = DEATH_LOG_EXEC_FORMAT}, "its log ends with it"},
	/* it left */
	{{"its log was gone", 0, DEATH_FINISHED, DEATH_GUESS, .flags = EXECUTOR_DECOMMISSION, .no_log = true}, "its log, which would tell"},
	{{"no code, told to stop", -1, DEATH_FINISHED, DEATH_LIKELY, .log = DEATH_LOG_SHUTDOWN}, "its driver had told it to stop"},
	{{"no code, asked to hand over", -1, DEATH_DECOMMISSIONED, DEATH_LIKELY, .log = DEATH_LOG_DECOMMISSION}, "it was asked to hand over"},
	{{"no code, its pod was being stopped", -1, DEATH_DELETED, DEATH_LIKELY, .deleted = true}, "its pod was being stopped"},
	{{"SIGTERM first", 137, DEATH_DELETED, DEATH_LIKELY, .log = DEATH_LOG_SIGTERM}, "exit code 137|SIGTERM first, then killed|oom_kill +0"},
	/* OutOfMemoryError */
	{{"3, threads", 3, DEATH_THREADS, DEATH_LIKELY, .log = DEATH_LOG_THREAD_OOM}, "exit code 3 is ExitOnOutOfMemoryError's"},
	{{"3, direct memory", 3, DEATH_OVERHEAD, DEATH_LIKELY, .log = DEATH_LOG_DIRECT_OOM}, "exit code 3 is ExitOnOutOfMemoryError's"},
	{{"3, heap, and the flag is set", 3, DEATH_HEAP, DEATH_CERTAIN, .flags = EXECUTOR_JVM_EXIT_ON_OOM, .log = DEATH_LOG_HEAP_OOM}, "which is set"},
	{{"3, heap", 3, DEATH_HEAP, DEATH_LIKELY, .log = DEATH_LOG_HEAP_OOM}, "exit code 3 is ExitOnOutOfMemoryError's"},
	{{"134, metaspace", 134, DEATH_OVERHEAD, DEATH_LIKELY, .log = DEATH_LOG_METASPACE_OOM}, "exit code 134|CrashOnOutOfMemoryError ends with 134"},
	{{"134, heap", 134, DEATH_HEAP, DEATH_LIKELY, .log = DEATH_LOG_HEAP_OOM}, "CrashOnOutOfMemoryError ends with 134"},
	{{"134, its heap was full, its log gone", 134, DEATH_HEAP, DEATH_GUESS, .flags = EXECUTOR_JVM_CRASH_ON_OOM, .no_log = true, .jvm = 950, .used = 1000}, "which is set, ends with 134"},
	{{"137, heap", 137, DEATH_HEAP, DEATH_LIKELY, .log = DEATH_LOG_HEAP_OOM}, "the kernel killed nobody"},
	{{"1, direct memory", 1, DEATH_OVERHEAD, DEATH_LIKELY, .log = DEATH_LOG_DIRECT_OOM}, "its log ends with it"},
	{{"1, threads", 1, DEATH_THREADS, DEATH_LIKELY, .log = DEATH_LOG_THREAD_OOM}, "its log ends with it"},
	{{"1, the JVM was refused memory", 1, DEATH_OVERHEAD, DEATH_GUESS, .log = DEATH_LOG_NATIVE_OOM}, "the JVM was refused memory"},
	/* the kernel */
	{{"no code, killed for memory", -1, DEATH_OVERHEAD, DEATH_CERTAIN, AT_LIMIT}, "oom_kill +1 in its cgroup"},
	{{"killed for memory, its init says 143", 143, DEATH_OVERHEAD, DEATH_CERTAIN, AT_LIMIT}, "exit code 143|oom_kill +1 in its cgroup"},
	{{"all of its group", 137, DEATH_OVERHEAD, DEATH_CERTAIN, .container = {.oom = 1, .oom_kill = 3, .oom_group_kill = 1}, .said = JAVA_HERE}, "oom_kill +3|memory.oom.group killed all its processes"},
	{{"its pod's counter alone", 137, DEATH_OVERHEAD, DEATH_LIKELY, .pod = {.oom = 1, .oom_kill = 1}, .jvm = 1350, .used = 1400},
	 "oom_kill +1 in its pod's cgroup, no other container was|MiB at the last sample: JVM 1350"},
	{{"the runtime's word alone", 137, DEATH_OVERHEAD, DEATH_LIKELY, .not_final = true, .reason = "OOMKilled", .jvm = 1350, .used = 1400}, "the runtime says OOMKilled"},
	{{"an R worker, and nothing was measured", 137, DEATH_R, DEATH_LIKELY, .container = ONE, .said = {.where = CTR, .comm = "R", .scope = OOM_MEMCG, .rss = 1200}}, "killed process 4242 (R)"},
	{{"a Python worker, and nothing was measured", 137, DEATH_PYTHON, DEATH_LIKELY, .container = ONE, .said = {.where = CTR, .comm = "python3", .scope = OOM_MEMCG, .rss = 1200}}, "(python3)"},
	/* a disk */
	{{"53, full", 53, DEATH_DISK_FULL, DEATH_CERTAIN, .log = DEATH_LOG_NO_SPACE}, "exit code 53: no local dir"},
	{{"53, failed", 53, DEATH_DISK_FAILED, DEATH_CERTAIN, .log = DEATH_LOG_IO_ERROR}, "exit code 53: no local dir"},
	{{"SIGBUS, read-only by its log", 135, DEATH_DISK_READ_ONLY, DEATH_LIKELY, .log = DEATH_LOG_READ_ONLY}, "exit code 135|SIGBUS: a mapped file"},
	{{"SIGBUS, full by its log", 135, DEATH_DISK_FULL, DEATH_LIKELY, .log = DEATH_LOG_NO_SPACE}, "SIGBUS: a mapped file"},
	{{"SIGBUS, failed by its log", 135, DEATH_DISK_FAILED, DEATH_LIKELY, .log = DEATH_LOG_IO_ERROR}, "SIGBUS: a mapped file"},
	{{"SIGBUS, read-only by the node", 135, DEATH_DISK_READ_ONLY, DEATH_LIKELY, .storage = "ReadOnlyFilesystem"}, "the node says ReadOnlyFilesystem of ''"},
	{{"SIGBUS, failed by the node", 135, DEATH_DISK_FAILED, DEATH_LIKELY, .storage = "IOErrors"}, "the node says IOErrors"},
	/* crashes and signals */
	{{"SIGILL", 132, DEATH_CRASHED, DEATH_CERTAIN, 0}, "exit code 132|SIGILL"},
	{{"SIGFPE", 136, DEATH_CRASHED, DEATH_CERTAIN, 0}, "SIGFPE"},
	{{"SIGKILL, the counters were not read after it", 137, DEATH_KILLED, DEATH_LIKELY, .not_final = true, SAMPLED}, "no kill for memory was seen"},
	{{"SIGHUP", 129, DEATH_KILLED, DEATH_LIKELY, 0}, "SIGHUP"},
	{{"SIGINT", 130, DEATH_KILLED, DEATH_LIKELY, 0}, "SIGINT"},
	{{"SIGQUIT", 131, DEATH_KILLED, DEATH_LIKELY, 0}, "SIGQUIT"},
	{{"any signal of stoker run's", 142, DEATH_KILLED, DEATH_CERTAIN, .run = true}, "ended by a signal"},
	/* lost touch */
	{{"58", 58, DEATH_HEARTBEAT, DEATH_LIKELY, 0}, "exit code 58"},
	{{"no code, its driver gone", -1, DEATH_DRIVER_GONE, DEATH_LIKELY, .log = DEATH_LOG_DRIVER_GONE}, "its connection to the driver ended"},
	{{"no code, heartbeats", -1, DEATH_HEARTBEAT, DEATH_LIKELY, .log = DEATH_LOG_HEARTBEAT}, "its log ends with it"},
	/* the application's own */
	{{"51", 51, DEATH_APPLICATION, DEATH_CERTAIN, 0}, "exit code 51: uncaught exception, twice"},
	{{"57", 57, DEATH_APPLICATION, DEATH_LIKELY, 0}, "exit code 57"},
	{{"a driver's 11", 11, DEATH_APPLICATION, DEATH_LIKELY, .driver = true}, "exit code 11: too many executors failed"},
	{{"1, and its log says nothing", 1, DEATH_APPLICATION, DEATH_GUESS, 0}, "nothing else is known against it"},
};

/* The parts of `want`, one behind the other. */
static bool has_all(const char *evidence, const char *want)
{
	char part[96];

	for (const char *at = want; *at; at += *at == '|') {
		const size_t length = strcspn(at, "|");
		memcpy(part, at, length);
		part[length] = '\0';
		evidence = strstr(evidence, part);
		if (!evidence)
			return false;
		evidence += length;
		at += length;
	}
	return true;
}

static void test_each_rule(void **unused)
{
	static struct death_facts f;
	unsigned wrong = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct expectation *row = &rules[i].is;
		struct death d;
		prepare(row, &f);
		if (row->not_final && row->used)
			f.last.have |= SAMPLE_HAS_EVENTS;
		death_explain(&f, &d);
		if (d.cause == row->want && d.confidence == row->at_least && has_all(d.evidence, rules[i].evidence))
			continue;
		print_message("# %s: %s (%s), wanted %s (%s); %s\n", row->about, death_cause_name((enum death_cause)d.cause),
			      death_confidence_name((enum death_confidence)d.confidence), death_cause_name(row->want), death_confidence_name(row->at_least), d.evidence);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* Beside the rule: what the node, the runtime and the kernel's pressure say. */
static void test_what_else_is_said(void **unused)
{
	const struct expectation row = {.exit_code = 128, .reason = "StartError", .storage = "SpaceLow", .warns = true, SAMPLED};
	static struct death_facts f;
	struct death d;

	(void)unused;
	prepare(&row, &f);
	str_copy(f.runtime_message, sizeof(f.runtime_message), "cgroup: no space left");
	str_copy(f.disk.mount_point, sizeof(f.disk.mount_point), "/data");
	str_copy(f.log_line, sizeof(f.log_line), "last words");
	f.disk.sure = 1;
	f.last.memory.full_avg10_centi = 5120;
	death_explain(&f, &d);
	assert_true(has_all(d.evidence, "the node warns SpaceLow of '/data', where its local dirs lie|the runtime: cgroup: no space left|stalled for memory 51 %|its log: last words"));
	f.disk.sure = 0;
	death_explain(&f, &d);
	assert_true(has_all(d.evidence, "where its local dirs may lie"));
	const struct expectation sidecar = {.exit_code = 137, .sidecar = true, AT_LIMIT}, over = {.exit_code = 139, .api = {.over = 1, .reason = "OutOfcpu", .message = "why not"}};
	prepare(&sidecar, &f);
	str_copy(f.executor.container, sizeof(f.executor.container), "istio-proxy");
	death_explain(&f, &d);
	assert_string_equal(d.setting, "resources.limits.memory");
	assert_true(has_all(d.advice, "(container istio-proxy)"));
	prepare(&over, &f);
	death_explain(&f, &d);
	assert_true(has_all(d.evidence, "the pod's status says OutOfcpu: why not"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_rule),
		cmocka_unit_test(test_what_else_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
