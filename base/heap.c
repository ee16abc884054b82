#include "base/heap.h"

#include <malloc.h>

#define THRESHOLD_BYTES (64 * 1024)

void heap_give_back(void)
{
	mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES);
	mallopt(M_TRIM_THRESHOLD, THRESHOLD_BYTES);
	mallopt(M_TOP_PAD, 0);
	mallopt(M_ARENA_MAX, 1);
}
