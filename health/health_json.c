/* health_json.c - struct health as the JSON of docs/contract.md, and back: one table of fields for both ways.
 *
 * JSON is UTF-8 and file names are bytes, so names are shown escaped (str_escape) and turned back when read: "/a\nb" and
 * "/a\\nb" stay two things over a restart. Texts are words already; only what JSON cannot hold is escaped in them. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/health.h"

#define JSON_NUMBER_MAX	 9007199254740991.0 /* 2^53 - 1: beyond, a double skips whole numbers */
#define JSON_WHERE_BYTES 128
#define JSON_KIND	 "NodeHealth"

_Static_assert(sizeof(enum health_status) == sizeof(uint32_t) && sizeof(enum verdict_state) == sizeof(uint32_t), "FIELD_WORD writes four bytes");

enum field_kind {
	FIELD_NAME,   /* char[], escaped */
	FIELD_TEXT,   /* char[] */
	FIELD_TIME,   /* uint64_t, microseconds; null = never */
	FIELD_SECOND, /* the same in whole seconds, as Kubernetes writes times */
	FIELD_U64,
	FIELD_I32,
	FIELD_BOOL,   /* uint32_t */
	FIELD_WORD,   /* an enum's name */
	FIELD_ROLES,
	FIELD_OBJECT, /* `sub` over the same struct; null if the uint32_t or uint64_t at `offset` is zero */
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset, size;
	const struct field *sub;
	const char *(*word)(unsigned value);
	unsigned words;
};

static const char *status_word(unsigned value)
{
	return health_status_name((enum health_status)value);
}

static const char *state_word(unsigned value)
{
	return verdict_state_name((enum verdict_state)value);
}

static const char *condition_word(unsigned value)
{
	return condition_status_name((enum condition_status)value);
}

#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

static const struct field probe_fields[] = {
	{"time", FIELD_TIME, AT(health_filesystem, last_probe_wall_us)},
	{"durationMicros", FIELD_U64, AT(health_filesystem, last_probe_duration_us)},
	{"errno", FIELD_I32, AT(health_filesystem, last_probe_errnum)},
	{0},
};

static const struct field filesystem_fields[] = {
	{"mountPoint", FIELD_NAME, AT(health_filesystem, mount_point)},
	{"source", FIELD_NAME, AT(health_filesystem, source)},
	{"fsType", FIELD_NAME, AT(health_filesystem, fs_type)},
	{"device", FIELD_NAME, AT(health_filesystem, device)},
	{"roles", FIELD_ROLES, AT(health_filesystem, roles)},
	{"state", FIELD_WORD, AT(health_filesystem, state), NULL, state_word, VERDICT_STATE_MAX_},
	{"reason", FIELD_TEXT, AT(health_filesystem, reason)},
	{"message", FIELD_TEXT, AT(health_filesystem, message)},
	{"since", FIELD_TIME, AT(health_filesystem, since_wall_us)},
	{"lastProbe", FIELD_OBJECT, AT(health_filesystem, last_probe_wall_us), probe_fields},
	{"path", FIELD_NAME, AT(health_filesystem, path)},
	{"mounted", FIELD_BOOL, AT(health_filesystem, mounted)},
	{0},
};

static const struct field condition_fields[] = {
	{"type", FIELD_TEXT, AT(report_condition, type)},
	{"status", FIELD_WORD, AT(report_condition, status), NULL, condition_word, CONDITION_STATUS_MAX_},
	{"reason", FIELD_TEXT, AT(report_condition, reason)},
	{"message", FIELD_TEXT, AT(report_condition, message)},
	{"lastTransitionTime", FIELD_SECOND, AT(report_condition, transition_wall_us)},
	{0},
};

static const struct field taint_fields[] = {
	{"key", FIELD_TEXT, AT(health, report.taint.key)},
	{"value", FIELD_TEXT, AT(health, report.taint.value)},
	{"effect", FIELD_TEXT, AT(health, report.taint.effect)},
	{"held", FIELD_BOOL, AT(health, taint_held)},
	{"why", FIELD_TEXT, AT(health, taint_why)},
	{0},
};

static const struct field input_fields[] = {
	{"state", FIELD_TEXT, AT(health_input, state)},
	{"detail", FIELD_TEXT, AT(health_input, detail)},
	{0},
};

static const struct field head_fields[] = {
	{"node", FIELD_TEXT, AT(health, node)},
	{"time", FIELD_TIME, AT(health, time_wall_us)},
	{"status", FIELD_WORD, AT(health, status), NULL, status_word, HEALTH_STATUS_MAX_},
	{0},
};

static const struct field taint_field = {"taint", FIELD_OBJECT, AT(health, report.taint.wanted), taint_fields};

/* --- writing; false = no memory --- */

static bool add_fields(cJSON *object, const struct field *fields, const void *base);

static bool is_clean(const char *text)
{
	for (size_t n; *text; text += n) {
		n = str_utf8_length(text);
		if (n == 0 || (n == 1 && ((unsigned char)*text < 0x20 || *text == 0x7f)))
			return false;
	}
	return true;
}

static bool add_string(cJSON *object, const char *key, const char *text, bool is_name)
{
	char escaped[4 * NAME_PATH_BYTES + 1];

	if (is_name || !is_clean(text)) {
		str_escape(escaped, sizeof(escaped), text);
		text = escaped;
	}
	return cJSON_AddStringToObject(object, key, text) != NULL;
}

static bool add_time(cJSON *object, const char *key, uint64_t wall_us, bool micro)
{
	char text[CLOCK_TEXT_BYTES];

	if (wall_us == 0)
		return cJSON_AddNullToObject(object, key) != NULL;
	clock_format(wall_us, micro, text);
	return cJSON_AddStringToObject(object, key, text) != NULL;
}

static bool add_roles(cJSON *object, const char *key, const struct health_filesystem *f)
{
	cJSON *array = cJSON_AddArrayToObject(object, key);
	bool good = array != NULL;

	for (uint32_t i = 0; good && i < f->role_count && i < HEALTH_ROLES_MAX; i++) {
		char escaped[4 * CONFIG_ROLE_BYTES];
		str_escape(escaped, sizeof(escaped), f->roles[i]);
		cJSON *item = cJSON_CreateString(escaped);
		good = item && cJSON_AddItemToArray(array, item);
	}
	return good;
}

static uint32_t word_at(const void *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint64_t long_at(const void *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static bool add_object(cJSON *object, const struct field *field, const void *base)
{
	const char *at = (const char *)base + field->offset;
	bool present = field->size == sizeof(uint32_t) ? word_at(at) != 0 : long_at(at) != 0;

	if (!present)
		return cJSON_AddNullToObject(object, field->key) != NULL;
	cJSON *sub = cJSON_AddObjectToObject(object, field->key);
	return sub && add_fields(sub, field->sub, base);
}

static bool add_field(cJSON *object, const struct field *f, const void *base)
{
	const char *at = (const char *)base + f->offset;

	switch (f->kind) {
	case FIELD_NAME:
	case FIELD_TEXT: return add_string(object, f->key, at, f->kind == FIELD_NAME);
	case FIELD_TIME:
	case FIELD_SECOND: return add_time(object, f->key, long_at(at), f->kind == FIELD_TIME);
	case FIELD_U64: return cJSON_AddNumberToObject(object, f->key, (double)long_at(at)) != NULL;
	case FIELD_I32: return cJSON_AddNumberToObject(object, f->key, (int32_t)word_at(at)) != NULL;
	case FIELD_BOOL: return cJSON_AddBoolToObject(object, f->key, word_at(at) != 0) != NULL;
	case FIELD_WORD: return cJSON_AddStringToObject(object, f->key, f->word(word_at(at))) != NULL;
	case FIELD_ROLES: return add_roles(object, f->key, base);
	case FIELD_OBJECT: return add_object(object, f, base);
	}
	return false;
}

static bool add_fields(cJSON *object, const struct field *fields, const void *base)
{
	bool good = true;

	for (const struct field *f = fields; good && f->key; f++)
		good = add_field(object, f, base);
	return good;
}

/* The object is in the tree before it is filled: then one delete of the root frees all, whatever went wrong. */
static bool add_item(cJSON *array, const struct field *fields, const void *base)
{
	cJSON *item = cJSON_CreateObject();

	return item && cJSON_AddItemToArray(array, item) && add_fields(item, fields, base);
}

static bool add_body(cJSON *root, const struct health *h)
{
	cJSON *conditions = cJSON_AddArrayToObject(root, "conditions");
	if (!conditions || !add_item(conditions, condition_fields, &h->report.condition) || !add_object(root, &taint_field, h))
		return false;

	cJSON *filesystems = cJSON_AddArrayToObject(root, "filesystems");
	bool good = filesystems != NULL;
	for (uint32_t i = 0; good && i < h->filesystem_count; i++)
		good = add_item(filesystems, filesystem_fields, &h->filesystems[i]);
	cJSON *inputs = good ? cJSON_AddObjectToObject(root, "inputs") : NULL;
	good = good && inputs;
	for (uint32_t i = 0; good && i < h->input_count; i++) {
		cJSON *input = cJSON_AddObjectToObject(inputs, h->inputs[i].name);
		good = input && add_fields(input, input_fields, &h->inputs[i]);
	}
	return good;
}

static void json_drop(cJSON **json)
{
	cJSON_Delete(*json);
}

int health_to_json(const struct health *h, char **ret_text, struct err *e)
{
	scoped(json_drop) cJSON *root = cJSON_CreateObject();
	char *text = NULL;

	if (root && cJSON_AddStringToObject(root, "apiVersion", STOKER_API_VERSION) && cJSON_AddStringToObject(root, "kind", JSON_KIND) &&
	    add_fields(root, head_fields, h) && add_body(root, h))
		text = cJSON_PrintUnformatted(root);
	if (!text)
		return err_set(e, ENOMEM, "cannot write the health as JSON");
	*ret_text = text;
	return 0;
}
