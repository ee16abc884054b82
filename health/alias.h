/* alias.h - conditions under names that other tools know, made from ours, for who asks for them (report.aliases). Pure.
 *
 *   ReadonlyFilesystem  as node-problem-detector says it: True = a filesystem is read-only (or has shut itself down).
 *   StorageReady        as Karpenter and the EKS agent know it: False = bad. Karpenter DELETES a node, without regard for
 *                       disruption budgets, when it was False for 30 minutes.
 *
 * Two writers of one condition fight for ever, so whatever stands there and is not ours is left alone, and said. Ours are known,
 * also after a restart, by how their message begins. */
#pragma once

#include <stdbool.h>

#include "health/health.h"
#include "health/report.h"

enum alias { ALIAS_READONLY_FILESYSTEM, ALIAS_STORAGE_READY, ALIAS_MAX_ };

#define ALIAS_MARK "stoker: " /* begins every message of ours */

const char *alias_type(enum alias alias); /* "ReadonlyFilesystem" … */

/* What the alias says; `ret` as zeroed bytes and the rest, so that two can be compared with memcmp. */
void alias_condition(enum alias alias, const struct health *health, const struct report_condition *ready, struct report_condition *ret);

/* What is to be done about one alias on the node object. */
enum alias_step {
	ALIAS_NOTHING,
	ALIAS_WRITE,
	ALIAS_REMOVE,  /* ours, and not wanted any more */
	ALIAS_FOREIGN, /* another writer's: not touched */
};

/* `there` is the condition on the node object (NULL = none), `wanted` NULL = not wanted, `written` what we wrote last in this
 * life (type "" = nothing yet). A change that we did not make is another writer's, whatever its message begins with. */
enum alias_step alias_judge(const struct report_condition *there, const struct report_condition *wanted, const struct report_condition *written);

/* Takes the condition off; malloc'ed, NULL only when out of memory. */
char *alias_removal_patch(enum alias alias);

/* For the operator, with what to do. */
void alias_words(enum alias alias, const struct report_condition *there, char *text, unsigned size);
