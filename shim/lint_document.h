/* lint_document.h - a YAML, JSON or properties text as a tree in which every node knows its line.
 *
 * JSON is read as YAML, so it has lines too. Bounded: a text of 1 MiB, 64 levels, 100,000 nodes; aliases (*name) are refused, not
 * followed ("billion laughs"). Pure; nodes live in the arena. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "shim/lint_arena.h"

#define LINT_TEXT_BYTES	  (1UL << 20)
#define LINT_DEPTH_MAX	  64
#define LINT_NODES_MAX	  100000
#define LINT_VALUE_BYTES  (1UL << 20)

enum lint_kind { LINT_SCALAR, LINT_MAPPING, LINT_SEQUENCE };

struct lint_node {
	enum lint_kind kind;
	const char *key;  /* in a mapping; else "" */
	const char *text; /* of a scalar; else "" */
	uint32_t line, column; /* from 1; of the key if there is one */
	uint32_t text_line;    /* where the scalar itself begins */
	bool is_plain;	       /* not quoted: YAML may take it for a number or null */
	bool is_block;	       /* a block (|): line n of the text is line text_line + n of the file */
	struct lint_node *parent, *first, *last, *next;
};

/* The documents of a YAML or JSON text, in order, joined by `next`; NULL if there are none. `first_line` is the line of the file on
 * which the text begins. Errors name the line: "line 7: must be …". */
int lint_read_yaml(struct lint_arena *arena, const char *text, size_t length, uint32_t first_line, struct lint_node **ret, struct err *e);

/* Java properties (spark-defaults.conf): one mapping of scalars, as java.util.Properties reads it. */
int lint_read_properties(struct lint_arena *arena, const char *text, size_t length, uint32_t first_line, struct lint_node **ret, struct err *e);

/* The member of that name, the last if there are twins; NULL = none. `node` may be NULL. */
const struct lint_node *lint_get(const struct lint_node *node, const char *key);

/* The same along "spec/driver/cores". */
const struct lint_node *lint_at(const struct lint_node *node, const char *path);

/* Text of a scalar beneath; "" if it is not there, is no scalar, or null. */
const char *lint_text(const struct lint_node *node, const char *path);

/* Of a plain scalar that says so (true; "true" too, as people write it in Spark's settings). */
bool lint_is_true(const struct lint_node *node, const char *path);
