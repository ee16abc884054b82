/* nri_stage.h - a session under test and the runtime at the other end of its socket, with a clock that the test sets. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "shim/nri_session.h"
#include "tests/unit/nri_make.h"

#define RECORDS_MAX 4096
#define MESSAGE_BYTES (5U << 20)

struct nri_stage {
	struct nri_session session;
	int ours, theirs;
	uint64_t now_us;
	struct mux runtime; /* its side */
	uint32_t stream;
	unsigned char *message; /* scratch, MESSAGE_BYTES */
	/* what decide() does */
	uint64_t decide_us;
	struct plan plan;
	const char *complaint;
	unsigned decisions;
	/* what was emitted */
	unsigned count;
	enum wire_type types[RECORDS_MAX];
	struct wire_container containers[RECORDS_MAX];
	char pods[RECORDS_MAX][64]; /* of WIRE_EXECUTOR */
	struct executor executor;   /* the last one */
	struct wire_nri_state state;
	struct wire_complaint said;
	/* the last reply */
	unsigned char reply[256 * 1024];
	uint32_t code;
	struct text payload;
	struct err e;
};

static inline uint64_t stage_now(void *owner)
{
	return ((struct nri_stage *)owner)->now_us;
}

/* Spark is what is called so. */
static inline void stage_decide(void *owner, const struct nri_event *event, struct nri_decision *ret)
{
	struct nri_stage *s = owner;

	memset(ret, 0, sizeof(*ret));
	s->decisions++;
	s->now_us += s->decide_us;
	if (event->container.name.length < 5 || memcmp(event->container.name.bytes, "spark", 5) != 0)
		return;
	ret->executor.role = EXECUTOR_ROLE_EXECUTOR;
	snprintf(ret->executor.container_id, sizeof(ret->executor.container_id), "%.*s", (int)event->container.id.length, event->container.id.bytes);
	snprintf(ret->executor.pod, sizeof(ret->executor.pod), "%.*s", (int)event->pod.name.length, event->pod.name.bytes);
	ret->plan = s->plan;
	str_copy(ret->complaint, sizeof(ret->complaint), s->complaint ? s->complaint : "");
}

static inline void stage_emit(void *owner, enum wire_type type, const void *payload, size_t length)
{
	struct nri_stage *s = owner;
	unsigned i = s->count++;

	assert_true(i < RECORDS_MAX);
	s->types[i] = type;
	if (type == WIRE_NRI_STATE) {
		assert_int_equal(length, sizeof(s->state));
		memcpy(&s->state, payload, length);
	} else if (type == WIRE_EXECUTOR) {
		assert_int_equal(length, sizeof(struct executor));
		memcpy(&s->executor, payload, sizeof(s->executor));
		str_copy(s->pods[i], sizeof(s->pods[i]), s->executor.pod);
	} else if (type == WIRE_COMPLAINT) {
		memcpy(&s->said, payload, sizeof(s->said));
	} else if (length > 0) {
		assert_int_equal(length, sizeof(struct wire_container));
		memcpy(&s->containers[i], payload, length);
	}
}

static inline int nri_stage_open(void **state)
{
	static const struct nri_session_ops ops = {stage_now, stage_decide, stage_emit};
	struct nri_stage *s = calloc(1, sizeof(*s));
	int pair[2];

	*state = s;
	if (!s || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	s->ours = pair[0];
	s->theirs = pair[1];
	s->now_us = 1000000;
	s->message = malloc(MESSAGE_BYTES);
	mux_open(&s->runtime);
	nri_session_init(&s->session, &ops, s);
	return s->message ? 0 : -1;
}

static inline int nri_stage_close(void **state)
{
	struct nri_stage *s = *state;

	nri_session_close(&s->session, "");
	mux_close(&s->runtime);
	close(s->ours);
	close(s->theirs);
	free(s->message);
	free(s);
	return 0;
}

/* What lies in the socket goes to the session, as often as it takes until nothing moves. */
static inline int stage_pump(struct nri_stage *s)
{
	static unsigned char bytes[65536];

	for (;;) {
		assert_true(mux_flush(&s->runtime, s->theirs, NULL) >= 0);
		ssize_t n = read(s->ours, bytes, sizeof(bytes));
		if (n <= 0)
			return 0;
		int r = nri_session_receive(&s->session, bytes, (size_t)n, &s->e);
		if (r < 0)
			return r;
	}
}

/* The session's next message, if there is one. */
static inline bool stage_next(struct nri_stage *s, struct mux_message *message)
{
	size_t taken = 0;
	ssize_t n = read(s->theirs, s->reply, sizeof(s->reply));

	return n > 0 && mux_feed(&s->runtime, s->reply, (size_t)n, &taken, message, NULL) == 1 && taken == (size_t)n;
}

/* Calls the plugin; its answer is in code and payload. What nri_session_receive returned. */
static inline int stage_call(struct nri_stage *s, const char *method, struct text payload)
{
	struct proto_writer w = writer_on(s->message, MESSAGE_BYTES);
	struct mux_message message;
	struct ttrpc_response response;

	s->stream += 2;
	size_t mark = ttrpc_begin_request(&w, s->stream - 1, NRI_SERVICE_PLUGIN, method);
	proto_write_raw(&w, payload.bytes, payload.length);
	assert_int_equal(ttrpc_end(&w, mark), 0);
	assert_true(mux_send(&s->runtime, s->theirs, MUX_PLUGIN, w.bytes, w.length, NULL) >= 0);
	int r = stage_pump(s);
	if (r < 0)
		return r;
	assert_true(stage_next(s, &message));
	assert_int_equal(message.connection, MUX_PLUGIN);
	assert_int_equal(message.ttrpc.stream, s->stream - 1);
	assert_int_equal(ttrpc_decode_response(&message.ttrpc, &response), 0);
	s->code = response.code;
	s->payload = response.payload;
	return 0;
}

static inline uint64_t stage_number(const struct nri_stage *s, uint32_t number)
{
	struct proto_reader reader;
	struct proto_field field;

	proto_open(&reader, s->payload);
	while (proto_next(&reader, &field) == 1)
		if (field.tag == PROTO_TAG(number, PROTO_VARINT))
			return field.value;
	return 0;
}

/* --- messages --- */

struct thing {
	unsigned char bytes[4096];
	struct proto_writer w;
};

static inline struct thing *thing_begin(struct thing *thing)
{
	thing->w = writer_on(thing->bytes, sizeof(thing->bytes));
	return thing;
}

static inline void put_pod(struct proto_writer *w, uint32_t number, const char *id)
{
	size_t mark = proto_begin(w, number);
	char word[64];

	WORD(w, 1, id);
	snprintf(word, sizeof(word), "name-%s", id);
	WORD(w, 2, word);
	snprintf(word, sizeof(word), "uid-%s", id);
	WORD(w, 3, word);
	WORD(w, 4, "team");
	proto_end(w, mark);
}

struct made {
	const char *id, *pod, *name;
	uint64_t state, pid, finished_at_ns, exit_code;
};

static inline void put_container(struct proto_writer *w, uint32_t number, const struct made *made)
{
	size_t mark = proto_begin(w, number);

	WORD(w, 1, made->id);
	WORD(w, 2, made->pod);
	WORD(w, 3, made->name);
	proto_write_number(w, 4, made->state);
	proto_write_number(w, 12, made->pid);
	proto_write_number(w, 16, made->finished_at_ns);
	proto_write_number(w, 17, made->exit_code);
	proto_end(w, mark);
}

/* A dedicated call has pod = 1, container = 2; a StateChange event = 1, pod = 2, container = 3. */
static inline int stage_event(struct nri_stage *s, const char *method, enum nri_event_kind kind, const struct made *made)
{
	const bool change = strcmp(method, "StateChange") == 0;
	struct thing thing;
	struct proto_writer *w = &thing_begin(&thing)->w;

	if (change)
		proto_write_number(w, 1, kind);
	put_pod(w, 1 + change, made->pod);
	if (*made->id)
		put_container(w, 2 + change, made);
	return stage_call(s, method, written(w));
}

static inline int stage_create(struct nri_stage *s, const char *pod, const char *id, const char *name)
{
	return stage_event(s, "CreateContainer", NRI_CREATE_CONTAINER, &(struct made){.id = id, .pod = pod, .name = name});
}

/* --- the handshake --- */

static inline void stage_answer_register(struct nri_stage *s, uint32_t code, const char *words)
{
	unsigned char bytes[512];
	struct proto_writer w = writer_on(bytes, sizeof(bytes));
	struct mux_message message;
	struct ttrpc_request request;

	assert_true(stage_next(s, &message));
	assert_int_equal(message.connection, MUX_RUNTIME);
	assert_int_equal(ttrpc_decode_request(&message.ttrpc, &request), 0);
	assert_true(text_is(request.method, "RegisterPlugin") && text_is(request.service, NRI_SERVICE_RUNTIME));
	if (code == TTRPC_OK)
		assert_int_equal(ttrpc_end(&w, ttrpc_begin_reply(&w, request.stream)), 0);
	else
		ttrpc_write_error(&w, request.stream, (enum ttrpc_code)code, words);
	assert_int_equal(mux_send(&s->runtime, s->theirs, MUX_RUNTIME, w.bytes, w.length, NULL), 0);
}

static inline int stage_configure(struct nri_stage *s, const char *runtime, const char *version, const char *nri, uint64_t registration_ms, uint64_t request_ms)
{
	struct thing thing;
	struct proto_writer *w = &thing_begin(&thing)->w;

	WORD(w, 2, runtime);
	WORD(w, 3, version);
	proto_write_number(w, 4, registration_ms);
	proto_write_number(w, 5, request_ms);
	WORD(w, 6, nri);
	return stage_call(s, "Configure", written(w));
}

static inline void stage_register(struct nri_stage *s)
{
	assert_int_equal(nri_session_open(&s->session, s->ours, &s->e), 0);
	stage_answer_register(s, TTRPC_OK, "");
	assert_int_equal(stage_pump(s), 0);
}

/* To a live session of a runtime without pods. */
static inline void stage_live(struct nri_stage *s, const char *version, const char *nri)
{
	stage_register(s);
	assert_int_equal(stage_configure(s, "containerd", version, nri, 0, 0), 0);
	assert_int_equal(stage_call(s, "Synchronize", text_of("", 0)), 0);
	assert_int_equal(s->session.told.state, WIRE_NRI_LIVE);
	s->count = 0;
}
