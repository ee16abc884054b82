/* A checkpoint's server: the bytes of a ping, and what follows from its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/checkpoint.h"
#include "volumes/nfs_ping.h"

#define S 1000000ULL

/* --- the ping --- */

static void test_the_call_is_as_the_rfc_has_it(void **unused)
{
	static const uint8_t want[NFS_PING_BYTES] = {0x80, 0, 0, 40, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0x86, 0xa3, 0, 0, 0, 4};
	uint8_t call[NFS_PING_BYTES];

	(void)unused;
	nfs_ping_build(0x01020304, 4, call);
	assert_memory_equal(call, want, sizeof(want));
}

static void test_every_reply_has_a_meaning(void **unused)
{
	static const struct {
		uint8_t bytes[36];
		size_t length;
		enum nfs_ping_answer want;
		const char *why;
	} rows[] = {
		{{0x80, 0, 0, 24, 1, 2, 3, 4, 0, 0, 0, 1}, 28, NFS_PING_SERVED, ""},
		{{0x80, 0, 0, 24, 1, 2, 3, 4, 0, 0, 0, 1}, 27, NFS_PING_MORE, NULL},
		{{0x80, 0}, 2, NFS_PING_MORE, NULL},
		{{0x80, 0, 0, 32, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3}, 36, NFS_PING_REFUSED,
		 "it does not serve this version of NFS"},
		{{0x80, 0, 0, 24, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 28, NFS_PING_REFUSED, "it answers with an unknown status"},
		{{0x80, 0, 0, 20, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 1}, 24, NFS_PING_REFUSED, "it refuses the call"},
		/* another call's, a call, too short, in pieces, a verifier beyond the reply, and one beyond all sizes */
		{{0x80, 0, 0, 24, 1, 2, 3, 5, 0, 0, 0, 1}, 28, NFS_PING_BROKEN, NULL},
		{{0x80, 0, 0, 24, 1, 2, 3, 4, 0, 0, 0, 0}, 28, NFS_PING_BROKEN, NULL},
		{{0x80, 0, 0, 20, 1, 2, 3, 4, 0, 0, 0, 1}, 24, NFS_PING_BROKEN, NULL},
		{{0, 0, 0, 24, 1, 2, 3, 4, 0, 0, 0, 1}, 28, NFS_PING_BROKEN, NULL},
		{{0x80, 0, 0, 24, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8}, 28, NFS_PING_BROKEN, NULL},
		{{0x80, 0, 0, 24, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 28, NFS_PING_BROKEN, NULL},
		{{'H', 'T', 'T', 'P', '/'}, 28, NFS_PING_BROKEN, NULL},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = NULL;
		assert_int_equal(nfs_ping_read(rows[i].bytes, rows[i].length, 0x01020304, &why), rows[i].want);
		assert_non_null(why);
		if (rows[i].why)
			assert_string_equal(why, rows[i].why);
	}
}

/* --- the state --- */

struct step {
	uint64_t at_s;
	enum checkpoint_event event;
	enum checkpoint_state want;
};

static void walk(const struct step *steps, size_t count)
{
	struct checkpoint c = {0};

	for (size_t i = 0; i < count; i++) {
		c = checkpoint_step(c, steps[i].event, "words", steps[i].at_s * S);
		if (c.state != steps[i].want)
			fail_msg("step %zu: %s instead of %s", i, checkpoint_state_name(c.state), checkpoint_state_name(steps[i].want));
		assert_int_equal(*c.words == '\0', c.state == CHECKPOINT_HEALTHY || c.state == CHECKPOINT_UNKNOWN);
	}
}

static void test_a_server_goes_and_comes_back(void **unused)
{
	static const struct step steps[] = {
		{1, CHECKPOINT_ANSWERED, CHECKPOINT_HEALTHY},	   {5, CHECKPOINT_SILENT, CHECKPOINT_SLOW},
		{10, CHECKPOINT_SILENT, CHECKPOINT_UNREACHABLE},   {15, CHECKPOINT_SILENT, CHECKPOINT_UNREACHABLE},
		{20, CHECKPOINT_HINT, CHECKPOINT_UNREACHABLE},	   {30, CHECKPOINT_ANSWERED, CHECKPOINT_RECOVERED},
		{35, CHECKPOINT_ANSWERED, CHECKPOINT_RECOVERED},   {36, CHECKPOINT_SILENT, CHECKPOINT_UNREACHABLE},
		{40, CHECKPOINT_ANSWERED, CHECKPOINT_RECOVERED},   {45, CHECKPOINT_ANSWERED, CHECKPOINT_RECOVERED},
		{49, CHECKPOINT_ANSWERED, CHECKPOINT_RECOVERED}, /* enough answers, too early */
		{50, CHECKPOINT_ANSWERED, CHECKPOINT_HEALTHY},
	};

	(void)unused;
	walk(steps, ARRAY_SIZE(steps));
}

static void test_one_silence_or_a_hint_refuses_nothing(void **unused)
{
	static const struct step steps[] = {
		{1, CHECKPOINT_MOUNTED, CHECKPOINT_HEALTHY}, {2, CHECKPOINT_HINT, CHECKPOINT_SLOW},	{3, CHECKPOINT_SILENT, CHECKPOINT_SLOW},
		{4, CHECKPOINT_ANSWERED, CHECKPOINT_SLOW},   {5, CHECKPOINT_SILENT, CHECKPOINT_SLOW},	{6, CHECKPOINT_ANSWERED, CHECKPOINT_SLOW},
		{9, CHECKPOINT_LATE, CHECKPOINT_SLOW},	     {12, CHECKPOINT_ANSWERED, CHECKPOINT_SLOW}, {13, CHECKPOINT_ANSWERED, CHECKPOINT_SLOW},
		{14, CHECKPOINT_ANSWERED, CHECKPOINT_HEALTHY},
	};

	(void)unused;
	walk(steps, ARRAY_SIZE(steps));
}

static void test_only_a_new_mount_ends_a_stale_one(void **unused)
{
	static const struct step steps[] = {
		{1, CHECKPOINT_ANSWERED, CHECKPOINT_HEALTHY}, {2, CHECKPOINT_LOST, CHECKPOINT_STALE},	    {20, CHECKPOINT_ANSWERED, CHECKPOINT_STALE},
		{21, CHECKPOINT_SILENT, CHECKPOINT_STALE},    {22, CHECKPOINT_MOUNTED, CHECKPOINT_RECOVERED}, {23, CHECKPOINT_LOST, CHECKPOINT_STALE},
		{24, CHECKPOINT_MOUNTED, CHECKPOINT_RECOVERED},
	};

	(void)unused;
	walk(steps, ARRAY_SIZE(steps));
}

static void test_every_pair_has_an_answer(void **unused)
{
	(void)unused;
	for (unsigned state = 0; state < CHECKPOINT_STATE_MAX_; state++) {
		for (unsigned event = 0; event < CHECKPOINT_EVENT_MAX_; event++) {
			struct checkpoint c = {.state = state, .since_us = S};
			c = checkpoint_step(c, event, NULL, 2 * S);
			assert_true((unsigned)c.state < CHECKPOINT_STATE_MAX_);
			/* unreachable and stale refuse pods: neither a hint nor a late answer leads there */
			if (checkpoint_is_usable(&(struct checkpoint){.state = state}) && (event == CHECKPOINT_HINT || event == CHECKPOINT_LATE))
				assert_true(checkpoint_is_usable(&c));
		}
		assert_string_not_equal(checkpoint_state_name(state), "?");
		assert_string_not_equal(checkpoint_state_reason(state), "?");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_call_is_as_the_rfc_has_it),
		cmocka_unit_test(test_every_reply_has_a_meaning),
		cmocka_unit_test(test_a_server_goes_and_comes_back),
		cmocka_unit_test(test_one_silence_or_a_hint_refuses_nothing),
		cmocka_unit_test(test_only_a_new_mount_ends_a_stale_one),
		cmocka_unit_test(test_every_pair_has_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
