/* What comes from a container runtime's socket, as a relay brings it: HTTP/2, gRPC, ContainerStatus. */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "shim/cri_call.h"
#include "shim/cri_status.h"
#include "shim/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_view(struct text part, struct text whole)
{
	if (part.length > 0 && (part.bytes < whole.bytes || part.bytes + part.length > whole.bytes + whole.length))
		abort();
}

static void read_message(struct text message)
{
	struct cri_status status;
	char shown[64];

	if (cri_read_status(message, &status) < 0)
		return;
	check_view(status.id, message);
	check_view(status.message, message);
	check_view(status.log_path, message);
	text_copy(shown, sizeof(shown), status.reason);
	cri_log_number(status.log_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char ask[CRI_STATUS_ASK_BYTES], sent[CRI_CALL_SENT_BYTES];
	struct err e = {0};
	struct text message;
	size_t length;
	int r = 0;
	struct cri_call *call = cri_call_open(CRI_STATUS_METHOD, ask, cri_write_status_request("abc", ask), sent, &length, &e);

	if (!call)
		return 0;
	for (size_t at = 0, piece = 1; at < size && r == 0; at += piece, piece = piece * 2 + 1)
		r = cri_call_take(call, data + at, size - at < piece ? size - at : piece, &e);
	if (r >= 0 && cri_call_answer(call, &message, &e) == 0)
		read_message(message);
	if (!str_is_ended(e.text, sizeof(e.text)))
		abort();
	cri_call_close(call);
	read_message((struct text){(const char *)data, (uint32_t)size}); /* the message alone, too */
	return 0;
}
