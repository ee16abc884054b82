/* The kernel's smaller inputs: ext4's counters, and NFS servers that are silent. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/nfs_servers.h"
#include "volumes/ext4_errors.h"

#define S   1000000ULL
#define MIN (60 * S)

static void put(const char *root, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/fs/ext4/cciss!c0d0/%s", root, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_ext4s_counters(void **unused)
{
	char root[] = "/tmp/stoker-ext4-XXXXXX", command[128];
	uint64_t count = 77;
	char words[96];
	struct err e = {0};

	(void)unused;
	assert_non_null(mkdtemp(root));
	snprintf(command, sizeof(command), "mkdir -p '%s/fs/ext4/cciss!c0d0'", root);
	assert_int_equal(system(command), 0);
	assert_int_equal(ext4_errors_count(root, "cciss/c0d0", &count, &e), -ENOENT);
	assert_int_equal(count, 77);
	put(root, "errors_count", "3\n");
	assert_int_equal(ext4_errors_count(root, "cciss/c0d0", &count, &e), 0);
	assert_int_equal(count, 3);
	ext4_errors_last(root, "cciss/c0d0", words, sizeof(words)); /* an old kernel: the count alone */
	assert_string_equal(words, "unknown in an unknown place");
	put(root, "last_error_errcode", "5\n");
	put(root, "last_error_func", "ext4_find_entry\n");
	ext4_errors_last(root, "cciss/c0d0", words, sizeof(words));
	assert_string_equal(words, "EUCLEAN in ext4_find_entry");
	put(root, "last_error_errcode", "99\n");
	put(root, "last_error_func", "\x1b[2J\n");
	ext4_errors_last(root, "cciss/c0d0", words, sizeof(words));
	assert_string_equal(words, "unknown in \\x1b[2J");
	put(root, "errors_count", "three\n");
	assert_int_equal(ext4_errors_count(root, "cciss/c0d0", &count, &e), -EBADMSG);
	assert_int_equal(ext4_errors_count(root, "", &count, &e), -EINVAL);
	assert_int_equal(ext4_errors_count(root, "..", &count, &e), -EINVAL);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

static void test_a_number_and_nothing_else(void **unused)
{
	static const char *const bad[] = {"", "\n", "-1\n", " 1\n", "1 \n", "1\n\n", "0x1\n", "99999999999999999999\n", "1.0"};
	uint64_t n = 7;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ext4_errors_parse(bad[i], &n), -EBADMSG);
	assert_int_equal(n, 7);
	assert_int_equal(ext4_errors_parse("4294967296\n", &n), 0);
	assert_int_equal(n, 4294967296);
	assert_int_equal(ext4_errors_parse("0", &n), 0);
}

static void hear(struct nfs_servers *servers, const char *name, enum kmsg_nfs_state state, uint64_t now_us)
{
	struct kmsg_nfs line = {.state = state};

	strcpy(line.server, name);
	nfs_servers_note(servers, &line, now_us);
}

static void test_servers_come_and_go(void **unused)
{
	struct nfs_servers servers = {0};
	struct mount mounts[] = {{.type = "nfs4", .source = "nas-1:/export"}, {.type = "nfs", .source = "[fd00::1]:/x"}, {.type = "ext4", .source = "nas-2:/x"}};
	const struct mount_table table = {.count = 3, .mounts = mounts};
	char detail[256];

	(void)unused;
	hear(&servers, "nas-1", KMSG_NFS_OK, S);
	assert_int_equal(servers.count, 0);
	hear(&servers, "nas-1", KMSG_NFS_HANGS, MIN);
	hear(&servers, "nas-1", KMSG_NFS_HANGS, 2 * MIN);
	hear(&servers, "nas-2", KMSG_NFS_HANGS, 2 * MIN);
	hear(&servers, "fd00::1", KMSG_NFS_HANGS, 2 * MIN);
	assert_false(nfs_servers_say(&servers, 5 * MIN, detail, sizeof(detail)));
	assert_string_equal(detail, "server nas-1 has not answered for 4 min; server nas-2 has not answered for 3 min; server fd00::1 has not answered for 3 min");
	nfs_servers_forget(&servers, NULL, 500 * MIN); /* it may be silent for a day */
	assert_int_equal(servers.count, 3);
	nfs_servers_forget(&servers, &table, 5 * MIN);
	assert_int_equal(servers.count, 2); /* nothing is mounted from nas-2 */
	hear(&servers, "nas-1", KMSG_NFS_OK, 6 * MIN);
	hear(&servers, "fd00::1", KMSG_NFS_OK, 6 * MIN);
	assert_true(nfs_servers_say(&servers, 6 * MIN, detail, sizeof(detail)));
	hear(&servers, "nas-1", KMSG_NFS_TIMED_OUT, 6 * MIN);
	nfs_servers_forget(&servers, &table, 10 * MIN);
	assert_int_equal(servers.count, 1);
	nfs_servers_forget(&servers, &table, 12 * MIN);
	assert_int_equal(servers.count, 0);
}

static void test_more_servers_than_there_is_room_for(void **unused)
{
	struct nfs_servers servers = {0};
	char detail[256], name[16];

	(void)unused;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "server-%u", i);
		hear(&servers, name, KMSG_NFS_HANGS, i * S);
		hear(&servers, "server-0", KMSG_NFS_HANGS, i * S); /* heard of all the time: it stays */
	}
	assert_int_equal(servers.count, NFS_SERVERS_MAX);
	assert_string_equal(servers.server[0].name, "server-0");
	assert_string_equal(servers.server[NFS_SERVERS_MAX - 1].name, "server-999");
	assert_false(nfs_servers_say(&servers, 1000 * S, detail, sizeof(detail)));
	assert_non_null(strstr(detail, "; …"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ext4s_counters),
		cmocka_unit_test(test_a_number_and_nothing_else),
		cmocka_unit_test(test_servers_come_and_go),
		cmocka_unit_test(test_more_servers_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
