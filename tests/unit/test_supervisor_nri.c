/* Who dials the container runtime: this executable once more plays stoker-nri, and a listening socket plays the runtime. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"
#include "health/supervisor_nri.h"
#include "tests/unit/stage.h"

#define ROLE_VARIABLE "STOKER_TEST_PLAYS_NRI"

/* --- the role: live as soon as it has a connection; ends when the runtime says so --- */

static void tell_state(enum wire_nri state)
{
	struct wire_nri_state told = {.state = state, .runtime = "containerd", .runtime_version = "v2.3.4", .nri_version = "0.12.0"};

	record_send(3, WIRE_NRI_STATE, 0, &told, sizeof(told), -1, NULL);
}

/* What the runtime writes is an order: 'l' the connection is lost, 'o' an older one is, 'n' nonsense, 'x' end. */
static int obey(char order, uint64_t connection)
{
	switch (order) {
	case 'l': return record_send(3, WIRE_NRI_LOST, connection, NULL, 0, -1, NULL);
	case 'o': return record_send(3, WIRE_NRI_LOST, connection - 1, NULL, 0, -1, NULL);
	case 'n': return record_send(3, WIRE_NRI_STATE, 0, "x", 1, -1, NULL);
	case 's': return record_send(3, WIRE_SYNCHRONIZED, 0, NULL, 0, -1, NULL);
	default: _exit(7);
	}
}

static int play_role(void)
{
	struct record record;
	uint64_t connection = 0;
	int runtime = -1, lock = -1;

	for (;;) {
		struct pollfd fds[] = {{.fd = 3, .events = POLLIN}, {.fd = runtime, .events = POLLIN}};
		char order;
		poll(fds, 2, -1);
		if (fds[1].revents && read(runtime, &order, 1) == 1)
			obey(order, connection);
		else if (fds[1].revents)
			fd_drop(&runtime);
		if (!fds[0].revents)
			continue;
		if (record_receive(3, &record, NULL) <= 0)
			return 0;
		if (record.header.type == WIRE_NRI_CONFIG && record.fd >= 0) {
			fd_drop(&lock);
			lock = record.fd;
		} else if (record.header.type == WIRE_NRI_CONNECTION) {
			fd_drop(&runtime);
			runtime = record.fd;
			connection = record.header.id;
			if (runtime >= 0)
				tell_state(WIRE_NRI_LIVE);
		}
	}
}

/* --- the stage --- */

struct nri_side {
	struct supervisor_nri nri;
	struct config config;
	char state[16], detail[256];
	unsigned inputs, records;
	struct wire_nri_state told;
};

static void on_input(void *owner, const char *state, const char *detail)
{
	struct nri_side *side = owner;

	side->inputs++;
	str_copy(side->state, sizeof(side->state), state);
	str_copy(side->detail, sizeof(side->detail), detail);
}

static void on_state(void *owner, const struct wire_nri_state *state)
{
	((struct nri_side *)owner)->told = *state;
}

static bool on_record(void *owner, const struct record *record)
{
	((struct nri_side *)owner)->records++;
	return record->header.type == WIRE_SYNCHRONIZED;
}

static void on_complaint(void *owner, const struct wire_complaint *complaint)
{
	(void)owner;
	(void)complaint;
}

static const struct supervisor_nri_ops side_ops = {.on_input = on_input, .on_state = on_state, .on_record = on_record, .on_complaint = on_complaint};
static const struct log quiet = {"test", LOG_LEVEL_MAX_, 2};

static void start_side(struct stage *s, struct nri_side *side)
{
	config_defaults(&side->config);
	str_copy(side->config.runtime_dir, sizeof(side->config.runtime_dir), s->directory);
	str_copy(side->config.executors.nri_socket, sizeof(side->config.executors.nri_socket), s->path);
	supervisor_nri_start(&side->nri, &s->loop, &quiet, "/proc/self/exe", &side->config, &side_ops, side);
}

/* The loop is closed with nothing left in it, as stokerd itself never does. */
static void stop_side(struct stage *s, struct nri_side *side)
{
	char lock[64];

	if (child_is_running(&side->nri.role.child))
		child_signal(&side->nri.role.child, SIGKILL);
	until(s, !side->nri.role.linked && !child_is_running(&side->nri.role.child));
	uv_close((uv_handle_t *)&side->nri.dial, NULL);
	uv_close((uv_handle_t *)&side->nri.role.restart, NULL);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	fd_drop(&side->nri.lock_fd);
	snprintf(lock, sizeof(lock), "%s/nri.lock", s->directory);
	unlink(lock);
}

static int listen_runtime(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	str_copy(address.sun_path, sizeof(address.sun_path), path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int accept_runtime(struct stage *s, int listening)
{
	struct pollfd ready = {.fd = listening, .events = POLLIN};

	until(s, poll(&ready, 1, 0) == 1);
	return accept4(listening, NULL, NULL, SOCK_CLOEXEC);
}

#define is(side, word) (strcmp((side).state, word) == 0)

/* --- tests --- */

static void test_the_runtime_may_come_later_and_go(void **state)
{
	struct stage *s = *state;
	static struct nri_side side;

	memset(&side, 0, sizeof(side));
	start_side(s, &side);
	until(s, is(side, "missing") && strstr(side.detail, "no socket"));
	scoped(fd_drop) int listening = listen_runtime(s->path);
	scoped(fd_drop) int first = accept_runtime(s, listening);
	until(s, is(side, "ok"));
	assert_string_equal(side.detail, "containerd v2.3.4, NRI 0.12.0");
	assert_int_equal(side.nri.failures, 0);
	assert_int_equal(write(first, "o", 1), 1); /* of a connection before this one: no news */
	assert_int_equal(write(first, "n", 1), 1);
	assert_int_equal(write(first, "s", 1), 1);
	until(s, side.records == 1);
	assert_true(is(side, "ok") && side.nri.connected);
	assert_int_equal(write(first, "l", 1), 1);
	scoped(fd_drop) int second = accept_runtime(s, listening);
	until(s, second >= 0 && is(side, "ok"));
	assert_int_equal(side.told.reconnects_total, 1);
	stop_side(s, &side);
}

static void test_a_role_that_ends_is_started_and_connected_again(void **state)
{
	struct stage *s = *state;
	static struct nri_side side;

	memset(&side, 0, sizeof(side));
	scoped(fd_drop) int listening = listen_runtime(s->path);
	start_side(s, &side);
	for (int i = 0; i < 3; i++) {
		scoped(fd_drop) int fd = accept_runtime(s, listening);
		until(s, is(side, "ok"));
		assert_int_equal(write(fd, "x", 1), 1);
		until(s, is(side, "missing"));
		assert_non_null(strstr(side.detail, "stoker-nri: it ended"));
	}
	stop_side(s, &side);
}

static void test_the_lock_is_held_with_the_role(void **state)
{
	struct stage *s = *state;
	static struct nri_side side;
	char path[64];

	memset(&side, 0, sizeof(side));
	snprintf(path, sizeof(path), "%s/nri.lock", s->directory);
	scoped(fd_drop) int other = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	scoped(fd_drop) int listening = listen_runtime(s->path);
	start_side(s, &side);
	until(s, strstr(side.detail, "another stokerd"));
	assert_int_equal(accept4(listening, NULL, NULL, 0), -1);
	assert_int_equal(flock(other, LOCK_UN), 0);
	scoped(fd_drop) int fd = accept_runtime(s, listening);
	until(s, fd >= 0 && is(side, "ok"));
	/* stokerd's own descriptor gone: the role still has it. */
	fd_drop(&side.nri.lock_fd);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	stop_side(s, &side);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
}

static void test_switched_off_and_on(void **state)
{
	struct stage *s = *state;
	static struct nri_side side;
	char byte;

	memset(&side, 0, sizeof(side));
	scoped(fd_drop) int listening = listen_runtime(s->path);
	start_side(s, &side);
	scoped(fd_drop) int first = accept_runtime(s, listening);
	until(s, is(side, "ok"));
	struct config off = side.config;
	off.executors.watch = CONFIG_RECOGNITION_OFF;
	supervisor_nri_configure(&side.nri, &off);
	assert_true(is(side, "off") && side.told.state == WIRE_NRI_OFF);
	struct pollfd ended = {.fd = first, .events = POLLIN};
	until(s, poll(&ended, 1, 0) == 1);
	assert_int_equal(read(first, &byte, 1), 0);
	supervisor_nri_configure(&side.nri, &side.config);
	scoped(fd_drop) int second = accept_runtime(s, listening);
	until(s, second >= 0 && is(side, "ok"));
	supervisor_nri_configure(&side.nri, &side.config); /* nothing new: the connection stays */
	assert_true(side.nri.connected);
	stop_side(s, &side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_the_runtime_may_come_later_and_go),
		stage_test(test_a_role_that_ends_is_started_and_connected_again),
		stage_test(test_the_lock_is_held_with_the_role),
		stage_test(test_switched_off_and_on),
	};

	if (getenv(ROLE_VARIABLE))
		return play_role();
	if (setenv(ROLE_VARIABLE, "1", 1) < 0)
		return 1;
	return cmocka_run_group_tests_name("supervisor_nri", tests, NULL, NULL);
}
