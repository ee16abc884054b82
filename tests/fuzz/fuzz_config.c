/* The configuration's parser against any bytes. Built with libFuzzer, or with -DFUZZ_REPLAY and replay.c. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/config_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config, again;
	struct err e = {0};

	memset(&config, 0x5a, sizeof(config));
	if (config_parse((const char *)data, size, &config, &e) < 0) {
		/* A refusal has words and a code, and touches nothing. */
		memset(&again, 0x5a, sizeof(again));
		if (e.code <= 0 || !e.text[0] || memcmp(&config, &again, sizeof(config)) != 0)
			abort();
		return 0;
	}
	/* What is taken obeys every rule, and is the same bytes each time: memcmp tells a change. */
	memset(&again, 0xa5, sizeof(again));
	if (config_rules_check(&config, &e) < 0 || config_parse((const char *)data, size, &again, &e) < 0 ||
	    memcmp(&config, &again, sizeof(config)) != 0)
		abort();
	return 0;
}
