/* hash.h - FNV-1a, 64 bits: names things briefly (a configuration, a path, an Event's subject). No protection against intent. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_START 0xcbf29ce484222325

/* Goes on from `hash`: HASH_START, or what came before. */
uint64_t hash_fnv1a(uint64_t hash, const void *bytes, size_t length);
