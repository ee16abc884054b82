/* json.h - what everybody needs who reads or writes JSON with cJSON. */
#pragma once

#include <cJSON.h>

void json_drop(cJSON **json); /* for scoped() */

/* NULL if it is not there, or `object` is none. */
const cJSON *json_member(const cJSON *object, const char *key);

/* The string of that name; "" if it is not there, or is none. Lives as long as `object`. */
const char *json_text(const cJSON *object, const char *key);
