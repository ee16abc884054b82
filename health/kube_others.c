#include "health/kube_others.h"

#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/alias.h"
#include "health/json.h"

#define READINESS_PREFIX "readiness.k8s.io/"

static const struct {
	const char *type, *bad_status, *who;
	int alias; /* enum alias; -1 = none of ours has this name */
} known[OTHER_MAX_] = {
	[OTHER_READONLY_FILESYSTEM] = {"ReadonlyFilesystem", "True", "node-problem-detector", ALIAS_READONLY_FILESYSTEM},
	[OTHER_XFS_SHUTDOWN] = {"XfsShutdown", "True", "node-problem-detector", -1},
	[OTHER_STORAGE_READY] = {"StorageReady", "False", "a node monitoring agent", ALIAS_STORAGE_READY},
	[OTHER_READINESS_TAINT] = {NULL, NULL, "the node readiness controller", -1},
};

void kube_others_read(const cJSON *node, uint32_t *seen, uint32_t *bad)
{
	const cJSON *conditions = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(node, "status"), "conditions"), *item;
	const cJSON *taints = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(node, "spec"), "taints");

	*seen = *bad = 0;
	cJSON_ArrayForEach(item, conditions) {
		for (unsigned i = 0; i < OTHER_MAX_; i++) {
			if (!known[i].type || strcmp(json_text(item, "type"), known[i].type) != 0)
				continue;
			*seen |= 1U << i;
			*bad |= strcmp(json_text(item, "status"), known[i].bad_status) == 0 ? 1U << i : 0;
		}
	}
	cJSON_ArrayForEach(item, taints)
		if (str_starts(json_text(item, "key"), READINESS_PREFIX))
			*seen |= 1U << OTHER_READINESS_TAINT;
	*bad |= *seen & 1U << OTHER_READINESS_TAINT;
}

uint32_t kube_others_mask(uint32_t aliases)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < OTHER_MAX_; i++)
		if (known[i].alias < 0 || !(aliases & 1U << known[i].alias))
			mask |= 1U << i;
	return mask;
}

/* A readiness taint may stand for anything: it is named and contradicts nobody. */
bool kube_others_judge(uint32_t seen, uint32_t bad, enum condition_status ours, char *text, size_t size)
{
	bool contradicts = false;

	*text = '\0';
	for (unsigned i = 0; i < OTHER_MAX_; i++) {
		if (!(seen & 1U << i))
			continue;
		bool is_bad = bad & 1U << i, opposite = known[i].type && ((is_bad && ours == CONDITION_TRUE) || (!is_bad && ours == CONDITION_FALSE));
		str_append(text, size, "%s%s %s", *text ? "; " : "", known[i].who,
			   !known[i].type ? "taints this node" : is_bad ? "says that the storage is bad" : "says that the storage is well");
		if (known[i].type)
			str_append(text, size, " (%s)", known[i].type);
		if (opposite)
			str_append(text, size, ", and we say the opposite");
		contradicts = contradicts || opposite;
	}
	return contradicts;
}
