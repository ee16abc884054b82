#include "health/kube_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/kube_others.h"
#include "health/json.h"

static void read_condition(struct kube_condition *ret, const cJSON *status, const char *type)
{
	const cJSON *conditions = cJSON_GetObjectItemCaseSensitive(status, "conditions"), *c;

	*ret = (struct kube_condition){0};
	cJSON_ArrayForEach(c, conditions) {
		if (strcmp(json_text(c, "type"), type) != 0)
			continue;
		ret->there = true;
		str_copy(ret->condition.type, sizeof(ret->condition.type), type);
		str_copy(ret->condition.reason, sizeof(ret->condition.reason), json_text(c, "reason"));
		str_copy(ret->condition.message, sizeof(ret->condition.message), json_text(c, "message"));
		for (unsigned s = 0; s < CONDITION_STATUS_MAX_; s++)
			if (strcmp(json_text(c, "status"), condition_status_name(s)) == 0)
				ret->condition.status = s;
		/* Only a time goes back to the server as it came. */
		if (clock_parse(json_text(c, "lastTransitionTime"), &ret->condition.transition_wall_us) == 0)
			str_copy(ret->transition_text, sizeof(ret->transition_text), json_text(c, "lastTransitionTime"));
		if (clock_parse(json_text(c, "lastHeartbeatTime"), &ret->heartbeat_wall_us) < 0)
			ret->heartbeat_wall_us = 0;
		return;
	}
}

static void read_conditions(struct kube_node *node, const cJSON *status, const char *first_type)
{
	read_condition(&node->first, status, first_type);
	for (unsigned i = 0; i < REPORT_MORE_MAX_; i++)
		read_condition(&node->more[i], status, report_more_type(i));
}

/* RFC 3339 as people write it: in UTC, or with an offset. 0 = it is none. */
static uint64_t time_of(const char *text)
{
	char utc[64];
	uint64_t wall_us = 0;
	int hours = 0, minutes = 0;
	size_t length = strlen(text);
	char sign = length > 6 && length < sizeof(utc) - 1 ? text[length - 6] : 'Z';

	if (sign != '+' && sign != '-')
		return clock_parse(text, &wall_us) < 0 ? 0 : wall_us;
	if (text[length - 3] != ':' || sscanf(text + length - 5, "%2d:%2d", &hours, &minutes) != 2 || hours < 0 || minutes < 0 || hours > 23 || minutes > 59)
		return 0;
	snprintf(utc, sizeof(utc), "%.*sZ", (int)(length - 6), text);
	const uint64_t offset_us = (uint64_t)(hours * 60 + minutes) * 60 * US_PER_S;
	if (clock_parse(utc, &wall_us) < 0 || wall_us < offset_us)
		return 0;
	return sign == '+' ? wall_us - offset_us : wall_us + offset_us;
}

static void read_hold(struct kube_node *node, const cJSON *meta)
{
	const char *text = json_text(cJSON_GetObjectItemCaseSensitive(meta, "annotations"), STOKER_HOLD_UNTIL);

	str_escape(node->hold_text, sizeof(node->hold_text), text);
	node->hold_wall_us = time_of(text);
}

int kube_node_read(struct kube_node *node, const char *text, size_t length, const char *condition_type, int parts, struct err *e)
{
	if (length > KUBE_NODE_MAX_BYTES)
		return err_rule(e, EFBIG, "a node object of %zu bytes", length);
	scoped(json_drop) cJSON *json = cJSON_ParseWithLength(text, length);
	if (!json || strcmp(json_text(json, "kind"), "Node") != 0)
		return err_rule(e, EBADMSG, "the answer is no node object");

	kube_others_read(json, &node->others_seen, &node->others_bad);
	read_hold(node, cJSON_GetObjectItemCaseSensitive(json, "metadata"));
	if (parts & KUBE_NODE_CONDITION)
		read_conditions(node, cJSON_GetObjectItemCaseSensitive(json, "status"), condition_type);
	if (parts & KUBE_NODE_TAINTS) {
		cJSON *spec = cJSON_GetObjectItemCaseSensitive(json, "spec");
		cJSON *taints = cJSON_GetObjectItemCaseSensitive(spec, "taints");
		cJSON_Delete(node->taints);
		node->taints = cJSON_IsArray(taints) ? cJSON_DetachItemViaPointer(spec, taints) : NULL;
	}
	if (parts == (KUBE_NODE_CONDITION | KUBE_NODE_TAINTS))
		node->known = true;
	return 0;
}

void kube_node_forget(struct kube_node *node)
{
	cJSON_Delete(node->taints);
	*node = (struct kube_node){0};
}

static bool is_as_wanted(const struct kube_condition *there, const struct report_condition *wanted)
{
	if (!*wanted->type)
		return !there->there;
	return there->there && there->condition.status == wanted->status && strcmp(there->condition.reason, wanted->reason) == 0 &&
	       strcmp(there->condition.message, wanted->message) == 0;
}

bool kube_node_has_conditions(const struct kube_node *node, const struct report *wanted)
{
	bool same = is_as_wanted(&node->first, &wanted->condition);

	for (unsigned i = 0; i < REPORT_MORE_MAX_; i++)
		same = same && is_as_wanted(&node->more[i], &wanted->more[i]);
	return same;
}

bool kube_node_has_any_condition(const struct kube_node *node)
{
	bool any = node->first.there;

	for (unsigned i = 0; i < REPORT_MORE_MAX_; i++)
		any = any || node->more[i].there;
	return any;
}

/* Ours under a key that is not the configured one: the key of before its last change, or one of the two usual ones, which an
 * agent that was restarted with another configuration may have left. */
static bool is_left_over(const char *key, const struct report_taint *wanted)
{
	static const char *const usual[] = {STOKER_TAINT_KEY, STOKER_STATUS_TAINT_KEY};

	if (strcmp(key, wanted->key) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (strcmp(key, usual[i]) == 0)
			return true;
	return *wanted->former_key && strcmp(key, wanted->former_key) == 0;
}

bool kube_node_carries(const struct kube_node *node, const char *taint_key, bool hard_only)
{
	const cJSON *t;

	cJSON_ArrayForEach(t, node->taints) {
		if (strcmp(json_text(t, "key"), taint_key) == 0 && (!hard_only || strcmp(json_text(t, "effect"), "PreferNoSchedule") != 0))
			return true;
	}
	return false;
}

bool kube_node_has_taint(const struct kube_node *node, const struct report_taint *wanted)
{
	const cJSON *t;
	unsigned ours = 0, right = 0;

	cJSON_ArrayForEach(t, node->taints) {
		if (is_left_over(json_text(t, "key"), wanted))
			return false;
		if (strcmp(json_text(t, "key"), wanted->key) != 0)
			continue;
		ours++;
		right += strcmp(json_text(t, "value"), wanted->value) == 0 && strcmp(json_text(t, "effect"), wanted->effect) == 0;
	}
	return wanted->wanted ? ours == 1 && right == 1 : ours == 0;
}

/* {"status":{"conditions":[]}}: conditions merge by type. Returns the list. */
static cJSON *add_list(cJSON *patch)
{
	return cJSON_AddArrayToObject(cJSON_AddObjectToObject(patch, "status"), "conditions");
}

static bool add_condition(cJSON *list, const struct kube_condition *there, const struct report_condition *wanted, uint64_t now_wall_us)
{
	cJSON *c = cJSON_CreateObject();
	char now[CLOCK_TEXT_BYTES], since[CLOCK_TEXT_BYTES];
	bool same = there->there && there->condition.status == wanted->status && *there->transition_text;

	clock_format(now_wall_us, 0, now);
	clock_format(wanted->transition_wall_us ? wanted->transition_wall_us : now_wall_us, 0, since);
	cJSON_AddItemToArray(list, c);
	return cJSON_AddStringToObject(c, "type", wanted->type) && cJSON_AddStringToObject(c, "status", condition_status_name(wanted->status)) &&
	       cJSON_AddStringToObject(c, "reason", wanted->reason) && cJSON_AddStringToObject(c, "message", wanted->message) &&
	       cJSON_AddStringToObject(c, "lastHeartbeatTime", now) &&
	       /* a time that we did not see change is not ours to set */
	       cJSON_AddStringToObject(c, "lastTransitionTime", same ? there->transition_text : since);
}

static bool add_removal(cJSON *list, const char *type)
{
	cJSON *c = cJSON_CreateObject();

	cJSON_AddItemToArray(list, c);
	return cJSON_AddStringToObject(c, "$patch", "delete") && cJSON_AddStringToObject(c, "type", type);
}

char *kube_node_condition_patch(const struct kube_condition *there, const struct report_condition *wanted, uint64_t now_wall_us)
{
	scoped(json_drop) cJSON *patch = cJSON_CreateObject();

	return add_condition(add_list(patch), there, wanted, now_wall_us) ? cJSON_PrintUnformatted(patch) : NULL;
}

char *kube_node_conditions_patch(const struct kube_node *node, const struct report *wanted, uint64_t now_wall_us)
{
	scoped(json_drop) cJSON *patch = cJSON_CreateObject();
	cJSON *list = add_list(patch);
	bool ok = add_condition(list, &node->first, &wanted->condition, now_wall_us);

	for (unsigned i = 0; ok && i < REPORT_MORE_MAX_; i++) {
		if (*wanted->more[i].type)
			ok = add_condition(list, &node->more[i], &wanted->more[i], now_wall_us);
		else if (node->more[i].there)
			ok = add_removal(list, report_more_type(i));
	}
	return ok ? cJSON_PrintUnformatted(patch) : NULL;
}

char *kube_node_condition_removal(const char *type)
{
	scoped(json_drop) cJSON *patch = cJSON_CreateObject();

	return add_removal(add_list(patch), type) ? cJSON_PrintUnformatted(patch) : NULL;
}

char *kube_node_conditions_removal(const struct kube_node *node, const char *first_type)
{
	scoped(json_drop) cJSON *patch = cJSON_CreateObject();
	cJSON *list = add_list(patch);
	bool ok = !node->first.there || add_removal(list, first_type);

	for (unsigned i = 0; ok && i < REPORT_MORE_MAX_; i++)
		ok = !node->more[i].there || add_removal(list, report_more_type(i));
	return ok ? cJSON_PrintUnformatted(patch) : NULL;
}

/* The whole list as it shall be: everybody else's entries as they are, in their order, ours at the place it had or at the end. */
static cJSON *wanted_taints(const struct kube_node *node, const struct report_taint *wanted)
{
	cJSON *list = cJSON_CreateArray();
	cJSON *ours = cJSON_CreateObject();
	const cJSON *t;
	bool placed = !wanted->wanted;

	cJSON_AddStringToObject(ours, "key", wanted->key);
	cJSON_AddStringToObject(ours, "value", wanted->value);
	cJSON_AddStringToObject(ours, "effect", wanted->effect);
	cJSON_ArrayForEach(t, node->taints) {
		if (is_left_over(json_text(t, "key"), wanted))
			continue;
		if (strcmp(json_text(t, "key"), wanted->key) != 0) {
			cJSON_AddItemToArray(list, cJSON_Duplicate(t, 1));
		} else if (!placed) {
			cJSON_AddItemToArray(list, cJSON_Duplicate(ours, 1));
			placed = true;
		}
	}
	if (!placed)
		cJSON_AddItemToArray(list, cJSON_Duplicate(ours, 1));
	cJSON_Delete(ours);
	return list;
}

static cJSON *operation(const char *op, cJSON *value)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "op", op);
	cJSON_AddStringToObject(o, "path", "/spec/taints");
	cJSON_AddItemToObject(o, "value", value);
	return o;
}

char *kube_node_taint_patch(const struct kube_node *node, const struct report_taint *wanted)
{
	scoped(json_drop) cJSON *patch = cJSON_CreateArray();

#ifndef STOKER_SABOTAGE_TAINT_BLIND
	/* null is what an absent list equals (evanphx/json-patch v4, tried on 1.34) */
	cJSON_AddItemToArray(patch, operation("test", node->taints ? cJSON_Duplicate(node->taints, 1) : cJSON_CreateNull()));
#endif
	cJSON_AddItemToArray(patch, operation("add", wanted_taints(node, wanted))); /* add on an existing member replaces it (RFC 6902 §4.1) */
	return cJSON_PrintUnformatted(patch);
}
