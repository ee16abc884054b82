/* Lines of /proc: processes that name themselves as they like, mounts with odd names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "volumes/proc_text.h"

#define BEHIND " 1 100 100 0 -1 4194560 5 0 0 0 1 2 0 0 20 0 33 0 987654 1000 50 18446744073709551615 1 1 0\n"

static void test_stat(void **unused)
{
	static const struct {
		const char *text, *name;
		char state;
		bool good;
	} row[] = {
		{"12 (java) S" BEHIND, "java", 'S', true}, {"12 (a) b) (c) R) Z" BEHIND, "a) b) (c) R", 'Z', true}, {"12 () R" BEHIND, "", 'R', true},
		{"12 (sixteen letters!) R" BEHIND, "sixteen letters", 'R', true}, {"12 (java) S 1 2 3", "", 0, false}, {"12 (java", "", 0, false},
		{"12 )java( S" BEHIND, "", 0, false}, {"", "", 0, false}, {"12 (java)", "", 0, false},
		{"12 (java) S 1 100 100 0 -1 x 5 0 0 0 1 2 0 0 20 0 33 0 987654 1\n", "", 0, false},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct proc_stat stat;
		if (proc_stat_parse(row[i].text, strlen(row[i].text), &stat) != row[i].good)
			fail_msg("'%s'", row[i].text);
		if (!row[i].good)
			continue;
		assert_string_equal(stat.name, row[i].name);
		assert_int_equal(stat.state, row[i].state);
		assert_int_equal(stat.start_ticks, 987654);
		assert_false(stat.kernel_thread);
	}
	struct proc_stat thread;
	static const char text[] = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n";
	assert_true(proc_stat_parse(text, strlen(text), &thread));
	assert_true(thread.kernel_thread);
}

static void test_uids(void **unused)
{
	static const char text[] = "Name:\tx\nUmask:\t0022\nUid:\t185\t0\t4294967295\t7\nGid:\t1\t2\t3\t4\n";
	static const char *const bad[] = {"", "Uid:\t1\t2\t3\t4\n", "a\nUid:\t1\t2\t3\n", "a\nUid:\t1\t2\t3\t4294967296\n", "a\nUid:\t1\t2\t3\t4", "a\nUid:\t1 2\t3\t4\n"};
	uint32_t uids[4];

	(void)unused;
	assert_true(proc_uids_parse(text, strlen(text), uids));
	assert_true(uids[0] == 185 && uids[1] == 0 && uids[2] == UINT32_MAX && uids[3] == 7);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (proc_uids_parse(bad[i], strlen(bad[i]), uids))
			fail_msg("'%s'", bad[i]);
}

static void test_mounts(void **unused)
{
	static struct proc_mount m;
	static const char line[] = "36 35 98:10 /a\\040b /mnt\\012x ro,noatime shared:1 master:2 - ext4 /dev/root rw,errors=continue";
	static const char layer[] = "9 8 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/var/lib/c\\040d/fs,workdir=/w";
	static const char *const bad[] = {"", "36", "36 35 98:10 / /mnt rw - ext4", "36 35 98 / /mnt rw - ext4 x rw", "x 35 98:10 / /mnt rw - ext4 x rw",
					  "36 35 98:10 / /mnt rw ext4 x rw", "36 35 4294967296:0 / /mnt rw - ext4 x rw"};
	char value[32], small[4];

	(void)unused;
	assert_true(proc_mount_parse(line, strlen(line), &m));
	assert_true(m.id == 36 && m.parent == 35 && m.device_major == 98 && m.device_minor == 10 && m.read_only && !m.cut);
	assert_string_equal(m.root, "/a b");
	assert_string_equal(m.mount_point, "/mnt\nx");
	assert_string_equal(m.type, "ext4");
	assert_true(proc_mount_option(&m, "errors", value, sizeof(value)));
	assert_string_equal(value, "continue");
	assert_false(proc_mount_option(&m, "error", value, sizeof(value)));
	assert_true(proc_mount_parse(layer, strlen(layer), &m));
	assert_false(m.read_only);
	assert_true(proc_mount_option(&m, "upperdir", value, sizeof(value)));
	assert_string_equal(value, "/var/lib/c d/fs");
	assert_false(proc_mount_option(&m, "upperdir", small, sizeof(small)));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (proc_mount_parse(bad[i], strlen(bad[i]), &m))
			fail_msg("'%s'", bad[i]);
}

static void test_beneath(void **unused)
{
	static const struct {
		const char *path, *above;
		bool want;
	} row[] = {
		{"/a/b", "/a", true}, {"/a", "/a", true}, {"/ab", "/a", false}, {"/a", "/a/b", false}, {"/a", "/", true}, {"/", "/", true}, {"/a/b", "/a/", true},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (proc_path_is_at_or_beneath(row[i].path, row[i].above) != row[i].want)
			fail_msg("'%s' '%s'", row[i].path, row[i].above);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_uids),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_beneath),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
