/* What a fanotify group says: the first byte chooses between its events and its list of marks. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "volumes/fs_error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fs_error_device device[4];
	struct fs_error error;
	struct err e = {0};

	if (size < 1)
		return 0;
	/* a copy of exactly this length, so that reading past its end is seen */
	scoped(scoped_free) char *text = calloc(1, size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	if (data[0] & 1) {
		if (fs_error_marks(text, device, 4) > 4)
			abort();
		return 0;
	}
	const unsigned char *p = (const unsigned char *)text;
	size_t left = size - 1;
	while (fs_error_next(&p, &left, &error, &e) > 0)
		if (left > size || error.errnum < 0)
			abort();
	return 0;
}
