/* columns.h - a list of plain structs as a table for a person (libsmartcols): one table of columns for each kind of thing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* One column. Cells are foreign text until they are escaped, which is done here; an empty one is shown as "-". */
struct column {
	const char *name;
	bool right; /* numbers */
	bool only_wide;
	void (*cell)(const void *item, uint64_t now_us, char *text, size_t size);
};

int columns_print(FILE *out, const struct column *columns, size_t column_count, const void *items, size_t item_size, size_t count, bool wide,
		  uint64_t now_us, struct err *e);

/* Words of several tables. Bytes: nothing for 0. Age: "90 s", "5 min"; nothing if `since_us` is 0. */
void column_append_bytes(char *text, size_t size, uint64_t bytes);
void column_append_pod(char *text, size_t size, const char *name_space, const char *pod);
void column_append_age(char *text, size_t size, uint64_t since_us, uint64_t now_us);
