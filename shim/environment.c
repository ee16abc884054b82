#include "shim/environment.h"

#include <string.h>

#include "base/scoped.h"
#include "shim/java_options.h"
#include "shim/text.h"

static void take_cores(struct text value, struct executor *executor)
{
	uint64_t number;

	if (text_number(value, &number) && number <= UINT32_MAX)
		executor->cores = (uint32_t)number;
}

static void take_python_memory(struct text value, struct executor *executor)
{
	if (text_bytes(value, 1ULL << 20, &executor->python_worker_bytes))
		executor->flags |= EXECUTOR_PYSPARK_MEMORY_SET;
	executor->language = EXECUTOR_LANGUAGE_PYTHON;
}

static void take_python(struct text value, struct executor *executor)
{
	if (value.length > 0)
		executor->language = EXECUTOR_LANGUAGE_PYTHON;
}

static void take_nothing(struct text value, struct executor *executor)
{
	(void)value;
	(void)executor;
}

#define FIELD(member) NULL, offsetof(struct executor, member), sizeof(((struct executor *)0)->member)
#define BY(function)  function, 0, 0
#define SIGN(member)  offsetof(struct environment_signs, member)
static const struct variable {
	const char *name;
	void (*take)(struct text value, struct executor *executor);
	size_t offset, size; /* of the field that takes the value as it is */
	size_t sign;
} variables[] = {
	{"SPARK_DRIVER_URL", FIELD(driver_url), SIGN(executor)},
	{"SPARK_EXECUTOR_ID", FIELD(executor_id), SIGN(executor)},
	{"SPARK_EXECUTOR_CORES", BY(take_cores), SIGN(executor)},
	{"SPARK_DRIVER_BIND_ADDRESS", BY(take_nothing), SIGN(driver)},
	{"SPARK_APPLICATION_ID", FIELD(app_id), SIGN(spark)},
	{"SPARK_LOCAL_DIRS", BY(take_nothing), SIGN(spark)},
	{"SPARK_EXECUTOR_DIRS", BY(take_nothing), SIGN(spark)},
	{"PYSPARK_EXECUTOR_MEMORY_MB", BY(take_python_memory), SIGN(spark)},
	{"PYSPARK_PYTHON", BY(take_python), SIGN(spark)},
	{"PYSPARK_DRIVER_PYTHON", BY(take_python), SIGN(spark)},
	{"SPARK_HOME", BY(take_nothing), SIGN(spark)},
	{"SPARK_CONF_DIR", BY(take_nothing), SIGN(spark)},
	{"SPARK_OPTS", BY(take_nothing), SIGN(spark)}, /* Jupyter's images */
};

/* Where a JVM takes options from, the weakest first. Spark's entrypoint puts SPARK_JAVA_OPT_n and then -Xmx$SPARK_EXECUTOR_MEMORY on the
 * command line behind them. */
static const char *const options_before[] = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"};
#define SPARK_OPTION_PREFIX "SPARK_JAVA_OPT_"
#define SPARK_HEAP	    "SPARK_EXECUTOR_MEMORY"
#define OPTIONS_AFTER	    "_JAVA_OPTIONS"

/* "KEY=VALUE": the value, if the key is that one. */
static bool is_variable(struct text entry, const char *key, struct text *value)
{
	size_t length = strlen(key);

	if (entry.length <= length || entry.bytes[length] != '=' || memcmp(entry.bytes, key, length) != 0)
		return false;
	*value = text_from(entry, length + 1);
	return true;
}

static bool find(const struct container_view *container, const char *key, struct text *value)
{
	for (uint32_t i = 0; i < container->env_count; i++)
		if (is_variable(container->env[i], key, value))
			return true;
	return false;
}

static void take_variable(const struct redactor *redactor, struct text entry, struct executor *executor, struct environment_signs *signs)
{
	struct text value;

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const struct variable *variable = &variables[i];
		char *field = (char *)executor + variable->offset;
		if (!is_variable(entry, variable->name, &value))
			continue;
		*(bool *)((char *)signs + variable->sign) = true;
		signs->spark = true;
		if (variable->take)
			variable->take(value, executor);
		else if (!field[0] && !text_is(value, "EXECID")) /* a label came first; EXECID: not known before it registers */
			text_copy_redacted(redactor, field, variable->size, value);
		return;
	}
}

static void take_options(const struct container_view *container, bool is_executor, struct executor *executor)
{
	struct text value, rest;

	for (size_t i = 0; i < ARRAY_SIZE(options_before); i++)
		if (find(container, options_before[i], &value))
			java_options_take(value, executor);
	for (uint32_t i = 0; i < container->env_count; i++)
		if (text_starts(rest = container->env[i], SPARK_OPTION_PREFIX) && text_next(&rest, '=', &value))
			java_option_take(rest, executor);
	if (is_executor && find(container, SPARK_HEAP, &value))
		(void)text_bytes(value, 1ULL << 20, &executor->heap_bytes);
}

void environment_read(const struct redactor *redactor, const struct container_view *container, struct executor *executor, struct environment_signs *ret)
{
	*ret = (struct environment_signs){0};
	for (uint32_t i = 0; i < container->env_count; i++)
		if (text_starts(container->env[i], "SPARK_") || text_starts(container->env[i], "PYSPARK_"))
			take_variable(redactor, container->env[i], executor, ret);
	take_options(container, ret->executor, executor);
}

void environment_override(const struct container_view *container, struct executor *executor)
{
	struct text value;

	if (find(container, OPTIONS_AFTER, &value))
		java_options_take(value, executor);
}

struct text environment_local_dirs(const struct container_view *container, const char *given)
{
	struct text value = text_of(given ? given : "");

	if (!find(container, "SPARK_EXECUTOR_DIRS", &value) && !given)
		(void)find(container, "SPARK_LOCAL_DIRS", &value);
	return value;
}
