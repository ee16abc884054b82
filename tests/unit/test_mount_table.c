/* mountinfo as kernels write it, and as nobody should. */
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
#include "volumes/mount_table.h"

static const char *const text =
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,resv_strict\n"
	"36 27 7:0 / /mnt/with\\040space rw,relatime shared:1 master:2 - ext4 /dev/loop0 rw,errors=remount-ro,emergency_ro\n"
	"37 27 7:1 / /mnt/new\\012line rw - xfs /dev/loop1 rw,attr2\n"
	"38 27 0:40 / /mnt/sp\xc3\xa4\xc3\x9f" "e rw - tmpfs tmpfs rw,size=4k\n"
	"39 27 0:41 / /mnt/\\043hash rw - tmpfs none rw\n"
	"40 27 254:0 /var/data /mnt/bind ro,relatime shared:3 - ext4 /dev/vda rw\n";

static void test_mounts_are_read(void **unused)
{
	static const struct {
		uint64_t id;
		uint32_t major, minor;
		const char *mount_point, *type, *source, *root;
	} row[] = {
		{27, 254, 0, "/", "ext4", "/dev/vda", "/"},
		{36, 7, 0, "/mnt/with space", "ext4", "/dev/loop0", "/"},
		{37, 7, 1, "/mnt/new\nline", "xfs", "/dev/loop1", "/"},
		{38, 0, 40, "/mnt/sp\xc3\xa4\xc3\x9f" "e", "tmpfs", "tmpfs", "/"},
		{39, 0, 41, "/mnt/#hash", "tmpfs", "none", "/"},
		{40, 254, 0, "/mnt/bind", "ext4", "/dev/vda", "/var/data"},
	};
	scoped(mount_table_free) struct mount_table table = {0};
	struct err e = {0};

	(void)unused;
	assert_int_equal(mount_table_parse(text, strlen(text), &table, &e), 0);
	assert_int_equal(table.count, 7);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct mount *m = mount_table_find(&table, row[i].id, row[i].major, row[i].minor);
		assert_non_null(m);
		assert_string_equal(m->mount_point, row[i].mount_point);
		assert_string_equal(m->type, row[i].type);
		assert_string_equal(m->source, row[i].source);
		assert_string_equal(m->root, row[i].root);
	}
	assert_non_null(strstr(mount_table_find(&table, 36, 7, 0)->super_options, "emergency_ro"));
	const struct mount *sick = mount_table_find(&table, 36, 7, 0);
	assert_true(mount_has_option(sick, "emergency_ro"));
	assert_true(mount_has_option(sick, "rw"));
	assert_false(mount_has_option(sick, "emergency"));
	assert_false(mount_has_option(sick, "emergency_ro_"));
	assert_false(mount_has_option(sick, ""));
	assert_null(mount_table_find(&table, 36, 7, 9)); /* an id that was given again */
	assert_null(mount_table_find(&table, 99, 7, 0));
}

static void test_what_is_no_mountinfo_is_refused(void **unused)
{
	static const char *const bad[] = {"hello\n", "22 27 0:21 / /proc rw,relatime\n", "22 27 0:21\n", "x y z:w / /a rw - ext4 /dev/a rw\n"};
	struct err e = {0};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct mount_table table = {0};
		assert_true(mount_table_parse(bad[i], strlen(bad[i]), &table, &e) < 0);
		assert_true(*e.text);
		assert_null(table.mounts);
	}
	scoped(mount_table_free) struct mount_table empty = {0};
	assert_int_equal(mount_table_parse("", 0, &empty, &e), 0);
	assert_int_equal(empty.count, 0);
}

static void test_a_busy_node(void **unused)
{
	const size_t count = 20000;
	scoped(scoped_free) char *many = malloc(count * 128);
	scoped(mount_table_free) struct mount_table table = {0};
	struct err e = {0};
	size_t length = 0;

	(void)unused;
	for (size_t i = 0; i < count; i++)
		length += (size_t)sprintf(many + length, "%zu 27 0:%zu / /var/lib/kubelet/pods/%zu/volumes rw shared:%zu - tmpfs tmpfs rw\n", i + 100, i, i, i);
	assert_int_equal(mount_table_parse(many, length, &table, &e), 0);
	assert_int_equal(table.count, count);
	assert_non_null(mount_table_find(&table, 20099, 0, 19999));
	scoped(scoped_free) char *huge = calloc(1, MOUNT_TABLE_MAX_BYTES + 1);
	struct mount_table none = {0};
	assert_int_equal(mount_table_parse(huge, MOUNT_TABLE_MAX_BYTES + 1, &none, &e), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mounts_are_read),
		cmocka_unit_test(test_what_is_no_mountinfo_is_refused),
		cmocka_unit_test(test_a_busy_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
