#include "base/hash.h"

uint64_t hash_fnv1a(uint64_t hash, const void *bytes, size_t length)
{
	for (const unsigned char *p = bytes; length > 0; length--)
		hash = (hash ^ *p++) * 0x100000001b3;
	return hash;
}
