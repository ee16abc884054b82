/* pages.h - a few pages for a message that is bigger than usual: given back to the kernel at once when dropped.
 *
 * Not malloc: after one freed 4 MiB block glibc keeps the next ones on its heap, and a Synchronize of a full node would stay
 * in our resident size for ever. Pages that are reserved but never written cost nothing, so a forged length costs nothing. */
#pragma once

#include <stddef.h>

struct pages {
	unsigned char *bytes; /* NULL when none are held */
	size_t size;
};

/* At least `size` bytes from now on, what was in them stays. -ENOMEM: as it was. */
int pages_reserve(struct pages *pages, size_t size);
void pages_drop(struct pages *pages);
