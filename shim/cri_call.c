#include "shim/cri_call.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/text.h"

#define PREFIX_BYTES	  5 /* of a gRPC message: compressed or not, length */
#define HEADER_LIST_BYTES 16384
#define CODE_NOT_FOUND	  5
#define CODE_NO_METHOD	  12
#define CODE_NOT_SAID	  (-1)

struct cri_call {
	nghttp2_session *session;
	int32_t stream;
	const unsigned char *ask; /* while it is opened */
	uint32_t ask_length, ask_sent;
	unsigned char prefix[PREFIX_BYTES];
	unsigned prefix_length;
	unsigned char *message;
	uint32_t length, wanted;
	bool surplus; /* more than one message, or a compressed one */
	bool over;
	uint32_t error; /* HTTP/2's */
	int code;	/* gRPC's */
	char words[160];
};

/* --- out --- */

static void put_big_endian(unsigned char out[4], uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = (unsigned char)(value >> (24 - 8 * i));
}

static ssize_t give_ask(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size, uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct cri_call *call = user;
	const uint32_t whole = PREFIX_BYTES + call->ask_length;
	unsigned char prefix[PREFIX_BYTES] = {0};
	size_t n = 0;

	(void)session;
	(void)stream;
	(void)source;
	put_big_endian(prefix + 1, call->ask_length);
	for (; n < size && call->ask_sent < whole; n++, call->ask_sent++)
		buffer[n] = call->ask_sent < PREFIX_BYTES ? prefix[call->ask_sent] : call->ask[call->ask_sent - PREFIX_BYTES];
	if (call->ask_sent == whole)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* --- in --- */

static int take_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length, const uint8_t *value,
		       size_t value_length, uint8_t flags, void *user)
{
	struct cri_call *call = user;
	const struct text key = {(const char *)name, (uint32_t)name_length}, word = {(const char *)value, (uint32_t)value_length};
	char cut[sizeof(call->words) / 4];
	uint64_t number;

	(void)session;
	(void)flags;
	if (frame->hd.stream_id != call->stream)
		return 0;
	if (text_is(key, "grpc-status"))
		call->code = text_number(word, &number) && number < INT32_MAX ? (int)number : INT32_MAX;
	if (text_is(key, "grpc-message")) {
		text_copy(cut, sizeof(cut), word);
		str_escape(call->words, sizeof(call->words), cut);
	}
	return 0;
}

static int begin_message(struct cri_call *call)
{
	call->wanted = (uint32_t)call->prefix[1] << 24 | (uint32_t)call->prefix[2] << 16 | (uint32_t)call->prefix[3] << 8 | call->prefix[4];
	call->surplus = call->prefix[0] != 0;
	if (call->wanted > CRI_CALL_ANSWER_BYTES)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	call->message = malloc(call->wanted + 1U);
	return call->message ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int take_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t length, void *user)
{
	struct cri_call *call = user;

	(void)session;
	(void)flags;
	if (stream != call->stream)
		return 0;
	while (length > 0 && call->prefix_length < PREFIX_BYTES) {
		call->prefix[call->prefix_length++] = *data++;
		length--;
		if (call->prefix_length == PREFIX_BYTES && begin_message(call) < 0)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	const size_t fits = call->wanted - call->length < length ? call->wanted - call->length : length;
	call->surplus = call->surplus || fits < length;
	if (fits > 0)
		memcpy(call->message + call->length, data, fits);
	call->length += (uint32_t)fits;
	return 0;
}

static int take_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
	struct cri_call *call = user;

	(void)session;
	if (stream == call->stream) {
		call->over = true;
		call->error = error;
	}
	return 0;
}

int cri_call_take(struct cri_call *call, const void *bytes, size_t length, struct err *e)
{
	const ssize_t n = nghttp2_session_mem_recv(call->session, bytes, length);

	if (n < 0)
		return err_rule(e, EBADMSG, "no answer in HTTP/2, or one that is too long: %s", nghttp2_strerror((int)n));
	if (!call->over && !nghttp2_session_want_read(call->session))
		return err_rule(e, EBADMSG, "an answer against the rules of HTTP/2");
	return call->over ? 1 : 0;
}

int cri_call_answer(const struct cri_call *call, struct text *ret, struct err *e)
{
	if (!call->over)
		return err_rule(e, EBADMSG, "the answer is cut off");
	if (call->code == CODE_NOT_FOUND)
		return err_rule(e, ESRCH, "not found: %s", call->words);
	if (call->code == CODE_NO_METHOD)
		return err_rule(e, ENOSYS, "this call is not known: %s", call->words);
	if (call->code != 0 || call->error != 0)
		return err_rule(e, EIO, "gRPC status %d, HTTP/2 error %u: %s", call->code, call->error, call->words);
	if (call->prefix_length < PREFIX_BYTES || call->length < call->wanted || call->surplus)
		return err_rule(e, EBADMSG, "not one whole message");
	*ret = (struct text){(const char *)call->message, call->length};
	return 0;
}

/* --- its life --- */

struct cri_call *cri_call_close(struct cri_call *call)
{
	if (call) {
		nghttp2_session_del(call->session);
		free(call->message);
		free(call);
	}
	return NULL;
}

static void callbacks_drop(nghttp2_session_callbacks **callbacks)
{
	nghttp2_session_callbacks_del(*callbacks);
}

static void option_drop(nghttp2_option **option)
{
	nghttp2_option_del(*option);
}

static int make_session(struct cri_call *call)
{
	scoped(callbacks_drop) nghttp2_session_callbacks *callbacks = NULL;
	scoped(option_drop) nghttp2_option *option = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) < 0 || nghttp2_option_new(&option) < 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(callbacks, take_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, take_close);
	nghttp2_option_set_no_auto_window_update(option, 1);
	return nghttp2_session_client_new2(&call->session, callbacks, call, option) < 0 ? -ENOMEM : 0;
}

#define HEADER(key, text) {(uint8_t *)(uintptr_t)(key), (uint8_t *)(uintptr_t)(text), sizeof(key) - 1, strlen(text), NGHTTP2_NV_FLAG_NONE}

static int submit(struct cri_call *call, const char *method)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CRI_CALL_WIRE_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES},
	};
	const nghttp2_nv headers[] = {
		HEADER(":method", "POST"), HEADER(":scheme", "http"), HEADER(":path", method), HEADER(":authority", "localhost"),
		HEADER("te", "trailers"),  HEADER("content-type", "application/grpc"),
	};
	const nghttp2_data_provider ask = {.read_callback = give_ask};

	if (nghttp2_submit_settings(call->session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings)) < 0 ||
	    nghttp2_session_set_local_window_size(call->session, NGHTTP2_FLAG_NONE, 0, CRI_CALL_WIRE_BYTES) < 0)
		return -ENOMEM;
	call->stream = nghttp2_submit_request(call->session, NULL, headers, ARRAY_SIZE(headers), &ask, NULL);
	return call->stream < 0 ? -ENOMEM : 0;
}

static int take_sent(struct cri_call *call, unsigned char sent[CRI_CALL_SENT_BYTES], size_t *ret_length)
{
	const uint8_t *bytes;
	ssize_t n;

	*ret_length = 0;
	while ((n = nghttp2_session_mem_send(call->session, &bytes)) > 0) {
		if ((size_t)n > CRI_CALL_SENT_BYTES - *ret_length)
			return -E2BIG;
		memcpy(sent + *ret_length, bytes, (size_t)n);
		*ret_length += (size_t)n;
	}
	return n < 0 ? -ENOMEM : 0;
}

struct cri_call *cri_call_open(const char *method, const unsigned char *ask, uint32_t ask_length, unsigned char sent[CRI_CALL_SENT_BYTES],
			       size_t *ret_length, struct err *e)
{
	struct cri_call *call = calloc(1, sizeof(*call));
	int r = call ? 0 : -ENOMEM;

	if (r == 0) {
		call->code = CODE_NOT_SAID;
		call->ask = ask;
		call->ask_length = ask_length;
		r = make_session(call);
	}
	if (r == 0)
		r = submit(call, method);
	if (r == 0)
		r = take_sent(call, sent, ret_length);
	if (r == 0) {
		call->ask = NULL;
		return call;
	}
	err_set(e, -r, "cannot prepare a call");
	return cri_call_close(call);
}
