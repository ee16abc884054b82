#include "health/executor_table.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <libsmartcols.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "volumes/space.h"

#define CELL_BYTES 1024

/* One column; `item` is a struct executor_view or a struct death. Cells are foreign text until they are escaped. */
struct column {
	const char *name;
	int flags;
	bool only_wide;
	void (*cell)(const void *item, uint64_t now_us, char *text, size_t size);
};

static void append_bytes(char *text, size_t size, uint64_t bytes)
{
	if (bytes)
		space_append_bytes(text, size, bytes);
}

static void append_pod(char *text, size_t size, const char *name_space, const char *pod)
{
	str_append(text, size, "%s%s%s", name_space, *name_space ? "/" : "", pod);
}

static void append_age(char *text, size_t size, uint64_t since_us, uint64_t now_us)
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

/* --- executors --- */

#define CELL(name, ...)                                                                    \
	static void cell_##name(const void *item, uint64_t now_us, char *text, size_t size) \
	{                                                                                   \
		const struct executor_view *v = item;                                       \
		(void)now_us;                                                               \
		__VA_ARGS__;                                                                \
	}

CELL(pod, append_pod(text, size, v->name_space, v->pod))
CELL(app, str_append(text, size, "%s", *v->app_name ? v->app_name : v->app_id))
CELL(exec, str_append(text, size, "%s", v->executor_id))
CELL(role, str_append(text, size, "%s%s", v->role, v->sidecar ? " (sidecar)" : ""))
CELL(used, append_bytes(text, size, v->working_set_bytes))
CELL(limit, append_bytes(text, size, v->limit_bytes))
CELL(share, if (v->limit_bytes && v->used_bytes) str_append(text, size, "%.0f%%", 100.0 * (double)v->working_set_bytes / (double)v->limit_bytes))
CELL(age, append_age(text, size, v->started_wall_us, now_us))
CELL(container, str_append(text, size, "%s", v->container))
CELL(language, str_append(text, size, "%s", v->language))
CELL(spark, str_append(text, size, "%s", v->spark_version))
CELL(qos, str_append(text, size, "%s", v->qos))
CELL(peak, append_bytes(text, size, v->peak_bytes))
CELL(heap, append_bytes(text, size, v->heap_bytes))
CELL(jvm, append_bytes(text, size, v->jvm_bytes))
CELL(python, append_bytes(text, size, v->python_bytes))
CELL(shmem, append_bytes(text, size, v->shmem_bytes))
CELL(cache, append_bytes(text, size, v->cache_bytes))
CELL(kills, str_append(text, size, "%" PRIu64, v->oom_kills))

static const struct column executor_columns[] = {
	{"POD", 0, false, cell_pod},	   {"APP", 0, false, cell_app},	     {"EXEC", 0, false, cell_exec},
	{"ROLE", 0, false, cell_role},	   {"MEMORY", SCOLS_FL_RIGHT, false, cell_used}, {"LIMIT", SCOLS_FL_RIGHT, false, cell_limit},
	{"%", SCOLS_FL_RIGHT, false, cell_share}, {"AGE", SCOLS_FL_RIGHT, false, cell_age}, {"CONTAINER", 0, true, cell_container},
	{"LANGUAGE", 0, true, cell_language}, {"SPARK", 0, true, cell_spark}, {"QOS", 0, true, cell_qos},
	{"PEAK", SCOLS_FL_RIGHT, true, cell_peak}, {"HEAP", SCOLS_FL_RIGHT, true, cell_heap}, {"JVM", SCOLS_FL_RIGHT, true, cell_jvm},
	{"PYTHON", SCOLS_FL_RIGHT, true, cell_python}, {"TMPFS", SCOLS_FL_RIGHT, true, cell_shmem}, {"CACHE", SCOLS_FL_RIGHT, true, cell_cache},
	{"OOM KILLS", SCOLS_FL_RIGHT, true, cell_kills},
};

/* --- deaths --- */

static void death_when(const void *item, uint64_t now_us, char *text, size_t size)
{
	const struct death *d = item;
	time_t then = (time_t)(d->ended_wall_us / US_PER_S);
	struct tm tm = {0};
	char words[40];

	(void)now_us;
	localtime_r(&then, &tm);
	strftime(words, sizeof(words), "%Y-%m-%d %H:%M:%S", &tm);
	str_append(text, size, "%s", words);
}

static void death_who(const void *item, uint64_t now_us, char *text, size_t size)
{
	char who[320];

	(void)now_us;
	executor_say(&((const struct death *)item)->executor, who, sizeof(who));
	str_append(text, size, "%s", who);
}

static void death_pod(const void *item, uint64_t now_us, char *text, size_t size)
{
	const struct death *d = item;

	(void)now_us;
	append_pod(text, size, d->executor.name_space, d->executor.pod);
}

static void death_cause_cell(const void *item, uint64_t now_us, char *text, size_t size)
{
	const struct death *d = item;

	(void)now_us;
	str_append(text, size, "%s%s", death_cause_name(d->cause), d->lives ? " (lives on)" : "");
}

static void death_change(const void *item, uint64_t now_us, char *text, size_t size)
{
	const struct death *d = item;

	(void)now_us;
	if (*d->setting)
		str_append(text, size, "%s=%s", d->setting, d->value);
}

static void death_exit(const void *item, uint64_t now_us, char *text, size_t size)
{
	const struct death *d = item;

	(void)now_us;
	if (d->exit_code >= 0)
		str_append(text, size, "%" PRId32, d->exit_code);
}

static void death_summary(const void *item, uint64_t now_us, char *text, size_t size)
{
	(void)now_us;
	str_append(text, size, "%s", ((const struct death *)item)->summary);
}

static const struct column death_columns[] = {
	{"WHEN", 0, false, death_when},		{"POD", 0, false, death_pod},	   {"WHO", 0, false, death_who},
	{"CAUSE", 0, false, death_cause_cell},	{"CHANGE", 0, false, death_change}, {"EXIT", SCOLS_FL_RIGHT, true, death_exit},
	{"SUMMARY", 0, true, death_summary},
};

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

static int print(FILE *out, const struct column *columns, size_t column_count, const void *items, size_t item_size, size_t count, bool wide,
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
			good = scols_table_new_column(table, columns[i].name, 0.1, columns[i].flags) != NULL;
	for (size_t i = 0; good && i < count; i++)
		good = add_line(table, columns, column_count, (const char *)items + i * item_size, wide, now_us);
	return good && scols_print_table(table) >= 0 ? 0 : err_set(e, ENOMEM, "cannot print the table");
}

int executor_table_print(FILE *out, const struct executor_view *views, size_t count, bool wide, uint64_t now_wall_us, struct err *e)
{
	return print(out, executor_columns, ARRAY_SIZE(executor_columns), views, sizeof(*views), count, wide, now_wall_us, e);
}

int death_table_print(FILE *out, const struct death *deaths, size_t count, bool wide, struct err *e)
{
	return print(out, death_columns, ARRAY_SIZE(death_columns), deaths, sizeof(*deaths), count, wide, 0, e);
}
