/* view_list.h - a list of plain structs as the JSON of docs/contract.md, and back for the CLI: one table of fields for each kind of thing.
 *
 * Unknown keys are ignored when it is read, missing ones are "" or 0; wrong types are refused by name. Text is escaped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* An array of char; a bool; a uint64_t; a uint64_t in microseconds since 1970, 0 = null. */
enum view_kind { VIEW_TEXT, VIEW_BOOL, VIEW_NUMBER, VIEW_TIME };

struct view_field {
	const char *key;
	enum view_kind kind;
	size_t offset, size;
};

struct view_list {
	const char *kind; /* "ExecutorList" */
	const char *key;  /* of the array in it: "items" */
	const struct view_field *fields;
	size_t field_count, item_bytes;
	int items_max; /* that are read back */
};

/* One array of a document. */
struct view_part {
	const struct view_list *list;
	const void *items;
	size_t count;
};

/* One line, of the first part's kind; malloc'ed. `node` is a node's name, which needs no escape. */
int view_list_to_json(const struct view_part *parts, size_t part_count, const char *node, uint64_t wall_us, char **ret_text, struct err *e);

/* A malloc'ed array of the list's structs; NULL: it is not understood. An array that is not there is empty, but for "items". */
void *view_list_from_json(const struct view_list *list, const char *text, size_t length, size_t *ret_count, struct err *e);
