/* Mount tables of v1, hybrid and v2 nodes, and of none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "cgroups/layout.h"
#include "cgroups/mounts.h"
#include "tests/unit/cgroup_stage.h"

static const char v1_mounts[] =
	"overlay / overlay rw,relatime,lowerdir=/a:/b 0 0\ntmpfs /sys/fs/cgroup tmpfs ro,nosuid,mode=755 0 0\n"
	"cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\ncgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\n"
	"cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\ncgroup /sys/fs/cgroup/blkio cgroup rw,blkio 0 0\ncgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n"
	"cgroup /elsewhere/memory cgroup rw,memory 0 0\n";

static void make_v1(const struct stage *s, const char *more)
{
	char mounts[2048] = "";

	str_append(mounts, sizeof(mounts), "%s%s", v1_mounts, more);
	put(s, "proc/self/mounts", mounts);
	for (size_t i = 0; i < 6; i++) {
		static const char *const places[] = {"systemd", "cpu,cpuacct", "memory", "blkio", "pids", "unified"};
		char path[64] = "sys/fs/cgroup/";
		str_append(path, sizeof(path), "%s/", places[i]);
		put(s, path, "");
	}
}

static void test_v1(void **unused)
{
	struct stage s;
	struct cgroup_layout layout;
	struct err e = {0};

	(void)unused;
	open_stage(&s);
	make_v1(&s, "");
	assert_int_equal(cgroup_layout_find(s.root, &layout, &e), 0);
	assert_int_equal(layout.mode, CGROUP_V1);
	assert_int_equal(layout.unified_fd, -1);
	for (int i = 0; i < CGROUP_CONTROLLERS_; i++) {
		assert_int_equal(layout.controllers[i].version, 1);
		assert_true(layout.controllers[i].root_fd >= 0);
	}
	assert_string_equal(layout.controllers[CGROUP_MEMORY].mount, "/sys/fs/cgroup/memory"); /* the first, not the duplicate */
	assert_string_equal(layout.controllers[CGROUP_CPU].mount, "/sys/fs/cgroup/cpu,cpuacct");
	assert_string_equal(layout.controllers[CGROUP_IO].mount, "/sys/fs/cgroup/blkio");
	cgroup_layout_close(&layout);
	close_stage(&s);
}

/* v1 controllers beside a v2 that has some, or none, of its own: each controller is where it is. */
static void test_hybrid_is_told_per_controller(void **unused)
{
	static const char *const own[] = {"", "hugetlb\n"};
	struct err e = {0};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		struct stage s;
		struct cgroup_layout layout;
		open_stage(&s);
		make_v1(&s, "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n");
		put(&s, "sys/fs/cgroup/unified/cgroup.controllers", own[i]);
		if (!*own[i])
			put(&s, "sys/fs/cgroup/unified/cgroup.controllers", "\n");
		if (cgroup_layout_find(s.root, &layout, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(layout.mode, CGROUP_HYBRID);
		assert_true(layout.unified_fd >= 0);
		assert_int_equal(layout.controllers[CGROUP_MEMORY].version, 1);
		cgroup_layout_close(&layout);
		assert_int_equal(layout.unified_fd, -1);
		close_stage(&s);
	}
	struct stage s;
	struct cgroup_layout layout;
	open_stage(&s);
	put(&s, "proc/self/mounts", "cgroup2 /u cgroup2 rw 0 0\ncgroup /c cgroup rw,cpu 0 0\n");
	put(&s, "u/cgroup.controllers", "memory io\n");
	put(&s, "c/", "");
	assert_int_equal(cgroup_layout_find(s.root, &layout, &e), 0);
	assert_int_equal(layout.mode, CGROUP_HYBRID);
	assert_int_equal(layout.controllers[CGROUP_MEMORY].version, 2);
	assert_int_equal(layout.controllers[CGROUP_IO].version, 2);
	assert_int_equal(layout.controllers[CGROUP_CPU].version, 1);
	assert_int_equal(layout.controllers[CGROUP_PIDS].version, 0);
	cgroup_layout_close(&layout);
	close_stage(&s);
}

static void test_v2(void **unused)
{
	struct stage s;
	struct cgroup_layout layout;
	struct err e = {0};

	(void)unused;
	open_stage(&s);
	put(&s, "proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate,memory_recursiveprot 0 0\n");
	put(&s, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
	assert_int_equal(cgroup_layout_find(s.root, &layout, &e), 0);
	assert_int_equal(layout.mode, CGROUP_V2);
	for (int i = 0; i < CGROUP_CONTROLLERS_; i++) {
		assert_int_equal(layout.controllers[i].version, i == CGROUP_CPUACCT ? 0 : 2);
		assert_int_equal(layout.controllers[i].root_fd, i == CGROUP_CPUACCT ? -1 : layout.unified_fd);
	}
	cgroup_layout_close(&layout);
	close_stage(&s);
}

static void test_without_cgroups_it_says_why(void **unused)
{
	static const struct {
		const char *mounts;
		int want;
	} rows[] = {
		{"tmpfs / tmpfs rw 0 0\n", -ENOENT},
		{"tmpfs /sys/fs/cgroup tmpfs rw 0 0\nx /cgroup ext4 rw 0 0\n", -ENOENT},
		{"cgroup /sys cgroup rw,name=systemd 0 0\n", -ENOENT},		  /* no controller in it */
		{"cgroup2 /not/there cgroup2 rw 0 0\n", -ENOENT},		  /* the mount is not in sight */
		{"cgroup2\ncgroup2 /u\ncgroup2 /u cgroup2\n cgroup2 cgroup2", -ENOENT}, /* cut lines */
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stage s;
		struct cgroup_layout layout = {.unified_fd = 1234};
		struct err e = {0};
		open_stage(&s);
		put(&s, "proc/self/mounts", rows[i].mounts);
		if (cgroup_layout_find(s.root, &layout, &e) != rows[i].want)
			fail_msg("row %zu: %s", i, e.text);
		assert_true(str_starts(e.text, "cannot find the cgroups of this machine: "));
		assert_int_equal(layout.unified_fd, 1234);
		close_stage(&s);
	}
	struct cgroup_layout layout;
	struct err e = {0};
	assert_int_equal(cgroup_layout_find("/nonexistent", &layout, &e), -ENOENT);
}

static void test_mount_tables_are_read_carefully(void **unused)
{
	static const char text[] = "cgroup /with\\040space\\134x cgroup rw,memory 0 0\n"
				   "x /y tmpfs rw,cgroup 0 0\n"
				   "cgroup /a\\09 cgroup rw,pids 0 0\n" /* no octal number: as it stands */
				   "cgroup2 /u cgroup2 rw 0 0";
	struct cgroup_mounts mounts;

	(void)unused;
	cgroup_mounts_parse(text, sizeof(text) - 1, &mounts);
	assert_string_equal(cgroup_mounts_get(&mounts, "memory"), "/with space\\x");
	assert_string_equal(cgroup_mounts_get(&mounts, "pids"), "/a\\09");
	assert_string_equal(cgroup_mounts_get(&mounts, ""), "/u");
	assert_null(cgroup_mounts_get(&mounts, "cpu"));

	/* more controllers than there are, and a path that does not fit: left out, not cut */
	char many[4096] = "";
	for (int i = 0; i < 100; i++)
		str_append(many, sizeof(many), "cgroup /m%d cgroup c%d 0 0\n", i, i);
	cgroup_mounts_parse(many, strlen(many), &mounts);
	assert_int_equal(mounts.count, CGROUP_MOUNTS_MAX);
	char wide[512] = "cgroup /";
	memset(wide + strlen(wide), 'a', 200);
	str_append(wide, sizeof(wide), " cgroup memory 0 0\n");
	cgroup_mounts_parse(wide, strlen(wide), &mounts);
	assert_null(cgroup_mounts_get(&mounts, "memory"));
}

/* libcgroup and the mount table say the same of this machine, or neither finds anything. */
static void test_libcgroup_and_the_mount_table_agree(void **unused)
{
	scoped(scoped_free) char *text = malloc(CGROUP_MOUNTS_TEXT_BYTES);
	struct cgroup_mounts table, asked;
	struct err e = {0};

	(void)unused;
	assert_non_null(text);
	ssize_t n = fd_read_path("/proc/self/mounts", text, CGROUP_MOUNTS_TEXT_BYTES, &e);
	assert_true(n > 0);
	cgroup_mounts_parse(text, (size_t)n, &table);
	int r = cgroup_mounts_ask(&asked, &e);
	for (size_t i = 0; r == 0 && i < 4; i++) {
		static const char *const names[] = {"memory", "cpu", "pids", "blkio"};
		const char *by_table = cgroup_mounts_get(&table, names[i]), *by_library = cgroup_mounts_get(&asked, names[i]);
		if (by_table) /* v1; of v2 the table does not tell controllers */
			assert_string_equal(by_library, by_table);
		else if (by_library)
			assert_string_equal(by_library, cgroup_mounts_get(&table, ""));
	}
	assert_true(r == 0 || (r == -ENOENT && !cgroup_mounts_get(&table, "memory")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_hybrid_is_told_per_controller),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_without_cgroups_it_says_why),
		cmocka_unit_test(test_mount_tables_are_read_carefully),
		cmocka_unit_test(test_libcgroup_and_the_mount_table_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
