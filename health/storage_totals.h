/* storage_totals.h - what all pods together have written, by kind of place: for the metrics and the health's JSON. */
#pragma once

#include "base/err.h"
#include "volumes/account.h"

struct storage_totals {
	uint32_t present; /* bool: it was measured */
	uint32_t zero;
	uint64_t bytes[ACCOUNT_KIND_MAX_];
};

/* --- as the member "podStorage" of the health's JSON; null = not measured --- */

struct cJSON;
bool storage_totals_to_json(struct cJSON *root, const struct storage_totals *totals); /* false: no memory */
int storage_totals_from_json(const struct cJSON *root, struct storage_totals *ret, struct err *e);
