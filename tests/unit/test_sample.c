/* What cgroups of 5.4, 6.1, 6.12, 7.2 and of v1 say about themselves, and what only looks like it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "cgroups/sample.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)

/* A copy of just the text's size: with ASan a read beyond its end is seen. */
static int parse_stat(const char *text, int version, struct sample *s, struct err *e)
{
	size_t n = strlen(text);
	scoped(scoped_free) char *exact = malloc(n + !n);
	assert_non_null(exact);
	memcpy(exact, text, n);
	return sample_parse_memory_stat(exact, n, version, s, e);
}

/* 5.4: no "kernel", no "pagetables", no "percpu". */
static const char stat_5_4[] = "anon 41943040\nfile 8388608\nkernel_stack 147456\nslab 1048576\nsock 4096\nshmem 4194304\nfile_mapped 1351680\n"
			       "file_dirty 135168\nfile_writeback 8192\nanon_thp 0\ninactive_anon 0\nactive_anon 42000000\ninactive_file 2097152\n"
			       "active_file 2097152\nunevictable 0\nslab_reclaimable 600000\nslab_unreclaimable 448576\npgfault 10197\npgmajfault 0\n";
/* 5.15: "slab" still a line of its own, "pagetables" and "percpu" there, "kernel" not. */
static const char stat_5_15[] = "anon 41943040\nfile 8388608\nkernel_stack 100\npagetables 200\npercpu 300\nsock 0\nshmem 0\nslab_reclaimable 1000\n"
				"slab_unreclaimable 2000\nslab 3000\nworkingset_refault_anon 0\n";
/* 7.2: keys that this reader has never heard of */
static const char stat_7_2[] = "anon 41943040\nfile 8388608\nkernel 2097152\nkernel_stack 147456\npagetables 241664\nsec_pagetables 0\npercpu 6144\nsock 12288\n"
			       "vmalloc 0\nshmem 4194304\nzswap 0\nzswapped 0\nzswap_incomp 0\nfile_mapped 1351680\nfile_dirty 135168\nfile_writeback 0\nswapcached 0\n"
			       "anon_thp 0\nfile_thp 0\nshmem_thp 0\nhugetlb 0\ninactive_anon 0\nactive_anon 42000000\ninactive_file 2097152\nslab_reclaimable 600000\n"
			       "slab_unreclaimable 448576\nslab 1048576\npgscan_proactive 0\npgpromote_success 0\n";

/* Debian's 6.12.95, a process that wrote a megabyte into tmpfs */
static const char stat_6_12[] = "anon 335872\nfile 3575808\nkernel 233472\nkernel_stack 32768\npagetables 90112\nsec_pagetables 0\npercpu 128\nsock 0\nvmalloc 0\n"
				"shmem 1003520\nfile_mapped 1650688\nfile_dirty 0\nfile_writeback 0\nswapcached 0\nanon_thp 0\nfile_thp 0\nshmem_thp 0\n"
				"inactive_anon 0\nactive_anon 1302528\ninactive_file 163840\nactive_file 2240512\nunevictable 0\nslab_reclaimable 22384\n"
				"slab_unreclaimable 56056\nslab 78440\npgdemote_kswapd 0\npgpromote_success 0\npgscan 0\nswpin_zero 0\nthp_swpout_fallback 0\n";

static void test_memory_stat_of_each_kernel(void **unused)
{
	static const struct {
		const char *name, *text;
		int version;
		uint64_t anon, file, shmem, kernel, slab, sock;
	} rows[] = {
		{"5.4", stat_5_4, 2, 40 * MIB, 8 * MIB, 4 * MIB, 1048576 + 147456, 1048576, 4096},
		{"5.15", stat_5_15, 2, 40 * MIB, 8 * MIB, 0, 3600, 3000, 0},
		{"6.12", stat_6_12, 2, 335872, 3575808, 1003520, 233472, 78440, 0},
		{"7.2", stat_7_2, 2, 40 * MIB, 8 * MIB, 4 * MIB, 2 * MIB, 1048576, 12288},
		{"no sum of slab", "anon 1\nslab_reclaimable 5\nslab_unreclaimable 6\n", 2, 1, 0, 0, 11, 11, 0},
		{"keys in another order, one twice", "sock 7\nfile 2\nanon 1\nanon 3\n", 2, 3, 2, 0, 0, 0, 7},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sample s = {0};
		struct err e = {0};
		if (parse_stat(rows[i].text, rows[i].version, &s, &e) < 0)
			fail_msg("%s: %s", rows[i].name, e.text);
		if (s.anon_bytes != rows[i].anon || s.file_bytes != rows[i].file || s.shmem_bytes != rows[i].shmem || s.kernel_bytes != rows[i].kernel ||
		    s.slab_bytes != rows[i].slab || s.sock_bytes != rows[i].sock || s.have != SAMPLE_HAS_STAT)
			fail_msg("%s: anon %lu file %lu shmem %lu kernel %lu slab %lu sock %lu", rows[i].name, s.anon_bytes, s.file_bytes, s.shmem_bytes,
				 s.kernel_bytes, s.slab_bytes, s.sock_bytes);
	}
}

/* 6.18 as v1; the cgroup's own lines differ from the tree's. */
static const char stat_v1[] =
	"cache 4096\nrss 8192\nrss_huge 0\nshmem 0\nmapped_file 0\ndirty 0\nwriteback 0\nworkingset_refault_anon 0\nworkingset_refault_file 0\nswap 0\n"
	"swapcached 0\npgpgin 423743\npgpgout 418520\npgfault 22588\npgmajfault 0\ninactive_anon 0\nactive_anon 1531904\ninactive_file 192512\nactive_file 3629056\n"
	"unevictable 0\nhierarchical_memory_limit 9223372036854771712\nhierarchical_memsw_limit 9223372036854771712\ntotal_cache 4854636544\ntotal_rss 249163776\n"
	"total_rss_huge 0\ntotal_shmem 9166848\ntotal_mapped_file 85635072\ntotal_dirty 1035907072\ntotal_writeback 16384\ntotal_swap 12288\ntotal_pgfault 33217789\n"
	"total_inactive_anon 240349184\ntotal_active_anon 1699840\ntotal_inactive_file 2844999680\ntotal_active_file 2000474112\ntotal_unevictable 16039936\n";

static void test_memory_stat_of_v1_is_the_trees(void **unused)
{
	struct sample s = {0};
	struct err e = {0};

	(void)unused;
	assert_int_equal(parse_stat(stat_v1, 1, &s, &e), 0);
	assert_int_equal(s.have, SAMPLE_HAS_STAT);
	assert_int_equal(s.anon_bytes, 249163776);
	assert_int_equal(s.file_bytes, 4854636544);
	assert_int_equal(s.shmem_bytes, 9166848);
	assert_int_equal(s.file_mapped_bytes, 85635072);
	assert_int_equal(s.file_dirty_bytes, 1035907072);
	assert_int_equal(s.file_writeback_bytes, 16384);
	assert_int_equal(s.inactive_file_bytes, 2844999680);
	assert_int_equal(s.swap_bytes, 12288);
	/* read as the other version, nothing in it is known */
	s = (struct sample){0};
	assert_int_equal(parse_stat(stat_v1, 2, &s, &e), 0);
	assert_int_equal(s.have, 0);
	s = (struct sample){0};
	assert_int_equal(parse_stat(stat_5_4, 1, &s, &e), 0);
	assert_int_equal(s.have, 0);
}

static void test_what_is_no_stat_is_refused_and_leaves_nothing(void **unused)
{
	static const char *const bad[] = {
		"anon", "anon 1", "anon\n", "anon \n", " \n", "\n", "anon 1\n\nfile 2\n", "anon -1\n", "anon 1 2\n", "anon 0x10\n", "anon 1k\n",
		"anon 18446744073709551616\n", "anon 99999999999999999999999\n", "anon 1\nfile", "anon\t1\n", "anon 1\r\n", "anon 1\nfile max\n",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sample s = {.anon_bytes = 77};
		struct err e = {0};
		if (parse_stat(bad[i], 2, &s, &e) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(s.anon_bytes, 77);
		assert_int_equal(s.have, 0);
		assert_non_null(strstr(e.text, "memory.stat: line "));
		assert_int_equal(parse_stat(bad[i], 2, &s, NULL), -EBADMSG);
	}
	struct sample s = {0};
	struct err e = {0};
	assert_int_equal(sample_parse_memory_stat("anon 1\0\n", 8, 2, &s, &e), -EBADMSG);
	assert_int_equal(sample_parse_memory_stat("anon 1\nfi\0le 2\n", 15, 2, &s, &e), 0); /* an unknown key, whatever is in it */
	assert_int_equal(s.file_bytes, 0);
	assert_int_equal(parse_stat("", 2, &s, &e), 0);
	assert_int_equal(parse_stat("anon 18446744073709551615\n", 2, &s, &e), 0);
	assert_int_equal(s.anon_bytes, UINT64_MAX);
}

static void test_events_of_each_kernel(void **unused)
{
	static const struct {
		const char *text;
		int have;
		struct sample_events want;
	} rows[] = {
		{"low 1\nhigh 2\nmax 161\noom 3\noom_kill 4\n", SAMPLE_HAS_EVENTS, {1, 2, 161, 3, 4, 0}}, /* 5.4 */
		{"low 0\nhigh 0\nmax 161\noom 1\noom_kill 3\noom_group_kill 1\n", SAMPLE_HAS_EVENTS | SAMPLE_HAS_GROUP, {0, 0, 161, 1, 3, 1}}, /* 6.1 */
		{"low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\noom_group_kill 0\nsock_throttled 9\n", SAMPLE_HAS_EVENTS | SAMPLE_HAS_GROUP, {0, 0, 5, 1, 1, 0}}, /* 7.2 */
		{"oom_kill_disable 0\nunder_oom 1\noom_kill 2\n", SAMPLE_HAS_EVENTS, {0, 0, 0, 0, 2, 0}}, /* v1 */
		{"oom_kill_disable 0\nunder_oom 0\n", 0, {0}},						   /* v1 before 4.13 */
		{"", 0, {0}},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sample_events events = {0};
		struct err e = {0};
		assert_int_equal(sample_parse_events(rows[i].text, strlen(rows[i].text), &events, &e), rows[i].have);
		assert_memory_equal(&events, &rows[i].want, sizeof(events));
	}
	struct sample_events events = {.oom_kill = 5};
	struct err e = {0};
	assert_int_equal(sample_parse_events("oom_kill 1\noom", 14, &events, &e), -EBADMSG);
	assert_int_equal(events.oom_kill, 5);
}

static void test_pressure(void **unused)
{
	static const char *const bad[] = {
		"some avg10=1.5 avg60=0.00 avg300=0.00 total=1\n", "some avg10=1.234 total=1\n", "some avg10=1,23 total=1\n", "some total=1\n", "some avg10=0.00\n",
		"none avg10=0.00 total=1\n", "some avg10=0.00 total=-1\n", "some avg10=0.00 total=1", "some avg10=.00 total=1\n", "some avg10=2000.00 total=1\n", "\n",
		"some\n", "some avg10= total=1\n", "someavg10=0.00 total=1\n",
	};
	static const char text[] = "some avg10=98.17 avg60=97.76 avg300=87.70 total=989448759\nfull avg10=0.05 avg60=0.00 avg300=0.04 total=6239686\n";
	static const char only_some[] = "some avg10=100.00 avg60=0.00 avg300=0.00 total=7\n"; /* cpu.pressure before 5.13 */
	struct sample_pressure p = {0};
	struct err e = {0};

	(void)unused;
	assert_int_equal(sample_parse_pressure(text, sizeof(text) - 1, &p, &e), 0);
	assert_int_equal(p.some_avg10_centi, 9817);
	assert_int_equal(p.some_total_us, 989448759);
	assert_int_equal(p.full_avg10_centi, 5);
	assert_int_equal(p.full_total_us, 6239686);
	assert_int_equal(sample_parse_pressure(only_some, sizeof(only_some) - 1, &p, &e), 0);
	assert_int_equal(p.some_avg10_centi, 10000);
	assert_int_equal(p.full_total_us, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		p.some_total_us = 55;
		if (sample_parse_pressure(bad[i], strlen(bad[i]), &p, &e) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(p.some_total_us, 55);
	}
}

static void test_cpu_stat_of_both_versions(void **unused)
{
	static const char v2[] = "usage_usec 100\nuser_usec 60\nsystem_usec 40\nnice_usec 0\ncore_sched.force_idle_usec 0\nnr_periods 10\nnr_throttled 3\n"
				 "throttled_usec 5000\nnr_bursts 0\nburst_usec 0\n";
	static const char v1[] = "nr_periods 10\nnr_throttled 3\nthrottled_time 5000999\nnr_bursts 0\nburst_time 0\n";
	struct sample s = {0};
	struct err e = {0};

	(void)unused;
	assert_int_equal(sample_parse_cpu_stat(v2, sizeof(v2) - 1, &s, &e), 0);
	assert_int_equal(s.have, SAMPLE_HAS_CPU);
	assert_int_equal(s.cpu_usage_us, 100);
	assert_int_equal(s.periods, 10);
	assert_int_equal(s.throttled_periods, 3);
	assert_int_equal(s.throttled_us, 5000);
	s = (struct sample){0};
	assert_int_equal(sample_parse_cpu_stat(v1, sizeof(v1) - 1, &s, &e), 0);
	assert_int_equal(s.throttled_us, 5000);
	assert_int_equal(s.throttled_periods, 3);
	assert_int_equal(s.have, SAMPLE_HAS_CPU);
}

static void test_io_of_both_versions(void **unused)
{
	static const struct {
		int version, want;
		const char *text;
		uint64_t read, written;
	} rows[] = {
		{2, 0, "8:0 rbytes=100 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:1 rbytes=1 wbytes=2 rios=1 wios=2 dbytes=0 dios=0\n", 101, 22},
		{2, 0, "", 0, 0},
		{2, 0, "8:0 \n", 0, 0},
		{2, 0, "8:0 8:16 rbytes=5 wbytes=6 rios=1\n", 5, 6}, /* the newline that some 5.x kernels leave out */
		{2, 0, "8:0 rbytes=1 wbytes=2 use_delay=0 depth=max cost.usage=0\n", 1, 2},
		{2, -EBADMSG, "8:0 rbytes=x wbytes=2\n", 0, 0},
		{2, -EBADMSG, "rbytes\n", 0, 0},
		{2, -EBADMSG, "8:0 rbytes=18446744073709551615 wbytes=0\n8:1 rbytes=1 wbytes=0\n", 0, 0},
		{1, 0, "8:0 Read 100\n8:0 Write 20\n8:0 Sync 110\n8:0 Async 10\n8:0 Discard 0\n8:0 Total 120\n8:1 Read 1\n8:1 Write 2\nTotal 123\n", 101, 22},
		{1, 0, "Total 0\n", 0, 0},
		{1, -EBADMSG, "8:0 Read\n", 0, 0},
		{1, -EBADMSG, "8:0 Read 1 2\n", 0, 0},
		{1, -EBADMSG, "sda Read 1\n", 0, 0},
		{1, -EBADMSG, "8:0 Read 1", 0, 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sample s = {0};
		struct err e = {0};
		int r = sample_parse_io_stat(rows[i].text, strlen(rows[i].text), rows[i].version, &s, &e);
		if (r != rows[i].want || s.io_read_bytes != rows[i].read || s.io_write_bytes != rows[i].written || s.have != (r < 0 ? 0 : SAMPLE_HAS_IO))
			fail_msg("row %zu: %d, %lu, %lu", i, r, s.io_read_bytes, s.io_write_bytes);
	}
}

static void test_numbers(void **unused)
{
	static const struct {
		const char *text;
		int want;
		uint64_t number;
	} rows[] = {
		{"0\n", 0, 0},
		{"max\n", 0, 0},
		{"52428800\n", 0, 50 * MIB},
		{"9223372036854771712\n", 0, 0}, /* v1, pages of 4 KiB */
		{"9223372036854710272\n", 0, 0}, /* of 64 KiB */
		{"9223372036854775807\n", 0, 0}, /* before 4.0 */
		{"", -EBADMSG, 9},
		{"1", -EBADMSG, 9},
		{"\n", -EBADMSG, 9},
		{"1\n2\n", -EBADMSG, 9},
		{"1 2\n", -EBADMSG, 9},
		{"-1\n", -EBADMSG, 9},
		{"maximum\n", -EBADMSG, 9},
		{"1e9\n", -EBADMSG, 9},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t n = 9;
		struct err e = {0};
		if (sample_parse_number(rows[i].text, strlen(rows[i].text), &n, &e) != rows[i].want || n != rows[i].number)
			fail_msg("'%s' is %lu", rows[i].text, n);
	}
	struct sample s = {0};
	struct err e = {0};
	assert_int_equal(sample_parse_pids_events("max 12\n", 7, &s, &e), 0);
	assert_int_equal(s.pids_max_events, 12);
	assert_int_equal(sample_parse_pids_events("max twelve\n", 11, &s, &e), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_stat_of_each_kernel),
		cmocka_unit_test(test_memory_stat_of_v1_is_the_trees),
		cmocka_unit_test(test_what_is_no_stat_is_refused_and_leaves_nothing),
		cmocka_unit_test(test_events_of_each_kernel),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_cpu_stat_of_both_versions),
		cmocka_unit_test(test_io_of_both_versions),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
