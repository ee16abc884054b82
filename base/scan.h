/* scan.h - taking a text apart from the left. Each moves *p past what it took, and only if it took it. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool scan_word(const char **p, const char *word);
bool scan_number(const char **p, uint64_t *ret); /* at least one digit, no sign; false if it does not fit */

const char *scan_last(const char *text, const char *word); /* the last occurrence, NULL = none */
