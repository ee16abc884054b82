/* Records: what one role says to another, and what is not taken for it. */
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

#include "base/fd.h"
#include "base/record.h"

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

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

static void test_listening_replaces_only_a_stale_socket(void **unused)
{
	char directory[] = "/tmp/stoker-record.XXXXXX", path[64], file[64], none[64];
	struct ucred who = {0};
	struct stat st;
	struct err e = {0};

	(void)unused;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/sock", directory);
	snprintf(file, sizeof(file), "%s/file", directory);
	snprintf(none, sizeof(none), "%s/none", directory);
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
	assert_int_equal(record_connect(none, NULL), -ENOENT);
	assert_int_equal(fd_replace_file(file, "precious", 8, 0600, &e), 0);
	assert_int_equal(record_listen(file, 0600, &e), -EADDRINUSE);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 8);
	unlink(file);
	unlink(path);
	assert_int_equal(rmdir(directory), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_record_arrives_as_it_was_sent),
		cmocka_unit_test(test_a_record_carries_one_descriptor),
		cmocka_unit_test(test_what_is_no_record_is_refused_and_nothing_leaks),
		cmocka_unit_test(test_a_peer_that_does_not_read_blocks_nobody),
		cmocka_unit_test(test_listening_replaces_only_a_stale_socket),
		cmocka_unit_test(test_a_socket_path_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
