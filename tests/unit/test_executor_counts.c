/* Counts of deaths by cause and namespace: bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/executor_counts.h"

static void test_namespaces_are_bounded(void **unused)
{
	scoped(scoped_free) struct executor_counts *c = calloc(1, sizeof(*c));
	char name[32];
	uint64_t total = 0;
	bool other = false;

	(void)unused;
	for (unsigned i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "team-%u", i);
		executor_counts_add(c, i % 2 ? "heap" : "overhead", name);
		executor_counts_add(c, "python", "team-0");
	}
	for (uint32_t i = 0; i < c->death_count; i++) {
		total += c->deaths[i].count;
		other = other || strcmp(c->deaths[i].name_space, EXECUTOR_COUNTS_OTHER) == 0;
	}
	assert_int_equal(total, 800);
	assert_true(other);
	assert_in_range(c->death_count, EXECUTOR_COUNTS_NAMESPACES, EXECUTOR_COUNTS_NAMESPACES + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespaces_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
