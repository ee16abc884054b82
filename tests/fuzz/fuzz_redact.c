/* Redaction against any bytes: bounded, ended, and a planted secret never comes out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"

#define PLANTED "password=hunter2hunter2"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct redactor *redactor;
	static char text[16384], in[4096 + sizeof(PLANTED) + 1];

	if (!redactor)
		redactor = redactor_new(REDACT_REGEX, NULL);
	if (size > 4096)
		size = 4096;
	memcpy(in, data, size);
	size_t n = redact_line(redactor, in, size, text, sizeof(text));
	if (n >= sizeof(text) || text[n] != '\0')
		abort();
	n = redact_arguments(redactor, in, size, text, sizeof(text));
	if (n >= sizeof(text) || text[n] != '\0')
		abort();
	if (memmem(in, size, "hunter2", 7)) /* said without its name too: nobody can know it for a secret */
		return 0;
	/* Behind a space a name begins anew, whatever stood before it. */
	in[size] = ' ';
	memcpy(in + size + 1, PLANTED, sizeof(PLANTED) - 1);
	n = redact_line(redactor, in, size + sizeof(PLANTED), text, sizeof(text));
	if (memmem(text, n, "hunter2hunter2", 14))
		abort();
	return 0;
}
