#include "shim/nri_session_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

void nri_session_init(struct nri_session *s, const struct nri_session_ops *ops, void *owner)
{
	*s = (struct nri_session){.ops = ops, .owner = owner, .fd = -1};
	s->told.state = WIRE_NRI_DISCONNECTED;
}

void nri_session_emit(struct nri_session *s, enum wire_type type, const void *payload, size_t length)
{
	s->ops->emit(s->owner, type, payload, length);
}

static void enter(struct nri_session *s, enum wire_nri state)
{
	if (s->told.state == (uint32_t)state)
		return;
	s->told.state = (uint32_t)state;
	nri_session_emit(s, WIRE_NRI_STATE, &s->told, sizeof(s->told));
}

/* Foreign text for people: cut, and nothing in it that moves a cursor. */
void nri_session_copy_text(char *array, size_t size, struct text text)
{
	char raw[256] = "";

	if (text.length > 0)
		memcpy(raw, text.bytes, text.length < sizeof(raw) - 1 ? text.length : sizeof(raw) - 1);
	str_escape(array, size, raw);
}

/* --- sending --- */

int nri_session_send(struct nri_session *s, enum mux_connection connection, struct proto_writer *w, size_t mark, struct err *e)
{
	int r = ttrpc_end(w, mark);

	if (r < 0)
		return err_rule(e, -r, "an answer does not fit");
	r = mux_send(&s->mux, s->fd, connection, w->bytes, w->length, e);
	return r < 0 ? r : 0;
}

struct proto_writer nri_session_writer(struct nri_session *s)
{
	return (struct proto_writer){.bytes = s->reply, .size = sizeof(s->reply)};
}

int nri_session_reply_empty(struct nri_session *s, uint32_t stream, struct err *e)
{
	struct proto_writer w = nri_session_writer(s);

	return nri_session_send(s, MUX_PLUGIN, &w, ttrpc_begin_reply(&w, stream), e);
}

int nri_session_open(struct nri_session *s, int fd, struct err *e)
{
	struct proto_writer w = nri_session_writer(s);

	nri_session_close(s, "");
	s->fd = fd;
	mux_open(&s->mux);
	s->server = (struct ttrpc_server){0};
	s->last_stream = 0;
	s->version = (struct nri_version){0};
	s->registration_timeout_us = NRI_SESSION_REGISTRATION_MS * US_PER_MS;
	s->request_timeout_us = NRI_SESSION_REQUEST_MS * US_PER_MS;
	s->deadline_us = s->ops->now_us(s->owner) + NRI_SESSION_REGISTER_US;
	s->partial = false;
	adjusted_again(&s->adjusted);
	*s->told.why = *s->told.runtime = *s->told.runtime_version = *s->told.nri_version = '\0';
	s->told.unified = s->told.exit_codes = s->told.oom_score_adj = 0;
	enter(s, WIRE_NRI_REGISTERING);
	size_t mark = ttrpc_begin_request(&w, ttrpc_next_stream(&s->last_stream), NRI_SERVICE_RUNTIME, "RegisterPlugin");
	nri_write_register(&w, NRI_PLUGIN_NAME, NRI_PLUGIN_INDEX);
	return nri_session_send(s, MUX_RUNTIME, &w, mark, e);
}

void nri_session_close(struct nri_session *s, const char *why)
{
	if (s->fd < 0)
		return;
	s->fd = -1;
	s->deadline_us = 0;
	mux_close(&s->mux);
	nri_roster_drop(&s->roster);
	str_copy(s->told.why, sizeof(s->told.why), why);
	enter(s, WIRE_NRI_DISCONNECTED);
}

/* --- our call: RegisterPlugin --- */

static int take_response(struct nri_session *s, const struct ttrpc_message *message, struct err *e)
{
	struct ttrpc_response response;
	char words[160];

	if (s->told.state != WIRE_NRI_REGISTERING || message->stream != s->last_stream)
		return 0; /* of a call that was not made */
	if (ttrpc_decode_response(message, &response) < 0)
		return err_rule(e, EBADMSG, "the answer to RegisterPlugin is not understood");
	if (response.code != TTRPC_OK) {
		nri_session_copy_text(words, sizeof(words), response.message);
		return err_rule(e, EACCES, "the runtime refuses to register us: %s (code %u)", words, response.code);
	}
	/* Configure and Synchronize follow by themselves; a runtime that accepts and then forgets us is dialled again. */
	s->deadline_us = s->ops->now_us(s->owner) + s->registration_timeout_us + s->request_timeout_us;
	enter(s, WIRE_NRI_SYNCHRONISING);
	return 0;
}

/* --- Configure --- */

static uint64_t timeout_us(int64_t milliseconds, uint64_t otherwise_us)
{
	return milliseconds > 0 && milliseconds <= 600000 ? (uint64_t)milliseconds * US_PER_MS : otherwise_us;
}

/* StopContainer for a container that ended by itself, with its code: containerd 2.3 (NRI 0.12), CRI-O 1.35 (0.11). containerd 2.2.9
 * sends the message and leaves the code out (measured). */
static bool tells_exit_codes(const struct nri_configure *c, struct nri_version version)
{
	static const char name[] = "containerd";
	bool is_containerd = c->runtime_name.length == strlen(name) && memcmp(c->runtime_name.bytes, name, strlen(name)) == 0;

	return nri_version_at_least(version, 0, is_containerd ? 12 : 11, 0);
}

static int configure(struct nri_session *s, const struct ttrpc_request *request, struct err *e)
{
	struct nri_configure c;
	struct proto_writer w = nri_session_writer(s);

	if (nri_decode_configure(request->payload, &c, e) < 0)
		return err_wrap(e, "Configure");
	s->version = nri_version_of(c.nri_version, c.runtime_name, c.runtime_version);
	nri_session_copy_text(s->told.runtime, sizeof(s->told.runtime), c.runtime_name);
	nri_session_copy_text(s->told.runtime_version, sizeof(s->told.runtime_version), c.runtime_version);
	if (nri_version_at_least(s->version, 0, 0, 1))
		snprintf(s->told.nri_version, sizeof(s->told.nri_version), "%hu.%hu.%hu", s->version.major, s->version.minor, s->version.patch);
	s->told.exit_codes = tells_exit_codes(&c, s->version);
	s->told.oom_score_adj = nri_version_has_oom_score_adj(s->version);
	s->registration_timeout_us = timeout_us(c.registration_timeout_ms, s->registration_timeout_us);
	s->request_timeout_us = timeout_us(c.request_timeout_ms, s->request_timeout_us);
	s->deadline_us = s->ops->now_us(s->owner) + s->registration_timeout_us + s->request_timeout_us;

	size_t mark = ttrpc_begin_reply(&w, request->stream);
	nri_write_configured(&w, nri_version_clip(s->version, NRI_SESSION_EVENTS), true);
	return nri_session_send(s, MUX_PLUGIN, &w, mark, e);
}

/* --- Synchronize --- */

static int synchronize(struct nri_session *s, const struct ttrpc_request *request, struct err *e)
{
	struct nri_sync sync;
	struct proto_writer w = nri_session_writer(s);
	unsigned skipped = 0;

	if (nri_sync_open(&sync, request->payload, e) < 0)
		return err_wrap(e, "Synchronize");
	enter(s, WIRE_NRI_SYNCHRONISING);
	size_t mark = ttrpc_begin_reply(&w, request->stream);
	nri_write_synchronized(&w, sync.more);
	if (nri_session_send(s, MUX_PLUGIN, &w, mark, e) < 0)
		return -e->code;
	if (sync.more) {
		nri_roster_keep(&s->roster, request->payload);
		return 0;
	}
	bool whole = !s->roster.cut;
	int r = nri_roster_each(&s->roster, request->payload, &s->event, nri_session_found, s, &skipped, e);
	nri_roster_drop(&s->roster);
	if (r < 0)
		return err_wrap(e, "Synchronize");
	s->told.refused_total += skipped;
	s->deadline_us = 0;
	enter(s, WIRE_NRI_LIVE);
	/* Of a roster that was cut nobody may conclude that who is not in it is gone. */
	if (whole)
		nri_session_emit(s, WIRE_SYNCHRONIZED, NULL, 0);
	return 0;
}

/* --- what comes --- */

static int take_call(struct nri_session *s, const struct ttrpc_request *request, struct err *e)
{
	struct proto_writer w = nri_session_writer(s);
	enum nri_event_kind kind = NRI_EVENT_NONE;

	s->told.requests_total++;
	switch (nri_method_of(request, &kind)) {
	case NRI_METHOD_CONFIGURE: return configure(s, request, e);
	case NRI_METHOD_SYNCHRONIZE: return synchronize(s, request, e);
	case NRI_METHOD_SHUTDOWN: return nri_session_reply_empty(s, request->stream, e);
	case NRI_METHOD_EVENT: return nri_session_take_event(s, request, kind, e);
	case NRI_METHOD_UNKNOWN:
	case NRI_METHOD_MAX_: break;
	}
	s->told.refused_total++;
	ttrpc_write_error(&w, request->stream, TTRPC_UNIMPLEMENTED, "stoker does not know this method");
	int r = mux_send(&s->mux, s->fd, MUX_PLUGIN, w.bytes, w.length, e);
	return r < 0 ? r : 0;
}

static int take_message(struct nri_session *s, const struct mux_message *message, struct err *e)
{
	struct ttrpc_request request;
	struct proto_writer refusal = nri_session_writer(s);

	if (message->connection == MUX_RUNTIME)
		return take_response(s, &message->ttrpc, e);
	switch (ttrpc_accept(&s->server, &message->ttrpc, &request, &refusal)) {
	case TTRPC_CALL: return take_call(s, &request, e);
	case TTRPC_REFUSE: {
		s->told.refused_total++;
		int r = mux_send(&s->mux, s->fd, MUX_PLUGIN, refusal.bytes, refusal.length, e);
		return r < 0 ? r : 0;
	}
	case TTRPC_IGNORE: break;
	}
	return 0;
}

int nri_session_receive(struct nri_session *s, const unsigned char *bytes, size_t length, struct err *e)
{
	struct mux_message message;
	const uint64_t now_us = s->ops->now_us(s->owner);

	for (;;) {
		size_t taken = 0;
		if (!s->partial)
			s->begun_us = now_us;
		s->partial = s->partial || length > 0;
		/* After a message once more, with nothing left too: so it gives the memory of a long one back. */
		int r = mux_feed(&s->mux, bytes, length, &taken, &message, e);
		if (r <= 0)
			return r;
		bytes += taken;
		length -= taken;
		s->partial = false;
		r = take_message(s, &message, e);
		if (r < 0)
			return r;
	}
}

bool nri_session_has_output(const struct nri_session *s)
{
	return s->fd >= 0 && mux_has_queue(&s->mux);
}

int nri_session_flush(struct nri_session *s, struct err *e)
{
	int r = s->fd >= 0 ? mux_flush(&s->mux, s->fd, e) : 0;

	return r < 0 ? r : 0;
}

uint64_t nri_session_deadline_us(const struct nri_session *s)
{
	return s->deadline_us;
}

int nri_session_expire(struct nri_session *s, struct err *e)
{
	if (s->deadline_us == 0 || s->ops->now_us(s->owner) < s->deadline_us)
		return 0;
	return err_rule(e, ETIMEDOUT, "%s", s->told.state == WIRE_NRI_REGISTERING ? "the runtime does not answer RegisterPlugin" : "the runtime has registered us and does not synchronise");
}
