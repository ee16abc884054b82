#include "health/executor_table.h"

#include <inttypes.h>
#include <time.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/columns.h"

/* --- executors --- */

#define CELL(name, ...)                                                                    \
	static void cell_##name(const void *item, uint64_t now_us, char *text, size_t size) \
	{                                                                                   \
		const struct executor_view *v = item;                                       \
		(void)now_us;                                                               \
		__VA_ARGS__;                                                                \
	}

CELL(pod, column_append_pod(text, size, v->name_space, v->pod))
CELL(app, str_append(text, size, "%s", *v->app_name ? v->app_name : v->app_id))
CELL(exec, str_append(text, size, "%s", v->executor_id))
CELL(role, str_append(text, size, "%s%s", v->role, v->sidecar ? " (sidecar)" : ""))
CELL(used, column_append_bytes(text, size, v->working_set_bytes))
CELL(limit, column_append_bytes(text, size, v->limit_bytes))
CELL(share, if (v->limit_bytes && v->used_bytes) str_append(text, size, "%.0f%%", 100.0 * (double)v->working_set_bytes / (double)v->limit_bytes))
CELL(age, column_append_age(text, size, v->started_wall_us, now_us))
CELL(container, str_append(text, size, "%s", v->container))
CELL(language, str_append(text, size, "%s", v->language))
CELL(spark, str_append(text, size, "%s", v->spark_version))
CELL(qos, str_append(text, size, "%s", v->qos))
CELL(peak, column_append_bytes(text, size, v->peak_bytes))
CELL(heap, column_append_bytes(text, size, v->heap_bytes))
CELL(jvm, column_append_bytes(text, size, v->jvm_bytes))
CELL(python, column_append_bytes(text, size, v->python_bytes))
CELL(shmem, column_append_bytes(text, size, v->shmem_bytes))
CELL(cache, column_append_bytes(text, size, v->cache_bytes))
CELL(kills, str_append(text, size, "%" PRIu64, v->oom_kills))

static const struct column executor_columns[] = {
	{"POD", false, false, cell_pod},	   {"APP", false, false, cell_app},	     {"EXEC", false, false, cell_exec},
	{"ROLE", false, false, cell_role},	   {"MEMORY", true, false, cell_used}, {"LIMIT", true, false, cell_limit},
	{"%", true, false, cell_share}, {"AGE", true, false, cell_age}, {"CONTAINER", false, true, cell_container},
	{"LANGUAGE", false, true, cell_language}, {"SPARK", false, true, cell_spark}, {"QOS", false, true, cell_qos},
	{"PEAK", true, true, cell_peak}, {"HEAP", true, true, cell_heap}, {"JVM", true, true, cell_jvm},
	{"PYTHON", true, true, cell_python}, {"TMPFS", true, true, cell_shmem}, {"CACHE", true, true, cell_cache},
	{"OOM KILLS", true, true, cell_kills},
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
	column_append_pod(text, size, d->executor.name_space, d->executor.pod);
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
	{"WHEN", false, false, death_when},		{"POD", false, false, death_pod},	   {"WHO", false, false, death_who},
	{"CAUSE", false, false, death_cause_cell},	{"CHANGE", false, false, death_change}, {"EXIT", true, true, death_exit},
	{"SUMMARY", false, true, death_summary},
};

int executor_table_print(FILE *out, const struct executor_view *views, size_t count, bool wide, uint64_t now_wall_us, struct err *e)
{
	return columns_print(out, executor_columns, ARRAY_SIZE(executor_columns), views, sizeof(*views), count, wide, now_wall_us, e);
}

int death_table_print(FILE *out, const struct death *deaths, size_t count, bool wide, struct err *e)
{
	return columns_print(out, death_columns, ARRAY_SIZE(death_columns), deaths, sizeof(*deaths), count, wide, 0, e);
}
