#include "health/executor_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/json.h"

#define LIST_KIND  "ExecutorList"
#define NUMBER_MAX 18446744073709549568.0 /* the largest double below 2^64 */

enum view_kind { VIEW_TEXT, VIEW_BOOL, VIEW_BYTES, VIEW_TIME };

#define AT(member) offsetof(struct executor_view, member), sizeof(((struct executor_view *)0)->member)
static const struct view_field {
	const char *key;
	enum view_kind kind;
	size_t offset, size;
} fields[] = {
	{"namespace", VIEW_TEXT, AT(name_space)},
	{"pod", VIEW_TEXT, AT(pod)},
	{"podUID", VIEW_TEXT, AT(pod_uid)},
	{"container", VIEW_TEXT, AT(container)},
	{"containerID", VIEW_TEXT, AT(container_id)},
	{"role", VIEW_TEXT, AT(role)},
	{"sidecar", VIEW_BOOL, AT(sidecar)},
	{"appID", VIEW_TEXT, AT(app_id)},
	{"appName", VIEW_TEXT, AT(app_name)},
	{"executorID", VIEW_TEXT, AT(executor_id)},
	{"sparkVersion", VIEW_TEXT, AT(spark_version)},
	{"language", VIEW_TEXT, AT(language)},
	{"qosClass", VIEW_TEXT, AT(qos)},
	{"queue", VIEW_TEXT, AT(queue)},
	{"watched", VIEW_BOOL, AT(watched)},
	{"startTime", VIEW_TIME, AT(started_wall_us)},
	{"usedBytes", VIEW_BYTES, AT(used_bytes)},
	{"workingSetBytes", VIEW_BYTES, AT(working_set_bytes)},
	{"limitBytes", VIEW_BYTES, AT(limit_bytes)},
	{"peakBytes", VIEW_BYTES, AT(peak_bytes)},
	{"anonBytes", VIEW_BYTES, AT(anon_bytes)},
	{"shmemBytes", VIEW_BYTES, AT(shmem_bytes)},
	{"cacheBytes", VIEW_BYTES, AT(cache_bytes)},
	{"kernelBytes", VIEW_BYTES, AT(kernel_bytes)},
	{"heapBytes", VIEW_BYTES, AT(heap_bytes)},
	{"jvmBytes", VIEW_BYTES, AT(jvm_bytes)},
	{"pythonBytes", VIEW_BYTES, AT(python_bytes)},
	{"rBytes", VIEW_BYTES, AT(r_bytes)},
	{"otherBytes", VIEW_BYTES, AT(other_bytes)},
	{"oomKills", VIEW_BYTES, AT(oom_kills)},
};

/* --- writing --- */

static bool add_field(cJSON *item, const struct view_field *f, const void *at)
{
	char escaped[4 * NAME_NODE_BYTES], time[CLOCK_TEXT_BYTES];
	uint64_t number = 0;
	bool yes = false;

	if (f->kind == VIEW_TEXT) {
		str_escape(escaped, sizeof(escaped), at);
		return cJSON_AddStringToObject(item, f->key, escaped) != NULL;
	}
	if (f->kind == VIEW_BOOL) {
		memcpy(&yes, at, sizeof(yes));
		return cJSON_AddBoolToObject(item, f->key, yes) != NULL;
	}
	memcpy(&number, at, sizeof(number));
	if (f->kind == VIEW_BYTES)
		return cJSON_AddNumberToObject(item, f->key, (double)number) != NULL;
	if (number == 0)
		return cJSON_AddNullToObject(item, f->key) != NULL;
	clock_format(number, 0, time);
	return cJSON_AddStringToObject(item, f->key, time) != NULL;
}

static int put_item(FILE *out, const struct executor_view *view, struct err *e)
{
	scoped(json_drop) cJSON *item = cJSON_CreateObject();
	bool good = item != NULL;

	for (size_t f = 0; good && f < ARRAY_SIZE(fields); f++)
		good = add_field(item, &fields[f], (const char *)view + fields[f].offset);
	scoped(scoped_free) char *text = good ? cJSON_PrintUnformatted(item) : NULL;
	if (!text)
		return err_set(e, ENOMEM, "cannot write an executor as JSON");
	fputs(text, out);
	return 0;
}

/* One after the other: a tree of all of them would be some megabytes, of which the C library keeps the most. */
int executor_views_to_json(const struct executor_view *views, size_t count, const char *node, uint64_t wall_us, char **ret_text, struct err *e)
{
	char time[CLOCK_TEXT_BYTES], *text = NULL;
	size_t length = 0;
	int r = 0;

	FILE *out = open_memstream(&text, &length);
	if (!out)
		return err_set(e, ENOMEM, "cannot write the executors as JSON");
	clock_format(wall_us, 1, time);
	fprintf(out, "{\"apiVersion\":\"" STOKER_API_VERSION "\",\"kind\":\"" LIST_KIND "\",\"node\":\"%s\",\"time\":\"%s\",\"items\":[", node, time);
	for (size_t i = 0; r == 0 && i < count; i++) {
		fputs(i ? "," : "", out);
		r = put_item(out, &views[i], e);
	}
	fputs("]}", out);
	const bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed || r < 0) {
		free(text);
		return r < 0 ? r : err_set(e, ENOMEM, "cannot write the executors as JSON");
	}
	*ret_text = text;
	return 0;
}

/* --- reading --- */

static int refuse(struct err *e, const char *key, const char *rule)
{
	return err_rule(e, EBADMSG, "items[].%s: %s", key, rule);
}

static int read_field(const cJSON *item, const struct view_field *f, void *at, struct err *e)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, f->key);
	uint64_t number;

	if (!value || cJSON_IsNull(value))
		return 0;
	if (f->kind == VIEW_BOOL) {
		const bool yes = cJSON_IsTrue(value);
		memcpy(at, &yes, sizeof(yes));
		return cJSON_IsBool(value) ? 0 : refuse(e, f->key, "must be true or false");
	}
	if (f->kind == VIEW_BYTES) {
		if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble <= NUMBER_MAX))
			return refuse(e, f->key, "must be a number from 0");
		number = (uint64_t)value->valuedouble;
		memcpy(at, &number, sizeof(number));
		return 0;
	}
	if (!cJSON_IsString(value))
		return refuse(e, f->key, "must be a string");
	if (f->kind == VIEW_TEXT) {
		str_copy(at, f->size, value->valuestring);
		return 0;
	}
	if (clock_parse(value->valuestring, &number) < 0)
		return refuse(e, f->key, "must be a time");
	memcpy(at, &number, sizeof(number));
	return 0;
}

int executor_views_from_json(const char *text, size_t length, struct executor_view **ret_views, size_t *ret_count, struct err *e)
{
	scoped(json_drop) cJSON *root = cJSON_ParseWithLength(text, length);
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(root, "items"), *item;
	size_t count = 0;

	if (strcmp(json_text(root, "apiVersion"), STOKER_API_VERSION) != 0 || strcmp(json_text(root, "kind"), LIST_KIND) != 0 || !cJSON_IsArray(items))
		return err_rule(e, EBADMSG, "no " LIST_KIND " of " STOKER_API_VERSION);
	const int size = cJSON_GetArraySize(items);
	if (size > EXECUTOR_VIEWS_MAX)
		return err_rule(e, EMSGSIZE, "items: more than %d", EXECUTOR_VIEWS_MAX);
	scoped(scoped_free) struct executor_view *views = calloc((size_t)size + 1, sizeof(*views));
	if (!views)
		return err_set(e, ENOMEM, "cannot read the executors");
	cJSON_ArrayForEach(item, items)
	{
		for (size_t f = 0; f < ARRAY_SIZE(fields); f++)
			if (read_field(item, &fields[f], (char *)&views[count] + fields[f].offset, e) < 0)
				return -e->code;
		count++;
	}
	*ret_views = views;
	views = NULL;
	*ret_count = count;
	return 0;
}
