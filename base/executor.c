/* executor.c - see executor.h. */
#include <stdio.h>

#include "base/executor.h"
#include "base/scoped.h"
#include "base/str.h"

static const char *const role_names[EXECUTOR_ROLE_MAX_] = {
	[EXECUTOR_ROLE_NONE] = "none",
	[EXECUTOR_ROLE_EXECUTOR] = "executor",
	[EXECUTOR_ROLE_DRIVER] = "driver",
	[EXECUTOR_ROLE_CLIENT_DRIVER] = "client-driver",
	[EXECUTOR_ROLE_CONNECT_SERVER] = "connect-server",
	[EXECUTOR_ROLE_STANDALONE_MASTER] = "standalone-master",
	[EXECUTOR_ROLE_STANDALONE_WORKER] = "standalone-worker",
};
static const char *const language_names[] = {"unknown", "JVM", "Python", "R"};
static const char *const qos_names[] = {"unknown", "Guaranteed", "Burstable", "BestEffort"};

const char *executor_role_name(enum executor_role role)
{
	return (size_t)role < ARRAY_SIZE(role_names) ? role_names[role] : role_names[0];
}

const char *executor_language_name(enum executor_language language)
{
	return (size_t)language < ARRAY_SIZE(language_names) ? language_names[language] : language_names[0];
}

const char *executor_qos_name(enum executor_qos qos)
{
	return (size_t)qos < ARRAY_SIZE(qos_names) ? qos_names[qos] : qos_names[0];
}

bool executor_is_driver(const struct executor *executor)
{
	return executor->role == EXECUTOR_ROLE_DRIVER || executor->role == EXECUTOR_ROLE_CLIENT_DRIVER || executor->role == EXECUTOR_ROLE_CONNECT_SERVER;
}

void executor_say(const struct executor *executor, char *text, size_t size)
{
	const char *name = executor->app_name[0] ? executor->app_name : executor->app_id;

	if (!name[0])
		snprintf(text, size, "%s", executor->pod[0] ? executor->pod : executor->container_id);
	else if (executor->role == EXECUTOR_ROLE_EXECUTOR && executor->executor_id[0])
		snprintf(text, size, "app %s exec %s", name, executor->executor_id);
	else
		snprintf(text, size, "app %s %s", name, executor_role_name(executor->role));
	if (executor->sidecar && executor->container[0])
		str_append(text, size, ", container %s", executor->container);
}

uint64_t executor_memory_left(const struct executor *x, uint64_t reserve_bytes)
{
	const bool pods = x->pod_limit_bytes && (!x->limit_bytes || x->pod_limit_bytes < x->limit_bytes);
	const uint64_t limit = pods ? x->pod_limit_bytes : x->limit_bytes;
	const uint64_t parts[] = {x->heap_bytes ? x->heap_bytes : limit / 4, x->off_heap_bytes, reserve_bytes, x->injected_bytes};
	uint64_t left = limit;

	if (limit == 0)
		return UINT64_MAX;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		left -= left < parts[i] ? left : parts[i];
	return left;
}
