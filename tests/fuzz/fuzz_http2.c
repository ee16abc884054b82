/* Whatever a client sends: calls come out whole or are refused, within bounds, and the CSI service behind answers or asks. The first
 * byte says how much comes at a time. */
#include <stdlib.h>
#include <string.h>

#include "shim/csi.h"
#include "shim/http2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stage {
	struct http2 http2;
	struct csi csi;
	unsigned asked;
};

static bool ask(void *owner, enum wire_type type, uint64_t id, const void *payload, size_t length)
{
	struct stage *s = owner;

	(void)type;
	(void)id;
	for (size_t i = 0; i < length; i++)
		__asm__ volatile("" : : "r"(((const unsigned char *)payload)[i]));
	return s->asked++ % 2 == 0;
}

static void answer(void *owner, const struct grpc_call *call, enum grpc_code code, const char *text, const void *payload, size_t length)
{
	struct stage *s = owner;

	http2_answer(&s->http2, call->stream, code, text, payload, length);
}

static void on_call(struct http2 *http2, const struct http2_call *call)
{
	struct stage *s = http2->owner;
	const struct grpc_call named = {.connection = 1, .stream = call->stream, .service = s->asked % 8 == 7};

	csi_call(&s->csi, &named, call->path, call->message, http2->now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http2_ops http2_ops = {on_call};
	static const struct csi_ops csi_ops = {ask, answer};
	static struct stage stage;
	size_t held_bytes = 0;
	uint64_t now_us = 1;
	const unsigned char *bytes;

	if (size < 1)
		return 0;
	const size_t step = 1 + (size_t)data[0] * 16;
	stage = (struct stage){0};
	csi_open(&stage.csi, &csi_ops, &stage);
	stage.csi.has_config = true;
	strcpy(stage.csi.config.node, "node");
	strcpy(stage.csi.config.kubelet_root, "/var/lib/kubelet");
	int r = http2_open(&stage.http2, &http2_ops, &stage, &held_bytes, NULL);
	for (size_t i = 1; r == 0 && i < size; i += step, now_us += 100000) {
		r = http2_receive(&stage.http2, data + i, size - i < step ? size - i : step, now_us, NULL);
		if (r == 0)
			r = http2_expire(&stage.http2, now_us, NULL);
		while (r == 0 && http2_output(&stage.http2, &bytes, NULL) > 0)
			;
		if (held_bytes > HTTP2_HELD_BYTES)
			abort();
	}
	http2_close(&stage.http2);
	if (held_bytes != 0)
		abort();
	return 0;
}
