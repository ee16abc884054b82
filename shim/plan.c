#include "shim/plan.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "base/scoped.h"
#include "base/str.h"
#include "shim/text.h"

#define OOM_GROUP_KEY	      "memory.oom.group"
#define OOM_SCORE_LEAST	      3 /* that the kubelet gives a container which is not Guaranteed */

static const char *const oom_group_words[] = {
	[CONFIG_OOM_GROUP_LEAVE] = "leave",
	[CONFIG_OOM_GROUP_SINGLE] = "single",
	[CONFIG_OOM_GROUP_GROUP] = "group",
};

bool plan_is_empty(const struct plan *plan)
{
	return plan->env_count == 0 && plan->unified_count == 0 && plan->mount_count == 0 && !plan->set_oom_score_adj;
}

const char *plan_env(const struct plan *plan, const char *key)
{
	for (uint32_t i = 0; i < plan->env_count; i++)
		if (strcmp(plan->env[i].key, key) == 0)
			return plan->env[i].value;
	return NULL;
}

bool plan_oom_group(const struct plan *plan, uint32_t *ret)
{
	for (uint32_t i = 0; i < plan->unified_count; i++) {
		if (strcmp(plan->unified[i].key, OOM_GROUP_KEY) != 0)
			continue;
		*ret = plan->unified[i].value[0] == '1';
		return true;
	}
	return false;
}

void plan_say(const struct plan *plan, char *text, size_t size)
{
	const char *between = "";

	text[0] = '\0';
	for (uint32_t i = 0; i < plan->unified_count; i++, between = ", ")
		str_append(text, size, "%s%s=%s", between, plan->unified[i].key, plan->unified[i].value);
	for (uint32_t i = 0; i < plan->env_count; i++, between = ", ")
		str_append(text, size, "%s%s", between, plan->env[i].key);
	if (plan->set_oom_score_adj)
		str_append(text, size, "%soom_score_adj=%lld", between, (long long)plan->oom_score_adj), between = ", ";
	for (uint32_t i = 0; i < plan->mount_count; i++, between = ", ") {
		const struct plan_mount *m = &plan->mounts[i];
		if (m->type == PLAN_MOUNT_TMPFS)
			str_append(text, size, "%s%s (tmpfs, %llu MiB)", between, m->destination, (unsigned long long)(m->size_bytes >> 20));
		else
			str_append(text, size, "%s%s (%s)", between, m->destination, m->source);
	}
}

/* The first annotation beneath our prefix that nobody here knows; NULL = none. A word misspelt is a wish that is not granted: say it. */
static const struct text *unknown_annotation(const struct pod_view *pod)
{
	static const char *const known[] = {PLAN_OOM_GROUP_ANNOTATION, PLAN_SCRATCH_ANNOTATION, PLAN_CHECKPOINT_ANNOTATION};

	for (uint32_t i = 0; i < pod->annotation_count; i++) {
		bool is_known = !text_starts(pod->annotations[i].key, STOKER_PREFIX);
		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			is_known |= text_is(pod->annotations[i].key, known[k]);
		if (!is_known)
			return &pod->annotations[i].key;
	}
	return NULL;
}

const struct text *plan_annotation(const struct pod_view *pod, const char *key)
{
	for (uint32_t i = 0; i < pod->annotation_count; i++)
		if (text_is(pod->annotations[i].key, key))
			return &pod->annotations[i].value;
	return NULL;
}

static bool oom_group_of(struct text word, enum config_oom_group *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(oom_group_words); i++) {
		if (text_is(word, oom_group_words[i])) {
			*ret = (enum config_oom_group)i;
			return true;
		}
	}
	return false;
}

static void complain(const struct redactor *redactor, char complaint[PLAN_COMPLAINT_BYTES], const char *key, const char *rule, struct text value)
{
	char cut[64], shown[128];

	text_copy_redacted(redactor, cut, sizeof(cut), value);
	str_escape(shown, sizeof(shown), cut);
	complaint[0] = '\0';
	str_append(complaint, PLAN_COMPLAINT_BYTES, "annotation %s: %s%s%s%s", key, rule, shown[0] ? ", not '" : "", shown, shown[0] ? "'" : "");
}

/* The container's own key, or one beyond what was read, is somebody else's: the runtime refuses a container whose key is claimed twice. */
static bool is_free(const struct container_view *container, const char *key)
{
	if (container->unified_count >= ARRAY_SIZE(container->unified))
		return false;
	for (uint32_t i = 0; i < container->unified_count; i++)
		if (text_is(container->unified[i].key, key))
			return false;
	return true;
}

/* What an executor runs is rarely known at its creation, so the policy for Python is for every executor that is not known to be without:
 * for a JVM alone it changes nothing. */
static enum config_oom_group wanted_oom_group(const struct config_executors *config, const struct plan_limits *limits, const struct executor *executor,
					      const struct pod_view *pod, char complaint[PLAN_COMPLAINT_BYTES])
{
	enum config_oom_group policy = executor->language == EXECUTOR_LANGUAGE_JVM ? CONFIG_OOM_GROUP_LEAVE : config->python_oom_group, asked;
	const struct text *annotation = plan_annotation(pod, PLAN_OOM_GROUP_ANNOTATION), none = {.bytes = ""};

	if (!annotation)
		return policy;
	if (!config->annotations)
		complain(limits->redactor, complaint, PLAN_OOM_GROUP_ANNOTATION, "is not allowed on this node (executors.annotations)", none);
	else if (!oom_group_of(*annotation, &asked))
		complain(limits->redactor, complaint, PLAN_OOM_GROUP_ANNOTATION, "must be single, group or leave", *annotation);
	else if (asked != CONFIG_OOM_GROUP_LEAVE && !limits->unified)
		complain(limits->redactor, complaint, PLAN_OOM_GROUP_ANNOTATION, "has no effect on this node: it takes cgroup v2 and a runtime that passes it on", none);
	else
		return asked;
	return policy;
}

static void set_oom_group(const struct container_view *container, enum config_oom_group wanted, struct plan *plan)
{
	if (wanted == CONFIG_OOM_GROUP_LEAVE || !is_free(container, OOM_GROUP_KEY))
		return;
	struct plan_pair *pair = &plan->unified[plan->unified_count++];
	str_copy(pair->key, sizeof(pair->key), OOM_GROUP_KEY);
	str_copy(pair->value, sizeof(pair->value), wanted == CONFIG_OOM_GROUP_SINGLE ? "0" : "1");
}

/* When the node itself runs out of memory executors go before drivers: an executor costs tasks, a driver the application. Never for a
 * driver without a limit: it may be what fills the node. Only downwards, never below what the kubelet itself gives. */
static void set_oom_score(const struct config_executors *config, const struct plan_limits *limits, const struct executor *executor, struct plan *plan)
{
	if (config->oom_score_adj != CONFIG_OOM_SCORE_DRIVERS_LAST || !limits->oom_score_adj || !executor_is_driver(executor) || executor->limit_bytes == 0)
		return;
	if (executor->oom_score_adj == INT32_MIN || executor->oom_score_adj <= OOM_SCORE_LEAST)
		return;
	plan->set_oom_score_adj = true;
	plan->oom_score_adj = OOM_SCORE_LEAST;
}

void plan_decide(const struct config_executors *config, const struct plan_limits *limits, const struct executor *executor, const struct pod_view *pod,
		 const struct container_view *container, struct plan *ret, char complaint[PLAN_COMPLAINT_BYTES])
{
	const struct text none = {.bytes = ""};

	memset(ret, 0, sizeof(*ret));
	complaint[0] = '\0';
	if (executor->role == EXECUTOR_ROLE_NONE || executor->sidecar)
		return;
	const struct text *unknown = unknown_annotation(pod);
	if (unknown) {
		char key[96];
		text_copy(key, sizeof(key), *unknown);
		complain(limits->redactor, complaint, key, "is not a known annotation", none);
	}
	if (executor->role == EXECUTOR_ROLE_EXECUTOR) {
		enum config_oom_group wanted = wanted_oom_group(config, limits, executor, pod, complaint);
		if (limits->unified)
			set_oom_group(container, wanted, ret);
	}
	set_oom_score(config, limits, executor, ret);
	if (limits->dry_run || config->dry_run)
		plan_make_dry(ret);
}

void plan_make_dry(struct plan *plan)
{
	char said[PLAN_SAID_BYTES];

	plan_say(plan, said, sizeof(said));
	str_append(plan->would_set, sizeof(plan->would_set), "%s%s", plan->would_set[0] && said[0] ? ", " : "", said);
	plan->unified_count = plan->env_count = plan->mount_count = 0;
	plan->set_oom_score_adj = false;
}
