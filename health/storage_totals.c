#include "health/storage_totals.h"

#include <cJSON.h>
#include <errno.h>

#define KEY	  "podStorage"
#define BYTES_MAX 9007199254740991.0

bool storage_totals_to_json(cJSON *root, const struct storage_totals *totals)
{
	if (!totals->present)
		return cJSON_AddNullToObject(root, KEY) != NULL;
	cJSON *object = cJSON_AddObjectToObject(root, KEY);
	bool good = object != NULL;

	for (unsigned k = 0; good && k < ACCOUNT_KIND_MAX_; k++)
		good = cJSON_AddNumberToObject(object, account_kind_name((enum account_kind)k), (double)totals->bytes[k]) != NULL;
	return good;
}

int storage_totals_from_json(const cJSON *root, struct storage_totals *ret, struct err *e)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, KEY);

	if (!object || cJSON_IsNull(object))
		return 0;
	if (!cJSON_IsObject(object))
		return err_rule(e, EBADMSG, KEY ": must be an object or null");
	for (unsigned k = 0; k < ACCOUNT_KIND_MAX_; k++) {
		const char *name = account_kind_name((enum account_kind)k);
		const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
		if (!value)
			continue;
		if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) || value->valuedouble > BYTES_MAX)
			return err_rule(e, EBADMSG, KEY ": %s: must be a number from 0", name);
		ret->bytes[k] = (uint64_t)value->valuedouble;
	}
	ret->present = 1;
	return 0;
}
