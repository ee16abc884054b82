/* place_search.h - which mount point is meant by a pattern and a hash. Runs in a disposable child: a directory may hang.
 *
 * The asker read the mount table and knows the name; the child that acts with rights gets no name from it, only a number
 * that is compared: what it finds lies beneath the pattern of its own configuration, whatever the number is. */
#pragma once

#include <stdint.h>

#include "base/names.h"

#define PLACE_SEARCH_MAX_ENTRIES 65536 /* looked at in all */

/* The path that matches `pattern` (as discover.h has it) and whose place_path_hash is `hash`. -ENOENT if there is none,
 * -E2BIG if there is too much to look at. */
int place_search(const char *pattern, uint64_t hash, char ret_path[static NAME_PATH_BYTES]);
