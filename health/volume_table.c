#include "health/volume_table.h"

#include <inttypes.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/columns.h"

#define CELL(name, ...)                                                                    \
	static void cell_##name(const void *item, uint64_t now_us, char *text, size_t size) \
	{                                                                                   \
		const struct volume_view *v = item;                                         \
		(void)now_us;                                                               \
		__VA_ARGS__;                                                                \
	}

CELL(pod, column_append_pod(text, size, v->name_space, *v->pod ? v->pod : v->pod_uid))
CELL(name, str_append(text, size, "%s", v->name))
CELL(type, str_append(text, size, "%s%s%s", v->type, *v->source ? " " : "", v->source))
CELL(size, column_append_bytes(text, size, v->size_bytes))
CELL(used, if (v->measured_wall_us) column_append_bytes(text, size, v->used_bytes))
CELL(share, if (v->measured_wall_us && v->size_bytes) str_append(text, size, "%.0f%%", 100.0 * (double)v->used_bytes / (double)v->size_bytes))
CELL(state, str_append(text, size, "%s", !v->mounted ? "being made" : v->bounded ? "bounded" : "mounted"))
CELL(owner, str_append(text, size, "%s", v->owner))
CELL(place, str_append(text, size, "%s", v->place))
CELL(inodes, if (v->inodes) str_append(text, size, "%" PRIu64, v->inodes))
CELL(used_inodes, if (v->measured_wall_us) str_append(text, size, "%" PRIu64, v->used_inodes))
CELL(measured, column_append_age(text, size, v->measured_wall_us, now_us))

static const struct column columns[] = {
	{"POD", false, false, cell_pod},    {"VOLUME", false, false, cell_name}, {"TYPE", false, false, cell_type},	    {"SIZE", true, false, cell_size},
	{"USED", true, false, cell_used},   {"%", true, false, cell_share},	 {"STATE", false, false, cell_state},	    {"OWNER", false, false, cell_owner},
	{"PLACE", false, true, cell_place}, {"INODES", true, true, cell_inodes}, {"USED INODES", true, true, cell_used_inodes}, {"MEASURED", true, true, cell_measured},
};

int volume_table_print(FILE *out, const struct volume_view *views, size_t count, bool wide, uint64_t now_wall_us, struct err *e)
{
	return columns_print(out, columns, ARRAY_SIZE(columns), views, sizeof(*views), count, wide, now_wall_us, e);
}
