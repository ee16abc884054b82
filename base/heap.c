#include "base/heap.h"

#include <malloc.h>

#define THRESHOLD_BYTES (128 * 1024) /* what glibc begins with: files of cgroupfs are read into less, again and again */

void heap_give_back(void)
{
	mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES);
	mallopt(M_TRIM_THRESHOLD, THRESHOLD_BYTES);
	mallopt(M_ARENA_MAX, 1);
}
