/* text.h - reading foreign text that does not end with NUL: views into a message, nothing copied but by text_copy. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/view.h"

struct text text_of(const char *string);
bool text_is(struct text text, const char *string);
bool text_equal(struct text a, struct text b);
bool text_starts(struct text text, const char *string);
bool text_ends(struct text text, const char *string);
bool text_has(struct text text, const char *string);
struct text text_from(struct text text, size_t offset); /* what is left behind `offset` bytes */

/* The part before the first `c`, and *rest = the part behind it; without one all of it, *rest empty. False if *rest was empty before. */
bool text_next(struct text *rest, char c, struct text *part);

/* Digits only, and at most 18 of them. */
bool text_number(struct text text, uint64_t *ret);

/* Bytes with the units of Java and Spark: "1024M", "2g", "512mb", "100"; `unit_bytes` is meant where there is none.
 * False, *ret untouched, for anything else and for what does not fit. */
bool text_bytes(struct text text, uint64_t unit_bytes, uint64_t *ret);

/* Cut to size (never within a UTF-8 sequence), ended; control characters and what is not UTF-8 become '?'. */
void text_copy(char *destination, size_t size, struct text text);

/* The same, or "" if it does not fit: half an id or half a path names something else. */
void text_copy_whole(char *destination, size_t size, struct text text);

/* Of words that anybody may have chosen (a label, env, an argument): without their secrets, which are looked for before it is cut. NULL: as it is. */
struct redactor;
void text_copy_redacted(const struct redactor *redactor, char *destination, size_t size, struct text text);

/* The same for one argument of a command line, "--name=…" too, into `clean`; what is beyond its size is not read. */
struct text text_redacted(const struct redactor *redactor, struct text argument, char *clean, size_t size);
