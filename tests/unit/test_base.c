/* The ground floor: errors, strings, clock, log, descriptors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* --- a directory of its own for each test that needs one --- */

static int make_scratch(void **state)
{
	char *path = strdup("/tmp/stoker-base.XXXXXX");

	*state = path;
	return path && mkdtemp(path) ? 0 : -1;
}

static int remove_scratch(void **state)
{
	scoped(scoped_free) char *path = *state;
	DIR *directory = opendir(path);

	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		if (*entry->d_name == '.')
			continue;
		if (unlinkat(dirfd(directory), entry->d_name, 0) < 0)
			unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
	}
	if (directory)
		closedir(directory);
	return rmdir(path);
}

static const char *beneath(char buffer[static 128], const void *scratch, const char *name)
{
	snprintf(buffer, 128, "%s/%s", (const char *)scratch, name);
	return buffer;
}
#define BENEATH(scratch, name) beneath((char[128]){0}, scratch, name)

/* --- err --- */

static void test_an_error_says_cause_and_purpose(void **unused)
{
	struct err e = {0};

	(void)unused;
	assert_int_equal(err_set(&e, ENOENT, "cannot open '%s'", "x"), -ENOENT);
	assert_string_equal(e.text, "cannot open 'x': No such file or directory");
	assert_int_equal(err_wrap(&e, "cannot start %d", 3), -ENOENT);
	assert_string_equal(e.text, "cannot start 3: cannot open 'x': No such file or directory");
	assert_int_equal(err_rule(&e, EINVAL, "line %d", 7), -EINVAL);
	assert_string_equal(e.text, "line 7");
	assert_int_equal(e.code, EINVAL);
}

static void test_an_error_is_bounded_and_may_be_absent(void **unused)
{
	char big[2 * ERR_TEXT_BYTES];
	struct err e = {0};

	(void)unused;
	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(err_set(&e, EIO, "%s", big), -EIO);
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
	assert_int_equal(err_wrap(&e, "%s", big), -EIO);
	assert_int_equal(strlen(e.text), ERR_TEXT_BYTES - 1);
	assert_int_equal(err_set(NULL, EIO, "x"), -EIO);
	assert_int_equal(err_rule(NULL, EIO, "x"), -EIO);
	assert_true(err_wrap(NULL, "x") < 0);
	assert_true(err_set(&e, 0, "an errno of 0 is still a failure") < 0);
}

/* --- str --- */

static void test_utf8_sequences(void **unused)
{
	static const struct {
		const char *text;
		size_t length;
	} row[] = {
		{"", 0},	  {"a", 1},	       {"\x7f", 1},	    {"\xc3\xa4", 2},	     {"\xe2\x82\xac", 3}, {"\xf0\x9f\x98\x80", 4},
		{"\x80", 0},	  {"\xc0\xaf", 0},     {"\xc1\xbf", 0},	    {"\xe0\x80\xaf", 0},     {"\xed\xa0\x80", 0}, {"\xf0\x80\x80\xaf", 0},
		{"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"\xff", 0}, {"\xe2\x82", 0}, {"\xc3", 0}, {"\xf4\x8f\xbf\xbf", 4},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(str_utf8_length(row[i].text), row[i].length);
}

static void test_copies_end_and_keep_characters_whole(void **unused)
{
	static const struct {
		const char *source;
		size_t size;
		const char *want;
	} row[] = {
		{"abc", 4, "abc"},	  {"abc", 3, "ab"},	      {"abc", 1, ""},	       {"", 1, ""},
		{"a\xc3\xa4", 3, "a"},	  {"a\xc3\xa4", 4, "a\xc3\xa4"}, {"\xe2\x82\xac", 3, ""}, {"x\xf0\x9f\x98\x80y", 5, "x"},
		{"x\xf0\x9f\x98\x80y", 6, "x\xf0\x9f\x98\x80"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char got[16];
		memset(got, '#', sizeof(got));
		assert_int_equal(str_copy(got, row[i].size, row[i].source), strlen(row[i].source) < row[i].size);
		assert_string_equal(got, row[i].want);
		assert_int_equal(got[row[i].size], '#');
	}
}

static void test_appending_and_looking(void **unused)
{
	char text[8] = "";

	(void)unused;
	assert_true(str_append(text, sizeof(text), "%d-", 12));
	assert_true(str_append(text, sizeof(text), "%s", "abcd"));
	assert_false(str_append(text, sizeof(text), "%s", "e"));
	assert_string_equal(text, "12-abcd");
	assert_false(str_append(memset((char[4]){0}, 'x', 4), 4, "y")); /* never ended: left alone */
	for (size_t size = 4; size < 12; size++) { /* of "é", "€" and "😀" no part */
		char whole[12] = "x";
		assert_false(str_append(whole, size, "%s", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9"));
		for (const char *p = whole; *p; p += str_utf8_length(p))
			assert_true(str_utf8_length(p) > 0);
		assert_true(strlen(whole) + 4 >= size);
	}
	assert_true(str_starts("stoker.dev/x", "stoker.dev/"));
	assert_false(str_starts("sto", "stoker"));
	assert_true(str_is_ended("ab", 3));
	assert_false(str_is_ended("ab", 2));
}

static void test_foreign_bytes_are_shown_harmless(void **unused)
{
	static const struct {
		const char *source, *want;
	} row[] = {
		{"plain /mnt/sp\xc3\xa4\xc3\x9f""e", "plain /mnt/sp\xc3\xa4\xc3\x9f""e"},
		{"a\nb\tc\\d", "a\\nb\\tc\\\\d"},
		{"\x1b[31mred", "\\x1b[31mred"},
		{"\x7f\xff", "\\x7f\\xff"},
	};
	char got[64];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		str_escape(got, sizeof(got), row[i].source);
		assert_string_equal(got, row[i].want);
	}
	str_escape(got, 4, "ab\n"); /* never half an escape */
	assert_string_equal(got, "ab");
	str_escape(got, 4, "ab\xc3\xa4");
	assert_string_equal(got, "ab");
}

/* --- clock --- */

static void test_times_are_written_and_read(void **unused)
{
	static const struct {
		const char *text;
		int micro;
		uint64_t wall_us;
	} row[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"2026-11-24T08:15:00Z", 0, 1795508100ULL * US_PER_S},
		{"2024-02-29T23:59:59.000001Z", 1, 1709251199ULL * US_PER_S + 1},
		{"2038-01-19T03:14:08.500000Z", 1, 2147483648ULL * US_PER_S + 500000},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char text[CLOCK_TEXT_BYTES];
		uint64_t back = 1;
		clock_format(row[i].wall_us, row[i].micro, text);
		assert_string_equal(text, row[i].text);
		assert_int_equal(clock_parse(text, &back), 0);
		assert_int_equal(back, row[i].wall_us);
	}
	uint64_t nanoseconds = 0;
	assert_int_equal(clock_parse("1970-01-01T00:00:01.123456789Z", &nanoseconds), 0);
	assert_int_equal(nanoseconds, US_PER_S + 123456);
}

static void test_times_that_are_none(void **unused)
{
	static const char *const row[] = {"", "Z", "2026-11-24", "2026-11-24T08:15:00", "2026-11-24T08:15:00+01:00", "2026-11-24T08:15:00Zx",
					  "2026-13-24T08:15:00Z", "1969-12-31T23:59:59Z", "2026-11-24T08:15:00.1", "2026-11-24T08:15:00.123456789012345678901Z"};
	uint64_t got = 42;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(clock_parse(row[i], &got), -EINVAL);
	assert_int_equal(got, 42);
}

static void test_the_monotonic_clock_goes_on(void **unused)
{
	(void)unused;
	uint64_t first = clock_mono_us();
	assert_true(first > 0 && clock_mono_us() >= first && clock_wall_us() > 1700000000ULL * US_PER_S);
}

/* --- log --- */

/* What one call wrote, without the time. */
static const char *logged(int fd, char line[static 4096])
{
	ssize_t n = read(fd, line, 4095);

	line[n > 0 ? n : 0] = '\0';
	const char *rest = strchr(line, ' ');
	return rest ? rest + 1 : line;
}

static void test_a_log_line_is_one_line(void **unused)
{
	char line[4096], big[4096];
	int pair[2];

	(void)unused;
	assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
	const struct log log = {"stokerd", LOG_INFO, pair[1]};
	log_info(&log, "two words", "path", "/mnt", "n", log_number(-5), "absent", NULL, "odd", "a\nb \"c\"", "empty", "");
	assert_string_equal(logged(pair[0], line), "level=info role=stokerd msg=\"two words\" path=/mnt n=-5 odd=\"a\\nb \\\"c\\\"\" empty=\"\"\n");
	log_debug(&log, "not wanted");
	assert_string_equal(logged(pair[0], line), "");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_error(&log, "big", "a", big, "b", big, "c", big, "d", big, "e", big);
	const char *got = logged(pair[0], line);
	assert_true(strlen(got) < 2048 && strchr(got, '\n') == got + strlen(got) - 1);
	log_info(NULL, "no log at all");
	close(pair[0]);
	close(pair[1]);
	assert_string_equal(log_level_name(LOG_WARN), "warn");
}

/* --- fd --- */

static void test_descriptors_are_dropped_and_taken(void **unused)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), none = -1;

	(void)unused;
	int taken = fd_take(&fd);
	assert_int_equal(fd, -1);
	assert_true(taken >= 0);
	int number = taken;
	errno = ENOSPC;
	fd_drop(&taken);
	fd_drop(&none);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(taken, -1);
	assert_int_equal(fcntl(number, F_GETFD), -1);
}

static void test_nothing_is_opened_outside(void **state)
{
	static const char *const outside[] = {"..", "../etc", "/etc/passwd", "inside/../../etc", "link", "link/passwd"};
	struct err e = {0};

	assert_int_equal(fd_make_directory(BENEATH(*state, "inside"), 0700, &e), 0);
	assert_int_equal(fd_make_directory(BENEATH(*state, "inside"), 0700, &e), 0); /* content with what is there */
	assert_int_equal(fd_make_directory(BENEATH(*state, "no/inside"), 0700, &e), -ENOENT);
	assert_int_equal(symlink("/etc", BENEATH(*state, "link")), 0);
	scoped(fd_drop) int top = open(*state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		int fd = fd_open_beneath(top, outside[i], O_RDONLY, 0, &e);
		assert_true(fd == -EXDEV || fd == -ELOOP);
		if (fd == -EXDEV)
			assert_non_null(strstr(e.text, "leaves its directory"));
	}
	scoped(fd_drop) int fd = fd_open_beneath(top, "inside", O_RDONLY | O_DIRECTORY, 0, &e);
	assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
}

static void test_files_are_read_bounded_and_replaced_whole(void **state)
{
	const char *path = BENEATH(*state, "state");
	char text[8];
	struct err e = {0};

	assert_int_equal(fd_replace_file(path, "old", 3, 0600, &e), 0);
	scoped(fd_drop) int reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_replace_file(path, "newest", 6, 0600, &e), 0);
	assert_int_equal(fd_read_all(reader, text, sizeof(text), &e), 3); /* who has it open keeps the old one */
	assert_string_equal(text, "old");
	assert_int_equal(fd_read_path(path, text, sizeof(text), &e), 6);
	assert_string_equal(text, "newest");
	assert_int_equal(fd_read_path(path, text, 7, &e), 6);
	assert_int_equal(fd_read_path(path, text, 6, &e), -EFBIG);
	assert_non_null(strstr(e.text, "/state"));
	assert_int_equal(fd_read_path(BENEATH(*state, "none"), text, sizeof(text), &e), -ENOENT);
	assert_int_equal(access(BENEATH(*state, "state.new"), F_OK), -1);
	scoped(fd_drop) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(fd_write_all(full, "x", 1, &e), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_error_says_cause_and_purpose),
		cmocka_unit_test(test_an_error_is_bounded_and_may_be_absent),
		cmocka_unit_test(test_utf8_sequences),
		cmocka_unit_test(test_copies_end_and_keep_characters_whole),
		cmocka_unit_test(test_appending_and_looking),
		cmocka_unit_test(test_foreign_bytes_are_shown_harmless),
		cmocka_unit_test(test_times_are_written_and_read),
		cmocka_unit_test(test_times_that_are_none),
		cmocka_unit_test(test_the_monotonic_clock_goes_on),
		cmocka_unit_test(test_a_log_line_is_one_line),
		cmocka_unit_test(test_descriptors_are_dropped_and_taken),
		cmocka_unit_test_setup_teardown(test_nothing_is_opened_outside, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(test_files_are_read_bounded_and_replaced_whole, make_scratch, remove_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
