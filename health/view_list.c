#include "health/view_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/json.h"

#define NUMBER_MAX 18446744073709549568.0 /* the largest double below 2^64 */

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
	if (f->kind == VIEW_NUMBER)
		return cJSON_AddNumberToObject(item, f->key, (double)number) != NULL;
	if (number == 0)
		return cJSON_AddNullToObject(item, f->key) != NULL;
	clock_format(number, 0, time);
	return cJSON_AddStringToObject(item, f->key, time) != NULL;
}

static int put_item(FILE *out, const struct view_list *list, const void *view, struct err *e)
{
	scoped(json_drop) cJSON *item = cJSON_CreateObject();
	bool good = item != NULL;

	for (size_t f = 0; good && f < list->field_count; f++)
		good = add_field(item, &list->fields[f], (const char *)view + list->fields[f].offset);
	scoped(scoped_free) char *text = good ? cJSON_PrintUnformatted(item) : NULL;
	if (!text)
		return err_set(e, ENOMEM, "cannot write an item as JSON");
	fputs(text, out);
	return 0;
}

/* One after the other: a tree of all of them would be some megabytes, of which the C library keeps the most. */
static int put_part(FILE *out, const struct view_part *part, struct err *e)
{
	int r = 0;

	fprintf(out, ",\"%s\":[", part->list->key);
	for (size_t i = 0; r == 0 && i < part->count; i++) {
		fputs(i ? "," : "", out);
		r = put_item(out, part->list, (const char *)part->items + i * part->list->item_bytes, e);
	}
	fputs("]", out);
	return r;
}

int view_list_to_json(const struct view_part *parts, size_t part_count, const char *node, uint64_t wall_us, char **ret_text, struct err *e)
{
	char time[CLOCK_TEXT_BYTES], *text = NULL;
	size_t length = 0;
	int r = 0;

	FILE *out = open_memstream(&text, &length);
	if (!out)
		return err_set(e, ENOMEM, "cannot write a list as JSON");
	clock_format(wall_us, 1, time);
	fprintf(out, "{\"apiVersion\":\"" STOKER_API_VERSION "\",\"kind\":\"%s\",\"node\":\"%s\",\"time\":\"%s\"", parts[0].list->kind, node, time);
	for (size_t i = 0; r == 0 && i < part_count; i++)
		r = put_part(out, &parts[i], e);
	fputs("}", out);
	const bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed || r < 0) {
		free(text);
		return r < 0 ? r : err_set(e, ENOMEM, "cannot write a list as JSON");
	}
	*ret_text = text;
	return 0;
}

/* --- reading --- */

static int refuse(struct err *e, const struct view_list *list, const char *key, const char *rule)
{
	return err_rule(e, EBADMSG, "%s[].%s: %s", list->key, key, rule);
}

static int read_field(const cJSON *item, const struct view_list *list, const struct view_field *f, void *at, struct err *e)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, f->key);
	uint64_t number;

	if (!value || cJSON_IsNull(value))
		return 0;
	if (f->kind == VIEW_BOOL) {
		const bool yes = cJSON_IsTrue(value);
		memcpy(at, &yes, sizeof(yes));
		return cJSON_IsBool(value) ? 0 : refuse(e, list, f->key, "must be true or false");
	}
	if (f->kind == VIEW_NUMBER) {
		if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble <= NUMBER_MAX))
			return refuse(e, list, f->key, "must be a number from 0");
		number = (uint64_t)value->valuedouble;
		memcpy(at, &number, sizeof(number));
		return 0;
	}
	if (!cJSON_IsString(value))
		return refuse(e, list, f->key, "must be a string");
	if (f->kind == VIEW_TEXT) {
		str_copy(at, f->size, value->valuestring);
		return 0;
	}
	if (clock_parse(value->valuestring, &number) < 0)
		return refuse(e, list, f->key, "must be a time");
	memcpy(at, &number, sizeof(number));
	return 0;
}

static int read_item(const cJSON *item, const struct view_list *list, char *view, struct err *e)
{
	int r = 0;

	for (size_t f = 0; r == 0 && f < list->field_count; f++)
		r = read_field(item, list, &list->fields[f], view + list->fields[f].offset, e);
	return r;
}

static int check_list(const cJSON *root, const cJSON *items, const struct view_list *list, struct err *e)
{
	const bool left_out = !items && strcmp(list->key, "items") != 0;

	if (strcmp(json_text(root, "apiVersion"), STOKER_API_VERSION) != 0 || strcmp(json_text(root, "kind"), list->kind) != 0 || (!cJSON_IsArray(items) && !left_out))
		return err_rule(e, EBADMSG, "no %s of " STOKER_API_VERSION, list->kind);
	if (cJSON_GetArraySize(items) > list->items_max)
		return err_rule(e, EMSGSIZE, "%s: more than %d", list->key, list->items_max);
	return 0;
}

void *view_list_from_json(const struct view_list *list, const char *text, size_t length, size_t *ret_count, struct err *e)
{
	scoped(json_drop) cJSON *root = cJSON_ParseWithLength(text, length);
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(root, list->key), *item;
	size_t count = 0;

	if (check_list(root, items, list, e) < 0)
		return NULL;
	char *views = calloc((size_t)cJSON_GetArraySize(items) + 1, list->item_bytes);
	if (!views) {
		err_set(e, ENOMEM, "cannot read a list");
		return NULL;
	}
	cJSON_ArrayForEach(item, items)
	{
		if (read_item(item, list, views + count * list->item_bytes, e) < 0) {
			free(views);
			return NULL;
		}
		count++;
	}
	*ret_count = count;
	return views;
}
