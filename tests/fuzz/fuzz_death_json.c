/* A death's JSON against any bytes: what the CLI reads from a socket, what stokerd reads from its ring. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "health/death.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct death first, second;
	char *once = NULL, *twice = NULL;
	char note[DEATH_NOTE_BYTES];
	struct err e = {0};

	if (death_from_json((const char *)data, size, &first, &e) < 0) {
		if (e.code <= 0 || !e.text[0])
			abort();
		return 0;
	}
	death_note(&first, note, sizeof(note));
	/* What was taken is written, and what was written is taken and says the same. */
	if (strlen(note) >= sizeof(note) || death_to_json(&first, &once, &e) < 0 || death_from_json(once, strlen(once), &second, &e) < 0 ||
	    death_to_json(&second, &twice, &e) < 0 || strcmp(once, twice) != 0)
		abort();
	free(once);
	free(twice);
	return 0;
}
