#include "shim/pages.h"

#include <errno.h>
#include <sys/mman.h>

#define PAGES_ROUND 4095

int pages_reserve(struct pages *pages, size_t size)
{
	size_t whole = (size + PAGES_ROUND) & ~(size_t)PAGES_ROUND;
	void *bytes;

	if (size <= pages->size)
		return 0;
	if (pages->bytes)
		bytes = mremap(pages->bytes, pages->size, whole, MREMAP_MAYMOVE);
	else
		bytes = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED)
		return -ENOMEM;
	*pages = (struct pages){bytes, whole};
	return 0;
}

void pages_drop(struct pages *pages)
{
	if (pages->bytes)
		munmap(pages->bytes, pages->size);
	*pages = (struct pages){0};
}
