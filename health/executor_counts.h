/* executor_counts.h - how many executors live here and how many died, for metrics and the health's JSON. A plain value.
 *
 * A namespace is a label of a metric, so there are at most EXECUTOR_COUNTS_NAMESPACES of them; what comes later counts as
 * EXECUTOR_COUNTS_OTHER. Causes are a closed list (death.h), kept here by name so that the reader needs not know them all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/executor.h"

#define EXECUTOR_COUNTS_NAMESPACES 50
#define EXECUTOR_COUNTS_OTHER	   "other"
#define EXECUTOR_COUNTS_MAX	   256 /* rows in all */
#define EXECUTOR_CAUSE_BYTES	   32

struct executor_deaths {
	char cause[EXECUTOR_CAUSE_BYTES];
	char name_space[EXECUTOR_NAMESPACE_BYTES];
	uint64_t count;
};

struct executor_counts {
	uint32_t present; /* bool: this stokerd watches executors */
	uint32_t death_count;
	uint32_t running[EXECUTOR_ROLE_MAX_]; /* containers, sidecars left out */
	struct executor_deaths deaths[EXECUTOR_COUNTS_MAX];
};

void executor_counts_add(struct executor_counts *counts, const char *cause, const char *name_space);

/* --- as the member "executors" of the health's JSON; null = not present --- */

struct cJSON;
bool executor_counts_to_json(struct cJSON *root, const struct executor_counts *counts); /* false: no memory */
int executor_counts_from_json(const struct cJSON *root, struct executor_counts *ret, struct err *e);
