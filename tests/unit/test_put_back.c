/* A person's hand against ours: three times an hour the agent's will counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "health/put_back.h"

#define MINUTE 60000000ULL

static void test_three_times_an_hour(void **unused)
{
	struct put_back p = {0};

	(void)unused;
	assert_true(put_back_step(&p, 100 * MINUTE));
	assert_true(put_back_step(&p, 110 * MINUTE));
	assert_true(put_back_step(&p, 120 * MINUTE));
	assert_int_equal(p.left_off_us, 0);
	assert_false(put_back_step(&p, 130 * MINUTE));
	assert_int_equal(p.left_off_us, 160 * MINUTE); /* an hour after the first */
	/* put on again at 160, taken off again at once: the first does not count any more, the others do */
	assert_true(put_back_step(&p, 161 * MINUTE));
	assert_false(put_back_step(&p, 162 * MINUTE));
	assert_int_equal(p.left_off_us, 170 * MINUTE);
}

static void test_once_in_a_while_is_always_put_back(void **unused)
{
	struct put_back p = {0};

	(void)unused;
	for (uint64_t at = 1; at < 100; at++)
		assert_true(put_back_step(&p, at * 21 * MINUTE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_times_an_hour), cmocka_unit_test(test_once_in_a_while_is_always_put_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
