/* Who fills a filesystem: rounds of measurements, growth, shares, words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"
#include "health/accounts.h"
#include "health/volume_view.h"

#define S   1000000ULL
#define GIB (1ULL << 30)

static void place(struct accounts *a, const char *uid, const char *pod, uint32_t minor, uint64_t bytes, uint64_t inodes, bool at_least, uint64_t at_us)
{
	struct account_place p = {.kind = ACCOUNT_EMPTY_DIR, .device_major = 8, .device_minor = minor, .bytes = bytes, .inodes = inodes, .at_least = at_least};

	str_copy(p.pod_uid, sizeof(p.pod_uid), uid);
	str_copy(p.pod, sizeof(p.pod), pod);
	str_copy(p.name_space, sizeof(p.name_space), *pod ? "spark" : "");
	assert_true(account_place_is_well_formed(&p));
	accounts_take(a, &p, at_us);
}

static void round_of(struct accounts *a, uint64_t at_us, uint64_t one, uint64_t two)
{
	accounts_begin(a, false, at_us);
	place(a, "u1", "etl-exec-3", 1, one, 10, false, at_us);
	place(a, "u1", "etl-exec-3", 2, 500 * GIB, 10, false, at_us); /* another disk */
	place(a, "u2", "big", 1, two, 5000, false, at_us);
	accounts_end(a);
}

static void test_the_fastest_and_the_largest_are_named(void **unused)
{
	struct accounts a = {0};
	char text[256];
	uint64_t pods, before;

	(void)unused;
	round_of(&a, 1000 * S, 1 * GIB, 30 * GIB);
	assert_true(accounts_blame(&a, 8, 1, SPACE_BYTES, 50 * GIB, text, sizeof(text), &before));
	assert_string_equal(text, "pod spark/big holds 30.0 GiB, 60 % of what is used");
	round_of(&a, 1600 * S, 21 * GIB, 30 * GIB);
	assert_true(accounts_blame(&a, 8, 1, SPACE_BYTES, 70 * GIB, text, sizeof(text), &pods));
	assert_string_equal(text, "pod spark/etl-exec-3 wrote 20.0 GiB in 10 min; pod spark/big holds 30.0 GiB, 43 % of what is used");
	assert_true(pods != before);
	round_of(&a, 1660 * S, 42 * GIB, 20 * GIB);
	assert_true(accounts_blame(&a, 8, 1, SPACE_BYTES, 84 * GIB, text, sizeof(text), &pods));
	assert_string_equal(text, "pod spark/etl-exec-3 wrote 41.0 GiB in 11 min, 50 % of what is used");
	assert_true(accounts_blame(&a, 8, 1, SPACE_INODES, 10000, text, sizeof(text), &pods));
	assert_string_equal(text, "pod spark/big holds 5000 files, 50 % of what is used");
	assert_false(accounts_blame(&a, 8, 3, SPACE_BYTES, 84 * GIB, text, sizeof(text), &pods)); /* a disk that nobody writes to */
	accounts_free(&a);
}

static void test_crumbs_are_nobodys_fault(void **unused)
{
	struct accounts a = {0};
	char text[256];
	uint64_t pods;

	(void)unused;
	round_of(&a, 1000 * S, 1, 2);
	round_of(&a, 1600 * S, 1000, 2);
	assert_false(accounts_blame(&a, 8, 1, SPACE_BYTES, 50 * GIB, text, sizeof(text), &pods));
	assert_string_equal(text, "");
	accounts_free(&a);
}

static void test_a_cut_walk_says_at_least_and_dead_pods_are_named_so(void **unused)
{
	struct accounts a = {0};
	char text[256];
	uint64_t pods;

	(void)unused;
	accounts_begin(&a, true, 1 * S);
	place(&a, "", "", 1, 4 * GIB, 7, false, 1 * S);
	place(&a, "", "", 1, 4 * GIB, 7, true, 1 * S);
	accounts_end(&a);
	assert_true(accounts_blame(&a, 8, 1, SPACE_BYTES, 10 * GIB, text, sizeof(text), &pods));
	assert_string_equal(text, "what dead pods left on hostPaths holds at least 8.0 GiB, at least 80 % of what is used");
	accounts_free(&a);
}

static void test_who_is_gone_is_forgotten_and_growth_is_of_the_last_minutes(void **unused)
{
	struct accounts a = {0};
	char text[256];
	uint64_t pods;

	(void)unused;
	for (uint64_t i = 0; i < 40; i++)
		round_of(&a, (1000 + 60 * i) * S, (1 + i) * GIB, 2 * GIB);
	assert_int_equal(a.count, 3);
	assert_true(accounts_blame(&a, 8, 1, SPACE_BYTES, 50 * GIB, text, sizeof(text), &pods));
	assert_string_equal(text, "pod spark/etl-exec-3 wrote 7.0 GiB in 7 min, 80 % of what is used"); /* eight samples */
	accounts_begin(&a, false, 9000 * S);
	place(&a, "u2", "big", 1, 2 * GIB, 1, false, 9000 * S);
	accounts_end(&a);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.kind_bytes[ACCOUNT_EMPTY_DIR], 2 * GIB);
	accounts_free(&a);
}

static void test_rounds_are_rare_while_all_is_well(void **unused)
{
	struct accounts a = {0};

	(void)unused;
	assert_true(accounts_is_due(&a, false, 5 * S));
	accounts_begin(&a, false, 100 * S);
	assert_false(accounts_is_due(&a, false, 699 * S));
	assert_true(accounts_is_due(&a, false, 700 * S));
	assert_false(accounts_is_due(&a, true, 104 * S)); /* it has just become so */
	assert_true(accounts_is_due(&a, true, 105 * S));
	accounts_begin(&a, true, 100 * S);
	assert_false(accounts_is_due(&a, true, 129 * S));
	assert_true(accounts_is_due(&a, true, 130 * S));
}

/* What `stoker volumes` shows: there and back, whoever wrote the most first, one fastest for each filesystem. */
static void test_the_views_of_a_round(void **unused)
{
	struct accounts a = {0};
	struct account_view views[4];
	char *text = NULL;
	size_t count = 0;
	struct err e = {0};

	(void)unused;
	round_of(&a, 1000 * S, 1 * GIB, 30 * GIB);
	round_of(&a, 1600 * S, 21 * GIB, 31 * GIB);
	account_views(&a, 1610 * S, 5000 * S, views);
	assert_int_equal(volume_views_to_json(NULL, 0, views, a.count, "n", 5000 * S, &text, &e), 0);
	struct account_view *again = view_list_from_json(&account_list, text, strlen(text), &count, &e);
	assert_non_null(again);
	assert_int_equal(count, 3);
	assert_string_equal(again[0].pod, "spark/etl-exec-3");
	assert_string_equal(again[0].filesystem, "8:1");
	assert_true(again[0].grown_bytes == 20 * GIB && again[0].grown_seconds == 600 && again[0].fastest && again[0].bytes == 21 * GIB);
	assert_true(again[0].measured_wall_us == 4990 * S && again[0].inodes == 10 && !again[0].at_least);
	assert_string_equal(again[1].pod, "spark/big");
	assert_true(again[1].grown_bytes == GIB && !again[1].fastest);
	assert_string_equal(again[2].filesystem, "8:2"); /* the largest, and nothing new */
	assert_true(again[2].grown_bytes == 0 && !again[2].fastest && again[2].bytes == 500 * GIB);
	free(text);
	free(again);
	/* of an older agent */
	static const char older[] = "{\"apiVersion\":\"stoker.dev/v1alpha1\",\"kind\":\"VolumeList\",\"items\":[]}";
	again = view_list_from_json(&account_list, older, strlen(older), &count, &e);
	assert_non_null(again);
	assert_int_equal(count, 0);
	free(again);
	accounts_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_fastest_and_the_largest_are_named),
		cmocka_unit_test(test_crumbs_are_nobodys_fault),
		cmocka_unit_test(test_a_cut_walk_says_at_least_and_dead_pods_are_named_so),
		cmocka_unit_test(test_who_is_gone_is_forgotten_and_growth_is_of_the_last_minutes),
		cmocka_unit_test(test_the_views_of_a_round),
		cmocka_unit_test(test_rounds_are_rare_while_all_is_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
