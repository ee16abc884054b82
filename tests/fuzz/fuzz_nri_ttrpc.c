/* One ttrpc message from the runtime, judged as a server and read as a client; the refusal that is written is read back. */
#include <stdint.h>
#include <stdlib.h>

#include "shim/nri_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ttrpc_inbox inbox, back;
	unsigned char refusal[512];
	struct proto_writer writer = {.bytes = refusal, .size = sizeof(refusal)};
	struct ttrpc_server server = {0};
	struct ttrpc_request request;
	struct ttrpc_response response;
	struct ttrpc_message message, said;
	enum nri_event_kind kind;
	size_t taken;

	if (ttrpc_feed(&inbox, data, size, &taken, &message) == 1) {
		(void)ttrpc_decode_response(&message, &response);
		enum ttrpc_verdict verdict = ttrpc_accept(&server, &message, &request, &writer);
		if (verdict == TTRPC_CALL)
			(void)nri_method_of(&request, &kind);
		if (verdict == TTRPC_REFUSE && (ttrpc_feed(&back, refusal, writer.length, &taken, &said) != 1 || taken != writer.length ||
						ttrpc_decode_response(&said, &response) < 0 || response.code == TTRPC_OK || response.stream != message.stream))
			abort();
	}
	ttrpc_inbox_drop(&inbox);
	ttrpc_inbox_drop(&back);
	return 0;
}
