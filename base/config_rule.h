/* config_rule.h - one key of the configuration: where it comes from, its rule, range and default, and where it goes.
 *
 * libcyaml leaves every value as a string in a raw struct (NULL = not set); a rule turns one of them into a field of the typed
 * struct, or checks a field that came from a process that may lie. config_rules.c and config_volumes_rules.c hold the tables. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CONFIG_SHOWN_VALUE_BYTES 80 /* of a refused value, in its error */
#define CONFIG_KEY_BYTES	 64

/* RULE_BYTES_OR_NONE, RULE_DURATION_OR_OFF: 0 when there is none; outside the range otherwise. */
enum rule_kind {
	RULE_DURATION, RULE_COUNT, RULE_WORD, RULE_TEXT, RULE_AMOUNT_BYTES, RULE_AMOUNT_COUNT, RULE_DURATION_OR_OFF, RULE_BYTES,
	RULE_BYTES_OR_NONE,
};

struct rule {
	const char *key;
	const char *fallback; /* as it would stand in the file; NULL = none: `node` has the host's name, `path` must be there */
	size_t group, source; /* in the raw struct: of the pointer to the group (or RULE_NO_GROUP), and of the string in it */
	size_t offset, size;  /* in the typed struct: of a uint64_t, a uint32_t, an enum or an array of char */
	enum rule_kind kind;
	const char *range; /* what is said when the value is out of it */
	uint64_t min, max; /* RULE_DURATION in microseconds; RULE_WORD: index of the last word */
	const char *(*check)(const char *text); /* of RULE_TEXT: NULL or the broken rule in words */
	const char *words[4];
};

#define RULE_NO_GROUP ((size_t)-1)
/* offset and size of a field of the typed struct */
#define RULE_INTO(type, member) offsetof(type, member), sizeof(((type *)0)->member)

/* The string that libcyaml left for the rule, or NULL. */
const char *rule_raw_value(const struct rule *rule, const void *raw);

/* Stores `text` (NULL = missing) in the field. The error is "key: rule, not 'value'"; a text too long for its place is refused. */
int rule_apply(const struct rule *rule, const char *text, const char *key, void *typed, struct err *e);

/* rule_apply of the whole table. ret_key: the key at which it failed; with a prefix its keys are "prefix.key". */
int rule_apply_all(const struct rule *rules, size_t count, const char *prefix, const void *raw, void *typed,
		   char ret_key[static CONFIG_KEY_BYTES], struct err *e);

/* Every string ended and by its rule, every number in its range. NULL, or the key of the first that is not. */
const char *rule_find_broken(const struct rule *rules, size_t count, const void *typed);
