/* Which NRI a runtime speaks, and what we say to it, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "shim/nri_message.h"
#include "shim/nri_reply.h"
#include "shim/nri_version.h"
#include "nri_make.h"

static void test_configure_says_which_nri(void **unused)
{
	static const struct {
		const char *said, *name, *version;
		struct nri_version want;
		uint32_t events; /* of all that there are */
	} row[] = {
		{"v0.12.5", "containerd", "v2.3.4", {0, 12, 5}, 0x3fff}, {"v0.12.6-0.20260820000000-8ec8b28aaaaa", "containerd", "", {0, 12, 5}, 0x3fff},
		{"0.0.0-unknown", "x", "1", {0, 12, 0}, 0x3fff},	  {"(devel)", "containerd", "v2.4.1", {0, 12, 1}, 0x3fff},
		{"", "containerd", "v1.7.0", {0, 3, 0}, 0x7ff},		  {"", "containerd", "1.7.23-k3s2", {0, 6, 1}, 0x7ff},
		{"", "containerd", "1.7.34~ds1", {0, 8, 0}, 0x7ff},	  {"", "containerd", "v2.1.9", {0, 8, 0}, 0x7ff},
		{"", "containerd", "v2.2.0", {0, 10, 0}, 0x3fff},	  {"", "containerd", "v2.2.9", {0, 11, 0}, 0x3fff},
		{"", "containerd", "v3.0.0", {0}, 0x7ff},		  {"", "containerd", "v1.6.20", {0}, 0x7ff},
		{"", "cri-o", "1.36.3", {0, 11, 0}, 0x3fff},		  {"", "cri-o", "1.29.1", {0, 5, 0}, 0x7ff},
		{"", "fake-runtime", "0.0.1", {0}, 0x7ff},		  {"", "", "", {0}, 0x7ff},
		{"", "containerd", "v1.7", {0}, 0x7ff},			  {"", "containerd", "v1.7.99999", {0}, 0x7ff},
	};
	static unsigned char bytes[256];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct proto_writer w = writer_on(bytes, sizeof(bytes));
		struct nri_configure configure;
		struct err e = {0};
		WORD(&w, 2, row[i].name);
		WORD(&w, 3, row[i].version);
		proto_write_number(&w, 5, 2000);
		WORD(&w, 6, row[i].said);
		assert_int_equal(nri_decode_configure(written(&w), &configure, &e), 0);
		assert_int_equal(configure.request_timeout_ms, 2000);
		struct nri_version got = nri_version_of(configure.nri_version, configure.runtime_name, configure.runtime_version);
		assert_memory_equal(&got, &row[i].want, sizeof(got));
		assert_int_equal(nri_version_clip(got, 0x3fff), row[i].events);
	}
	assert_true(nri_version_has_oom_score_adj((struct nri_version){0, 7, 0}) && !nri_version_has_oom_score_adj((struct nri_version){0, 6, 1}));
	assert_true(nri_version_has_safe_updates((struct nri_version){0, 12, 1}) && !nri_version_has_safe_updates((struct nri_version){0, 12, 0}));
	assert_true(nri_version_has_safe_updates((struct nri_version){1, 0, 0}) && !nri_version_has_split_synchronize((struct nri_version){0}));
	assert_int_equal(nri_version_clip((struct nri_version){0}, NRI_EVENT_BIT(NRI_VALIDATE_ADJUSTMENT) | NRI_EVENT_BIT(NRI_RUN_POD)), 1);
}

static void check_written(const struct proto_writer *w, const char *want, size_t length)
{
	assert_false(w->overflow);
	assert_int_equal(w->length, length);
	assert_memory_equal(w->bytes, want, length);
}
#define CHECK_WRITTEN(w, literal) check_written(w, literal, sizeof(literal) - 1)

static void test_replies_are_what_they_should_be_to_the_byte(void **unused)
{
	static unsigned char bytes[NRI_REPLY_BYTES];
	struct proto_writer w = writer_on(bytes, sizeof(bytes));
	struct plan plan = {0};

	(void)unused;
	nri_write_register(&w, NRI_PLUGIN_NAME, NRI_PLUGIN_INDEX);
	CHECK_WRITTEN(&w, "\x0a\x06stoker\x12\x02"
			  "40\x1a\x07v0.12.5");
	w.length = 0;
	nri_write_configured(&w, 0x6cd, false);
	CHECK_WRITTEN(&w, "\x10\xcd\x0d");
	nri_write_configured(&w, 0, true);
	CHECK_WRITTEN(&w, "\x10\xcd\x0d\x1a\x02\x10\x01");
	w.length = 0;
	nri_write_synchronized(&w, false);
	nri_write_created(&w, &plan);
	assert_int_equal(w.length, 0);
	nri_write_synchronized(&w, true);
	CHECK_WRITTEN(&w, "\x10\x01");
	w.length = 0;
	plan.set_oom_score_adj = true; /* to 0 */
	nri_write_created(&w, &plan);
	CHECK_WRITTEN(&w, "\x0a\x04\x32\x02\x22\x00");
	w.length = 0;
	plan.oom_score_adj = -5;
	plan.env_count = plan.unified_count = 1;
	plan.env[0] = (struct plan_pair){"A", "1"};
	plan.unified[0] = (struct plan_pair){"memory.oom.group", "0"};
	nri_write_created(&w, &plan);
	CHECK_WRITTEN(&w, "\x0a\x30\x22\x06\x0a\x01"
			  "A\x12\x01"
			  "1\x32\x26\x12\x17\x32\x15\x0a\x10memory.oom.group\x12\x01"
			  "0\x22\x0b\x08\xfb\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

/* The mounts in order, each with every option. */
static void test_mounts_to_the_byte(void **unused)
{
	static unsigned char bytes[NRI_REPLY_BYTES];
	static struct plan plan = {.mount_count = 2,
				   .mounts = {{.type = PLAN_MOUNT_TMPFS, .has_owner = 1, .uid = 185, .gid = 0, .size_bytes = 1 << 20, .inodes = 7, .destination = "/s"},
					      {.type = PLAN_MOUNT_BIND, .read_only = 1, .destination = "/c", .source = "/r/c"}}};
	struct proto_writer w = writer_on(bytes, sizeof(bytes));
	(void)unused;

	nri_write_created(&w, &plan);
	CHECK_WRITTEN(&w, "\x0a\x97\x01"
			  "\x1a\x60\x0a\x02/s\x12\x05tmpfs\x1a\x0estoker-scratch\"\x06nosuid\"\x05nodev\"\x09mode=0770\"\x0csize=1048576\"\x0bnr_inodes=7\"\x07uid=185\"\x05gid=0"
			  "\x1a\x33\x0a\x02/c\x12\x04" "bind\x1a\x04/r/c\"\x06nosuid\"\x05nodev\"\x04" "bind\"\x08rprivate\"\x02ro");
	w.length = 0;
	plan.mount_count = 1;
	plan.mounts[0].has_owner = 0;
	plan.mounts[0].inodes = 0;
	nri_write_created(&w, &plan);
	CHECK_WRITTEN(&w, "\x0a\x45\x1a\x43\x0a\x02/s\x12\x05tmpfs\x1a\x0estoker-scratch\"\x06nosuid\"\x05nodev\"\x09mode=1777\"\x0csize=1048576");
	/* What is not UTF-8 makes the runtime refuse the container. */
	w.length = 0;
	plan.mounts[0].destination[1] = (char)0xff;
	nri_write_created(&w, &plan);
	CHECK_WRITTEN(&w, "\x0a\x00");
}

static void test_a_full_plan_fits_one_reply(void **unused)
{
	static unsigned char bytes[NRI_REPLY_BYTES];
	static struct plan plan;
	struct proto_writer w = writer_on(bytes, sizeof(bytes));

	(void)unused;
	for (size_t i = 0; i < PLAN_ENV_MAX; i++) {
		memset(plan.env[i].key, 'x', sizeof(plan.env[i].key) - 1);
		memset(plan.env[i].value, 'x', sizeof(plan.env[i].value) - 1);
		plan.unified[i] = plan.env[i];
	}
	for (size_t i = 0; i < PLAN_MOUNTS_MAX; i++) {
		struct plan_mount *m = &plan.mounts[i];
		*m = (struct plan_mount){.type = (i % 2) ? PLAN_MOUNT_TMPFS : PLAN_MOUNT_BIND, .has_owner = 1, .uid = UINT32_MAX, .gid = UINT32_MAX, .size_bytes = UINT64_MAX, .inodes = UINT64_MAX};
		memset(m->destination, 'x', sizeof(m->destination) - 1);
		memset(m->source, 'x', sizeof(m->source) - 1);
	}
	plan.env_count = PLAN_ENV_MAX;
	plan.unified_count = PLAN_UNIFIED_MAX;
	plan.mount_count = PLAN_MOUNTS_MAX;
	size_t mark = ttrpc_begin_reply(&w, 1);
	nri_write_created(&w, &plan);
	assert_int_equal(ttrpc_end(&w, mark), 0);
	assert_true(w.length > (PLAN_ENV_MAX + PLAN_UNIFIED_MAX) * sizeof(struct plan_pair));
}

/* One string that is none would fail the container: the runtime refuses the whole answer. */
static void test_what_is_not_utf8_is_left_out(void **unused)
{
	static const char *const bad[] = {"\xff", "cut \xc3", "\xed\xa0\x80", "a\xc0\xaf"};
	static unsigned char bytes[NRI_REPLY_BYTES];

	(void)unused;
	for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
		struct proto_writer w = writer_on(bytes, sizeof(bytes));
		struct plan plan = {.env_count = 2, .env = {{"A", "x"}, {"B", "\xc3\xa9"}}};
		if (i < ARRAY_SIZE(bad))
			strcpy(plan.env[0].value, bad[i]);
		else
			memset(plan.env[0].key, 'k', sizeof(plan.env[0].key)); /* without an end */
		nri_write_created(&w, &plan);
		CHECK_WRITTEN(&w, "\x0a\x09\x22\x07\x0a\x01"
				  "B\x12\x02\xc3\xa9");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configure_says_which_nri),
		cmocka_unit_test(test_replies_are_what_they_should_be_to_the_byte),
		cmocka_unit_test(test_mounts_to_the_byte),
		cmocka_unit_test(test_a_full_plan_fits_one_reply),
		cmocka_unit_test(test_what_is_not_utf8_is_left_out),
	};

	return cmocka_run_group_tests_name("nri_reply", tests, NULL, NULL);
}
