#include "health/columns.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <libsmartcols.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "volumes/space.h"

#define CELL_BYTES 1024

void column_append_bytes(char *text, size_t size, uint64_t bytes)
{
	if (bytes)
		space_append_bytes(text, size, bytes);
}

void column_append_pod(char *text, size_t size, const char *name_space, const char *pod)
{
	str_append(text, size, "%s%s%s", name_space, *name_space ? "/" : "", pod);
}

void column_append_age(char *text, size_t size, uint64_t since_us, uint64_t now_us)
{
	const uint64_t s = now_us > since_us ? (now_us - since_us) / US_PER_S : 0;

	if (!since_us)
		return;
	if (s < 120)
		str_append(text, size, "%" PRIu64 " s", s);
	else if (s < 7200)
		str_append(text, size, "%" PRIu64 " min", s / 60);
	else if (s < 48 * 3600)
		str_append(text, size, "%" PRIu64 " h", s / 3600);
	else
		str_append(text, size, "%" PRIu64 " d", s / 86400);
}

/* --- printing --- */

static void table_drop(struct libscols_table **table)
{
	scols_unref_table(*table);
}

/* Only ASCII where the locale is not UTF-8: see health_table.c. */
static void escape_cell(char *text, size_t size)
{
	char escaped[4 * CELL_BYTES], ascii[CELL_BYTES] = "";

	str_escape(escaped, sizeof(escaped), text);
	if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0) {
		str_copy(text, size, escaped);
		return;
	}
	for (const char *p = escaped; *p; p++)
		str_append(ascii, sizeof(ascii), (unsigned char)*p < 0x80 ? "%c" : "\\x%02x", (unsigned char)*p);
	str_copy(text, size, ascii);
}

static bool add_line(struct libscols_table *table, const struct column *columns, size_t column_count, const void *item, bool wide, uint64_t now_us)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	size_t at = 0;
	bool good = line != NULL;

	for (size_t i = 0; good && i < column_count; i++) {
		char text[CELL_BYTES] = "";
		if (columns[i].only_wide && !wide)
			continue;
		columns[i].cell(item, now_us, text, sizeof(text));
		escape_cell(text, sizeof(text));
		good = scols_line_set_data(line, at++, *text ? text : "-") == 0;
	}
	return good;
}

int columns_print(FILE *out, const struct column *columns, size_t column_count, const void *items, size_t item_size, size_t count, bool wide,
		  uint64_t now_us, struct err *e)
{
	scoped(table_drop) struct libscols_table *table = scols_new_table();
	bool good = table != NULL;

	if (good) {
		scols_table_set_stream(table, out);
		scols_table_enable_noencoding(table, 1);		    /* escaped already */
		scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER); /* nothing is cut */
	}
	for (size_t i = 0; good && i < column_count; i++)
		if (!columns[i].only_wide || wide)
			good = scols_table_new_column(table, columns[i].name, 0.1, columns[i].right ? SCOLS_FL_RIGHT : 0) != NULL;
	for (size_t i = 0; good && i < count; i++)
		good = add_line(table, columns, column_count, (const char *)items + i * item_size, wide, now_us);
	return good && scols_print_table(table) >= 0 ? 0 : err_set(e, ENOMEM, "cannot print the table");
}
