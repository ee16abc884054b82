#include "health/executor_counts.h"

#include <cJSON.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"

#define KEY		 "executors"
#define OTHER_RESERVED	 64 /* rows of EXECUTOR_COUNTS_OTHER always fit: there are fewer causes */
#define COUNT_MAX      9007199254740992.0 /* what a JSON number holds exactly */

static struct executor_deaths *find(struct executor_counts *c, const char *cause, const char *name_space)
{
	for (uint32_t i = 0; i < c->death_count; i++)
		if (strcmp(c->deaths[i].cause, cause) == 0 && strcmp(c->deaths[i].name_space, name_space) == 0)
			return &c->deaths[i];
	return NULL;
}

static bool has_room(const struct executor_counts *c, const char *name_space)
{
	unsigned namespaces = 0;
	bool known = false;

	for (uint32_t i = 0; i < c->death_count; i++) {
		bool first = true;
		for (uint32_t j = 0; j < i; j++)
			first = first && strcmp(c->deaths[j].name_space, c->deaths[i].name_space) != 0;
		namespaces += first;
		known = known || strcmp(c->deaths[i].name_space, name_space) == 0;
	}
	return (known || namespaces < EXECUTOR_COUNTS_NAMESPACES) && c->death_count < EXECUTOR_COUNTS_MAX - OTHER_RESERVED;
}

void executor_counts_add(struct executor_counts *c, const char *cause, const char *name_space)
{
	struct executor_deaths *row = find(c, cause, name_space);

	if (!row && !has_room(c, name_space)) {
		name_space = EXECUTOR_COUNTS_OTHER;
		row = find(c, cause, name_space);
	}
	if (!row && c->death_count < EXECUTOR_COUNTS_MAX) {
		row = &c->deaths[c->death_count++];
		*row = (struct executor_deaths){0};
		str_copy(row->cause, sizeof(row->cause), cause);
		str_copy(row->name_space, sizeof(row->name_space), name_space);
	}
	if (row)
		row->count++;
}

/* --- JSON --- */

bool executor_counts_to_json(cJSON *root, const struct executor_counts *c)
{
	if (!c->present)
		return cJSON_AddNullToObject(root, KEY) != NULL;
	cJSON *object = cJSON_AddObjectToObject(root, KEY);
	cJSON *running = object ? cJSON_AddObjectToObject(object, "running") : NULL;
	cJSON *deaths = running ? cJSON_AddArrayToObject(object, "deaths") : NULL;
	bool good = deaths != NULL;

	for (unsigned r = EXECUTOR_ROLE_NONE + 1; good && r < EXECUTOR_ROLE_MAX_; r++)
		good = cJSON_AddNumberToObject(running, executor_role_name((enum executor_role)r), c->running[r]) != NULL;
	for (uint32_t i = 0; good && i < c->death_count; i++) {
		const struct executor_deaths *d = &c->deaths[i];
		cJSON *item = cJSON_CreateObject();
		good = item && cJSON_AddItemToArray(deaths, item) && cJSON_AddStringToObject(item, "cause", d->cause) &&
		       cJSON_AddStringToObject(item, "namespace", d->name_space) && cJSON_AddNumberToObject(item, "count", (double)d->count);
	}
	return good;
}

static int read_count(const cJSON *object, const char *key, double maximum, uint64_t *ret, struct err *e)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	*ret = 0;
	if (!value)
		return 0;
	if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) || value->valuedouble > maximum ||
	    (double)(uint64_t)value->valuedouble != value->valuedouble)
		return err_rule(e, EBADMSG, KEY ": %s: must be a number from 0", key);
	*ret = (uint64_t)value->valuedouble;
	return 0;
}

static int read_word(const cJSON *object, const char *key, char *ret, size_t size, struct err *e)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!value)
		return 0;
	if (!cJSON_IsString(value) || !str_copy(ret, size, value->valuestring))
		return err_rule(e, EBADMSG, KEY ".deaths[]: %s: must be a short string", key);
	return 0;
}

static int read_deaths(const cJSON *array, struct executor_counts *ret, struct err *e)
{
	const cJSON *item;

	if (array && !cJSON_IsArray(array))
		return err_rule(e, EBADMSG, KEY ".deaths: must be an array");
	cJSON_ArrayForEach(item, array)
	{
		struct executor_deaths *d = &ret->deaths[ret->death_count];
		if (ret->death_count >= EXECUTOR_COUNTS_MAX || !cJSON_IsObject(item))
			return err_rule(e, EBADMSG, KEY ".deaths: must be at most %d objects", EXECUTOR_COUNTS_MAX);
		if (read_word(item, "cause", d->cause, sizeof(d->cause), e) < 0 ||
		    read_word(item, "namespace", d->name_space, sizeof(d->name_space), e) < 0 || read_count(item, "count", COUNT_MAX, &d->count, e) < 0)
			return -e->code;
		ret->death_count++;
	}
	return 0;
}

int executor_counts_from_json(const cJSON *root, struct executor_counts *ret, struct err *e)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, KEY);
	const cJSON *running = cJSON_GetObjectItemCaseSensitive(object, "running");
	uint64_t count;

	if (!object || cJSON_IsNull(object))
		return 0;
	if (!cJSON_IsObject(object) || (running && !cJSON_IsObject(running)))
		return err_rule(e, EBADMSG, KEY ": must be an object or null");
	ret->present = 1;
	for (unsigned r = EXECUTOR_ROLE_NONE + 1; r < EXECUTOR_ROLE_MAX_; r++) {
		if (read_count(running, executor_role_name((enum executor_role)r), UINT32_MAX, &count, e) < 0)
			return -e->code;
		ret->running[r] = (uint32_t)count;
	}
	return read_deaths(cJSON_GetObjectItemCaseSensitive(object, "deaths"), ret, e);
}
