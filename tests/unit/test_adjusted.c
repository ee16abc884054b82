/* Which pods are adjusted, and which never again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "shim/adjusted.h"

static struct text text(const char *words)
{
	return (struct text){words, (uint32_t)strlen(words)};
}

static int open_table(void **state)
{
	*state = calloc(1, sizeof(struct adjusted));
	return *state ? 0 : -1;
}

static int close_table(void **state)
{
	free(*state);
	return 0;
}

enum step { CREATE, START, GONE, POD_GONE };

/* What happens to container `id` of name `name` in pod `pod`, and whether a creation may be adjusted then. */
struct row {
	enum step step;
	const char *pod, *id, *name;
	bool may;
};

static void play(struct adjusted *a, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		switch (row->step) {
		case CREATE:
			if (adjusted_may(a, text(row->pod), text(row->name)) != row->may)
				fail_msg("row %zu", i);
			if (row->may)
				adjusted_note(a, text(row->pod), text(row->id), text(row->name));
			break;
		case START: adjusted_started(a, text(row->id)); break;
		case GONE: adjusted_gone(a, text(row->id)); break;
		case POD_GONE: adjusted_pod_gone(a, text(row->pod)); break;
		}
	}
}

static void test_a_container_that_lived_may_come_again(void **state)
{
	static const struct row rows[] = {
		{CREATE, "p", "c1", "main", true}, {START, "p", "c1", "main", false}, {GONE, "p", "c1", "main", false},
		{GONE, "p", "c1", "main", false}, /* stopped, then removed */
		{CREATE, "p", "c2", "main", true}, {START, "p", "c2", "main", false}, {CREATE, "p", "c3", "other", true},
	};

	play(*state, rows, ARRAY_SIZE(rows));
}

static void test_an_undone_creation_ends_it_for_that_pod(void **state)
{
	static const struct row rows[] = {
		{CREATE, "p", "c1", "main", true}, {GONE, "p", "c1", "main", false}, {CREATE, "p", "c2", "main", false}, {CREATE, "p", "c3", "other", false},
		{CREATE, "q", "c4", "main", true}, /* another pod */
		{POD_GONE, "p", "", "", false},	   {CREATE, "p", "c5", "main", true},
	};

	play(*state, rows, ARRAY_SIZE(rows));
}

static void test_a_second_creation_of_what_never_started_ends_it_too(void **state)
{
	static const struct row rows[] = {
		{CREATE, "p", "c1", "main", true}, {CREATE, "p", "c2", "sidecar", true}, /* not the same container */
		{CREATE, "p", "c3", "main", false}, {START, "p", "c2", "sidecar", false}, {CREATE, "p", "c4", "main", false},
	};

	play(*state, rows, ARRAY_SIZE(rows));
}

static void test_three_failures_in_a_row_end_it_for_all(void **state)
{
	static const struct row rows[] = {
		{CREATE, "p1", "c1", "m", true}, {GONE, "p1", "c1", "m", false}, {GONE, "p1", "c1", "m", false}, /* counted once */
		{CREATE, "p2", "c2", "m", true}, {GONE, "p2", "c2", "m", false},
		{CREATE, "p3", "c3", "m", true}, {START, "p3", "c3", "m", false}, /* one that starts: it was an accident */
		{CREATE, "p4", "c4", "m", true}, {GONE, "p4", "c4", "m", false}, {CREATE, "p5", "c5", "m", true}, {CREATE, "p5", "c6", "m", false},
		{CREATE, "p6", "c7", "m", true}, {GONE, "p6", "c7", "m", false}, {CREATE, "p7", "c8", "m", false}, {CREATE, "p8", "c9", "m", false},
	};
	struct adjusted *a = *state;

	play(a, rows, ARRAY_SIZE(rows));
	assert_true(adjusted_given_up(a));
	adjusted_again(a);
	assert_false(adjusted_given_up(a));
	assert_true(adjusted_may(a, text("p9"), text("m")));
	assert_false(adjusted_may(a, text("p4"), text("m"))); /* what is known of a pod stays */
}

static void test_what_cannot_be_told_apart_is_not_adjusted(void **state)
{
	static char longer[200];
	struct adjusted *a = *state;

	memset(longer, 'a', sizeof(longer) - 1);
	assert_false(adjusted_may(a, text(""), text("main")));
	assert_false(adjusted_may(a, text("p"), text("")));
	assert_false(adjusted_may(a, text(longer), text("main")));
	assert_false(adjusted_may(a, text("p"), text(longer)));
	assert_false(adjusted_may(a, (struct text){"a\0b", 3}, text("main")));
	adjusted_note(a, text("p"), text(longer), text("main"));
	adjusted_note(a, text("p"), text(""), text("main"));
	assert_int_equal(a->count_total, 0);
}

static void test_the_oldest_is_forgotten(void **state)
{
	struct adjusted *a = *state;
	char id[16];

	adjusted_note(a, text("first"), text("c"), text("main"));
	for (int i = 0; i < ADJUSTED_MAX; i++) {
		assert_false(adjusted_may(a, text("first"), text("main")));
		snprintf(id, sizeof(id), "%d", i);
		adjusted_note(a, text(id), text(id), text("main"));
	}
	assert_true(adjusted_may(a, text("first"), text("main")));
	assert_false(adjusted_may(a, text("0"), text("main"))); /* the second oldest is still there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_container_that_lived_may_come_again, open_table, close_table),
		cmocka_unit_test_setup_teardown(test_an_undone_creation_ends_it_for_that_pod, open_table, close_table),
		cmocka_unit_test_setup_teardown(test_a_second_creation_of_what_never_started_ends_it_too, open_table, close_table),
		cmocka_unit_test_setup_teardown(test_three_failures_in_a_row_end_it_for_all, open_table, close_table),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_told_apart_is_not_adjusted, open_table, close_table),
		cmocka_unit_test_setup_teardown(test_the_oldest_is_forgotten, open_table, close_table),
	};

	return cmocka_run_group_tests_name("adjusted", tests, NULL, NULL);
}
