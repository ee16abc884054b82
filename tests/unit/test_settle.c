/* When an end is settled: what is waited for, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/settle.h"

#define MS 1000ULL
#define T0 1000000000ULL
#define ASKED(whom, ...) .questions[SETTLE_##whom] = {__VA_ARGS__}

static const struct {
	const char *name;
	struct settle_evidence evidence; /* times are after T0; 0 stays 0 */
	enum settle_what what;
	uint64_t until_us; /* after T0; 0 = not looked at */
	bool ask_log, ask_runtime, ask_api;
} settles[] = {
	{"nothing has happened", {.now_us = 1}, SETTLE_IDLE, 0, false},
	{"a kill just now: it may be the end", {.now_us = 1, .killed_us = 1, .counted = 1, .logged = 1}, SETTLE_WAIT, 1 + SETTLE_POLL_US, false},
	{"a kill 49 ms ago", {.now_us = 49 * MS, .killed_us = 1, .counted = 1, .logged = 1}, SETTLE_WAIT, 1 + SETTLE_WORKER_US, false},
	{"a kill 50 ms ago was survived", {.now_us = 1 + SETTLE_WORKER_US, .killed_us = 1, .counted = 1, .logged = 1}, SETTLE_WORKER, 0, false},
	{"the victim is on its way out", {.now_us = 90 * MS, .killed_us = 1, .counted = 1, .logged = 1, .victims_left = true}, SETTLE_WAIT, 100 * MS, false},
	{"what it lives by was killed", {.now_us = 90 * MS, .killed_us = 1, .counted = 1, .logged = 1, .main_killed = true}, SETTLE_WAIT, 100 * MS, false},
	{"… and yet it lives", {.now_us = 1 + SETTLE_MAIN_US, .killed_us = 1, .counted = 1, .logged = 1, .main_killed = true}, SETTLE_WORKER, 0, false},
	{"a neighbour's victim is reaped, and it goes on: a second from then",
	 {.now_us = 500 * MS, .killed_us = 1, .counted = 1, .logged = 1, .main_killed = true, .reaped_us = 100 * MS}, SETTLE_WAIT, 510 * MS, false},
	{"… which is over", {.now_us = 100 * MS + SETTLE_REAPED_US, .killed_us = 1, .counted = 1, .logged = 1, .main_killed = true, .reaped_us = 100 * MS}, SETTLE_WORKER, 0, false},
	{"… but it ended in it",
	 {.now_us = 100 * MS + SETTLE_REAPED_US, .killed_us = 1, .counted = 1, .logged = 1, .main_killed = true, .reaped_us = 100 * MS, .log_is_read = true, .ended_us = 900 * MS}, SETTLE_END, 0, false},
	{"reaped as late as can be: no longer than without", {.now_us = 1 + SETTLE_MAIN_US, .killed_us = 1, .counted = 1, .logged = 1, .main_killed = true, .reaped_us = SETTLE_MAIN_US}, SETTLE_WORKER, 0, false},
	{"killed and ended: nothing else is needed",
	 {.now_us = 2 * MS, .killed_us = 1, .counted = 1, .logged = 1, .log_is_read = true, .main_killed = true, .ended_us = 2 * MS, .code_may_come = true},
	 SETTLE_END, 0, false},
	{"the counter is faster than the kernel's log",
	 {.now_us = 2 * MS, .killed_us = 1 * MS, .counted = 1, .log_is_read = true, .main_killed = true, .ended_us = 2 * MS},
	 SETTLE_WAIT, 1 * MS + SETTLE_LOG_LAG_US, false},
	{"the kernel's log never told",
	 {.now_us = 1 * MS + SETTLE_LOG_LAG_US, .killed_us = 1 * MS, .counted = 1, .log_is_read = true, .main_killed = true, .ended_us = 2 * MS},
	 SETTLE_END, 0, false},
	{"without a kernel's log nobody waits for it", {.now_us = 2 * MS, .killed_us = 1 * MS, .counted = 1, .main_killed = true, .ended_us = 2 * MS}, SETTLE_END, 0, false},
	{"an exit with its code: its last words are asked for",
	 {.now_us = 2 * MS, .ended_us = 2 * MS, .has_code = true, .log_is_read = true}, SETTLE_WAIT, 2 * MS + SETTLE_KERNEL_US, true},
	{"… and come, but the kernel may have more to say",
	 {.now_us = 3 * MS, .ended_us = 2 * MS, .has_code = true, .log_is_read = true, ASKED(LOG, .asked_us = 2 * MS, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_KERNEL_US, false},
	{"… and all is there",
	 {.now_us = 2 * MS + SETTLE_KERNEL_US, .ended_us = 2 * MS, .has_code = true, .log_is_read = true, ASKED(LOG, .asked_us = 2 * MS, .is_known = true)},
	 SETTLE_END, 0, false},
	{"the last words do not come",
	 {.now_us = 2 * MS + SETTLE_TAIL_US, .ended_us = 2 * MS, .has_code = true, .log_is_read = true, ASKED(LOG, .asked_us = 2 * MS)}, SETTLE_END, 0, false},
	{"without a code, the cgroup still there",
	 {.now_us = 300 * MS, .ended_us = 2 * MS, .code_may_come = true, ASKED(LOG, .is_known = true)}, SETTLE_WAIT, 2 * MS + SETTLE_CODE_US, false},
	{"without a code, the cgroup gone: a second from then",
	 {.now_us = 500 * MS, .ended_us = 2 * MS, .gone_us = 400 * MS, .code_may_come = true, ASKED(LOG, .is_known = true)}, SETTLE_WAIT, 400 * MS + SETTLE_CODE_US, false},
	{"without a code for good",
	 {.now_us = 400 * MS + SETTLE_CODE_US, .ended_us = 2 * MS, .gone_us = 400 * MS, .code_may_come = true, ASKED(RUNTIME, .is_known = true), ASKED(LOG, .is_known = true)}, SETTLE_END, 0, false},
	{"a runtime that tells no codes is not waited for",
	 {.now_us = 500 * MS, .ended_us = 2 * MS, .gone_us = 400 * MS, ASKED(RUNTIME, .is_known = true), ASKED(LOG, .is_known = true)}, SETTLE_END, 0, false},
	{"no code comes by itself: the runtime is asked", {.now_us = 2 * MS, .ended_us = 2 * MS, ASKED(LOG, .is_known = true)}, SETTLE_WAIT, 2 * MS + SETTLE_STATUS_US, false, true},
	{"… and thinks", {.now_us = 3 * MS, .ended_us = 2 * MS, ASKED(RUNTIME, .asked_us = 2 * MS, .awaited = true), ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_STATUS_US, false, false},
	{"… and says that it runs: in a moment again", {.now_us = 3 * MS, .ended_us = 2 * MS, ASKED(RUNTIME, .asked_us = 2 * MS), ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_ASK_US, false, false},
	{"… which is now", {.now_us = 2 * MS + SETTLE_ASK_US, .ended_us = 2 * MS, ASKED(RUNTIME, .asked_us = 2 * MS), ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_STATUS_US, false, true},
	{"… and never says more", {.now_us = 2 * MS + SETTLE_STATUS_US, .ended_us = 2 * MS, ASKED(RUNTIME, .asked_us = 2 * MS), ASKED(LOG, .is_known = true)}, SETTLE_END, 0, false, false},
	{"… and knows it not", {.now_us = 3 * MS, .ended_us = 2 * MS, ASKED(RUNTIME, .asked_us = 2 * MS, .is_known = true), ASKED(LOG, .is_known = true)}, SETTLE_END, 0, false, false},
	{"a code that should have come did not: the runtime is asked",
	 {.now_us = 400 * MS + SETTLE_CODE_US, .ended_us = 2 * MS, .gone_us = 400 * MS, .code_may_come = true, ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 400 * MS + SETTLE_CODE_US + SETTLE_STATUS_US, false, true},
	{"a signal, and the API server may know whose: asked at once, beside the log",
	 {.now_us = 2 * MS, .ended_us = 2 * MS, .has_code = true, .api_wanted = true}, SETTLE_WAIT, 2 * MS + SETTLE_API_US, true, false, true},
	{"… and thinks", {.now_us = 3 * MS, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 2 * MS, .awaited = true), ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_API_US, false, false, false},
	{"… and does not know of the end: in a moment again",
	 {.now_us = 3 * MS, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 2 * MS), ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_API_AGAIN_US, false, false, false},
	{"… which is now",
	 {.now_us = 2 * MS + SETTLE_API_AGAIN_US, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 2 * MS), ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_API_US, false, false, true},
	{"… and still does not, when it should long know",
	 {.now_us = 2 * MS + SETTLE_API_US, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 1 * MS + SETTLE_OFTEN_US, .is_behind = true), ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 1 * MS + SETTLE_OFTEN_US + SETTLE_API_AGAIN_US, false, false, false},
	{"… less often then",
	 {.now_us = 3 * MS + SETTLE_API_US, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 2 * MS + SETTLE_OFTEN_US, .is_behind = true), ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_OFTEN_US + SETTLE_API_LATER_US, false, false, false},
	{"… nor for one that has fallen silent",
	 {.now_us = 3 * MS + SETTLE_API_US, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 3 * MS, .awaited = true, .is_behind = true), ASKED(LOG, .is_known = true)},
	 SETTLE_END, 0, false, false, false},
	{"… not for ever",
	 {.now_us = 2 * MS + SETTLE_API_BEHIND_US, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 3 * MS + SETTLE_API_US, .is_behind = true), ASKED(LOG, .is_known = true)},
	 SETTLE_END, 0, false, false, false},
	{"… and knows all", {.now_us = 3 * MS, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 2 * MS, .is_known = true), ASKED(LOG, .is_known = true)},
	 SETTLE_END, 0, false, false, false},
	{"… and never says more",
	 {.now_us = 2 * MS + SETTLE_API_US, .ended_us = 2 * MS, .has_code = true, .api_wanted = true, ASKED(API, .asked_us = 2 * MS, .awaited = true), ASKED(LOG, .is_known = true)},
	 SETTLE_END, 0, false, false, false},
	{"a kill for memory explains itself: nobody is asked",
	 {.now_us = 2 * MS, .killed_us = 1, .counted = 1, .logged = 1, .log_is_read = true, .main_killed = true, .ended_us = 2 * MS, .api_wanted = true},
	 SETTLE_END, 0, false, false, false},
	{"a worker was killed, and it ended of something: the code counts",
	 {.now_us = 2 * MS, .killed_us = 1, .counted = 1, .logged = 1, .log_is_read = true, .ended_us = 2 * MS, .code_may_come = true, ASKED(LOG, .is_known = true)},
	 SETTLE_WAIT, 2 * MS + SETTLE_CODE_US, false},
};

static void later(uint64_t *time_us)
{
	*time_us += *time_us ? T0 : 0;
}

static void test_when_an_end_is_settled(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(settles); i++) {
		struct settle_evidence v = settles[i].evidence;
		uint64_t *const times[] = {&v.now_us, &v.killed_us, &v.ended_us, &v.gone_us, &v.reaped_us};
		for (size_t t = 0; t < ARRAY_SIZE(times); t++)
			later(times[t]);
		for (size_t q = 0; q < SETTLE_WHOM_MAX_; q++)
			later(&v.questions[q].asked_us);
		const struct settle s = settle_decide(&v);
		const bool ask[] = {[SETTLE_RUNTIME] = settles[i].ask_runtime, [SETTLE_API] = settles[i].ask_api, [SETTLE_LOG] = settles[i].ask_log};
		if (s.what != settles[i].what || memcmp(s.ask, ask, sizeof(ask)) != 0 || (settles[i].until_us && s.until_us != T0 + settles[i].until_us))
			fail_msg("%s: is %d until %lld, ask %d %d %d", settles[i].name, (int)s.what, (long long)(s.until_us - T0), s.ask[SETTLE_LOG], s.ask[SETTLE_RUNTIME],
				 s.ask[SETTLE_API]);
	}
}

/* Whatever the evidence, an end is told within the longest wait, and every wait has an end. */
static void test_no_wait_is_for_ever(void **unused)
{
	(void)unused;
	for (unsigned bits = 0; bits < 32768; bits++) {
		struct settle_evidence v = {
			.killed_us = bits & 1 ? T0 : 0, .counted = bits & 1, .logged = (bits >> 1) & 1, .log_is_read = (bits >> 2) & 1, .main_killed = (bits >> 3) & 1,
			.victims_left = (bits >> 4) & 1, .ended_us = bits & 32 ? T0 + 1 : 0, .gone_us = bits & 64 ? T0 + 2 : 0, .has_code = (bits >> 7) & 1,
			.code_may_come = (bits >> 8) & 1, ASKED(LOG, .is_known = (bits >> 9) & 1),
			ASKED(RUNTIME, .is_known = (bits >> 10) & 1), .api_wanted = (bits >> 12) & 1,
		};
		unsigned steps = 0;
		for (v.now_us = T0 + 2; steps < 1000; steps++) {
			const struct settle s = settle_decide(&v);
			if (s.what != SETTLE_WAIT)
				break;
			assert_true(s.until_us > v.now_us);
			/* An answer comes at once and does not say all, or never. */
			const bool never[] = {[SETTLE_RUNTIME] = (bits >> 11) & 1, [SETTLE_API] = (bits >> 13) & 1, [SETTLE_LOG] = true};
			for (size_t q = 0; q < SETTLE_WHOM_MAX_; q++)
				if (s.ask[q])
					v.questions[q] = (struct settle_question){.asked_us = v.now_us, .awaited = never[q], .is_behind = q == SETTLE_API && (bits >> 14) & 1};
			v.now_us = s.until_us;
		}
		assert_true(steps < 1000 && v.now_us <= T0 + 2 + SETTLE_MAIN_US + SETTLE_TAIL_US);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when_an_end_is_settled),
		cmocka_unit_test(test_no_wait_is_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
