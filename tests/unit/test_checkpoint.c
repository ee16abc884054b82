/* A checkpoint's server: the bytes of a ping, and what follows from its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/checkpoint.h"
#include "health/checkpoint_report.h"
#include "volumes/nfs_ping.h"
#include "volumes/nfs_stats.h"

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

/* --- what its calls take --- */

static void read_stats(struct nfs_stats_search *search, const char *text)
{
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		if (!nfs_stats_line(search, line, strcspn(line, "\n")))
			break;
}

static void test_calls_of_one_mount_are_added_up(void **unused)
{
	static const char text[] = "device rootfs mounted on / with fstype virtiofs\n"
				   "device nas1:/spark mounted on /var/lib/kubelet/pods/x with fstype nfs4 statvers=1.1\n"
				   "\t       WRITE: 9 9 0 1 1 0 9 9999 0\n"
				   "device nas1:/spark mounted on /run/stoker/checkpoints/team with fstype nfs4 statvers=1.1\n"
				   "\topts:\trw,vers=4.2\n\tevents:\t1 2 3 4 5 6 7 8 9\n\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)\n"
				   "\txprt:\ttcp 0 0 1 0 0 9 9 0 9 0 2 0 0\n\tper-op statistics\n"
				   "\t        NULL: 1 1 0 44 24 0 0 0 0\n\t       WRITE: 3 3 0 1256 528 1 3000 3002 0\n\t      COMMIT: 1 1 0 200 100 0 2 5\n"
				   "\t        READ: 1 1 0 200 100 0 2\n\n" /* cut */
				   "device nas1:/spark mounted on /other/checkpoints/team with fstype nfs4 statvers=1.1\n"
				   "\t       WRITE: 9 9 0 1 1 0 9 9999 0\n";
	struct nfs_stats_search ours = {.source = "nas1:/spark", .mount_point_end = "/checkpoints/team"};
	struct nfs_stats_search other = {.source = "nas1:/spar", .mount_point_end = "/checkpoints/team"};

	(void)unused;
	read_stats(&ours, text);
	assert_true(ours.found);
	assert_int_equal(ours.stats.calls, 4);
	assert_int_equal(ours.stats.wait_ms, 3007);
	read_stats(&other, text);
	assert_false(other.found);
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

/* Each other word is a write to the API server, and there are several who find the same fault. */
static void test_a_state_keeps_the_words_that_began_it(void **unused)
{
	struct checkpoint c = checkpoint_step((struct checkpoint){0}, CHECKPOINT_ANSWERED, NULL, S);

	(void)unused;
	c = checkpoint_step(c, CHECKPOINT_LATE, "it answers late", 2 * S);
	c = checkpoint_step(c, CHECKPOINT_LATE, "statfs is slow", 3 * S);
	assert_string_equal(c.words, "it answers late");
	c = checkpoint_step(c, CHECKPOINT_SILENT, "refused", 4 * S);
	assert_string_equal(c.words, "it answers late");
	c = checkpoint_step(c, CHECKPOINT_SILENT, "no connection", 5 * S);
	assert_int_equal(c.state, CHECKPOINT_UNREACHABLE);
	assert_string_equal(c.words, "no connection");
	c = checkpoint_step(c, CHECKPOINT_SILENT, "refused", 6 * S);
	assert_string_equal(c.words, "no connection");
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

/* --- the condition --- */

static void test_the_worst_checkpoint_speaks(void **unused)
{
	/* One letter a checkpoint: u h s n(ot reachable) t(ale) r. */
	static const struct {
		const char *states;
		enum condition_status status;
		const char *reason, *words;
	} rows[] = {
		{"u", CONDITION_UNKNOWN, "NotProbed", "1 of 1 checkpoints have not been used yet"},
		{"uh", CONDITION_TRUE, "AllProbesPassed", "1 of 2 checkpoints answer"},
		{"hh", CONDITION_TRUE, "AllProbesPassed", "2 of 2 checkpoints answer"},
		{"hs", CONDITION_TRUE, "CheckpointSlow", "checkpoint c1 (nas:/x) is slow: words since 2026"},
		{"rh", CONDITION_TRUE, "CheckpointRecovered", "checkpoint c0 (nas:/x) is recovered: words since 2026"},
		{"hts", CONDITION_FALSE, "CheckpointStale", "checkpoint c1 (nas:/x) is stale: words since 2026"},
		{"tnnh", CONDITION_FALSE, "CheckpointUnreachable", "; 2 of 4 checkpoints"},
	};
	scoped(scoped_free) struct config *config = calloc(1, sizeof(*config));
	struct report_condition c;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scoped(scoped_free) struct health *h = calloc(1, sizeof(*h));
		for (const char *s = rows[i].states; *s; s++) {
			struct health_checkpoint *one = &h->checkpoints[h->checkpoint_count];
			*one = (struct health_checkpoint){.name = "c0", .source = "nas:/x", .state = (enum checkpoint_state)(strchr("uhsntr", *s) - "uhsntr"), .message = "words"};
			one->name[1] = (char)('0' + h->checkpoint_count++);
			one->since_wall_us = 1795680900ULL * S;
		}
		memset(&c, 0x5a, sizeof(c)); /* nothing of before may shine through */
		c.transition_wall_us = 8;
		checkpoint_report(h, config, &c);
		assert_string_equal(c.type, "stoker.dev/CheckpointReady");
		assert_int_equal(c.status, rows[i].status);
		assert_string_equal(c.reason, rows[i].reason);
		assert_int_equal(c.transition_wall_us, 8);
		if (!strstr(c.message, rows[i].words))
			fail_msg("'%s' is not in '%s'", rows[i].words, c.message);
		config->retire = true;
		checkpoint_report(h, config, &c);
		assert_string_equal(c.type, "");
		config->retire = false;
	}
	scoped(scoped_free) struct health *none = calloc(1, sizeof(*none));
	checkpoint_report(none, config, &c);
	assert_string_equal(c.type, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_call_is_as_the_rfc_has_it),
		cmocka_unit_test(test_every_reply_has_a_meaning),
		cmocka_unit_test(test_calls_of_one_mount_are_added_up),
		cmocka_unit_test(test_a_server_goes_and_comes_back),
		cmocka_unit_test(test_one_silence_or_a_hint_refuses_nothing),
		cmocka_unit_test(test_a_state_keeps_the_words_that_began_it),
		cmocka_unit_test(test_only_a_new_mount_ends_a_stale_one),
		cmocka_unit_test(test_every_pair_has_an_answer),
		cmocka_unit_test(test_the_worst_checkpoint_speaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
