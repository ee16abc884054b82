#include "health/json.h"

void json_drop(cJSON **json)
{
	cJSON_Delete(*json);
}

const cJSON *json_member(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

const char *json_text(const cJSON *object, const char *key)
{
	const cJSON *value = json_member(object, key);

	return cJSON_IsString(value) ? value->valuestring : "";
}
