#include "shim/http2.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "shim/text.h"

#define BODY_FIRST_BYTES 1024
#define BODY_BYTES	 (GRPC_PREFIX_BYTES + GRPC_MESSAGE_BYTES)
#define CONTENT_TYPE	 "application/grpc"

/* --- streams --- */

static struct http2_stream *find_stream(struct http2 *h, int32_t id)
{
	for (size_t i = 0; i < HTTP2_STREAMS_MAX; i++)
		if (h->streams[i].state != HTTP2_FREE && h->streams[i].id == id)
			return &h->streams[i];
	return NULL;
}

static void drop_body(struct http2_stream *s)
{
	*s->connection->held_bytes -= s->body_size;
	free(s->body);
	s->body = NULL;
	s->body_length = s->body_size = 0;
}

static void free_stream(struct http2_stream *s)
{
	if (s->state == HTTP2_FREE)
		return;
	drop_body(s);
	free(s->reply);
	*s = (struct http2_stream){0};
}

/* The first reason stands. */
static void refuse(struct http2_stream *s, enum grpc_code code, const char *why)
{
	if (s->refused != GRPC_OK)
		return;
	s->refused = code;
	s->why = why;
	s->connection->refused_total++;
}

static bool append_body(struct http2_stream *s, const uint8_t *bytes, size_t length)
{
	size_t size = s->body_size ? s->body_size : BODY_FIRST_BYTES;

	if (length > BODY_BYTES - s->body_length) {
		refuse(s, GRPC_RESOURCE_EXHAUSTED, "a message has at most 65536 bytes");
		return false;
	}
	while (size < s->body_length + length)
		size *= 2;
	if (size > s->body_size) {
		const size_t more = size - s->body_size;
		unsigned char *grown = *s->connection->held_bytes + more <= HTTP2_HELD_BYTES ? realloc(s->body, size) : NULL;
		if (!grown) {
			refuse(s, GRPC_RESOURCE_EXHAUSTED, "too many messages are under way");
			return false;
		}
		s->body = grown;
		s->body_size = size;
		*s->connection->held_bytes += more;
	}
	memcpy(s->body + s->body_length, bytes, length);
	s->body_length += length;
	return true;
}

/* --- answers --- */

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* nghttp2 asks for the next part of a reply. Behind it come the trailers: the status of a call that went well. */
static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t size, uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct http2_stream *s = source->ptr;
	const size_t left = s->reply_length - s->reply_sent, n = left < size ? left : size;

	(void)user;
	memcpy(buffer, s->reply + s->reply_sent, n);
	s->reply_sent += n;
	if (s->reply_sent == s->reply_length) {
		const nghttp2_nv trailer = header("grpc-status", "0");
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (nghttp2_submit_trailer(session, id, &trailer, 1) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)n;
}

static int submit_reply(struct http2_stream *s, const void *payload, size_t length)
{
	const nghttp2_nv headers[] = {header(":status", "200"), header("content-type", CONTENT_TYPE)};
	const nghttp2_data_provider provider = {{.ptr = s}, read_reply};

	s->reply = malloc(GRPC_PREFIX_BYTES + length);
	if (!s->reply)
		return NGHTTP2_ERR_NOMEM;
	grpc_write_prefix(s->reply, length);
	if (length > 0)
		memcpy(s->reply + GRPC_PREFIX_BYTES, payload, length);
	s->reply_length = GRPC_PREFIX_BYTES + length;
	return nghttp2_submit_response(s->connection->session, s->id, headers, ARRAY_SIZE(headers), &provider);
}

/* "Trailers-Only": status and text are the only headers, and they end the stream. */
static int submit_error(struct http2_stream *s, enum grpc_code code, const char *text)
{
	char number[12], encoded[GRPC_ENCODED_BYTES];
	const nghttp2_nv headers[] = {header(":status", "200"), header("content-type", CONTENT_TYPE),
				      (snprintf(number, sizeof(number), "%d", (int)code), header("grpc-status", number)),
				      (grpc_encode(encoded, sizeof(encoded), text ? text : ""), header("grpc-message", encoded))};

	return nghttp2_submit_response(s->connection->session, s->id, headers, ARRAY_SIZE(headers), NULL);
}

/* Who does not speak gRPC gets an answer of HTTP. */
static int submit_http(struct http2_stream *s)
{
	const nghttp2_nv status = header(":status", s->posted ? "415" : "405");

	return nghttp2_submit_response(s->connection->session, s->id, &status, 1, NULL);
}

static bool answered(struct http2_stream *s, int submitted)
{
	s->state = HTTP2_ANSWERED;
	s->deadline_us = s->connection->now_us + HTTP2_TAKE_US;
	if (submitted != 0) /* no memory: the client is told at least that it is over */
		nghttp2_submit_rst_stream(s->connection->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
	return submitted == 0;
}

bool http2_answer(struct http2 *h, int32_t stream, enum grpc_code code, const char *text, const void *payload, size_t length)
{
	struct http2_stream *s = find_stream(h, stream);

	if (!s || s->state == HTTP2_ANSWERED)
		return false;
	if (code == GRPC_OK && length <= HTTP2_REPLY_BYTES)
		return answered(s, submit_reply(s, payload, length));
	return answered(s, submit_error(s, code == GRPC_OK ? GRPC_INTERNAL : code, text));
}

/* --- what comes --- */

/* The request is whole. */
static void call(struct http2_stream *s)
{
	struct http2 *h = s->connection;
	struct http2_call call = {.stream = s->id, .path = s->path};

	if (s->state != HTTP2_COMING)
		return;
	const enum grpc_code code = grpc_open((struct text){(const char *)s->body, (uint32_t)s->body_length}, &call.message, &s->why);
	if (code != GRPC_OK) {
		h->refused_total++;
		http2_answer(h, s->id, code, s->why, NULL, 0);
	} else {
		s->state = HTTP2_CALLED;
		s->deadline_us = h->now_us + (s->timeout_us && s->timeout_us < HTTP2_ANSWER_US ? s->timeout_us : HTTP2_ANSWER_US);
		h->ops->on_call(h, &call);
	}
	drop_body(s); /* an answer is not its stream's end: nghttp2 ends streams between two callbacks, never within one */
}

/* Before the message has come, if the headers or its length say enough. */
static void answer_early(struct http2_stream *s)
{
	if (s->state != HTTP2_COMING)
		return;
	if (s->refused != GRPC_OK) {
		http2_answer(s->connection, s->id, s->refused, s->why, NULL, 0);
	} else if (!s->posted || !s->is_grpc) {
		s->connection->refused_total++;
		answered(s, submit_http(s));
	} else {
		return;
	}
	drop_body(s);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct http2 *h = user;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	for (size_t i = 0; i < HTTP2_STREAMS_MAX; i++) {
		if (h->streams[i].state != HTTP2_FREE)
			continue;
		h->streams[i] = (struct http2_stream){.connection = h, .id = frame->hd.stream_id, .state = HTTP2_COMING, .deadline_us = h->now_us + HTTP2_REQUEST_US};
		return 0;
	}
	h->refused_total++;
	return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
}

static void take_header(struct http2_stream *s, struct text name, struct text value)
{
	if (text_is(name, ":method"))
		s->posted = text_is(value, "POST");
	else if (text_is(name, ":path"))
		text_copy_whole(s->path, sizeof(s->path), value);
	else if (text_is(name, "content-type"))
		s->is_grpc = text_starts(value, CONTENT_TYPE) && (value.length == strlen(CONTENT_TYPE) || strchr("+;", value.bytes[strlen(CONTENT_TYPE)]));
	else if (text_is(name, "grpc-timeout") && grpc_timeout(value, &s->timeout_us) < 0)
		refuse(s, GRPC_INTERNAL, "grpc-timeout is not understood");
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length, const uint8_t *value, size_t value_length,
		     uint8_t flags, void *user)
{
	struct http2_stream *s = find_stream(user, frame->hd.stream_id);

	(void)session;
	(void)flags;
	if (!s)
		return 0;
	s->header_bytes += name_length + value_length;
	if (s->header_bytes > HTTP2_HEADER_BYTES)
		refuse(s, GRPC_RESOURCE_EXHAUSTED, "the headers of a call have at most 8192 bytes");
	else if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		take_header(s, (struct text){(const char *)name, (uint32_t)name_length}, (struct text){(const char *)value, (uint32_t)value_length});
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *user)
{
	struct http2_stream *s = find_stream(user, id);

	(void)session;
	(void)flags;
	if (s && s->state == HTTP2_COMING && !append_body(s, bytes, length))
		answer_early(s);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct http2_stream *s = find_stream(user, frame->hd.stream_id);

	(void)session;
	if (!s || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS)
		answer_early(s);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		call(s);
	return 0;
}

/* An answer that was given before the request's end: its sender need not go on. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	(void)user;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->hd.flags & NGHTTP2_FLAG_END_STREAM && nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct http2_stream *s = find_stream(user, id);

	(void)session;
	(void)code;
	if (s)
		free_stream(s);
	return 0;
}

/* --- a connection --- */

static int make_session(struct http2 *h)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int r = NGHTTP2_ERR_NOMEM;

	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
		nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
		nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
		nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
		nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
		nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
		nghttp2_option_set_max_deflate_dynamic_table_size(option, 0); /* our few headers gain nothing by it */
		nghttp2_option_set_no_closed_streams(option, 1);
		r = nghttp2_session_server_new2(&h->session, callbacks, h, option);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return r;
}

int http2_open(struct http2 *h, const struct http2_ops *ops, void *owner, size_t *held_bytes, struct err *e)
{
	static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX}, {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP2_HEADER_BYTES}};

	h->ops = ops;
	h->owner = owner;
	h->held_bytes = held_bytes;
	int r = make_session(h);
	if (r == 0)
		r = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings));
	return r == 0 ? 0 : err_rule(e, ENOMEM, "cannot serve a connection: %s", nghttp2_strerror(r));
}

void http2_close(struct http2 *h)
{
	for (size_t i = 0; i < HTTP2_STREAMS_MAX; i++)
		free_stream(&h->streams[i]);
	nghttp2_session_del(h->session);
	h->session = NULL;
}

int http2_receive(struct http2 *h, const void *bytes, size_t length, uint64_t now_us, struct err *e)
{
	h->now_us = now_us;
	ssize_t n = nghttp2_session_mem_recv(h->session, bytes, length);
	return n < 0 ? err_rule(e, EPROTO, "no HTTP/2 as it should be: %s", nghttp2_strerror((int)n)) : 0;
}

ssize_t http2_output(struct http2 *h, const unsigned char **ret, struct err *e)
{
	ssize_t n = nghttp2_session_mem_send(h->session, ret);

	return n < 0 ? err_rule(e, EPROTO, "cannot answer: %s", nghttp2_strerror((int)n)) : n;
}

void http2_say_goodbye(struct http2 *h)
{
	nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
}

bool http2_is_over(const struct http2 *h)
{
	return !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
}

bool http2_is_idle(const struct http2 *h)
{
	return http2_deadline_us(h) == 0;
}

/* --- time --- */

uint64_t http2_deadline_us(const struct http2 *h)
{
	uint64_t first = 0;

	for (size_t i = 0; i < HTTP2_STREAMS_MAX; i++) {
		const struct http2_stream *s = &h->streams[i];
		if (s->state != HTTP2_FREE && (first == 0 || s->deadline_us < first))
			first = s->deadline_us;
	}
	return first;
}

int http2_expire(struct http2 *h, uint64_t now_us, struct err *e)
{
	h->now_us = now_us;
	for (size_t i = 0; i < HTTP2_STREAMS_MAX; i++) {
		struct http2_stream *s = &h->streams[i];
		if (s->state == HTTP2_FREE || s->deadline_us > now_us)
			continue;
		if (s->state == HTTP2_ANSWERED)
			return err_rule(e, ETIMEDOUT, "the client does not take its answer");
		const bool is_called = s->state == HTTP2_CALLED;
		h->refused_total += !is_called;
		http2_answer(h, s->id, GRPC_DEADLINE_EXCEEDED, is_called ? "the answer did not come in the time that the client gave; the work goes on" : "the call did not come whole within 10 s", NULL, 0);
		drop_body(s);
	}
	return 0;
}
