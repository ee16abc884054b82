/* The ground floor: errors, strings, clock, log, descriptors, records. Processes and links: test_process.c. */
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
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/record.h"
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

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

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

/* --- record --- */

struct pair {
	int a, b;
};

static struct pair connected(void)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
	return (struct pair){fd[0], fd[1]};
}

static void pair_drop(struct pair *pair)
{
	fd_drop(&pair->a);
	fd_drop(&pair->b);
}

static void test_a_record_arrives_as_it_was_sent(void **unused)
{
	static const size_t lengths[] = {0, 1, 100, RECORD_PAYLOAD_BYTES};
	scoped(pair_drop) struct pair pair = connected();
	static unsigned char payload[RECORD_PAYLOAD_BYTES + 1];
	static struct record record;
	struct err e = {0};

	(void)unused;
	memset(payload, 0x5a, sizeof(payload));
	assert_int_equal(record_receive(pair.b, &record, &e), -EAGAIN);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		assert_int_equal(record_send(pair.a, 7, 99, payload, lengths[i], -1, &e), 0);
		assert_int_equal(record_receive(pair.b, &record, &e), 1);
		assert_int_equal(record.header.type, 7);
		assert_int_equal(record.header.id, 99);
		assert_int_equal(record.fd, -1);
		assert_null(record_payload(&record, lengths[i] + 1));
		assert_memory_equal(record_payload(&record, lengths[i]), payload, lengths[i]);
	}
	assert_int_equal(record_send(pair.a, 7, 99, payload, sizeof(payload), -1, &e), -EMSGSIZE);
	fd_drop(&pair.a);
	assert_int_equal(record_receive(pair.b, &record, &e), 0);
	assert_int_equal(record_send(pair.b, 7, 99, payload, 1, -1, &e), -EPIPE); /* and no SIGPIPE */
}

static void test_a_record_carries_one_descriptor(void **unused)
{
	scoped(pair_drop) struct pair pair = connected();
	static struct record record;
	struct stat sent, received;
	struct err e = {0};

	(void)unused;
	scoped(fd_drop) int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(record_send(pair.a, 1, 0, NULL, 0, null_fd, &e), 0);
	assert_int_equal(record_receive(pair.b, &record, &e), 1);
	scoped(fd_drop) int fd = record.fd;
	assert_true(fd >= 0 && fd != null_fd && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	assert_int_equal(fstat(null_fd, &sent) + fstat(fd, &received), 0);
	assert_int_equal(sent.st_rdev, received.st_rdev);
	assert_int_equal(record_send(pair.a, 1, 0, NULL, 0, 1000, &e), -EBADF);
}

/* Sends what record_send never would. */
static void send_raw(int sock, const void *bytes, size_t length, int fd, size_t fd_count)
{
	struct iovec part = {(void *)(uintptr_t)bytes, length};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd_count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(fd_count * sizeof(int))};
		for (size_t i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &message, MSG_NOSIGNAL), (ssize_t)length);
}

static void test_what_is_no_record_is_refused_and_nothing_leaks(void **unused)
{
	static const struct {
		struct record_header header;
		size_t bytes, descriptors;
	} row[] = {
		{{.version = RECORD_VERSION, .length = 0}, 1, 0},				  /* half a header */
		{{.version = RECORD_VERSION, .length = 8}, sizeof(struct record_header), 0},	  /* claims more than came */
		{{.version = RECORD_VERSION, .length = 0}, sizeof(struct record_header) + 1, 0},  /* and less */
		{{.version = RECORD_VERSION, .length = UINT32_MAX}, sizeof(struct record_header), 0},
		{{.version = RECORD_VERSION + 1, .length = 0}, sizeof(struct record_header), 1}, /* another build */
		{{.version = RECORD_VERSION, .length = RECORD_PAYLOAD_BYTES}, sizeof(struct record_header) + RECORD_PAYLOAD_BYTES + 1, 0},
		{{.version = RECORD_VERSION, .length = 0}, sizeof(struct record_header), 2},
		{{.version = RECORD_VERSION, .length = 0}, sizeof(struct record_header), 16},	  /* more than there is room for */
	};
	scoped(pair_drop) struct pair pair = connected();
	static unsigned char bytes[2 * RECORD_PAYLOAD_BYTES];
	static struct record record;
	int before = count_descriptors();

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct err e = {0};
		memcpy(bytes, &row[i].header, sizeof(row[i].header));
		send_raw(pair.a, bytes, row[i].bytes, pair.a, row[i].descriptors);
		assert_int_equal(record_receive(pair.b, &record, &e), -EPROTO);
		assert_int_equal(record.fd, -1);
		assert_int_equal(count_descriptors(), before);
		assert_true(*e.text);
	}
}

static void test_a_peer_that_does_not_read_blocks_nobody(void **unused)
{
	scoped(pair_drop) struct pair pair = connected();
	static const unsigned char payload[RECORD_PAYLOAD_BYTES];
	static struct record record;
	unsigned sent = 0, received = 0;

	(void)unused;
	while (sent < 100000 && record_send(pair.a, 1, sent, payload, sizeof(payload), -1, NULL) == 0)
		sent++;
	assert_true(sent > 0 && sent < 100000);
	assert_int_equal(record_send(pair.a, 1, 0, payload, sizeof(payload), -1, NULL), -EAGAIN);
	while (record_receive(pair.b, &record, NULL) == 1)
		assert_int_equal(record.header.id, received++);
	assert_int_equal(received, sent);
}

static void test_listening_replaces_only_a_stale_socket(void **state)
{
	const char *path = BENEATH(*state, "sock"), *file = BENEATH(*state, "file");
	struct ucred who = {0};
	struct stat st;
	struct err e = {0};

	for (int life = 0; life < 3; life++) {
		scoped(fd_drop) int listening = record_listen(path, life == 1 ? 0660 : 0600, &e);
		assert_true(listening >= 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, life == 1 ? 0660 : 0600);
		assert_int_equal(record_accept(listening, &who, &e), -EAGAIN);
		scoped(fd_drop) int client = record_connect(path, &e);
		scoped(fd_drop) int server = record_accept(listening, &who, &e);
		assert_true(client >= 0 && server >= 0 && (fcntl(server, F_GETFL) & O_NONBLOCK) && (fcntl(client, F_GETFL) & O_NONBLOCK));
		assert_int_equal(who.pid, getpid());
		assert_int_equal(who.uid, geteuid());
	}
	assert_int_equal(record_connect(path, &e), -ECONNREFUSED);
	assert_int_equal(record_connect(BENEATH(*state, "none"), NULL), -ENOENT);
	assert_int_equal(fd_replace_file(file, "precious", 8, 0600, &e), 0);
	assert_int_equal(record_listen(file, 0600, &e), -EADDRINUSE);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 8);
}

static void test_a_socket_path_that_is_too_long(void **unused)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	(void)unused;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(record_listen(path, 0600, NULL), -ENAMETOOLONG);
	assert_int_equal(record_connect(path, NULL), -ENAMETOOLONG);
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, make_scratch, remove_scratch)

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
		scratch_test(test_nothing_is_opened_outside),
		scratch_test(test_files_are_read_bounded_and_replaced_whole),
		cmocka_unit_test(test_a_record_arrives_as_it_was_sent),
		cmocka_unit_test(test_a_record_carries_one_descriptor),
		cmocka_unit_test(test_what_is_no_record_is_refused_and_nothing_leaks),
		cmocka_unit_test(test_a_peer_that_does_not_read_blocks_nobody),
		scratch_test(test_listening_replaces_only_a_stale_socket),
		cmocka_unit_test(test_a_socket_path_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
