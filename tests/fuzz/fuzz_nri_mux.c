/* A runtime's trunk: frames to messages. The first byte says in what pieces it comes; whole or in pieces, the messages are the same. */
#include <stdint.h>
#include <stdlib.h>

#include "shim/mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was heard, as one number: every byte of every message is read. Returns the last of mux_feed. */
static int hear(const uint8_t *data, size_t size, size_t piece, uint64_t *ret_sum)
{
	static struct mux mux;
	struct mux_message message;
	struct err e = {0};
	uint64_t sum = 0;
	int r = 0;

	mux_open(&mux);
	for (size_t at = 0; at < size && r >= 0;) {
		size_t n = size - at < piece ? size - at : piece, taken;
		r = mux_feed(&mux, data + at, n, &taken, &message, &e);
		if (r < 0 || taken > n || (r == 0 && taken != n))
			break;
		at += taken;
		if (r == 0)
			continue;
		sum = sum * 31 + message.connection + message.ttrpc.stream + message.ttrpc.type + message.ttrpc.too_long;
		for (size_t i = 0; i < message.ttrpc.data.length; i++)
			sum = sum * 31 + (unsigned char)message.ttrpc.data.bytes[i];
	}
	mux_close(&mux);
	*ret_sum = sum;
	return r < 0 ? r : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole, pieces;

	if (size < 1)
		return 0;
	int r = hear(data + 1, size - 1, size, &whole);
	if (hear(data + 1, size - 1, data[0] + 1U, &pieces) != r || whole != pieces)
		abort();
	return 0;
}
