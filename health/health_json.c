/* health_json.c - struct health as the JSON of docs/contract.md. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/health_fields.h"
#include "health/json.h"

/* Each function: false = no memory. The caller frees the root, and with it all that hangs on it. */

static bool is_clean(const char *text)
{
	for (size_t n; *text; text += n) {
		n = str_utf8_length(text);
		if (n == 0 || (n == 1 && ((unsigned char)*text < 0x20 || *text == 0x7f)))
			return false;
	}
	return true;
}

/* What is escaped in a text takes more room, and must fit again when it is read back: then it is cut. */
static bool add_string(cJSON *object, const struct field *field, const char *text)
{
	char escaped[4 * NAME_PATH_BYTES];
	bool is_name = field->kind == FIELD_NAME;

	if (is_name || !is_clean(text)) {
		str_escape(escaped, is_name ? sizeof(escaped) : field->size, text);
		text = escaped;
	}
	return cJSON_AddStringToObject(object, field->key, text) != NULL;
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

static bool add_counts(cJSON *object, const struct field *field, const void *at)
{
	cJSON *array = cJSON_AddArrayToObject(object, field->key);
	bool good = array != NULL;

	for (size_t i = 0; good && i < field->size / sizeof(uint64_t); i++) {
		uint64_t count;
		memcpy(&count, (const char *)at + i * sizeof(count), sizeof(count));
		cJSON *item = cJSON_CreateNumber((double)count);
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
	return sub && fields_add(sub, field->sub, base);
}

static bool add_field(cJSON *object, const struct field *f, const void *base)
{
	const char *at = (const char *)base + f->offset;

	switch (f->kind) {
	case FIELD_NAME:
	case FIELD_TEXT: return add_string(object, f, at);
	case FIELD_TIME:
	case FIELD_SECOND: return add_time(object, f->key, long_at(at), f->kind == FIELD_TIME);
	case FIELD_U64: return cJSON_AddNumberToObject(object, f->key, (double)long_at(at)) != NULL;
	case FIELD_I32: return cJSON_AddNumberToObject(object, f->key, (int32_t)word_at(at)) != NULL;
	case FIELD_BOOL: return cJSON_AddBoolToObject(object, f->key, word_at(at) != 0) != NULL;
	case FIELD_WORD: return cJSON_AddStringToObject(object, f->key, f->word(word_at(at))) != NULL;
	case FIELD_COUNTS: return add_counts(object, f, at);
	case FIELD_ROLES: return add_roles(object, f->key, base);
	case FIELD_OBJECT: return add_object(object, f, base);
	}
	return false;
}

bool fields_add(cJSON *object, const struct field *fields, const void *base)
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

	return item && cJSON_AddItemToArray(array, item) && fields_add(item, fields, base);
}

static bool add_conditions(cJSON *root, const struct report *report)
{
	cJSON *conditions = cJSON_AddArrayToObject(root, "conditions");
	bool good = conditions && add_item(conditions, health_condition_fields, &report->condition);

	for (unsigned i = 0; good && i < REPORT_MORE_MAX_; i++)
		good = !*report->more[i].type || add_item(conditions, health_condition_fields, &report->more[i]);
	return good;
}

/* Not there when none is configured. */
static bool add_checkpoints(cJSON *root, const struct health *h)
{
	cJSON *checkpoints = h->checkpoint_count > 0 ? cJSON_AddArrayToObject(root, "checkpoints") : NULL;
	bool good = h->checkpoint_count == 0 || checkpoints;

	for (uint32_t i = 0; good && i < h->checkpoint_count; i++)
		good = add_item(checkpoints, health_checkpoint_fields, &h->checkpoints[i]);
	return good;
}

static bool add_body(cJSON *root, const struct health *h)
{
	if (!add_conditions(root, &h->report) || !add_checkpoints(root, h) || !add_object(root, &health_taint_field, h) ||
	    !add_object(root, &health_agent_field, h) || !add_object(root, &health_nri_field, h) || !add_object(root, &health_volumes_field, h) || !executor_counts_to_json(root, &h->executors) ||
	    !storage_totals_to_json(root, &h->storage))
		return false;

	cJSON *filesystems = cJSON_AddArrayToObject(root, "filesystems");
	bool good = filesystems != NULL;
	for (uint32_t i = 0; good && i < h->filesystem_count; i++)
		good = add_item(filesystems, health_filesystem_fields, &h->filesystems[i]);
	cJSON *inputs = good ? cJSON_AddObjectToObject(root, "inputs") : NULL;
	good = good && inputs;
	for (uint32_t i = 0; good && i < h->input_count; i++) {
		cJSON *input = cJSON_AddObjectToObject(inputs, h->inputs[i].name);
		good = input && fields_add(input, health_input_fields, &h->inputs[i]);
	}
	return good;
}

int health_to_json(const struct health *h, char **ret_text, struct err *e)
{
	scoped(json_drop) cJSON *root = cJSON_CreateObject();
	char *text = NULL;

	if (root && cJSON_AddStringToObject(root, "apiVersion", STOKER_API_VERSION) && cJSON_AddStringToObject(root, "kind", HEALTH_KIND) &&
	    fields_add(root, health_head_fields, h) && add_body(root, h))
		text = cJSON_PrintUnformatted(root);
	if (!text)
		return err_set(e, ENOMEM, "cannot write the health as JSON");
	*ret_text = text;
	return 0;
}
