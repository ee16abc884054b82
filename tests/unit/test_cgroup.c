/* One cgroup of either version, as plain files: opened beneath its mount, read whole, found, gone. */
#include <errno.h>
#include <fcntl.h>
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
#include "cgroups/beneath.h"
#include "cgroups/cgroup.h"
#include "tests/unit/cgroup_stage.h"

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "kubepods/burstable/pod3f1c9a52-7b0e-4d6a-9c88-1e2d3c4b5a69"

static void put_all(const struct stage *s, const char *directory, const char *const (*files)[2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char path[512] = "";
		str_append(path, sizeof(path), "%s/%s", directory, files[i][0]);
		put(s, path, files[i][1]);
	}
}

static void stage_v2(struct stage *s, const char *container)
{
	static const char *const files[][2] = {
		{"cgroup.procs", "10\n11\n"},
		{"memory.current", "4096\n"},
		{"memory.peak", "8192\n"},
		{"memory.max", "max\n"},
		{"memory.swap.current", "0\n"},
		{"memory.stat", "anon 1024\nfile 512\nshmem 256\nkernel 128\n"},
		{"memory.events", "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 1\n"},
		{"memory.events.local", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 2\noom_group_kill 0\n"},
		{"memory.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n"},
		{"cpu.pressure", "some avg10=2.00 avg60=0.00 avg300=0.00 total=6\n"},
		{"cpu.stat", "usage_usec 99\nnr_periods 1\nnr_throttled 1\nthrottled_usec 7\n"},
		{"io.stat", "8:0 rbytes=1 wbytes=2\n"},
		{"pids.current", "3\n"},
		{"pids.events", "max 1\n"},
		{"memory.oom.group", "0\n"},
		{"inner/cgroup.procs", "0\n12\n13"},
		{"inner/deeper/cgroup.procs", "4294967296\n14\n"},
	};
	char directory[256] = "sys/fs/cgroup/";

	open_stage(s);
	put(s, "proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
	put(s, "sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
	str_append(directory, sizeof(directory), "%s", container);
	put_all(s, directory, files, ARRAY_SIZE(files));
}

static void stage_hybrid(struct stage *s, const char *container)
{
	static const char *const memory[][2] = {
		{"cgroup.procs", "10\n"},
		{"memory.usage_in_bytes", "4096\n"},
		{"memory.max_usage_in_bytes", "8192\n"},
		{"memory.limit_in_bytes", "52428800\n"},
		{"memory.kmem.usage_in_bytes", "640\n"},
		{"memory.kmem.tcp.usage_in_bytes", "64\n"},
		{"memory.stat", "rss 1\ntotal_rss 1024\ntotal_cache 512\ntotal_shmem 256\ntotal_swap 16\n"},
		{"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"},
		{"memory.failcnt", "9\n"},
	};
	static const char *const cpu[][2] = {{"cgroup.procs", "10\n"}, {"cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 7000\n"}, {"cpuacct.usage", "99000\n"}};
	static const char *const unified[][2] = {
		{"memory.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n"}};
	char directory[256];

	open_stage(s);
	put(s, "proc/self/mounts",
	    "cgroup /c/memory cgroup rw,memory 0 0\ncgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup /c/pids cgroup rw,pids 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n");
	put(s, "c/pids/", "");
	put(s, "c/unified/cgroup.controllers", "\n");
	snprintf(directory, sizeof(directory), "c/memory/%s", container);
	put_all(s, directory, memory, ARRAY_SIZE(memory));
	snprintf(directory, sizeof(directory), "c/cpu,cpuacct/%s", container);
	put_all(s, directory, cpu, ARRAY_SIZE(cpu));
	snprintf(directory, sizeof(directory), "c/unified/%s", container);
	put_all(s, directory, unified, ARRAY_SIZE(unified));
}

static void open_both(const struct stage *s, const char *path, struct cgroup_layout *layout, struct cgroup *cgroup)
{
	struct err e = {0};

	if (cgroup_layout_find(s->root, layout, &e) < 0 || cgroup_open(layout, path, cgroup, &e) < 0)
		fail_msg("%s", e.text);
}

static void test_v2_is_read(void **unused)
{
	struct stage s;
	struct cgroup_layout layout;
	struct cgroup c;
	struct sample x;
	struct err e = {0};
	uint32_t pids[8];

	(void)unused;
	stage_v2(&s, POD "/" ID);
	open_both(&s, POD "/" ID, &layout, &c);
	assert_true(c.id != 0);
	assert_int_equal(c.fds[CGROUP_MEMORY], c.fds[CGROUP_IO]); /* one directory, one descriptor */
	assert_int_equal(c.pressure_fd, c.fds[CGROUP_MEMORY]);
	assert_int_equal(cgroup_read(&c, &x, &e), 0);
	assert_int_equal(x.have, 0x7ff);
	assert_int_equal(x.current_bytes, 4096);
	assert_int_equal(x.peak_bytes, 8192);
	assert_int_equal(x.limit_bytes, 0);
	assert_int_equal(x.anon_bytes, 1024);
	assert_int_equal(x.events.oom_kill, 4);
	assert_int_equal(x.local.oom_kill, 2);
	assert_int_equal(x.memory.some_avg10_centi, 100);
	assert_int_equal(x.cpu.some_total_us, 6);
	assert_int_equal(x.cpu_usage_us, 99);
	assert_int_equal(x.io_write_bytes, 2);
	assert_int_equal(x.pids_current, 3);
	assert_int_equal(x.pids_max_events, 1);
	assert_true(x.time_us > 0);

	assert_int_equal(cgroup_read_events(&c, &x, &e), 0);
	assert_int_equal(x.have, SAMPLE_HAS_CURRENT | SAMPLE_HAS_PEAK | SAMPLE_HAS_EVENTS | SAMPLE_HAS_LOCAL | SAMPLE_HAS_GROUP);
	assert_int_equal(cgroup_read_use(&c, &x, &e), 0);
	assert_int_equal(x.have, SAMPLE_HAS_CURRENT | SAMPLE_HAS_PEAK);

	/* those beneath too; not what another namespace hides, nor a number that is no pid, nor one cut short */
	assert_int_equal(cgroup_pids(&c, pids, 8, &e), 4);
	assert_int_equal(pids[0], 10);
	assert_int_equal(pids[3], 14);
	assert_int_equal(cgroup_pids(&c, pids, 1, &e), 1);
	cgroup_close(&c);
	cgroup_layout_close(&layout);
	close_stage(&s);
}

/* When it has ended: what is there is newer, what is gone stays. */
static void test_what_kept_it_from_running(void **unused)
{
	struct stage s;
	struct cgroup_layout layout;
	struct cgroup c;
	struct sample x;
	struct err e = {0};

	(void)unused;
	stage_v2(&s, POD "/" ID);
	open_both(&s, POD "/" ID, &layout, &c);
	assert_int_equal(cgroup_read(&c, &x, &e), 0);
	put(&s, "sys/fs/cgroup/" POD "/" ID "/cpu.stat", "usage_usec 9\nnr_periods 70\nnr_throttled 60\nthrottled_usec 5\n");
	put(&s, "sys/fs/cgroup/" POD "/" ID "/io.pressure", "some avg10=42.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=41.00 avg60=0.00 avg300=0.00 total=4\n");
	put(&s, "sys/fs/cgroup/" POD "/" ID "/memory.current", "1\n");
	put(&s, "sys/fs/cgroup/" POD "/" ID "/pids.current", "0\n");
	const uint64_t used = x.current_bytes, pids = x.pids_current;
	cgroup_read_stalls(&c, &x);
	assert_true(x.periods == 70 && x.throttled_periods == 60);
	assert_int_equal(x.io.full_avg10_centi, 4100);
	assert_true(x.current_bytes == used && x.pids_current == pids);
	close_stage(&s);
	cgroup_read_stalls(&c, &x);
	assert_true(x.periods == 70 && x.io.full_avg10_centi == 4100);
	cgroup_close(&c);
	cgroup_layout_close(&layout);
}

static void test_hybrid_is_read_from_all_hierarchies(void **unused)
{
	struct stage s;
	struct cgroup_layout layout;
	struct cgroup c;
	struct sample x;
	struct err e = {0};

	(void)unused;
	stage_hybrid(&s, POD "/" ID);
	open_both(&s, POD "/" ID, &layout, &c);
	assert_int_equal(layout.mode, CGROUP_HYBRID);
	assert_int_equal(c.fds[CGROUP_PIDS], -1); /* not in that one */
	assert_int_equal(cgroup_read(&c, &x, &e), 0);
	assert_int_equal(x.have, SAMPLE_HAS_CURRENT | SAMPLE_HAS_PEAK | SAMPLE_HAS_LIMIT | SAMPLE_HAS_STAT | SAMPLE_HAS_EVENTS | SAMPLE_HAS_LOCAL |
					 SAMPLE_HAS_CPU | SAMPLE_HAS_PRESSURE);
	assert_int_equal(x.limit_bytes, 52428800);
	assert_int_equal(x.anon_bytes, 1024);
	assert_int_equal(x.kernel_bytes, 640);
	assert_int_equal(x.sock_bytes, 64);
	assert_int_equal(x.swap_bytes, 16);
	assert_int_equal(x.events.oom_kill, 4);
	assert_int_equal(x.local.oom_kill, 4);
	assert_int_equal(x.events.max, 9);
	assert_int_equal(x.cpu_usage_us, 99);
	assert_int_equal(x.throttled_us, 7);
	assert_int_equal(x.memory.some_total_us, 5);
	cgroup_close(&c);
	cgroup_layout_close(&layout);
	close_stage(&s);
}

static void remove_file(const struct stage *s, const char *path)
{
	char whole[512] = "";

	str_append(whole, sizeof(whole), "%s/%s", s->root, path);
	assert_int_equal(unlink(whole), 0);
}

/* A 5.x kernel has no peak, no group kill; another file may be in a shape that nobody knows. */
static void test_what_is_missing_or_strange_is_left_out(void **unused)
{
	struct stage s;
	struct cgroup_layout layout;
	struct cgroup c;
	struct sample x;
	struct err e = {0};
	scoped(scoped_free) char *huge = malloc(CGROUP_FILE_BYTES + 2);

	(void)unused;
	stage_v2(&s, "a");
	remove_file(&s, "sys/fs/cgroup/a/memory.peak");
	remove_file(&s, "sys/fs/cgroup/a/memory.events.local");
	put(&s, "sys/fs/cgroup/a/memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 4\n");
	put(&s, "sys/fs/cgroup/a/cpu.stat", "<html>\n");
	assert_non_null(huge);
	memset(huge, '\n', CGROUP_FILE_BYTES + 1);
	huge[CGROUP_FILE_BYTES + 1] = '\0';
	put(&s, "sys/fs/cgroup/a/io.stat", huge);
	open_both(&s, "a", &layout, &c);
	assert_int_equal(cgroup_read(&c, &x, &e), 0);
	assert_int_equal(x.have, 0x7ff & ~(SAMPLE_HAS_PEAK | SAMPLE_HAS_LOCAL | SAMPLE_HAS_GROUP | SAMPLE_HAS_CPU | SAMPLE_HAS_IO));
	assert_int_equal(x.events.oom_kill, 4);

	/* and without the file that every cgroup has, it is gone */
	remove_file(&s, "sys/fs/cgroup/a/cgroup.procs");
	assert_true(cgroup_is_gone(&c));
	assert_int_equal(cgroup_read(&c, &x, &e), -ENODEV);
	uint32_t pid;
	assert_int_equal(cgroup_pids(&c, &pid, 1, &e), -ENODEV);
	assert_int_equal(cgroup_write(&c, CGROUP_MEMORY, "memory.high", "max", &e), -ENODEV);
	cgroup_close(&c);
	cgroup_layout_close(&layout);
	close_stage(&s);
}

static void test_single_files(void **unused)
{
	static const char *const bad[] = {"", ".", "..", "../a/memory.max", "inner/cgroup.procs", "/etc/passwd"};
	struct stage s;
	struct cgroup_layout layout;
	struct cgroup c;
	struct err e = {0};
	char text[64];

	(void)unused;
	stage_v2(&s, "a");
	open_both(&s, "a", &layout, &c);
	assert_int_equal(cgroup_read_file(&c, CGROUP_MEMORY, "memory.oom.group", text, sizeof(text), &e), 2);
	assert_string_equal(text, "0\n");
	assert_int_equal(cgroup_write(&c, CGROUP_MEMORY, "memory.oom.group", "1", &e), 0);
	assert_int_equal(cgroup_read_file(&c, CGROUP_MEMORY, "memory.oom.group", text, sizeof(text), &e), 2);
	assert_string_equal(text, "1\n");
	assert_int_equal(cgroup_read_file(&c, CGROUP_MEMORY, "memory.oom.group", text, 2, &e), -EFBIG);
	assert_int_equal(cgroup_read_file(&c, CGROUP_MEMORY, "memory.nosuch", text, sizeof(text), &e), -ENOENT);
	assert_int_equal(cgroup_write(&c, CGROUP_MEMORY, "memory.nosuch", "1", &e), -ENOENT); /* and is not made */
	assert_int_equal(cgroup_read_file(&c, CGROUP_CPUACCT, "cpuacct.usage", text, sizeof(text), &e), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(cgroup_read_file(&c, CGROUP_MEMORY, bad[i], text, sizeof(text), &e), -EINVAL);
		assert_int_equal(cgroup_write(&c, CGROUP_MEMORY, bad[i], "1", &e), -EINVAL);
	}
	cgroup_close(&c);
	cgroup_layout_close(&layout);
	close_stage(&s);
}

/* Both ways of opening keep to the hierarchy. */
static void test_nothing_outside_is_opened(void **unused)
{
	static const struct {
		const char *path;
		int want; /* 0 = opened */
	} rows[] = {
		{"a", 0}, {"a/inner", 0}, {"a//inner/", 0}, {"nosuch", -ENOENT}, {"a/cgroup.procs", -ENOTDIR}, {"../..", -EXDEV}, {"a/../..", -EXDEV},
		{"/etc", -EXDEV}, {"link", -ELOOP}, {"link/x", -ELOOP},
	};
	struct stage s;
	char link[256] = "";

	(void)unused;
	stage_v2(&s, "a");
	str_append(link, sizeof(link), "%s/sys/fs/cgroup/link", s.root);
	assert_int_equal(symlink("/etc", link), 0);
	*strrchr(link, '/') = '\0';
	scoped(fd_drop) int dir = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = {0};
		scoped(fd_drop) int fd = cgroup_open_beneath(dir, rows[i].path, &e);
		scoped(fd_drop) int walked = cgroup_walk_beneath(dir, rows[i].path, &e);
		/* the second way has other words for a link in the middle or at the end: it is no directory */
		bool same = walked == fd || (rows[i].want == 0 && walked >= 0) || (rows[i].want == -ELOOP && walked == -ENOTDIR);
		if ((rows[i].want == 0 ? fd < 0 : fd != rows[i].want) || !same)
			fail_msg("'%s': %d, %d", rows[i].path, fd, walked);
	}
	struct err e = {0};
	scoped(fd_drop) int proc = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(cgroup_open_beneath(proc, "proc/self", &e), -EXDEV); /* another mount */
	assert_int_equal(cgroup_walk_beneath(proc, "proc/self", &e), -EXDEV);
	close_stage(&s);
}

static void test_a_container_is_found(void **unused)
{
	struct stage s;
	struct cgroup_layout layout;
	struct err e = {0};
	char path[EXECUTOR_CGROUP_BYTES];
	struct executor said = {.container_id = ID, .cgroups_path = "/" POD "/" ID}, by_parent = {.container_id = ID, .cgroup_parent = "/" POD};
	struct executor wrong = {.container_id = ID, .cgroups_path = "/" POD "/docker-" ID}, none = {.container_id = ID, .cgroups_path = "/elsewhere/" ID};

	(void)unused;
	stage_v2(&s, POD "/" ID);
	assert_int_equal(cgroup_layout_find(s.root, &layout, &e), 0);
	assert_int_equal(cgroup_find(&layout, &said, path, sizeof(path), &e), 0);
	assert_string_equal(path, POD "/" ID);
	assert_int_equal(cgroup_find(&layout, &by_parent, path, sizeof(path), &e), 0);
	assert_string_equal(path, POD "/" ID);
	wrong.pid = (uint32_t)getpid(); /* of another cgroup: that does not help, and does no harm */
	assert_int_equal(cgroup_find(&layout, &wrong, path, sizeof(path), &e), 0);
	assert_string_equal(path, POD "/" ID);
	assert_int_equal(cgroup_find(&layout, &none, path, sizeof(path), &e), -ENODEV);
	assert_int_equal(cgroup_find(&layout, &said, path, 10, &e), -ENAMETOOLONG);
	cgroup_layout_close(&layout);
	close_stage(&s);

	/* by the scope's name, where only the slice is told */
	struct executor slice = {.container_id = ID, .cgroup_parent = "kubepods-podx.slice"};
	stage_v2(&s, "kubepods.slice/kubepods-podx.slice/crio-" ID ".scope");
	put(&s, "sys/fs/cgroup/kubepods.slice/kubepods-podx.slice/crio-conmon-" ID ".scope/", "");
	assert_int_equal(cgroup_layout_find(s.root, &layout, &e), 0);
	assert_int_equal(cgroup_find(&layout, &slice, path, sizeof(path), &e), 0);
	assert_string_equal(path, "kubepods.slice/kubepods-podx.slice/crio-" ID ".scope");
	cgroup_layout_close(&layout);
	close_stage(&s);
}

static void test_opening_what_is_not_there(void **unused)
{
	struct stage s;
	struct cgroup_layout layout;
	struct cgroup c = {.id = 77};
	struct err e = {0};

	(void)unused;
	stage_v2(&s, "a");
	assert_int_equal(cgroup_layout_find(s.root, &layout, &e), 0);
	assert_int_equal(cgroup_open(&layout, "b", &c, &e), -ENODEV);
	assert_int_equal(cgroup_open(&layout, "../../etc", &c, &e), -EXDEV);
	assert_int_equal(c.id, 77);
	cgroup_layout_close(&layout);
	put(&s, "sys/fs/cgroup/cgroup.controllers", "cpu\n");
	assert_int_equal(cgroup_layout_find(s.root, &layout, &e), 0);
	assert_int_equal(cgroup_open(&layout, "a", &c, &e), -ENODEV); /* v2 without a memory controller */
	cgroup_layout_close(&layout);
	close_stage(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2_is_read),
		cmocka_unit_test(test_what_kept_it_from_running),
		cmocka_unit_test(test_hybrid_is_read_from_all_hierarchies),
		cmocka_unit_test(test_what_is_missing_or_strange_is_left_out),
		cmocka_unit_test(test_single_files),
		cmocka_unit_test(test_nothing_outside_is_opened),
		cmocka_unit_test(test_a_container_is_found),
		cmocka_unit_test(test_opening_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
