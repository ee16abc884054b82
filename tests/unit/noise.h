/* noise.h - the same numbers and bytes in every run. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static uint64_t random_state;

static inline uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static inline void fill(void *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)p)[i] = (unsigned char)random_number();
}
