/* The health's JSON against any bytes: what the CLI reads from a socket, what stokerd reads from its state file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "health/health.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct health first, second;
	char *once = NULL, *twice = NULL;
	struct err e = {0};

	if (health_from_json((const char *)data, size, &first, &e) < 0) {
		if (e.code <= 0 || !e.text[0])
			abort();
		return 0;
	}
	/* What was taken is written, and what was written is taken and says the same. */
	if (health_to_json(&first, &once, &e) < 0 || health_from_json(once, strlen(once), &second, &e) < 0 || health_to_json(&second, &twice, &e) < 0 ||
	    strcmp(once, twice) != 0)
		abort();
	free(once);
	free(twice);
	return 0;
}
