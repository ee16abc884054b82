/* A volume: the rules, what makes two requests the same one, its id, its options; and a tree that is removed. */
#include <errno.h>
#include <fcntl.h>
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

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "volumes/tmpfs_options.h"
#include "volumes/tree_remove.h"
#include "volumes/volume.h"

static struct volume a_scratch(void)
{
	return (struct volume){
		.at = {.place = VOLUME_AT_CSI, .pod_uid = "0a1b2c3d-0000-4000-8000-000000000001", .name = "scratch"},
		.type = VOLUME_SCRATCH,
		.size_bytes = 1 << 20,
		.inodes = 1000,
		.mode = 0770,
		.uid = 185,
		.gid = 185,
		.name_space = "team-a",
		.pod = "etl-exec-7",
	};
}

static struct volume a_checkpoint(void)
{
	struct volume v = a_scratch();

	v.type = VOLUME_CHECKPOINT;
	v.size_bytes = v.inodes = 0;
	str_copy(v.sub_path, sizeof(v.sub_path), "team-a/etl");
	return v;
}

static void test_what_is_good_is_taken(void **unused)
{
	struct volume v = a_scratch();
	struct err e = {0};

	(void)unused;
	assert_int_equal(volume_check(&v, &e), 0);
	v.mode = 01777;
	v.uid = v.gid = UINT32_MAX;
	v.huge = VOLUME_HUGE_ADVISE;
	v.noswap = 1;
	assert_int_equal(volume_check(&v, &e), 0);
	v = a_scratch();
	v.type = VOLUME_DISK;
	str_copy(v.source_name, sizeof(v.source_name), "nvme_0.fast");
	assert_int_equal(volume_check(&v, &e), 0);
	v = a_checkpoint();
	v.read_only = 1;
	assert_int_equal(volume_check(&v, &e), 0);
	v.at = (struct volume_at){.place = VOLUME_AT_NODE, .name = "nfs.main"};
	assert_int_equal(volume_check(&v, &e), 0);
}

static void refused(const struct volume *v, const char *field)
{
	struct err e = {0};

	if (volume_check(v, &e) != -EINVAL && e.code != ENAMETOOLONG)
		fail_msg("%s: taken", field);
	if (!strstr(e.text, field))
		fail_msg("'%s' does not name %s", e.text, field);
}

static void test_what_is_not_is_refused_by_name(void **unused)
{
	static const struct {
		size_t offset;
		uint64_t value;
		size_t bytes;
		const char *field;
	} row[] = {
		{offsetof(struct volume, at.place), 0, 4, "place"},
		{offsetof(struct volume, at.place), VOLUME_PLACE_MAX_, 4, "place"},
		{offsetof(struct volume, at.place), VOLUME_AT_EMPTY_DIR, 4, "empty-dir"},
		{offsetof(struct volume, type), VOLUME_NONE, 4, "type"},
		{offsetof(struct volume, type), VOLUME_TYPE_MAX_, 4, "type"},
		{offsetof(struct volume, type), UINT32_MAX, 4, "type"},
		{offsetof(struct volume, size_bytes), 0, 8, "size"},
		{offsetof(struct volume, size_bytes), VOLUME_SIZE_MIN_BYTES - 1, 8, "size"},
		{offsetof(struct volume, size_bytes), VOLUME_SIZE_MAX_BYTES + 1, 8, "size"},
		{offsetof(struct volume, size_bytes), UINT64_MAX, 8, "size"},
		{offsetof(struct volume, inodes), 0, 8, "inodes"},
		{offsetof(struct volume, inodes), VOLUME_INODES_MAX + 1, 8, "inodes"},
		{offsetof(struct volume, mode), 02000, 4, "mode"},
		{offsetof(struct volume, mode), UINT32_MAX, 4, "mode"},
		{offsetof(struct volume, huge), VOLUME_HUGE_MAX_, 4, "huge"},
		{offsetof(struct volume, noswap), 2, 4, "noswap"},
		{offsetof(struct volume, read_only), 1, 4, "read-only"},
		{offsetof(struct volume, zero), 1, 4, "values"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct volume v = a_scratch();
		uint32_t small = (uint32_t)row[i].value;
		memcpy((char *)&v + row[i].offset, row[i].bytes == 4 ? (const void *)&small : &row[i].value, row[i].bytes);
		refused(&v, row[i].field);
	}
}

static void test_names_that_would_lead_elsewhere(void **unused)
{
	static const char *const bad[] = {"", ".", "..", "../x", "a/b", "/", "-a", "a-", "a b", "a\nb", "a.b", "\xc3\xa4"};

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct volume v = a_scratch();
		str_copy(v.at.pod_uid, sizeof(v.at.pod_uid), bad[i]);
		refused(&v, "UID");
		v = a_scratch();
		str_copy(v.at.name, sizeof(v.at.name), bad[i]);
		refused(&v, "name");
	}
	struct volume v = a_scratch();
	memset(v.at.name, 'a', sizeof(v.at.name)); /* without an end */
	refused(&v, "name");
	v = a_scratch();
	memset(v.at.pod_uid, 'a', sizeof(v.at.pod_uid));
	refused(&v, "UID");
	v = a_scratch();
	memset(v.name_space, 'a', sizeof(v.name_space));
	refused(&v, "namespace");
	v = a_checkpoint();
	v.at = (struct volume_at){.place = VOLUME_AT_NODE, .pod_uid = "a", .name = "nfs"};
	refused(&v, "UID");
}

static void test_sub_paths(void **unused)
{
	static const char *const bad[] = {"/", "/a", "..", "a/..", "../a", "a/../b", ".", "a/./b", "a//b", "a/", "a\nb", "a/b\x7f"};
	static const char *const good[] = {"", "a", "a/b", "..a", "a..", "a b", "\xc3\xa4"};
	struct err e = {0};

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct volume v = a_checkpoint();
		str_copy(v.sub_path, sizeof(v.sub_path), bad[i]);
		refused(&v, "subPath");
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct volume v = a_checkpoint();
		str_copy(v.sub_path, sizeof(v.sub_path), good[i]);
		assert_int_equal(volume_check(&v, &e), 0);
	}
	struct volume v = a_checkpoint();
	memset(v.sub_path, 'a', sizeof(v.sub_path));
	refused(&v, "subPath");
	v = a_scratch();
	str_copy(v.sub_path, sizeof(v.sub_path), "a");
	refused(&v, "subPath");
}

static void test_the_digest_is_of_what_was_asked(void **unused)
{
	struct volume v = a_scratch(), same = v;
	const uint64_t digest = volume_digest(&v);

	(void)unused;
	str_copy(same.pod, sizeof(same.pod), "another");
	str_copy(same.name_space, sizeof(same.name_space), "another");
	same.source = 3;
	assert_true(volume_digest(&same) == digest);
	struct volume others[] = {v, v, v, v, v, v, v, v, v, v};
	others[0].size_bytes++;
	others[1].inodes++;
	others[2].mode++;
	others[3].uid++;
	others[4].gid++;
	others[5].huge++;
	others[6].noswap++;
	others[7].at.name[0]++;
	others[8].at.pod_uid[0]++;
	others[9].source_name[0] = 'a';
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(volume_digest(&others[i]) != digest);
	/* what was filled in does not count */
	others[0].asked = v.asked = 77;
	assert_true(volume_digest(&others[0]) == volume_digest(&v));
}

static void test_the_kubelets_id(void **unused)
{
	char id[VOLUME_ID_BYTES];

	(void)unused;
	volume_id("0a1b2c3d-0000-4000-8000-000000000001", "scratch", id); /* coreutils: printf '%s' UIDNAME | sha256sum */
	assert_string_equal(id, "csi-dd80360f325e615dee92574d49b94822f2bc82bb8125b599c2a8e05950f0404a");
}

static void test_options_of_a_tmpfs(void **unused)
{
	struct volume v = a_scratch();
	struct tmpfs_options options;
	char text[256];

	(void)unused;
	v.huge = VOLUME_HUGE_WITHIN_SIZE;
	v.asked = 0xabc;
	tmpfs_options_of(&v, &options);
	tmpfs_options_join(&options, text, sizeof(text));
	assert_string_equal(text, "size=1048576,nr_inodes=1000,mode=770,uid=185,gid=185,huge=within_size");
	v.huge = VOLUME_HUGE_NEVER;
	v.uid = v.gid = UINT32_MAX;
	tmpfs_options_of(&v, &options);
	tmpfs_options_join(&options, text, sizeof(text));
	assert_string_equal(text, "size=1048576,nr_inodes=1000,mode=770");
	tmpfs_source(&v, text, sizeof(text));
	assert_string_equal(text, "stoker-0000000000000abc");
}

/* --- a tree that is removed --- */

static void run(const char *directory, const char *script)
{
	char command[4096];

	assert_true((size_t)snprintf(command, sizeof(command), "cd '%s' && { %s; }", directory, script) < sizeof(command));
	if (system(command) != 0)
		fail_msg("%s", command);
}

static void test_a_tree_is_removed_and_nothing_else(void **unused)
{
	char top[] = "/tmp/stoker-tree-XXXXXX";
	struct tree_budget budget = {UINT32_MAX, clock_mono_us() + 60 * US_PER_S};
	uint64_t removed = 0;
	struct err e = {0};

	(void)unused;
	assert_non_null(mkdtemp(top));
	/* 500 levels, wide ones, links out of it, names that are taken */
	run(top, "mkdir kept tree; echo x >kept/file; ln -s ../kept tree/link; ln -s ../../kept/file tree/file; mkfifo tree/pipe; mkdir tree/.stoker-removed-0;"
		 "mkdir tree/wide; (cd tree/wide; seq 500 | xargs touch; mkdir a b c; seq 100 | sed s:^:a/: | xargs touch);"
		 "python3 -c 'import os\nos.chdir(\"tree\")\nfor i in range(500):\n os.mkdir(\"d\"); os.chdir(\"d\"); open(\"f\",\"w\").close()'");
	scoped(fd_drop) int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tree_remove_whole(fd, "tree", &budget, &removed, &e), 0);
	assert_true(removed >= 1600);
	run(top, "test \"$(ls)\" = kept && test \"$(cat kept/file)\" = x");
	assert_int_equal(tree_remove_whole(fd, "tree", &budget, &removed, &e), 0); /* and again */
	run(top, "ln -s kept link");
	assert_int_equal(tree_remove_whole(fd, "link", &budget, &removed, &e), -EBUSY);
	assert_int_equal(tree_remove_whole(fd, "kept/file", &budget, &removed, &e), -EBUSY);
	run(top, "test -e kept/file && test -L link && rm -r kept link && rmdir ../$(basename $PWD)");
}

static void test_a_removal_goes_on_where_the_time_was_up(void **unused)
{
	char top[] = "/tmp/stoker-tree-XXXXXX";
	struct tree_budget budget = {.entries = UINT32_MAX}; /* no time at all: one entry each time */
	uint64_t removed = 0;
	struct err e = {0};
	int r = -EAGAIN, calls = 0;

	(void)unused;
	assert_non_null(mkdtemp(top));
	run(top, "mkdir -p tree/a/b/c && cd tree/a/b/c && seq 100 | xargs touch");
	scoped(fd_drop) int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (; calls < 200 && r == -EAGAIN; calls++)
		r = tree_remove_whole(fd, "tree", &budget, &removed, &e);
	assert_int_equal(r, 0);
	assert_true(calls > 90);
	assert_int_equal(removed, 104);
	assert_int_equal(rmdir(top), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_good_is_taken),
		cmocka_unit_test(test_what_is_not_is_refused_by_name),
		cmocka_unit_test(test_names_that_would_lead_elsewhere),
		cmocka_unit_test(test_sub_paths),
		cmocka_unit_test(test_the_digest_is_of_what_was_asked),
		cmocka_unit_test(test_the_kubelets_id),
		cmocka_unit_test(test_options_of_a_tmpfs),
		cmocka_unit_test(test_a_tree_is_removed_and_nothing_else),
		cmocka_unit_test(test_a_removal_goes_on_where_the_time_was_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
