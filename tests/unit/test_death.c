/* Why an executor died, how sure that is, and what to change. */
#include "tests/unit/death_rows.h"

#include "base/scoped.h"
#include "health/death_view.h"
#include "tests/unit/noise.h"

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
	assert_non_null(strstr(d.evidence, "stalled for disks 42 % of the last 10 s; its CPU limit held it up in 427 of the last 600 periods"));
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
		{.about = "a process of it was killed, it goes on: used 1408 MiB of 1408 MiB: 1110 MiB outside the JVM heap", .lives = 1, .exit_code = -1, .container = ONE, .said = PYTHON_HERE},
		{.about = "used 560 MiB of 1408 MiB: the node ran out of memory, and the kernel chose this one (exit code 137)", .exit_code = 137, .container = {.oom_kill = 1}, .pod = {.oom_kill = 1},
		 .jvm = 500, .used = 560},
		{.about = "killed for memory at its limit of 1408 MiB; its use was not seen (exit code 137)", .exit_code = 137, .container = ONE},
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

/* Where a number is not known nothing is advised in its place, and who sets it has his own name for it. */
static void test_what_is_not_advised(void **unused)
{
	static const struct expectation heap = {.about = "", .exit_code = 52, .log = DEATH_LOG_HEAP_OOM}, direct = {.about = "", .exit_code = 52, .log = DEATH_LOG_DIRECT_OOM},
					oom = {.about = "", .exit_code = 137, .container = ONE}, java = {.about = "", .exit_code = 137, .container = ONE, .said = JAVA_HERE},
					tmpfs = {.about = "", .exit_code = 137, .flags = EXECUTOR_TMPFS_LOCAL_DIRS, .container = ONE, .shmem = 631, .jvm = 700, .used = 1400};
	static struct death_facts f;
	struct death d;

	(void)unused;
	prepare(&heap, &f);
	f.executor.heap_bytes = 0;
	death_explain(&f, &d);
	assert_int_equal(d.cause, DEATH_HEAP);
	assert_string_equal(d.setting, "");
	assert_string_equal(d.value, "");
	prepare(&oom, &f);
	f.executor.limit_bytes = f.pod_limit_bytes = 0;
	death_explain(&f, &d);
	assert_int_equal(d.cause, DEATH_OVERHEAD);
	assert_string_equal(d.setting, "");
	prepare(&tmpfs, &f);
	death_explain(&f, &d);
	assert_int_equal(d.cause, DEATH_SCRATCH_MEMORY);
	assert_non_null(strstr(d.advice, "To keep it in memory: spark.executor.memoryOverhead="));
	f.executor.limit_bytes = f.pod_limit_bytes = f.last.limit_bytes = f.at_peak.limit_bytes = 0;
	death_explain(&f, &d);
	assert_string_equal(d.value, "false");
	assert_null(strstr(d.advice, "To keep it in memory"));
	/* What has room of its own is no part of what the overhead needs. */
	prepare(&java, &f);
	f.executor.off_heap_bytes = 128 * MIB;
	death_explain(&f, &d);
	assert_string_equal(d.value, "384m");
	prepare(&direct, &f);
	f.executor.role = EXECUTOR_ROLE_DRIVER;
	death_explain(&f, &d);
	assert_string_equal(d.setting, "spark.driver.extraJavaOptions");
	f.executor.source = EXECUTOR_FROM_RUN;
	death_explain(&f, &d);
	assert_string_equal(d.setting, "JAVA_TOOL_OPTIONS");
	/* whose limit it is, where that is not the executor's */
	prepare(&oom, &f);
	f.executor.sidecar = 1;
	f.executor.heap_bytes = 0;
	death_explain(&f, &d);
	assert_string_equal(d.setting, "resources.limits.memory");
	assert_non_null(strstr(d.advice, " (container spark-kubernetes-executor)"));
	*f.executor.container = '\0';
	death_explain(&f, &d);
	assert_null(strstr(d.advice, "(container"));
	strcpy(f.executor.container, "proxy");
	f.container = (struct sample_events){0};
	death_explain(&f, &d);
	assert_int_equal(d.cause, DEATH_KILLED);
	assert_null(strstr(d.advice, "(container"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_what_is_not_advised),
		cmocka_unit_test(test_no_surer_than_what_is_known),
		cmocka_unit_test(test_memory_of_pyspark),
		cmocka_unit_test(test_from_what_a_limit_was_lowered),
		cmocka_unit_test(test_what_kept_it_from_running),
		cmocka_unit_test(test_small_parts_prove_nothing),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_need),
		cmocka_unit_test(test_need_is_monotonic),
		cmocka_unit_test(test_no_evidence_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
