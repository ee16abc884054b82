/* death_json.c - struct death as the JSON of docs/contract.md. Written and read by the same tables. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "health/death.h"
#include "health/health_fields.h"
#include "health/json.h"

static const char *cause_word(unsigned value)
{
	return death_cause_name((enum death_cause)value);
}

static const char *confidence_word(unsigned value)
{
	return death_confidence_name((enum death_confidence)value);
}

static const char *role_word(unsigned value)
{
	return executor_role_name((enum executor_role)value);
}

static const char *language_word(unsigned value)
{
	return executor_language_name((enum executor_language)value);
}

static const char *qos_word(unsigned value)
{
	return executor_qos_name((enum executor_qos)value);
}

#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

static const struct field head_fields[] = {
	{"number", FIELD_U64, AT(death, number)},
	{"cause", FIELD_WORD, AT(death, cause), NULL, cause_word, DEATH_CAUSE_MAX_},
	{"confidence", FIELD_WORD, AT(death, confidence), NULL, confidence_word, DEATH_CERTAIN + 1},
	{"lives", FIELD_BOOL, AT(death, lives)},
	{"startTime", FIELD_TIME, AT(death, started_wall_us)},
	{"endTime", FIELD_TIME, AT(death, ended_wall_us)},
	{"explainedAfterMicros", FIELD_U64, AT(death, explained_after_us)},
	{"podReason", FIELD_TEXT, AT(death, pod_reason)},
	{"summary", FIELD_TEXT, AT(death, summary)},
	{"setting", FIELD_TEXT, AT(death, setting)},
	{"value", FIELD_TEXT, AT(death, value)},
	{"valueBytes", FIELD_U64, AT(death, value_bytes)},
	{"advice", FIELD_TEXT, AT(death, advice)},
	{"evidence", FIELD_TEXT, AT(death, evidence)},
	{0},
};

static const struct field executor_fields[] = {
	{"namespace", FIELD_TEXT, AT(executor, name_space)},
	{"pod", FIELD_TEXT, AT(executor, pod)},
	{"podUID", FIELD_TEXT, AT(executor, pod_uid)},
	{"container", FIELD_TEXT, AT(executor, container)},
	{"containerID", FIELD_TEXT, AT(executor, container_id)},
	{"role", FIELD_WORD, AT(executor, role), NULL, role_word, EXECUTOR_ROLE_MAX_},
	{"sidecar", FIELD_BOOL, AT(executor, sidecar)},
	{"language", FIELD_WORD, AT(executor, language), NULL, language_word, EXECUTOR_LANGUAGE_R + 1},
	{"qosClass", FIELD_WORD, AT(executor, qos), NULL, qos_word, EXECUTOR_QOS_BEST_EFFORT + 1},
	{"appID", FIELD_TEXT, AT(executor, app_id)},
	{"appName", FIELD_TEXT, AT(executor, app_name)},
	{"executorID", FIELD_TEXT, AT(executor, executor_id)},
	{"sparkVersion", FIELD_TEXT, AT(executor, spark_version)},
	{"queue", FIELD_TEXT, AT(executor, queue)},
	{"heapBytes", FIELD_U64, AT(executor, heap_bytes)},
	{"offHeapBytes", FIELD_U64, AT(executor, off_heap_bytes)},
	{"limitBytes", FIELD_U64, AT(executor, limit_bytes)},
	{0},
};

static const struct field memory_fields[] = {
	{"limitBytes", FIELD_U64, AT(death, limit_bytes)},
	{"usedBytes", FIELD_U64, AT(death, used_bytes)},
	{"anonBytes", FIELD_U64, AT(death, anon_bytes)},
	{"shmemBytes", FIELD_U64, AT(death, shmem_bytes)},
	{"cacheBytes", FIELD_U64, AT(death, cache_bytes)},
	{"kernelBytes", FIELD_U64, AT(death, kernel_bytes)},
	{"jvmBytes", FIELD_U64, AT(death, jvm_bytes)},
	{"pythonBytes", FIELD_U64, AT(death, python_bytes)},
	{"otherBytes", FIELD_U64, AT(death, other_bytes)},
	{0},
};

static const struct field volume_fields[] = {
	{"name", FIELD_TEXT, AT(death, volume)},
	{"sizeBytes", FIELD_U64, AT(death, volume_size_bytes)},
	{"usedBytes", FIELD_U64, AT(death, volume_used_bytes)},
	{0},
};

/* -1, "not known", is null. */
static bool add_code(cJSON *root, int32_t code)
{
	return code < 0 ? cJSON_AddNullToObject(root, "exitCode") != NULL : cJSON_AddNumberToObject(root, "exitCode", code) != NULL;
}

static bool add_part(cJSON *root, const char *key, const struct field *fields, const void *base)
{
	cJSON *part = cJSON_AddObjectToObject(root, key);

	return part && fields_add(part, fields, base);
}

int death_to_json(const struct death *death, char **ret_text, struct err *e)
{
	scoped(json_drop) cJSON *root = cJSON_CreateObject();
	char *text = NULL;

	if (root && cJSON_AddStringToObject(root, "apiVersion", STOKER_API_VERSION) && cJSON_AddStringToObject(root, "kind", DEATH_JSON_KIND) &&
	    fields_add(root, head_fields, death) && add_code(root, death->exit_code) && add_part(root, "executor", executor_fields, &death->executor) &&
	    add_part(root, "memory", memory_fields, death) && add_part(root, "volume", volume_fields, death))
		text = cJSON_PrintUnformatted(root);
	if (!text)
		return err_set(e, ENOMEM, "cannot write a death as JSON");
	*ret_text = text;
	return 0;
}

static int read_part(const cJSON *root, const char *key, const char *where, const struct field *fields, void *base, struct err *e)
{
	const cJSON *part = cJSON_GetObjectItemCaseSensitive(root, key);

	if (!part || cJSON_IsNull(part))
		return 0;
	if (!cJSON_IsObject(part))
		return err_rule(e, EBADMSG, "%s: must be an object", key);
	return fields_read(part, where, fields, base, e);
}

static int read_code(const cJSON *root, int32_t *ret, struct err *e)
{
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(root, "exitCode");

	*ret = -1;
	if (!code || cJSON_IsNull(code))
		return 0;
	if (!cJSON_IsNumber(code) || !(code->valuedouble >= 0 && code->valuedouble <= INT32_MAX) || code->valuedouble > (int32_t)code->valuedouble)
		return err_rule(e, EBADMSG, "exitCode: must be a whole number or null");
	*ret = (int32_t)code->valuedouble;
	return 0;
}

int death_from_json(const char *text, size_t length, struct death *ret, struct err *e)
{
	struct err local = {0};
	scoped(json_drop) cJSON *root = NULL;
	struct death death = {0};

	e = e ? e : &local;
	if (fields_parse(text, length, DEATH_JSON_MAX_BYTES, &root, e) < 0)
		return err_wrap(e, "death");
	if (!cJSON_IsObject(root))
		return err_rule(e, EBADMSG, "death: must be a JSON object");
	if (fields_must_be(root, "apiVersion", STOKER_API_VERSION, e) < 0 || fields_must_be(root, "kind", DEATH_JSON_KIND, e) < 0 ||
	    fields_read(root, "", head_fields, &death, e) < 0 || read_code(root, &death.exit_code, e) < 0 ||
	    read_part(root, "executor", "executor.", executor_fields, &death.executor, e) < 0 || read_part(root, "memory", "memory.", memory_fields, &death, e) < 0 ||
	    read_part(root, "volume", "volume.", volume_fields, &death, e) < 0)
		return err_wrap(e, "death");
	*ret = death;
	return 0;
}
