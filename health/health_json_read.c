/* health_json_read.c - the JSON of docs/contract.md as struct health: what the CLI gets, what stokerd left to itself. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/health_fields.h"
#include "health/json.h"

#define JSON_NUMBER_MAX	 9007199254740991.0 /* 2^53 - 1: beyond, a double skips whole numbers */
#define JSON_WHERE_BYTES 96

/* `where` is "" or ends with '.'; cJSON gives no line numbers, so the place is the path of keys. */
static int refuse(struct err *e, const char *where, const char *key, const char *rule)
{
	return err_rule(e, EBADMSG, "%s%s: %s", where, key, rule);
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape of str_escape stands for, and its length; 0 = no escape begins here. */
static size_t unescape_one(const char *p, char *ret)
{
	if (p[0] != '\\')
		return 0;
	if (p[1] == 'n' || p[1] == 't' || p[1] == '\\') {
		*ret = p[1] == 'n' ? '\n' : p[1] == 't' ? '\t' : '\\';
		return 2;
	}
	int high = p[1] == 'x' ? hex_value(p[2]) : -1, low = high >= 0 ? hex_value(p[3]) : -1;
	if (low < 0 || high + low == 0)
		return 0;
	*ret = (char)(high << 4 | low);
	return 4;
}

static bool unescape(char *destination, size_t size, const char *source)
{
	size_t out = 0;

	for (const char *p = source; *p; out++) {
		char c = *p;
		size_t n = unescape_one(p, &c);
		if (out + 1 >= size)
			return false;
		destination[out] = c;
		p += n ? n : 1;
	}
	destination[out] = '\0';
	return true;
}

static int read_string(const cJSON *item, const char *where, const char *key, bool is_name, char *ret, size_t size, struct err *e)
{
	char rule[64];

	if (!cJSON_IsString(item))
		return refuse(e, where, key, "must be a string");
	if (is_name ? unescape(ret, size, item->valuestring) : str_copy(ret, size, item->valuestring))
		return 0;
	snprintf(rule, sizeof(rule), "longer than %zu bytes", size - 1);
	return refuse(e, where, key, rule);
}

static int read_number(const cJSON *item, const char *where, const char *key, double most, uint64_t *ret, struct err *e)
{
	if (!cJSON_IsNumber(item))
		return refuse(e, where, key, "must be a number");
	double number = item->valuedouble;
	/* Written so that NaN is refused too, and nothing out of range is converted. */
	if (!(number >= 0 && number <= most) || number > (double)(uint64_t)number)
		return refuse(e, where, key, "must be a whole number in its range");
	*ret = (uint64_t)number;
	return 0;
}

static int read_time(const cJSON *item, const char *where, const char *key, uint64_t *ret, struct err *e)
{
	if (!cJSON_IsString(item) || clock_parse(item->valuestring, ret) < 0)
		return refuse(e, where, key, "must be a time like 2026-11-24T08:15:00Z or null");
	return 0;
}

static int read_word(const cJSON *item, const char *where, const struct field *f, uint32_t *ret, struct err *e)
{
	if (!cJSON_IsString(item))
		return refuse(e, where, f->key, "must be a string");
	for (uint32_t i = 0; i < f->words; i++) {
		if (strcmp(f->word(i), item->valuestring) != 0)
			continue;
		*ret = i;
		return 0;
	}
	return refuse(e, where, f->key, "not a known word");
}

static int read_roles(const cJSON *item, const char *where, const char *key, struct health_filesystem *ret, struct err *e)
{
	const cJSON *role;

	if (!cJSON_IsArray(item))
		return refuse(e, where, key, "must be an array of strings");
	cJSON_ArrayForEach(role, item)
	{
		if (ret->role_count >= HEALTH_ROLES_MAX)
			return refuse(e, where, key, "too many");
		if (read_string(role, where, key, true, ret->roles[ret->role_count], sizeof(ret->roles[0]), e) < 0)
			return -e->code;
		ret->role_count++;
	}
	return 0;
}

static int read_counts(const cJSON *array, const char *where, const struct field *f, void *at, struct err *e)
{
	const cJSON *item;
	size_t n = 0;

	if (!cJSON_IsArray(array))
		return refuse(e, where, f->key, "must be an array of numbers");
	cJSON_ArrayForEach(item, array)
	{
		uint64_t count = 0;
		if (n == f->size / sizeof(count))
			return refuse(e, where, f->key, "too many");
		if (read_number(item, where, f->key, JSON_NUMBER_MAX, &count, e) < 0)
			return -e->code;
		memcpy((char *)at + n++ * sizeof(count), &count, sizeof(count));
	}
	return 0;
}

static int read_object(const cJSON *item, const char *where, const struct field *f, void *base, struct err *e)
{
	char below[JSON_WHERE_BYTES];
	char *at = (char *)base + f->offset;
	const uint32_t one = 1;

	snprintf(below, sizeof(below), "%s%s.", where, f->key);
	if (!cJSON_IsObject(item))
		return refuse(e, where, f->key, "must be an object or null");
	/* A flag of its own says that the object is there; a time is one of the object's fields. */
	if (f->size == sizeof(one))
		memcpy(at, &one, sizeof(one));
	return fields_read(item, below, f->sub, base, e);
}

static int read_field(const cJSON *item, const char *where, const struct field *f, void *base, struct err *e)
{
	char *at = (char *)base + f->offset;
	uint64_t number = 0;
	uint32_t word = 0;
	int r;

	switch (f->kind) {
	case FIELD_NAME:
	case FIELD_TEXT: return read_string(item, where, f->key, f->kind == FIELD_NAME, at, f->size, e);
	case FIELD_COUNTS: return read_counts(item, where, f, at, e);
	case FIELD_ROLES: return read_roles(item, where, f->key, base, e);
	case FIELD_OBJECT: return read_object(item, where, f, base, e);
	case FIELD_TIME:
	case FIELD_SECOND: r = read_time(item, where, f->key, &number, e); break;
	case FIELD_U64: r = read_number(item, where, f->key, JSON_NUMBER_MAX, &number, e); break;
	case FIELD_I32: r = read_number(item, where, f->key, INT32_MAX, &number, e); break;
	case FIELD_BOOL: r = cJSON_IsBool(item) ? 0 : refuse(e, where, f->key, "must be true or false"); break;
	case FIELD_WORD: r = read_word(item, where, f, &word, e); break;
	default: return refuse(e, where, f->key, "cannot be read");
	}
	if (r < 0)
		return r;
	if (f->kind == FIELD_BOOL)
		word = cJSON_IsTrue(item) ? 1 : 0;
	else if (f->kind == FIELD_I32)
		word = (uint32_t)number;
	if (f->size == sizeof(number))
		memcpy(at, &number, sizeof(number));
	else
		memcpy(at, &word, sizeof(word));
	return 0;
}

/* Missing and null are the same: nothing. Of twins the first counts. */
int fields_read(const cJSON *object, const char *where, const struct field *fields, void *base, struct err *e)
{
	for (const struct field *f = fields; f->key; f++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, f->key);
		if (item && !cJSON_IsNull(item) && read_field(item, where, f, base, e) < 0)
			return -e->code;
	}
	return 0;
}

static struct report_condition *place_of(struct report *report, const char *type)
{
	if (strcmp(type, STOKER_STORAGE_READY) == 0)
		return &report->condition;
	for (unsigned i = 0; i < REPORT_MORE_MAX_; i++)
		if (strcmp(type, report_more_type(i)) == 0)
			return &report->more[i];
	return NULL; /* a newer daemon has more of them */
}

static int read_conditions(const cJSON *array, struct report *ret, struct err *e)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, array)
	{
		struct report_condition c = {0};
		if (!cJSON_IsObject(item))
			return refuse(e, "", "conditions", "must be an array of objects");
		if (fields_read(item, "conditions[].", health_condition_fields, &c, e) < 0)
			return -e->code;
		struct report_condition *place = place_of(ret, c.type);
		if (place && !*place->type)
			*place = c;
	}
	return 0;
}

static int read_filesystems(const cJSON *array, struct health *ret, struct err *e)
{
	const cJSON *item;
	char where[JSON_WHERE_BYTES];

	cJSON_ArrayForEach(item, array)
	{
		if (ret->filesystem_count >= CONFIG_WATCH_MAX)
			return refuse(e, "", "filesystems", "too many");
		snprintf(where, sizeof(where), "filesystems[%u].", ret->filesystem_count);
		if (!cJSON_IsObject(item))
			return refuse(e, "", "filesystems", "must be an array of objects");
		if (fields_read(item, where, health_filesystem_fields, &ret->filesystems[ret->filesystem_count], e) < 0)
			return -e->code;
		ret->filesystem_count++;
	}
	return 0;
}

static int read_checkpoints(const cJSON *array, struct health *ret, struct err *e)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, array)
	{
		if (ret->checkpoint_count >= CONFIG_CHECKPOINTS_MAX)
			return refuse(e, "", "checkpoints", "too many");
		if (!cJSON_IsObject(item))
			return refuse(e, "", "checkpoints", "must be an array of objects");
		if (fields_read(item, "checkpoints[].", health_checkpoint_fields, &ret->checkpoints[ret->checkpoint_count], e) < 0)
			return -e->code;
		ret->checkpoint_count++;
	}
	return 0;
}

static int read_inputs(const cJSON *object, struct health *ret, struct err *e)
{
	const cJSON *item;
	char where[JSON_WHERE_BYTES];

	cJSON_ArrayForEach(item, object)
	{
		struct health_input *input = &ret->inputs[ret->input_count];
		if (ret->input_count >= HEALTH_INPUTS_MAX)
			return refuse(e, "", "inputs", "too many");
		if (!str_copy(input->name, sizeof(input->name), item->string))
			return refuse(e, "", "inputs", "a name is too long");
		if (!cJSON_IsObject(item))
			return refuse(e, "inputs.", input->name, "must be an object");
		snprintf(where, sizeof(where), "inputs.%s.", input->name);
		if (fields_read(item, where, health_input_fields, input, e) < 0)
			return -e->code;
		ret->input_count++;
	}
	return 0;
}

/* The member, or NULL if it is missing or null; `is_right` fails -> an error. */
static int member(const cJSON *root, const char *key, cJSON_bool (*is_right)(const cJSON *), const char *rule, const cJSON **ret, struct err *e)
{
	*ret = cJSON_GetObjectItemCaseSensitive(root, key);
	if (!*ret || cJSON_IsNull(*ret)) {
		*ret = NULL;
		return 0;
	}
	return is_right(*ret) ? 0 : refuse(e, "", key, rule);
}

int fields_must_be(const cJSON *root, const char *key, const char *value, struct err *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, key);

	if (cJSON_IsString(item) && strcmp(item->valuestring, value) == 0)
		return 0;
	return err_rule(e, EBADMSG, "%s: must be '%s'", key, value);
}

static int read_root(const cJSON *root, struct health *ret, struct err *e)
{
	const cJSON *conditions, *taint, *agent, *nri, *volumes, *filesystems, *inputs, *checkpoints;

	if (!cJSON_IsObject(root))
		return err_rule(e, EBADMSG, "must be a JSON object");
	if (fields_must_be(root, "apiVersion", STOKER_API_VERSION, e) < 0 || fields_must_be(root, "kind", HEALTH_KIND, e) < 0 ||
	    fields_read(root, "", health_head_fields, ret, e) < 0 || member(root, "conditions", cJSON_IsArray, "must be an array", &conditions, e) < 0 ||
	    member(root, "taint", cJSON_IsObject, "must be an object or null", &taint, e) < 0 ||
	    member(root, "agent", cJSON_IsObject, "must be an object or null", &agent, e) < 0 ||
	    member(root, "nri", cJSON_IsObject, "must be an object or null", &nri, e) < 0 ||
	    member(root, "volumes", cJSON_IsObject, "must be an object or null", &volumes, e) < 0 ||
	    member(root, "checkpoints", cJSON_IsArray, "must be an array", &checkpoints, e) < 0 ||
	    member(root, "filesystems", cJSON_IsArray, "must be an array", &filesystems, e) < 0 ||
	    member(root, "inputs", cJSON_IsObject, "must be an object", &inputs, e) < 0)
		return -e->code;
	if (read_conditions(conditions, &ret->report, e) < 0 || read_checkpoints(checkpoints, ret, e) < 0 || (taint && read_object(taint, "", &health_taint_field, ret, e) < 0) ||
	    (agent && read_object(agent, "", &health_agent_field, ret, e) < 0) || (nri && read_object(nri, "", &health_nri_field, ret, e) < 0) ||
	    (volumes && read_object(volumes, "", &health_volumes_field, ret, e) < 0) ||
	    executor_counts_from_json(root, &ret->executors, e) < 0 || storage_totals_from_json(root, &ret->storage, e) < 0 ||
	    read_filesystems(filesystems, ret, e) < 0 || read_inputs(inputs, ret, e) < 0)
		return -e->code;
	return 0;
}

/* cJSON bounds the depth itself (CJSON_NESTING_LIMIT, 1000). */
int fields_parse(const char *text, size_t length, size_t most, cJSON **ret, struct err *e)
{
	const char *end = text;

	if (length > most)
		return err_rule(e, EMSGSIZE, "longer than %zu bytes", most);
	*ret = cJSON_ParseWithLengthOpts(text, length, &end, 0);
	if (!*ret)
		return err_rule(e, EBADMSG, "no JSON: byte %td", end ? end - text : (ptrdiff_t)0);
	for (const char *p = end; p < text + length; p++)
		if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r')
			return err_rule(e, EBADMSG, "byte %td: more follows after the JSON", p - text);
	return 0;
}

int health_from_json(const char *text, size_t length, struct health *ret, struct err *e)
{
	struct err local = {0};
	scoped(json_drop) cJSON *root = NULL;
	scoped(scoped_free) struct health *read = calloc(1, sizeof(*read));

	e = e ? e : &local;
	if (!read)
		return err_set(e, ENOMEM, "cannot read the health's JSON");
	if (fields_parse(text, length, HEALTH_JSON_MAX_BYTES, &root, e) < 0 || read_root(root, read, e) < 0)
		return err_wrap(e, "health");
	str_copy(read->report.node, sizeof(read->report.node), read->node);
	memcpy(ret, read, sizeof(*ret));
	return 0;
}
