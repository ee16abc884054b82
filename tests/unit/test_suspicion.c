/* Which executors may live on and fail their tasks, when their logs are asked, and what in them is news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/death.h"
#include "health/suspicion.h"

#define MIB (1024ULL * 1024)
#define SEC 1000000ULL
#define UID "5ab0f1c2-1111-2222-3333-444455556666"

static struct volume volume_of(const char *pod_uid, uint32_t type, const char *name, uint64_t mib)
{
	struct volume v = {.at.place = VOLUME_AT_CSI, .type = type, .size_bytes = mib * MIB};

	str_copy(v.at.pod_uid, sizeof(v.at.pod_uid), pod_uid);
	str_copy(v.at.name, sizeof(v.at.name), name);
	return v;
}

/* Another pod's, a disk's and one that is not mounted yet are not what fills its memory. */
static void fill(struct volumes *table, unsigned scratch_count)
{
	const struct volume all[] = {volume_of("other", VOLUME_SCRATCH, "others", 1024), volume_of(UID, VOLUME_DISK, "disk", 1024), volume_of(UID, VOLUME_SCRATCH, "waits", 1024),
				     volume_of(UID, VOLUME_SCRATCH, "one", 64), volume_of(UID, VOLUME_SCRATCH, "two", 128)};

	for (size_t i = 0; i < 3 + scratch_count; i++)
		volumes_put(table, &all[i])->made = i != 2;
}

static const struct {
	const char *name;
	unsigned volumes; /* of scratch: 64 MiB, and 128 */
	uint64_t injected, used, peak, seen, seen_peak; /* MiB */
	bool sidecar, bad_disk, warned_disk;
	const char *scratch; /* NULL = it is not suspected */
	uint64_t total;	     /* MiB */
} rows[] = {
	{"it has none in memory", 0, 0, 900, 900, 0, 0, false, false, false, NULL, 0},
	{"a quarter of it has come", 1, 0, 17, 17, 0, 0, false, false, false, "one", 64},
	{"less than a quarter", 1, 0, 16, 16, 0, 0, false, false, false, NULL, 0},
	{"a quarter of all together", 2, 0, 49, 49, 0, 0, false, false, false, "one or two", 192},
	{"… of one of the two", 2, 0, 40, 40, 0, 0, false, false, false, NULL, 0},
	{"nothing has moved since it was asked", 1, 0, 500, 500, 495, 495, false, false, false, NULL, 0},
	{"what was written is gone again", 1, 0, 100, 500, 200, 500, false, false, false, "one", 64},
	{"written and gone in between: only its highest use tells", 1, 0, 200, 300, 200, 280, false, false, false, "one", 64},
	{"what was given at its creation is no volume of its pod", 0, 64, 17, 17, 0, 0, false, false, false, "injected", 64},
	{"… beside one that is", 1, 64, 33, 33, 0, 0, false, false, false, "one or injected", 128},
	{"its neighbour's scratch", 2, 64, 900, 900, 0, 0, true, false, false, NULL, 0},
	{"its own disk is sick", 0, 0, 0, 0, 0, 0, false, true, false, "", 0},
	{"… which comes before scratch that moved", 2, 64, 900, 900, 0, 0, false, true, false, "", 0},
	{"its neighbour's disk", 0, 0, 0, 0, 0, 0, true, true, false, NULL, 0},
	{"a warning is no fault", 0, 0, 900, 900, 0, 0, false, false, true, NULL, 0},
};

static void test_who_is_suspected_and_of_what(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct volumes table = {0};
		struct executor x = {.injected_bytes = rows[i].injected * MIB, .sidecar = rows[i].sidecar};
		const struct sample last = {.current_bytes = rows[i].used * MIB, .peak_bytes = rows[i].peak * MIB};
		const struct suspicion earlier = {.seen_bytes = rows[i].seen * MIB, .seen_peak_bytes = rows[i].seen_peak * MIB};
		const struct local_disk disk = {.reason = "SpaceExhausted", .bad = rows[i].bad_disk}, nothing = {0};
		struct suspect found;

		str_copy(x.pod_uid, sizeof(x.pod_uid), UID);
		fill(&table, rows[i].volumes);
		const bool is = suspicion_find(rows[i].seen ? &earlier : NULL, &table, &x, &last, rows[i].bad_disk || rows[i].warned_disk ? &disk : &nothing, &found);
		if (is != (rows[i].scratch != NULL) || (is && (strcmp(found.scratch, rows[i].scratch) != 0 || found.scratch_bytes != rows[i].total * MIB)))
			fail_msg("%s: %d '%s' %llu", rows[i].name, is, found.scratch, (unsigned long long)found.scratch_bytes / MIB);
		volumes_drop(&table);
	}
}

static void test_what_its_log_was_asked_for_is_remembered(void **unused)
{
	const struct sample last = {.current_bytes = 100 * MIB, .peak_bytes = 200 * MIB};
	const struct suspect scratch = {"one", 64 * MIB}, disk = {"", 0};
	struct suspicion s = {0};

	(void)unused;
	assert_true(suspicion_is_due(NULL, 1 * SEC));
	assert_true(suspicion_is_due(&s, 1 * SEC));
	suspicion_asked(&s, &scratch, &last, 0, 1 * SEC); /* nobody could be asked: what moved is still to be asked for */
	assert_int_equal(s.seen_bytes, 0);
	assert_false(suspicion_is_due(&s, SUSPICION_AGAIN_US));
	assert_true(suspicion_is_due(&s, 1 * SEC + SUSPICION_AGAIN_US));
	suspicion_asked(&s, &disk, &last, 7, 20 * SEC);
	assert_int_equal(s.seen_bytes, 0);
	suspicion_asked(&s, &scratch, &last, 8, 40 * SEC);
	assert_int_equal(s.seen_bytes, 100 * MIB);
	assert_int_equal(s.seen_peak_bytes, 200 * MIB);
	suspicion_told(&s, "words", 41 * SEC);
	assert_false(suspicion_is_due(&s, 40 * SEC + SUSPICION_TOLD_US));
	assert_true(suspicion_is_due(&s, 41 * SEC + SUSPICION_TOLD_US));
}

static void test_what_is_news(void **unused)
{
	struct suspicion scratch = {.of = {"one", 64 * MIB}}, disk = {.id = 1};

	(void)unused;
	assert_true(suspicion_is_news(&scratch, DEATH_LOG_NO_SPACE | DEATH_LOG_EXCEPTION, "a"));
	assert_false(suspicion_is_news(&scratch, DEATH_LOG_IO_ERROR, "a")); /* a volume in memory does not fail so */
	assert_true(suspicion_is_news(&disk, DEATH_LOG_IO_ERROR, "a"));
	assert_false(suspicion_is_news(&disk, DEATH_LOG_HEAP_OOM, "a"));
	suspicion_told(&scratch, "a", 1 * SEC);
	assert_false(suspicion_is_news(&scratch, DEATH_LOG_NO_SPACE, "a"));
	assert_true(suspicion_is_news(&scratch, DEATH_LOG_NO_SPACE, "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_suspected_and_of_what),
		cmocka_unit_test(test_what_its_log_was_asked_for_is_remembered),
		cmocka_unit_test(test_what_is_news),
	};

	return cmocka_run_group_tests_name("suspicion", tests, NULL, NULL);
}
