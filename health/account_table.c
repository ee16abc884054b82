#include "health/account_table.h"

#include <inttypes.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/columns.h"

#define CELL(name, ...)                                                                    \
	static void cell_##name(const void *item, uint64_t now_us, char *text, size_t size) \
	{                                                                                   \
		const struct account_view *v = item;                                        \
		(void)now_us;                                                               \
		__VA_ARGS__;                                                                \
	}

static void append_grown(const struct account_view *v, char *text, size_t size)
{
	if (!v->grown_bytes)
		return;
	column_append_bytes(text, size, v->grown_bytes);
	accounts_say_time(v->grown_seconds, text, size);
}

CELL(pod, str_append(text, size, "%s", *v->pod_uid ? v->pod : "dead pods"))
CELL(filesystem, str_append(text, size, "%s", v->filesystem))
CELL(used, str_append(text, size, "%s", v->at_least && v->bytes ? ">= " : ""); column_append_bytes(text, size, v->bytes))
CELL(inodes, str_append(text, size, "%s%" PRIu64, v->at_least ? ">= " : "", v->inodes))
CELL(grown, append_grown(v, text, size))
CELL(fastest, str_append(text, size, "%s", v->fastest ? "fastest" : ""))
CELL(grown_inodes, if (v->grown_inodes) str_append(text, size, "%" PRIu64, v->grown_inodes))
CELL(measured, column_append_age(text, size, v->measured_wall_us, now_us))

static const struct column columns[] = {
	{"WRITER", false, false, cell_pod},  {"FILESYSTEM", false, false, cell_filesystem}, {"USED", true, false, cell_used},		      {"INODES", true, false, cell_inodes},
	{"WROTE", true, false, cell_grown}, {"", false, false, cell_fastest},		    {"NEW INODES", true, true, cell_grown_inodes}, {"MEASURED", true, true, cell_measured},
};

int account_table_print(FILE *out, const struct account_view *views, size_t count, bool wide, uint64_t now_wall_us, struct err *e)
{
	return columns_print(out, columns, ARRAY_SIZE(columns), views, sizeof(*views), count, wide, now_wall_us, e);
}
