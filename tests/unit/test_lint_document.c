/* YAML, JSON and properties as trees with lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_document.h"

/* "LINE:COLUMN key=text" of each scalar, " | " between; a '*' behind the plain ones. */
static void flatten(const struct lint_node *node, char *out, size_t size)
{
	for (; node; node = node->next) {
		if (node->kind == LINT_SCALAR)
			str_append(out, size, "%s%u:%u %s=%s%s", *out ? " | " : "", node->line, node->column, node->key, node->text, node->is_plain ? "*" : "");
		else
			flatten(node->first, out, size);
	}
}

static void test_properties(void **unused)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""},
		{"# c\n! c\n\n", ""},
		{"a b\n", "1:1 a=b"},
		{"a=b", "1:1 a=b"},
		{"a: b\r\nc = d\r\n", "1:1 a=b | 2:1 c=d"},
		{"  a\t b c  \n", "1:3 a=b c"},
		{"a  =  b = c\n", "1:1 a=b = c"},
		{"a\nb\n", "1:1 a= | 2:1 b="},
		{"a b \\\n   c\nd e\n", "1:1 a=b c | 3:1 d=e"},
		{"a\\ b\\=c d\n", "1:1 a b=c=d"},
		{"a b\\t\\nc\\q\\u0041 \n", "1:1 a=b\t\ncq\\u0041"},
		{"a b\\", "1:1 a=b"},
		{"a #b\n", "1:1 a=#b"},
		{"\n\n a b", "3:2 a=b"},
		{"a \\\n# no comment\nb c\n", "1:1 a=# no comment | 3:1 b=c"},
	};
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scoped(lint_arena_drop) struct lint_arena arena = {0};
		struct lint_node *root = NULL;
		struct err e = {0};
		char got[512] = "";
		assert_int_equal(lint_read_properties(&arena, rows[i].text, strlen(rows[i].text), 1, &root, &e), 0);
		flatten(root, got, sizeof(got));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("'%s': got '%s', want '%s'", rows[i].text, got, rows[i].want);
	}
}

static void test_yaml_and_json(void **unused)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""},
		{"a: b\nc:\n  - d\n  - e: 'f'\n", "1:1 a=b* | 3:5 =d* | 4:5 e=f"},
		{"a: |\n  x\n  y\nb: \"z\"\n", "1:1 a=x\ny\n | 4:1 b=z"},
		{"a: b\n---\na: c\n...\n", "1:1 a=b* | 3:1 a=c*"},
		{"{\n\t\"a\": \"b\",\n\t\"c\": [1, true]\n}\n", "2:2 a=b | 3:8 =1* | 3:11 =true*"},
		{"{\"a\": \"https:\\/\\/x\"}", "1:2 a=https://x"},
		{"a: b\na: c\n", "1:1 a=b* | 2:1 a=c*"},
		{"? a\n: b\n", "1:3 a=b*"},
		{"scalar", "1:1 =scalar*"},
	};
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scoped(lint_arena_drop) struct lint_arena arena = {0};
		struct lint_node *documents = NULL;
		struct err e = {0};
		char got[512] = "";
		if (lint_read_yaml(&arena, rows[i].text, strlen(rows[i].text), 1, &documents, &e) != 0)
			fail_msg("'%s': %s", rows[i].text, e.text);
		flatten(documents, got, sizeof(got));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("'%s': got '%s', want '%s'", rows[i].text, got, rows[i].want);
	}
}

static void test_lookup(void **unused)
{
	static const char text[] = "a:\n  b: 1\n  b: 2\n  c/d: 3\n  n: null\n  t: true\n  s: 'null'\nx: [y]\n";
	scoped(lint_arena_drop) struct lint_arena arena = {0};
	struct lint_node *root = NULL;
	(void)unused;

	assert_int_equal(lint_read_yaml(&arena, text, strlen(text), 10, &root, NULL), 0);
	assert_string_equal(lint_text(root, "a/b"), "2"); /* the last of twins */
	assert_int_equal(lint_at(root, "a/b")->line, 12);
	assert_string_equal(lint_text(root, "a/n"), "");
	assert_string_equal(lint_text(root, "a/s"), "null");
	assert_true(lint_is_true(root, "a/t"));
	assert_false(lint_is_true(root, "a/b"));
	assert_string_equal(lint_text(root, "a"), "");
	assert_string_equal(lint_text(root, "x/y"), "");
	assert_string_equal(lint_text(NULL, "x"), "");
	assert_null(lint_at(root, "a/b/c"));
	assert_string_equal(lint_get(lint_get(root, "a"), "c/d")->text, "3");
}

static void assert_refused(const char *text, size_t length, const char *why)
{
	scoped(lint_arena_drop) struct lint_arena arena = {0};
	struct lint_node *root = NULL;
	struct err e = {0};

	assert_true(lint_read_yaml(&arena, text, length, 1, &root, &e) < 0);
	assert_string_equal(e.text, why);
	assert_null(root);
}

static void test_bounds(void **unused)
{
	const size_t size = LINT_TEXT_BYTES + 1;
	scoped(scoped_free) char *text = malloc(size);
	scoped(lint_arena_drop) struct lint_arena arena = {0};
	struct lint_node *root = NULL;
	struct err e = {0};
	(void)unused;

	assert_non_null(text);
	memset(text, '[', LINT_DEPTH_MAX + 1);
	assert_refused(text, LINT_DEPTH_MAX + 1, "line 1: must not be nested so deep");
	memset(text, ' ', size);
	assert_refused(text, size, "must not be larger than 1 MiB");
	assert_true(lint_read_properties(&arena, text, size, 1, &root, &e) < 0);
	text[0] = '[';
	for (size_t i = 1; i < size; i++)
		text[i] = i % 2 ? '1' : ',';
	assert_refused(text, size - 1, "line 1: must not have so many values");
	memset(text, '\n', size);
	for (size_t i = 0; i < size - 1; i += 2)
		text[i] = 'a';
	assert_true(lint_read_properties(&arena, text, size - 1, 1, &root, &e) < 0);
	assert_string_equal(e.text, "line 100001: must not have so many values");
	assert_true(lint_read_properties(&arena, "a\0b", 3, 1, &root, &e) < 0);
	assert_null(lint_arena_take(&arena, LINT_ARENA_BYTES + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_yaml_and_json),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
