#include <stdlib.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

#define MIN_OVERHEAD_MIB 384

/* As Spark's settings have memory: "2g", "512m", "2048" (MiB). 0 = not understood. */
static uint64_t mib_of(const char *text)
{
	static const struct {
		char letter;
		uint64_t multiply, divide;
	} units[] = {{'k', 1, 1024}, {'m', 1, 1}, {'g', 1024, 1}, {'t', 1024 * 1024, 1}};
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	const uint64_t number = strtoull(text, &end, 10);
	if (number > 1ULL << 30)
		return 0;
	if (*end == '\0')
		return number;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if ((*end | 0x20) == units[i].letter)
			return number * units[i].multiply / units[i].divide;
	return 0;
}

static uint64_t setting_mib(const struct lint_launch *launch, enum lint_role role, const char *last)
{
	char key[64] = "";

	str_append(key, sizeof(key), "spark.%s.%s", lint_role_name(role), last);
	return mib_of(lint_setting_value(launch, key));
}

uint64_t lint_heap_mib(const struct lint_launch *launch, enum lint_role role)
{
	const uint64_t mib = setting_mib(launch, role, "memory");

	return mib ? mib : 1024;
}

static double factor_of(const struct lint_launch *launch, enum lint_role role)
{
	const char *const keys[] = {role == LINT_DRIVER ? "spark.driver.memoryOverheadFactor" : "spark.executor.memoryOverheadFactor", "spark.kubernetes.memoryOverheadFactor"};
	const struct lint_setting *s = lint_setting_any(launch, keys, ARRAY_SIZE(keys));
	const double factor = s ? strtod(s->value, NULL) : 0;

	if (factor > 0 && factor < 1000)
		return factor;
	return launch->is_python && !launch->is_client ? 0.4 : 0.1;
}

uint64_t lint_overhead_mib(const struct lint_launch *launch, enum lint_role role)
{
	const uint64_t said = setting_mib(launch, role, "memoryOverhead");
	const uint64_t computed = (uint64_t)((double)lint_heap_mib(launch, role) * factor_of(launch, role));

	if (said)
		return said;
	return computed > MIN_OVERHEAD_MIB ? computed : MIN_OVERHEAD_MIB;
}
