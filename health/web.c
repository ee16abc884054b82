#include "health/web.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/health.h"
#include "health/wire.h"

#define WEB_CONNECTIONS_MAX  64 /* of each socket: a scraper gone wild does not lock the CLI out */
#define WEB_IDLE_S	     10
#define WEB_CONNECTION_BYTES 16384
#define WEB_QUESTION_MS	     5000

/* One answer to all who wait for it; what none of them wants is not made. */
struct web_answer {
	struct web_response of[WEB_VIEW_MAX_];
	unsigned users;
};

static void ask(struct web_question *q);

/* --- responses --- */

/* Takes the response. MHD_NO closes the connection. */
static enum MHD_Result answer_with(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
	if (!response)
		return MHD_NO;
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return answer_with(connection, status, web_response_make(text, strlen(text), WEB_TEXT_TYPE));
}

/* --- driving libmicrohttpd from the loop --- */

static void pump(struct web_listener *listener);

static void timer_due(uv_timer_t *timer)
{
	pump(timer->data);
}

static void poll_ready(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	pump(poll->data);
}

static void pump(struct web_listener *listener)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;

	MHD_run(listener->daemon);
	if (MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(&listener->timer, timer_due, timeout_ms, 0);
	else
		uv_timer_stop(&listener->timer);
}

/* --- several requests share one question to stokerd --- */

static void release_answer(struct web_answer *answer)
{
	if (!answer || --answer->users > 0)
		return;
	for (unsigned i = 0; i < WEB_VIEW_MAX_; i++)
		if (answer->of[i].response)
			MHD_destroy_response(answer->of[i].response);
	free(answer);
}

/* Gives the answer to one who waited for it. */
static void resume(struct web_request *request, struct web_source *source, struct web_answer *answer)
{
	request->waiting = false;
	request->answer = answer;
	if (answer && !answer->of[request->view].made)
		web_view_make(source, request->view, &answer->of[request->view]);
	if (answer)
		answer->users++;
	MHD_resume_connection(request->connection);
}

/* Answers those who waited for this question, and asks again for those who came too late for it. */
static void finish_question(struct web_question *q, const char *error)
{
	struct web *web = q->web;
	struct web_answer *answer = calloc(1, sizeof(*answer));
	struct web_source source = {q->text, q->length, error, web->health, false};
	bool again = false;

	q->id = 0;
	uv_timer_stop(&q->deadline);
	if (answer)
		answer->users = 1;
	for (size_t i = 0; i < WEB_PENDING_MAX; i++) {
		struct web_request *request = &web->requests[i];
		if (!request->waiting || web_view_subject(request->view) != q->subject)
			continue;
		if (!request->next)
			resume(request, &source, answer);
		again = again || request->next;
		request->next = false;
	}
	release_answer(answer);
	free(q->text);
	q->text = NULL;
	if (again)
		ask(q);
	for (size_t i = 0; i < web->listener_count; i++)
		pump(&web->listeners[i]);
}

static void question_late(uv_timer_t *timer)
{
	struct web_question *q = timer->data;

	log_warn(q->web->log, "stokerd did not answer in time");
	finish_question(q, q->text ? "stokerd did not answer within 5 s" : "no memory");
}

static void ask(struct web_question *q)
{
	static const uint16_t types[WEB_SUBJECT_MAX_] = {WIRE_GET_HEALTH, WIRE_GET_EXECUTORS, WIRE_GET_DEATHS, WIRE_GET_SWEEP, WIRE_GET_VOLUMES};
	struct web *web = q->web;

	q->id = ++web->last_id;
	q->begun = false;
	q->length = 0;
	q->text = malloc(HEALTH_JSON_MAX_BYTES);
	/* If the record cannot be sent the deadline answers. */
	if (!q->text || !link_send(&web->link, types[q->subject], q->id, NULL, 0))
		log_warn(web->log, "stokerd does not read");
	uv_timer_start(&q->deadline, question_late, q->text ? WEB_QUESTION_MS : 0, 0);
}

static enum MHD_Result wait_for_answer(struct web *web, struct MHD_Connection *connection, enum web_view view, void **request_state)
{
	struct web_request *request = web->requests;
	struct web_question *q = &web->questions[web_view_subject(view)];

	while (request < web->requests + WEB_PENDING_MAX && request->connection)
		request++;
	if (request == web->requests + WEB_PENDING_MAX)
		return answer_with(connection, MHD_HTTP_SERVICE_UNAVAILABLE, web_response_error(view, "too many requests are waiting"));
	/* An answer that has begun to come was made before this request: it does not serve it. */
	*request = (struct web_request){.connection = connection, .view = view, .waiting = true, .next = q->id != 0 && q->begun};
	*request_state = request;
	MHD_suspend_connection(connection);
	if (q->id == 0)
		ask(q);
	return MHD_YES;
}

static void release_request(struct web *web, void **request_state)
{
	struct web_request *request = *request_state;

	*request_state = &web->first_call;
	release_answer(request->answer);
	*request = (struct web_request){0};
}

/* After the resumption. The request no longer counts as waiting: a client that reads slowly keeps nobody out. */
static enum MHD_Result answer_health(struct web *web, struct MHD_Connection *connection, void **request_state)
{
	const struct web_request *request = *request_state;
	const struct web_response *made = request->answer ? &request->answer->of[request->view] : NULL;
	enum MHD_Result result = made && made->response ? MHD_queue_response(connection, made->status, made->response) : MHD_NO;

	release_request(web, request_state);
	return result;
}

static struct web_question *find_question(struct web *web, uint64_t id)
{
	for (unsigned i = 0; i < WEB_SUBJECT_MAX_; i++)
		if (id != 0 && web->questions[i].id == id && web->questions[i].text)
			return &web->questions[i];
	return NULL; /* it was given up */
}

static void take_part(struct web *web, const struct record *record)
{
	static const char *const failures[WEB_SUBJECT_MAX_] = {"stokerd cannot tell the health", "stokerd cannot tell the executors", "stokerd cannot tell the deaths",
								 "stokerd cannot tell the sweep", "stokerd cannot tell the volumes"};
	struct web_question *q = find_question(web, record->header.id);
	const struct wire_part *part = (const struct wire_part *)(const void *)record->payload;
	const size_t head = offsetof(struct wire_part, bytes);

	if (!q)
		return;
	if (record->header.length < head || part->length > WIRE_PART_BYTES || record->header.length != head + part->length ||
	    part->length > HEALTH_JSON_MAX_BYTES - q->length) {
		log_warn(web->log, "answer not understood", "length", log_number(record->header.length));
		finish_question(q, "stokerd's answer is not understood");
		return;
	}
	q->begun = true;
	memcpy(q->text + q->length, part->bytes, part->length);
	q->length += part->length;
	if (part->errnum != 0)
		finish_question(q, failures[q->subject]);
	else if (part->last)
		finish_question(q, NULL);
}

/* --- requests --- */

/* The closed list of paths. Each asks stokerd: an agent whose loop stands still is not alive. */
static const struct web_path {
	const char *path;
	enum web_view view, verbose; /* with ?verbose */
} paths[] = {
	{"/v1alpha1/health", WEB_HEALTH, WEB_HEALTH},
	{"/v1alpha1/executors", WEB_EXECUTORS, WEB_EXECUTORS},
	{"/v1alpha1/deaths", WEB_DEATHS, WEB_DEATHS},
	{"/v1alpha1/sweep", WEB_SWEEP, WEB_SWEEP},
	{"/v1alpha1/volumes", WEB_VOLUMES, WEB_VOLUMES},
	{"/metrics", WEB_METRICS, WEB_METRICS},
	{"/healthz", WEB_ALIVE, WEB_ALIVE},
	{"/readyz", WEB_READY, WEB_READY_VERBOSE},
};

static enum MHD_Result serve(struct web *web, struct MHD_Connection *connection, const struct web_path *path, void **request_state)
{
	const bool verbose = MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, "verbose", strlen("verbose"), NULL, NULL) == MHD_YES;

	return wait_for_answer(web, connection, verbose ? path->verbose : path->view, request_state);
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length && strcmp(length, "0") != 0) || MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/* With the headers alone: a response now makes libmicrohttpd close the connection instead of reading a body. */
static enum MHD_Result look_at_headers(struct web *web, struct MHD_Connection *connection, const char *method, void **request_state)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		static const char words[] = "only GET and HEAD\n";
		struct MHD_Response *response = web_response_make(words, sizeof(words) - 1, WEB_TEXT_TYPE);
		if (response)
			MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
		return answer_with(connection, MHD_HTTP_METHOD_NOT_ALLOWED, response);
	}
	if (has_body(connection))
		return answer_text(connection, MHD_HTTP_BAD_REQUEST, "a request without a body, please\n");
	*request_state = &web->first_call;
	return MHD_YES;
}

static enum MHD_Result answer_missing(struct MHD_Connection *connection)
{
	char text[512] = "no such path; there are:\n";

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		str_append(text, sizeof(text), "%s\n", paths[i].path);
	return answer_text(connection, MHD_HTTP_NOT_FOUND, text);
}

static enum MHD_Result handle_request(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
				      const char *upload, size_t *upload_size, void **request_state)
{
	struct web *web = context;

	(void)version;
	(void)upload;
	if (!*request_state)
		return look_at_headers(web, connection, method, request_state);
	if (*upload_size > 0)
		return MHD_NO;
	if (*request_state != &web->first_call)
		return answer_health(web, connection, request_state);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (strcmp(paths[i].path, url) == 0)
			return serve(web, connection, &paths[i], request_state);
	return answer_missing(connection);
}

static void request_completed(void *context, struct MHD_Connection *connection, void **request_state, enum MHD_RequestTerminationCode code)
{
	struct web *web = context;

	(void)connection;
	(void)code;
	if (*request_state && *request_state != &web->first_call)
		release_request(web, request_state);
	*request_state = NULL;
}

/* --- the link --- */

/* Takes the socket when libmicrohttpd has it. */
static int start_listener(struct web *web, struct web_listener *l, int *fd, struct err *e)
{
	/* Without MHD_USE_ERROR_LOG: what clients do wrong does not fill the log. */
	l->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle_request, web, MHD_OPTION_LISTEN_SOCKET, *fd,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)WEB_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_IDLE_S,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
				     MHD_OPTION_NOTIFY_COMPLETED, request_completed, web, MHD_OPTION_END);
	if (!l->daemon)
		return err_set(e, errno ? errno : EIO, "libmicrohttpd cannot serve a socket");
	fd_take(fd);
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || uv_poll_init(web->loop, &l->poll, info->epoll_fd) < 0) {
		MHD_stop_daemon(l->daemon);
		return err_rule(e, EIO, "libmicrohttpd has nothing to poll");
	}
	uv_timer_init(web->loop, &l->timer);
	l->poll.data = l->timer.data = l;
	uv_poll_start(&l->poll, UV_READABLE, poll_ready);
	pump(l);
	return 0;
}

static void take_socket(struct web *web, const struct record *record)
{
	const struct wire_listen *what = record_payload(record, sizeof(*what));
	scoped(fd_drop) int fd = link_take_fd(&web->link);
	struct err e = {0};

	if (!what || fd < 0 || web->listener_count == WEB_LISTENERS_MAX) {
		log_warn(web->log, "listening socket refused");
		return;
	}
	if (start_listener(web, &web->listeners[web->listener_count], &fd, &e) < 0) {
		log_error(web->log, "cannot serve", "error", e.text, "socket", what->is_unix ? "unix" : "tcp");
		return;
	}
	web->listener_count++;
	log_info(web->log, "serving", "socket", what->is_unix ? "unix" : "tcp");
}

static void link_record(struct link *link, const struct record *record)
{
	struct web *web = link->owner;

	switch (record->header.type) {
	case WIRE_LISTEN: take_socket(web, record); break;
	case WIRE_HEALTH_PART: take_part(web, record); break;
	default:
		link->refused++;
		log_warn(web->log, "record not understood", "type", log_number(record->header.type));
	}
}

static void link_lost(struct link *link, const struct err *why)
{
	struct web *web = link->owner;

	log_info(web->log, "stokerd is gone, ending", "detail", why ? why->text : NULL);
	uv_stop(web->loop);
}

int web_start(struct web *web, uv_loop_t *loop, const struct log *log, int link_fd, struct err *e)
{
	static const struct link_ops ops = {.on_record = link_record, .on_down = link_lost};

	web->loop = loop;
	web->log = log;
	web->health = malloc(sizeof(*web->health));
	if (!web->health)
		return err_set(e, ENOMEM, "cannot start");
	for (unsigned i = 0; i < WEB_SUBJECT_MAX_; i++) {
		struct web_question *q = &web->questions[i];
		q->web = web;
		q->subject = (enum web_subject)i;
		uv_timer_init(loop, &q->deadline);
		q->deadline.data = q;
	}
	return link_adopt(&web->link, loop, link_fd, &ops, web, e);
}
