#include "health/json.h"

void json_drop(cJSON **json)
{
	cJSON_Delete(*json);
}

const char *json_text(const cJSON *object, const char *key)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsString(value) ? value->valuestring : "";
}
