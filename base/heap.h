/* heap.h - what a role frees goes back to the kernel: a budget in MiB cannot stand the C library's wish to keep it. */
#pragma once

/* At the beginning of main. glibc raises its threshold for mmap each time that such a block is freed: of a mount table of 4 MiB, read
 * once, it learns to keep up to 8 MiB for the next one. Named, the thresholds stay. */
void heap_give_back(void);
