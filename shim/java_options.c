#include "shim/java_options.h"

#include <string.h>

#include "base/scoped.h"
#include "shim/text.h"

static void take_heap(struct text value, struct executor *executor)
{
	(void)text_bytes(value, 1, &executor->heap_bytes);
}

static void take_off_heap(struct text value, struct executor *executor)
{
	(void)text_bytes(value, 1, &executor->off_heap_bytes);
}

/* "kill -9 %p", "kill -KILL %p". A plain kill is SIGTERM: 143, which nobody takes for the kernel's work. */
static void take_on_oom(struct text value, struct executor *executor)
{
	bool kills = text_has(value, "kill") && (text_has(value, "-9") || text_has(value, "-KILL") || text_has(value, "-SIGKILL"));

	executor->flags = kills ? executor->flags | EXECUTOR_JVM_KILL_ON_OOM : executor->flags & ~EXECUTOR_JVM_KILL_ON_OOM;
}

static void take_decommission(struct text value, struct executor *executor)
{
	executor->flags = text_is(value, "true") ? executor->flags | EXECUTOR_DECOMMISSION : executor->flags & ~EXECUTOR_DECOMMISSION;
}

static const struct {
	const char *prefix;
	void (*take)(struct text value, struct executor *executor);
} valued[] = {
	{"-Xmx", take_heap},
	{"-XX:MaxHeapSize=", take_heap},
	{"-Dspark.memory.offHeap.size=", take_off_heap},
	{"-Dspark.decommission.enabled=", take_decommission},
	{"-XX:OnOutOfMemoryError=", take_on_oom},
};

static const struct {
	const char *name;
	uint32_t flag;
} switches[] = {
	{"ExitOnOutOfMemoryError", EXECUTOR_JVM_EXIT_ON_OOM},
	{"CrashOnOutOfMemoryError", EXECUTOR_JVM_CRASH_ON_OOM},
};

void java_option_take(struct text option, struct executor *executor)
{
	if (option.length < 2 || option.bytes[0] != '-')
		return;
	for (size_t i = 0; i < ARRAY_SIZE(valued); i++) {
		if (text_starts(option, valued[i].prefix)) {
			valued[i].take(text_from(option, strlen(valued[i].prefix)), executor);
			return;
		}
	}
	if (!text_starts(option, "-XX:+") && !text_starts(option, "-XX:-"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (text_is(text_from(option, 5), switches[i].name))
			executor->flags = option.bytes[4] == '+' ? executor->flags | switches[i].flag : executor->flags & ~switches[i].flag;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void java_options_take(struct text line, struct executor *executor)
{
	for (uint32_t i = 0; i < line.length;) {
		char quote = '\0';
		if (is_space(line.bytes[i])) {
			i++;
			continue;
		}
		struct text option = {.bytes = line.bytes + i, .length = 0};
		for (; i < line.length && (quote || !is_space(line.bytes[i])); i++) {
			char c = line.bytes[i];
			if (quote ? c == quote : c == '"' || c == '\'')
				quote = quote ? '\0' : c;
		}
		option.length = (uint32_t)(line.bytes + i - option.bytes);
		/* The whole option in quotes; quotes within its value do not matter to what is read here. */
		if (option.length >= 2 && (option.bytes[0] == '"' || option.bytes[0] == '\'') && option.bytes[option.length - 1] == option.bytes[0])
			option = (struct text){.bytes = option.bytes + 1, .length = option.length - 2};
		java_option_take(option, executor);
	}
}
