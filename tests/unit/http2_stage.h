/* http2_stage.h - our server of gRPC and nghttp2 as its client, whose bytes go straight to it and back. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/http2.h"
#include "shim/text.h"

#define CALLS_MAX 64

/* One call as its client sees it. */
struct call {
	int32_t id;
	unsigned char body[GRPC_PREFIX_BYTES + GRPC_MESSAGE_BYTES + 100];
	size_t length, sent;
	char status[8], code[8], text[512];
	unsigned char reply[16384];
	size_t reply_length;
	uint32_t closed; /* 1 + error code */
};

struct stage {
	struct http2 server;
	nghttp2_session *client;
	size_t held_bytes;
	uint64_t now_us;
	struct call calls[CALLS_MAX];
	size_t count;
	/* what the server's owner saw */
	struct {
		int32_t stream;
		char path[96];
		size_t length;
	} seen[CALLS_MAX];
	size_t seen_count;
	bool answer_at_once;
	struct err e;
	int failed;
};

static inline void on_call(struct http2 *http2, const struct http2_call *call)
{
	struct stage *s = http2->owner;

	assert_true(s->seen_count < CALLS_MAX);
	s->seen[s->seen_count].stream = call->stream;
	str_copy(s->seen[s->seen_count].path, sizeof(s->seen[0].path), call->path);
	s->seen[s->seen_count++].length = call->message.length;
	if (s->answer_at_once)
		assert_true(http2_answer(http2, call->stream, GRPC_OK, NULL, call->message.bytes, call->message.length));
}

static inline struct call *find_call(struct stage *s, int32_t id)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->calls[i].id == id)
			return &s->calls[i];
	abort(); /* an answer that nobody asked for */
}

static inline int client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length, const uint8_t *value, size_t value_length,
			 uint8_t flags, void *user)
{
	struct call *c = find_call(user, frame->hd.stream_id);
	const struct text key = {(const char *)name, (uint32_t)name_length}, text = {(const char *)value, (uint32_t)value_length};

	(void)session;
	(void)flags;
	if (text_is(key, ":status"))
		text_copy(c->status, sizeof(c->status), text);
	if (text_is(key, "grpc-status"))
		text_copy(c->code, sizeof(c->code), text);
	if (text_is(key, "grpc-message"))
		text_copy(c->text, sizeof(c->text), text);
	assert_false(text_is(key, "grpc-status-details-bin"));
	return 0;
}

static inline int client_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *user)
{
	struct call *c = find_call(user, id);

	(void)session;
	(void)flags;
	assert_true(length <= sizeof(c->reply) - c->reply_length);
	memcpy(c->reply + c->reply_length, bytes, length);
	c->reply_length += length;
	return 0;
}

static inline int client_closed(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct call *c = find_call(user, id);

	(void)session;
	c->closed = 1 + code;
	return 0;
}

static inline ssize_t client_body(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t size, uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct call *c = source->ptr;
	const size_t n = c->length - c->sent < size ? c->length - c->sent : size;

	(void)session;
	(void)id;
	(void)user;
	memcpy(buffer, c->body + c->sent, n);
	c->sent += n;
	if (c->sent == c->length)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static inline void open_stage(struct stage *s)
{
	static const struct http2_ops ops = {.on_call = on_call};
	nghttp2_session_callbacks *callbacks;

	*s = (struct stage){.now_us = 1000};
	assert_int_equal(http2_open(&s->server, &ops, s, &s->held_bytes, &s->e), 0);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, client_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, client_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, client_closed);
	nghttp2_session_client_new(&s->client, callbacks, s);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(s->client, NGHTTP2_FLAG_NONE, NULL, 0);
}

static inline void close_stage(struct stage *s)
{
	http2_close(&s->server);
	nghttp2_session_del(s->client);
	assert_int_equal(s->held_bytes, 0);
	free(s);
}

static inline struct stage *new_stage(void)
{
	struct stage *s = malloc(sizeof(*s));

	assert_non_null(s);
	open_stage(s);
	return s;
}

/* Carries bytes in pieces of `step` until nothing moves. */
static inline void carry(struct stage *s, size_t step)
{
	const unsigned char *bytes;
	bool moved = true;

	while (moved && s->failed == 0) {
		moved = false;
		for (ssize_t n; (n = nghttp2_session_mem_send(s->client, &bytes)) > 0 && s->failed == 0; moved = true)
			for (ssize_t at = 0; at < n && s->failed == 0; at += (ssize_t)step)
				s->failed = http2_receive(&s->server, bytes + at, (size_t)(n - at) < step ? (size_t)(n - at) : step, s->now_us, &s->e);
		for (ssize_t n; (n = http2_output(&s->server, &bytes, &s->e)) > 0; moved = true)
			assert_int_equal(nghttp2_session_mem_recv(s->client, bytes, (size_t)n), n);
	}
}

static inline nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static inline struct call *begin(struct stage *s, const char *method, const char *type, const char *path, const char *timeout)
{
	struct call *c = &s->calls[s->count++];
	const nghttp2_nv headers[] = {nv(":method", method), nv(":scheme", "http"), nv(":path", path), nv(":authority", "localhost"), nv("content-type", type), nv("te", "trailers"), nv("grpc-timeout", timeout)};
	const nghttp2_data_provider provider = {{.ptr = c}, client_body};

	assert_true(s->count <= CALLS_MAX);
	c->id = nghttp2_submit_request(s->client, NULL, headers, ARRAY_SIZE(headers) - (*timeout ? 0 : 1), &provider, NULL);
	assert_true(c->id > 0);
	return c;
}

static inline struct call *begin_call(struct stage *s, const char *path, const char *message, size_t length)
{
	struct call *c = begin(s, "POST", "application/grpc", path, "");

	grpc_write_prefix(c->body, length);
	memset(c->body + GRPC_PREFIX_BYTES, 'x', length);
	if (message)
		memcpy(c->body + GRPC_PREFIX_BYTES, message, length);
	c->length = GRPC_PREFIX_BYTES + length;
	return c;
}

static inline void assert_ended(const struct call *c, const char *code, const char *text)
{
	assert_string_equal(c->status, "200");
	assert_string_equal(c->code, code);
	assert_string_equal(c->text, text);
	assert_int_equal(c->closed, 1 + NGHTTP2_NO_ERROR);
}
