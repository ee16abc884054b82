/* stoker-web's inside on one loop with a stokerd that the test plays: what is served, shared, refused and bounded. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "health/web.h"
#include "health/wire.h"

#define DEADLINE_US (60 * US_PER_S)
#define CLIENTS_MAX 80

struct client {
	int fd;
	bool closed;
	size_t length;
	char text[65536];
};

struct scene {
	uv_loop_t loop;
	struct web web;
	struct link daemon; /* stokerd's end */
	bool mute;	    /* it takes questions and says nothing */
	bool gone;
	unsigned questions;
	uint64_t last_id;
	const char *json;
	char directory[64], path[96];
	uv_timer_t tick; /* so that a wait ends at its deadline */
	struct client clients[CLIENTS_MAX];
};

static void ignore_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void send_json(struct scene *s, uint64_t id, const char *json)
{
	struct wire_part part = {0};
	size_t left = strlen(json);

	for (const char *p = json; !part.last; p += part.length) {
		part.length = (uint32_t)(left < 100 ? left : 100);
		left -= part.length;
		part.last = left == 0;
		memcpy(part.bytes, p, part.length);
		assert_true(link_send(&s->daemon, WIRE_HEALTH_PART, id, &part, offsetof(struct wire_part, bytes) + part.length));
	}
}

static void daemon_record(struct link *link, const struct record *record)
{
	struct scene *s = link->owner;

	assert_int_equal(record->header.type, WIRE_GET_HEALTH);
	s->questions++;
	s->last_id = record->header.id;
	if (!s->mute)
		send_json(s, record->header.id, s->json);
}

static void daemon_down(struct link *link, const struct err *why)
{
	struct scene *s = link->owner;

	(void)why;
	s->gone = true;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 128), 0);
	return fd;
}

static int set_up(void **state)
{
	static const struct link_ops ops = {.on_record = daemon_record, .on_down = daemon_down};
	static const struct log quiet = {"test", LOG_ERROR, 2};
	struct scene *s = calloc(1, sizeof(*s));
	struct wire_listen what = {.is_unix = 1};
	struct err e = {0};
	int pair[2];

	assert_non_null(s);
	signal(SIGPIPE, SIG_IGN);
	strcpy(s->directory, "/tmp/stoker-web-test.XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->path, sizeof(s->path), "%s/stoker.sock", s->directory);
	s->json = "{\"kind\":\"NodeHealth\"}";
	assert_int_equal(uv_loop_init(&s->loop), 0);
	uv_timer_init(&s->loop, &s->tick);
	uv_timer_start(&s->tick, ignore_tick, 20, 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(web_start(&s->web, &s->loop, &quiet, pair[0], &e), 0);
	assert_int_equal(link_adopt(&s->daemon, &s->loop, pair[1], &ops, s, &e), 0);
	scoped(fd_drop) int fd = listen_at(s->path);
	assert_true(link_send_fd(&s->daemon, WIRE_LISTEN, 0, &what, sizeof(what), fd));
	*state = s;
	return 0;
}

static void close_any(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (s->clients[i].fd > 0)
			close(s->clients[i].fd);
	/* A suspended connection must not be there when its daemon is stopped. */
	if (!s->gone)
		link_close(&s->daemon);
	for (size_t i = 0; i < s->web.listener_count; i++)
		MHD_run(s->web.listeners[i].daemon);
	uv_walk(&s->loop, close_any, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < s->web.listener_count; i++)
		MHD_stop_daemon(s->web.listeners[i].daemon);
	fd_drop(&s->web.link.fd);
	uv_loop_close(&s->loop);
	for (unsigned i = 0; i < WEB_SUBJECT_MAX_; i++)
		free(s->web.questions[i].text);
	free(s->web.health);
	unlink(s->path);
	rmdir(s->directory);
	free(s);
	return 0;
}

static struct client *request(struct scene *s, const char *text)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct client *c = s->clients;

	while (c->fd > 0)
		c++;
	assert_true(c < s->clients + CLIENTS_MAX);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->path);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(c->fd, text, strlen(text)), strlen(text));
	return c;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: stoker\r\nConnection: close\r\n\r\n"

static void turn(struct scene *s)
{
	uv_run(&s->loop, UV_RUN_ONCE);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];
		if (c->fd <= 0 || c->closed)
			continue;
		ssize_t n = read(c->fd, c->text + c->length, sizeof(c->text) - 1 - c->length);
		c->closed = n == 0 || (n < 0 && errno != EAGAIN);
		c->length += n > 0 ? (size_t)n : 0;
	}
}

static void wait_answer(struct scene *s, const struct client *c)
{
	for (uint64_t end = clock_mono_us() + DEADLINE_US; !c->closed && clock_mono_us() < end;)
		turn(s);
	assert_true(c->closed);
}

static void wait_questions(struct scene *s, unsigned questions)
{
	for (uint64_t end = clock_mono_us() + DEADLINE_US; s->questions < questions && clock_mono_us() < end;)
		turn(s);
	assert_int_equal(s->questions, questions);
}

static void expect(struct scene *s, const char *text, const char *status, const char *words)
{
	const struct client *c = request(s, text);

	wait_answer(s, c);
	if (strncmp(c->text, status, strlen(status)) != 0 || !strstr(c->text, words))
		fail_msg("'%s' and '%s' are not in: %s", status, words, c->text);
}

static void test_each_path_and_method_has_its_answer(void **state)
{
	struct scene *s = *state;

	expect(s, GET("/v1alpha1/health"), "HTTP/1.1 200 ", "\r\n\r\n{\"kind\":\"NodeHealth\"}");
	expect(s, GET("/v1alpha1/health?x=1"), "HTTP/1.1 200 ", "Content-Type: application/json\r\n");
	expect(s, GET("/healthz"), "HTTP/1.1 200 ", "\r\n\r\nok\n");
	expect(s, "HEAD /v1alpha1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 ", "Content-Length: 21\r\n");
	expect(s, "GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.", "ok\n");
	expect(s, GET("/"), "HTTP/1.1 404 ", "/v1alpha1/health\n/v1alpha1/executors\n/v1alpha1/deaths\n/v1alpha1/sweep\n/v1alpha1/volumes\n/metrics\n/healthz\n/readyz\n");
	expect(s, GET("/v1alpha1/health/"), "HTTP/1.1 404 ", "there are:");
	expect(s, "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
	expect(s, "DELETE /v1alpha1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 ", "only GET");
	expect(s, "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n", "HTTP/1.1 400 ", "without a body");
	expect(s, "GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 ", "without a body");
	assert_int_equal(s->questions, 5);
}

static void test_garbage_and_large_requests_end_and_the_next_is_served(void **state)
{
	struct scene *s = *state;
	static char large[20000];

	memset(large, 'a', sizeof(large) - 1);
	memcpy(large, "GET /", 5);
	wait_answer(s, request(s, "\r\n\r\n\x01\x02garbage\r\n\r\n"));
	wait_answer(s, request(s, large));
	memcpy(large, "GET / HTTP/1.1\r\nX: ", 19);
	wait_answer(s, request(s, large));
	expect(s, GET("/healthz"), "HTTP/1.1 200 ", "ok\n");
}

static void test_waiting_requests_share_one_question(void **state)
{
	struct scene *s = *state;
	struct client *c[10];

	s->mute = true;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		c[i] = request(s, GET("/v1alpha1/health"));
	wait_questions(s, 1);
	/* While they wait, others are served: by then all ten are suspended. */
	expect(s, GET("/"), "HTTP/1.1 404 ", "there are:");
	send_json(s, s->last_id, "{\"answer\":1}");
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		wait_answer(s, c[i]);
		assert_non_null(strstr(c[i]->text, "{\"answer\":1}"));
	}
	assert_int_equal(s->questions, 1);
}

static void test_who_comes_after_the_answer_began_gets_a_newer_one(void **state)
{
	struct scene *s = *state;
	struct wire_part part = {.length = 1, .bytes = "1"};

	s->mute = true;
	struct client *first = request(s, GET("/v1alpha1/health"));
	wait_questions(s, 1);
	assert_true(link_send(&s->daemon, WIRE_HEALTH_PART, s->last_id, &part, offsetof(struct wire_part, bytes) + 1));
	expect(s, GET("/"), "HTTP/1.1 404 ", "there are:");
	struct client *second = request(s, GET("/v1alpha1/health"));
	expect(s, GET("/"), "HTTP/1.1 404 ", "there are:");
	send_json(s, s->last_id, "1");
	wait_answer(s, first);
	assert_non_null(strstr(first->text, "\r\n\r\n11"));
	wait_questions(s, 2);
	send_json(s, s->last_id, "2");
	wait_answer(s, second);
	assert_non_null(strstr(second->text, "\r\n\r\n2"));
}

static void test_too_many_waiting_are_told_so(void **state)
{
	struct scene *s = *state;

	s->mute = true;
	for (size_t i = 0; i < WEB_PENDING_MAX; i++)
		request(s, GET("/v1alpha1/health"));
	wait_questions(s, 1);
	expect(s, GET("/"), "HTTP/1.1 404 ", "there are:"); /* all are suspended now */
	expect(s, GET("/v1alpha1/health"), "HTTP/1.1 503 ", "{\"error\":\"too many requests are waiting\"}");
	send_json(s, s->last_id, "{}");
	for (size_t i = 0; i < WEB_PENDING_MAX; i++)
		wait_answer(s, &s->clients[i]);
	s->mute = false;
	expect(s, GET("/v1alpha1/health"), "HTTP/1.1 200 ", "NodeHealth");
}

static void test_a_silent_or_failing_stokerd_is_a_503(void **state)
{
	struct scene *s = *state;
	struct wire_part part = {.last = 1, .errnum = ENOMEM};

	s->mute = true;
	struct client *c = request(s, GET("/v1alpha1/health"));
	wait_questions(s, 1);
	assert_true(link_send(&s->daemon, WIRE_HEALTH_PART, s->last_id, &part, offsetof(struct wire_part, bytes)));
	wait_answer(s, c);
	assert_non_null(strstr(c->text, "{\"error\":\"stokerd cannot tell the health\"}"));

	c = request(s, GET("/v1alpha1/health"));
	wait_questions(s, 2);
	part = (struct wire_part){.length = 9000};
	assert_true(link_send(&s->daemon, WIRE_HEALTH_PART, s->last_id, &part, sizeof(part)));
	wait_answer(s, c);
	assert_non_null(strstr(c->text, "not understood"));

	/* Nothing at all: 5 s. Then a late answer is of a question that nobody asks any more. */
	c = request(s, GET("/v1alpha1/health"));
	wait_answer(s, c);
	assert_true(strncmp(c->text, "HTTP/1.1 503 ", 13) == 0 && strstr(c->text, "within 5 s"));
	send_json(s, s->last_id, "late");
	s->mute = false;
	expect(s, GET("/v1alpha1/health"), "HTTP/1.1 200 ", "NodeHealth");
}

static void test_clients_that_leave_while_they_wait_cost_nothing(void **state)
{
	struct scene *s = *state;

	s->mute = true;
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < WEB_PENDING_MAX; i++)
			request(s, GET("/v1alpha1/health"));
		wait_questions(s, (unsigned)round + 1);
		expect(s, GET("/"), "HTTP/1.1 404 ", "there are:");
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			if (s->clients[i].fd > 0) {
				close(s->clients[i].fd);
				memset(&s->clients[i], 0, sizeof(s->clients[i]));
			}
		send_json(s, s->last_id, "{}");
		expect(s, GET("/"), "HTTP/1.1 404 ", "there are:");
	}
	s->mute = false;
	expect(s, GET("/v1alpha1/health"), "HTTP/1.1 200 ", "NodeHealth");
}

static void test_connections_are_limited_and_the_limit_ends(void **state)
{
	struct scene *s = *state;
	struct client *idle[64];

	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		idle[i] = request(s, "GET /healthz HTTP/1.1\r\n"); /* half a request */
	struct client *late = request(s, GET("/healthz"));
	for (int i = 0; i < 20; i++)
		turn(s);
	assert_int_equal(late->length, 0);
	close(idle[0]->fd);
	memset(idle[0], 0, sizeof(*idle[0]));
	wait_answer(s, late);
	assert_non_null(strstr(late->text, "ok\n"));
}

#define HEALTH_HEAD "{\"apiVersion\":\"stoker.dev/v1alpha1\",\"kind\":\"NodeHealth\",\"inputs\":{\"kmsg\":{\"state\":\"ok\"},\"broker\":"
#define HEALTH_TAIL "},\"filesystems\":[{\"path\":\"/data\",\"state\":\"healthy\",\"lastProbe\":{\"time\":\"2026-11-26T08:15:00Z\"}}]}"

static void test_metrics_and_readiness_are_made_of_the_health(void **state)
{
	struct scene *s = *state;

	s->json = HEALTH_HEAD "{\"state\":\"ok\"}" HEALTH_TAIL;
	expect(s, GET("/metrics"), "HTTP/1.1 200 ", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	expect(s, GET("/metrics"), "HTTP/1.1 200 ", "\nstoker_input_up{input=\"broker\"} 1\n");
	expect(s, GET("/readyz"), "HTTP/1.1 200 ", "\r\n\r\nok\n");
	expect(s, GET("/readyz?verbose"), "HTTP/1.1 200 ", "\r\n\r\n[+]kmsg ok\n[+]broker ok\n[+]probes ok\nok\n");
	s->json = HEALTH_HEAD "{\"state\":\"missing\",\"since\":\"2026-11-26T08:15:00Z\",\"detail\":\"refused\"}" HEALTH_TAIL;
	expect(s, GET("/readyz"), "HTTP/1.1 503 ", "\n[-]broker missing since 2026-11-26T08:15:00Z: refused; nothing can be probed");
	expect(s, GET("/metrics"), "HTTP/1.1 200 ", "\nstoker_input_up{input=\"broker\"} 0\n");
	expect(s, GET("/healthz"), "HTTP/1.1 200 ", "\r\n\r\nok\n");
	s->json = "{}";
	expect(s, GET("/metrics"), "HTTP/1.1 503 ", "\r\n\r\nstokerd's answer is not understood\n");
	expect(s, GET("/readyz"), "HTTP/1.1 503 ", "not understood");
}

/* One question serves them all; a stokerd that does not answer is not alive. */
static void test_every_view_shares_the_question_and_its_failure(void **state)
{
	struct scene *s = *state;
	struct wire_part part = {.last = 1, .errnum = ENOMEM};

	s->mute = true;
	struct client *c[] = {request(s, GET("/healthz")), request(s, GET("/metrics")), request(s, GET("/readyz")), request(s, GET("/v1alpha1/health"))};
	wait_questions(s, 1);
	expect(s, GET("/"), "HTTP/1.1 404 ", "there are:");
	assert_true(link_send(&s->daemon, WIRE_HEALTH_PART, s->last_id, &part, offsetof(struct wire_part, bytes)));
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		wait_answer(s, c[i]);
		assert_true(strncmp(c[i]->text, "HTTP/1.1 503 ", 13) == 0 && strstr(c[i]->text, "stokerd cannot tell the health"));
	}
	assert_int_equal(s->questions, 1);
}

static void test_without_its_link_it_ends(void **state)
{
	struct scene *s = *state;

	expect(s, GET("/"), "HTTP/1.1 404 ", "there are:");
	s->gone = true;
	link_close(&s->daemon);
	/* uv_stop makes the run return although handles are alive. */
	uv_timer_stop(&s->tick);
	assert_int_not_equal(uv_run(&s->loop, UV_RUN_DEFAULT), 0);
	assert_false(link_is_up(&s->web.link));
}

#define stage_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_each_path_and_method_has_its_answer),
		stage_test(test_garbage_and_large_requests_end_and_the_next_is_served),
		stage_test(test_waiting_requests_share_one_question),
		stage_test(test_who_comes_after_the_answer_began_gets_a_newer_one),
		stage_test(test_too_many_waiting_are_told_so),
		stage_test(test_a_silent_or_failing_stokerd_is_a_503),
		stage_test(test_clients_that_leave_while_they_wait_cost_nothing),
		stage_test(test_connections_are_limited_and_the_limit_ends),
		stage_test(test_metrics_and_readiness_are_made_of_the_health),
		stage_test(test_every_view_shares_the_question_and_its_failure),
		stage_test(test_without_its_link_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
