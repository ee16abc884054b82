/* OOM kills as kernels of ten years write them, and as processes with hostile names would have them written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/oom.h"

#define KIB 1024ULL
#define KILLS_MAX 8

/* Feeds records as /dev/kmsg shows them, one a line. */
static unsigned feed(struct oom_reader *reader, const char *lines, struct oom_kill kills[KILLS_MAX])
{
	unsigned n = 0;

	while (*lines) {
		char buffer[KMSG_RECORD_MAX_BYTES];
		size_t length = strcspn(lines, "\n");
		struct kmsg_record record;
		struct err e = {0};
		assert_true(length < sizeof(buffer));
		memcpy(buffer, lines, length);
		assert_int_equal(kmsg_parse(buffer, length, &record, &e), 0);
		assert_true(n < KILLS_MAX);
		n += oom_read(reader, &record, &kills[n]);
		lines += length + (lines[length] == '\n');
	}
	return n;
}

static unsigned read_file(const char *name, struct oom_kill kills[KILLS_MAX])
{
	static char text[256 * 1024];
	struct oom_reader reader = {0};
	char path[512];
	const char *fixtures = getenv("STOKER_FIXTURES");

	snprintf(path, sizeof(path), "%s/../%s/oom/%s", fixtures ? fixtures : STOKER_FIXTURES, fixtures ? "corpus" : "fuzz/corpus", name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	return feed(&reader, text, kills);
}

/* Taken from this kind of machine (6.18, cgroup v1): tests/fuzz/corpus/oom. */
static void test_real_records(void **unused)
{
	static const struct {
		const char *file, *comm, *limit;
		uint32_t pid;
	} row[] = {
		{"v1-container.kmsg", "java", "/kubepods-deaths/pod1/ctr", 895},
		{"v1-hostile.kmsg", "a,pid=1,uid=0", "/kubepods-deaths/pod1/ctr", 896},
		{"v1-hostile2.kmsg", ") total-vm:1kB", "/kubepods-deaths/pod1/ctr", 899},
		{"v1-hostile3.kmsg", "x\\x0a;\\x5c) pid", "/kubepods-deaths/pod1/ctr", 903},
		{"v1-pod.kmsg", "python3", "/kubepods-deaths/pod1", 904},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct oom_kill kills[KILLS_MAX];
		assert_int_equal(read_file(row[i].file, kills), 1);
		assert_int_equal(kills[0].scope, OOM_MEMCG);
		assert_int_equal(kills[0].pid, row[i].pid);
		assert_int_equal(kills[0].uid, 0);
		assert_string_equal(kills[0].comm, row[i].comm);
		assert_string_equal(kills[0].oom_memcg, row[i].limit);
		assert_string_equal(kills[0].task_memcg, "/kubepods-deaths/pod1/ctr");
		assert_int_equal(kills[0].have, OOM_HAS_USAGE | OOM_HAS_STAT | OOM_HAS_TASKS);
		assert_int_equal(kills[0].usage_bytes, kills[0].limit_bytes);
		assert_true(kills[0].anon_bytes >= 19 * KIB * KIB && kills[0].anon_bytes <= kills[0].limit_bytes);
		assert_true(kills[0].anon_rss_bytes == kills[0].limit_bytes);
		assert_int_equal(kills[0].tasks.jvm_count + kills[0].tasks.python_count + kills[0].tasks.other_count, 1);
	}
}

static void test_group_kills_are_kills(void **unused)
{
	struct oom_kill kills[KILLS_MAX];

	(void)unused;
	assert_int_equal(read_file("v2-group", kills), 2); /* the first victim is named twice, and counts once */
	assert_int_equal(kills[0].pid, 895);
	assert_int_equal(kills[0].secondary, 0);
	assert_int_equal(kills[0].uid, 185);
	assert_int_equal(kills[0].oom_score_adj, 963);
	assert_int_equal(kills[0].usage_bytes, 1441792 * KIB);
	assert_int_equal(kills[0].anon_bytes, 1300000000);
	assert_int_equal(kills[0].file_bytes, 90000000);
	assert_int_equal(kills[0].shmem_bytes, 70000000);
	assert_int_equal(kills[0].kernel_bytes, 20000000);
	assert_int_equal(kills[0].sock_bytes, 4096);
	assert_int_equal(kills[0].tasks.jvm_bytes, 100000 * 4 * KIB);
	assert_int_equal(kills[0].tasks.python_bytes, 110000 * 4 * KIB); /* "python3 x": the name begins so */
	assert_int_equal(kills[0].tasks.python_count, 2);
	assert_int_equal(kills[1].pid, 896);
	assert_int_equal(kills[1].secondary, 1);
	assert_int_equal(kills[1].anon_rss_bytes, 10720 * KIB);
	assert_string_equal(kills[1].oom_memcg, "/kubepods.slice/pod1/ctr");
	assert_string_equal(kills[1].task_memcg, "/kubepods.slice/pod1/ctr");
}

static void test_one_record_with_all_of_memory_stat(void **unused)
{
	struct oom_kill kills[KILLS_MAX];

	(void)unused;
	assert_int_equal(read_file("v2-one-record", kills), 1);
	assert_int_equal(kills[0].anon_bytes, 1300000000);
	assert_int_equal(kills[0].shmem_bytes, 70000000);
	assert_int_equal(kills[0].sock_bytes, 4096);
	assert_int_equal(kills[0].kernel_bytes, 0); /* kernel_stack is not kernel */
	assert_string_equal(kills[0].oom_memcg, "/kubepods/pod1");
}

static void test_global_kill_has_no_limit(void **unused)
{
	struct oom_kill kills[KILLS_MAX];

	(void)unused;
	assert_int_equal(read_file("global", kills), 1);
	assert_int_equal(kills[0].scope, OOM_GLOBAL);
	assert_string_equal(kills[0].oom_memcg, "");
	assert_string_equal(kills[0].task_memcg, "/kubepods/burstable/pod1/ctr");
}

static void test_old_kernel(void **unused)
{
	struct oom_kill kills[KILLS_MAX];

	(void)unused;
	assert_int_equal(read_file("v4.19", kills), 1);
	assert_int_equal(kills[0].scope, OOM_MEMCG);
	assert_string_equal(kills[0].oom_memcg, "/kubepods/burstable/pod1");
	assert_string_equal(kills[0].task_memcg, "/kubepods/burstable/pod1/ctr");
	assert_int_equal(kills[0].uid, UINT32_MAX);
	assert_int_equal(kills[0].tasks.jvm_bytes, 358000 * 4 * KIB);
	assert_int_equal(kills[0].kernel_bytes, 6000 * KIB);
}

#define OOM_KILL(who, pid)                                                                                                        \
	"6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p/" who ",task_memcg=/p/" who \
	"/c,task=java,pid=" pid ",uid=185\n"
#define KILLED(pid)                                                                                                                    \
	"3,2,1150,-;Memory cgroup out of memory: Killed process " pid " (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB, UID:185 " \
	"pgtables:5kB oom_score_adj:-7\n"
#define INVOKED "4,1,1000,-;java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=963\n"

static void test_whose_memory_it_was(void **unused)
{
	static const struct {
		const char *about, *lines, *limits[3]; /* of each kill */
	} row[] = {
		{"one", INVOKED OOM_KILL("A", "1") KILLED("1"), {"/p/A"}},
		{"other subsystems between", INVOKED "6,1,1001,-;eth0: renamed\n" OOM_KILL("A", "1") "4,1,1140,-;anon 5\n3,1,1141,-;EXT4-fs error (device sda1): x\n" KILLED("1"), {"/p/A"}},
		{"two at once, each with its pid", INVOKED OOM_KILL("A", "1") INVOKED OOM_KILL("B", "2") KILLED("1") KILLED("2"), {"", "/p/B"}},
		{"the kill of another", INVOKED OOM_KILL("A", "1") KILLED("3"), {""}},
		{"rate-limited: no dump of its own", INVOKED OOM_KILL("A", "1") KILLED("1") KILLED("2"), {"/p/A", ""}},
		{"the same pid again, much later", INVOKED OOM_KILL("A", "1") "3,2,99999150,-;Memory cgroup out of memory: Killed process 1 (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB\n", {""}},
		{"user space wrote it", "12,1,1000,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p/X,task_memcg=/p/X,task=j,pid=1,uid=0\n" KILLED("1"), {""}},
		{"a name that looks like fields", "6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p/A,task_memcg=/p/A/c,task=,task=b,pid=9,pid=1,uid=0\n" KILLED("1"), {"/p/A"}},
		{"a name that would make it global", "6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p/A,task_memcg=/p/A/c,task=,global_oom,,pid=1,uid=0\n" KILLED("1"), {"/p/A"}},
		{"no name is as long as that", "6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p/A,task_memcg=/p/A,task=/b,task=abcdefghijklmno,pid=1,uid=0\n" KILLED("1"), {""}},
		{"cut off", INVOKED "6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p/A,task_memcg=/p/A,task=java,pid=1\n" KILLED("1"), {""}},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct oom_kill kills[KILLS_MAX];
		struct oom_reader reader = {0};
		unsigned n = feed(&reader, row[i].lines, kills), want = 0;
		while (want < 3 && row[i].limits[want])
			want++;
		print_message("# %s\n", row[i].about);
		assert_int_equal(n, want);
		for (unsigned k = 0; k < n; k++) {
			assert_string_equal(kills[k].oom_memcg, row[i].limits[k]);
			assert_int_equal(kills[k].scope, OOM_MEMCG);
		}
	}
}

static void test_what_is_no_kill(void **unused)
{
	static const char *const lines[] = {
		"3,1,1,-;Memory cgroup out of memory: OOM victim 895 (java) is already exiting. Skip killing the task",
		"6,1,1,-;oom_reaper: reaped process 895 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
		"3,1,1,-;Killed process 895 (java)",
		"3,1,1,-;Killed process 895 (java) total-vm:1kB, anon-rss:18446744073709551615kB, file-rss:3kB", /* in bytes no number */
		"3,1,1,-;Killed process 4294967296 (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB",
		"3,1,1,-;Killed process 895 (abcdefghijklmnop) total-vm:1kB, anon-rss:2kB, file-rss:3kB", /* one more than a name may have */
		"3,1,1,-;Killed process 895 () total-vm:1kB, anon-rss:2kB",
		"3,1,1,-;Killed process 895) total-vm:1kB, anon-rss:2kB, file-rss:3kB",
		"3,1,1,-;Killed process 895 (java) total-vm:xkB, anon-rss:2kB, file-rss:3kB",
		"3,1,1,-;Killed process x (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB",
		"3,1,1,-;Killed process 895 (abcdefghijklmnopqr) total-vm:1kB, anon-rss:2kB, file-rss:3kB",
		"3,1,1,-;Memory cgroup out of memory: Killed process 895 (java) total-vm:1kB, anon-rss:2, file-rss:3kB",
		"14,1,1,-;Memory cgroup out of memory: Killed process 895 (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB",
		"3,1,1,-;java: Memory cgroup out of memory: Killed process 895 (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct oom_kill kills[KILLS_MAX];
		struct oom_reader reader = {0};
		assert_int_equal(feed(&reader, lines[i], kills), 0);
	}
}

/* A group's list is written in one go: a kill long after it is of another OOM, whose dump the kernel left out. */
static void test_group_ends(void **unused)
{
	static const char lines[] = INVOKED OOM_KILL("A", "1") KILLED("1") "6,1,1160,-;Tasks in /p/A/c are going to be killed due to memory.oom.group set\n"
		KILLED("1") KILLED("2")
		"3,2,900000,-;Memory cgroup out of memory: Killed process 7 (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB\n";
	struct oom_kill kills[KILLS_MAX];
	struct oom_reader reader = {0};

	(void)unused;
	assert_int_equal(feed(&reader, lines, kills), 3);
	assert_int_equal(kills[1].pid, 2);
	assert_int_equal(kills[1].secondary, 1);
	assert_string_equal(kills[1].task_memcg, "/p/A/c");
	assert_int_equal(kills[2].pid, 7);
	assert_int_equal(kills[2].secondary, 0);
	assert_string_equal(kills[2].task_memcg, "");
}

#define USAGE "6,1,1001,-;memory: usage 30720kB, limit 30720kB, failcnt 19\n"
#define BARE(time, pid) "3,2," time ",-;Memory cgroup out of memory: Killed process " pid " (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB\n"
#define GROUP(time) "6,1," time ",-;Tasks in /p/A/c are going to be killed due to memory.oom.group set\n"

/* A name, a path and a time just within and just beyond what counts. */
static void test_the_edges(void **unused)
{
	static const struct {
		const char *about, *lines;
		unsigned count; /* of kills; the last one is looked at */
		const char *oom_memcg, *task_memcg;
		uint32_t have, secondary, uid;
	} row[] = {
		{"a name as long as it may be", "4,1,1000,-;abcdefghijklmno invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL)\n" USAGE OOM_KILL("A", "1") KILLED("1"), 1, "/p/A", "/p/A/c", OOM_HAS_USAGE, 0, 185},
		{"a byte more is no name", "4,1,1000,-;abcdefghijklmnop invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL)\n" USAGE OOM_KILL("A", "1") KILLED("1"), 1, "/p/A", "/p/A/c", 0, 0, 185},
		{"escaped bytes are one each", "4,1,1000,-;\\xff\\xff\\xff\\xff\\xff invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL)\n" USAGE OOM_KILL("A", "1") KILLED("1"), 1, "/p/A", "/p/A/c", OOM_HAS_USAGE, 0, 185},
		{"the numbers of an OOM before are not its own", INVOKED USAGE OOM_KILL("A", "1") KILLED("1") OOM_KILL("B", "2") KILLED("2"), 2, "/p/B", "/p/B/c", 0, 0, 185},
		{"its user is in the line before", INVOKED OOM_KILL("A", "1") BARE("1150", "1"), 1, "/p/A", "/p/A/c", 0, 0, 185},
		{"and not where that names another", INVOKED OOM_KILL("A", "1") BARE("1150", "2"), 1, "", "", 0, 0, UINT32_MAX},
		{"the kill 2 s behind its line", INVOKED OOM_KILL("A", "1") BARE("2001140", "1"), 1, "/p/A", "/p/A/c", 0, 0, 185},
		{"and a moment later", INVOKED OOM_KILL("A", "1") BARE("2001141", "1"), 1, "", "", 0, 0, UINT32_MAX},
		{"a path that is none", "6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=p,task_memcg=/p/A/c,task=java,pid=1,uid=185\n" KILLED("1"), 1, "", "/p/A/c", 0, 0, 185},
		{"a pid that is none", "6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p/A,task_memcg=/p/A/c,task=java,pid=1x,uid=185\n" KILLED("1"), 1, "", "", 0, 0, 185},
		{"a user that is none", "6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/p/A,task_memcg=/p/A/c,task=java,pid=1,uid=185x\n" KILLED("1"), 1, "", "", 0, 0, 185},
		{"a group's list, 250 ms behind the first victim", INVOKED OOM_KILL("A", "1") KILLED("1") GROUP("251150") BARE("251150", "2"), 2, "/p/A", "/p/A/c", 0, 1, UINT32_MAX},
		{"a list in its time, a kill in its time", INVOKED OOM_KILL("A", "1") KILLED("1") GROUP("1200") BARE("251150", "2"), 2, "/p/A", "/p/A/c", 0, 1, UINT32_MAX},
		{"a list in its time, a kill a moment later", INVOKED OOM_KILL("A", "1") KILLED("1") GROUP("1200") BARE("251151", "2"), 2, "", "", 0, 0, UINT32_MAX},
		{"a list too late is of another OOM", INVOKED OOM_KILL("A", "1") KILLED("1") GROUP("251151") "3,2,251152,-;Killed process 1 (java) total-vm:1kB, anon-rss:2kB, file-rss:3kB\n", 2, "", "", 0, 0, UINT32_MAX},
		{"a list that is cut off names nobody", INVOKED OOM_KILL("A", "1") KILLED("1") "6,1,1160,-;Tasks in /p/A/c are going to be\n" BARE("1170", "2"), 2, "/p/A", "", 0, 1, UINT32_MAX},
		{"a list behind the line of another, whose kill is lost", INVOKED OOM_KILL("A", "1") KILLED("1") OOM_KILL("B", "9") GROUP("1160") BARE("1170", "2"), 2, "", "/p/A/c", 0, 1, UINT32_MAX},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct oom_kill kills[KILLS_MAX];
		struct oom_reader reader = {0};
		unsigned n = feed(&reader, row[i].lines, kills);
		const struct oom_kill *last = &kills[n ? n - 1 : 0];
		if (n != row[i].count || strcmp(last->oom_memcg, row[i].oom_memcg) != 0 || strcmp(last->task_memcg, row[i].task_memcg) != 0 || last->have != row[i].have ||
		    last->secondary != row[i].secondary || last->uid != row[i].uid)
			fail_msg("%s: %u kills, '%s' '%s' have %u secondary %u uid %u", row[i].about, n, last->oom_memcg, last->task_memcg, last->have, last->secondary, last->uid);
	}
}

/* Half a path would name another cgroup. */
static void test_a_path_too_long(void **unused)
{
	char path[EXECUTOR_CGROUP_BYTES + 1], line[2 * EXECUTOR_CGROUP_BYTES];

	(void)unused;
	for (size_t length = EXECUTOR_CGROUP_BYTES - 1; length <= EXECUTOR_CGROUP_BYTES; length++) {
		struct oom_kill kills[KILLS_MAX];
		struct oom_reader reader = {0};
		memset(path, 'p', length);
		path[0] = '/';
		path[length] = '\0';
		snprintf(line, sizeof(line), "6,1,1140,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=%s,task_memcg=/c,task=java,pid=1,uid=0\n" KILLED("1"), path);
		assert_int_equal(feed(&reader, line, kills), 1);
		assert_string_equal(kills[0].oom_memcg, length < EXECUTOR_CGROUP_BYTES ? path : "");
		assert_string_equal(kills[0].task_memcg, "/c");
	}
}

#define ROW(name) "6,1,1003,-;[    895]     0   895     8266      100    65536        0           -998 " name "\n"

static void test_kinds_of_processes(void **unused)
{
	static const char lines[] = INVOKED "6,1,1002,-;Tasks state (memory values in pages):\n"
		"6,1,1002,-;[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n"
		ROW("R") ROW("Rscript") ROW("Rx") ROW("java") ROW("javac") ROW("python3.11") ROW("pypy3") OOM_KILL("A", "1") KILLED("1");
	struct oom_kill kills[KILLS_MAX];
	struct oom_reader reader = {0};
	const uint64_t each = 100 * (uint64_t)sysconf(_SC_PAGESIZE);

	(void)unused;
	assert_int_equal(feed(&reader, lines, kills), 1);
	assert_int_equal(kills[0].tasks.r_count, 2);
	assert_int_equal(kills[0].tasks.r_bytes, 2 * each);
	assert_int_equal(kills[0].tasks.jvm_count, 1);
	assert_int_equal(kills[0].tasks.jvm_bytes, each);
	assert_int_equal(kills[0].tasks.python_count, 2);
	assert_int_equal(kills[0].tasks.python_bytes, 2 * each);
	assert_int_equal(kills[0].tasks.other_count, 2);
	assert_int_equal(kills[0].tasks.other_bytes, 2 * each);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_records),
		cmocka_unit_test(test_group_kills_are_kills),
		cmocka_unit_test(test_one_record_with_all_of_memory_stat),
		cmocka_unit_test(test_global_kill_has_no_limit),
		cmocka_unit_test(test_old_kernel),
		cmocka_unit_test(test_whose_memory_it_was),
		cmocka_unit_test(test_what_is_no_kill),
		cmocka_unit_test(test_group_ends),
		cmocka_unit_test(test_the_edges),
		cmocka_unit_test(test_a_path_too_long),
		cmocka_unit_test(test_kinds_of_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
