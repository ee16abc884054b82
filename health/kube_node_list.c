#include "health/kube_node_list.h"

#include <cJSON.h>
#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/json.h"

#define TOKEN_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static void read_fact(const cJSON *json, const char *taint_key, struct kube_node_fact *ret)
{
	const cJSON *spec = cJSON_GetObjectItemCaseSensitive(json, "spec"), *status = cJSON_GetObjectItemCaseSensitive(json, "status"), *i;
	bool ready = false, kept_out = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(spec, "unschedulable"));

	*ret = (struct kube_node_fact){0};
	str_copy(ret->name, sizeof(ret->name), json_text(cJSON_GetObjectItemCaseSensitive(json, "metadata"), "name"));
	cJSON_ArrayForEach(i, cJSON_GetObjectItemCaseSensitive(status, "conditions")) {
		if (strcmp(json_text(i, "type"), "Ready") == 0)
			ready = strcmp(json_text(i, "status"), "True") == 0;
	}
	cJSON_ArrayForEach(i, cJSON_GetObjectItemCaseSensitive(spec, "taints")) {
		bool hard = strcmp(json_text(i, "effect"), "NoSchedule") == 0 || strcmp(json_text(i, "effect"), "NoExecute") == 0;
		kept_out = kept_out || hard;
		ret->tainted = ret->tainted || (hard && strcmp(json_text(i, "key"), taint_key) == 0);
	}
	ret->schedulable = ready && !kept_out;
}

int kube_node_fact_read(const char *text, size_t length, const char *taint_key, struct kube_node_fact *ret, struct err *e)
{
	scoped(json_drop) cJSON *json = cJSON_ParseWithLength(text, length);

	if (strcmp(json_text(json, "kind"), "Node") != 0)
		return err_rule(e, EBADMSG, "the answer is no node object");
	read_fact(json, taint_key, ret);
	return 0;
}

int kube_node_page_read(const char *text, size_t length, const char *taint_key, struct kube_node_page *ret, struct err *e)
{
	scoped(json_drop) cJSON *json = cJSON_ParseWithLength(text, length);
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(json, "items"), *meta = cJSON_GetObjectItemCaseSensitive(json, "metadata"), *item;
	const cJSON *remaining = cJSON_GetObjectItemCaseSensitive(meta, "remainingItemCount");
	const char *next = json_text(meta, "continue");

	if (strcmp(json_text(json, "kind"), "NodeList") != 0 || cJSON_GetArraySize(items) > KUBE_PAGE_MAX)
		return err_rule(e, EBADMSG, "the answer is no page of nodes");
	if (next[strspn(next, TOKEN_CHARACTERS)] || strlen(next) >= sizeof(ret->next))
		return err_rule(e, EBADMSG, "the list of nodes has a continue token that is none");
	ret->count = 0;
	cJSON_ArrayForEach(item, items)
		read_fact(item, taint_key, &ret->node[ret->count++]);
	str_copy(ret->next, sizeof(ret->next), next);
	ret->remaining_known = !*next || (cJSON_IsNumber(remaining) && remaining->valuedouble >= 0 && remaining->valuedouble < 1e9);
	ret->remaining = *next && ret->remaining_known ? (uint64_t)remaining->valuedouble : 0;
	return 0;
}
