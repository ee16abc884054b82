/* str.h - bounded strings. Sizes are those of the whole destination array, NUL included. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Copies and always ends with NUL. False if it had to be cut (never inside a UTF-8 sequence). */
bool str_copy(char *destination, size_t size, const char *source);

/* Appends printf-style; keeps what fits. False if it had to be cut (never inside a UTF-8 sequence). */
bool str_append(char *destination, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For showing foreign bytes: control characters, DEL, backslash and bytes that are not UTF-8 become \n, \t, \\ or \xNN. */
void str_escape(char *destination, size_t size, const char *source);

/* Drops a UTF-8 sequence at the end that was cut in two. */
void str_end_whole(char *text);

bool str_starts(const char *text, const char *prefix);

#define STR_DISTANCE_BYTES 48
/* How many letters must be put in, taken out or changed to make one of the other; the case of letters does not count. For a guess at what was
 * meant. Both shorter than STR_DISTANCE_BYTES. */
unsigned str_distance(const char *a, const char *b, size_t b_length);

/* True if the array of `size` bytes holds a NUL: strings that came in a record are checked with it. */
bool str_is_ended(const char *array, size_t size);

/* Length of the valid UTF-8 sequence at p (1 to 4), 0 if there is none. Reads at most up to a NUL. */
size_t str_utf8_length(const char *p);
