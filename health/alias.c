#include "health/alias.h"

#include <cJSON.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"

_Static_assert(ALIAS_MAX_ == REPORT_ALIASES, "a report has a place for each");

const char *alias_type(enum alias alias)
{
	static const char *const types[ALIAS_MAX_] = {"ReadonlyFilesystem", "StorageReady"};

	return (unsigned)alias < ALIAS_MAX_ ? types[alias] : "";
}

/* Any filesystem, not only the one that our own condition names: it may stand behind a full one. */
static const struct health_filesystem *read_only_one(const struct health *health)
{
	static const char *const reasons[] = {"ReadOnlyFilesystem", "FilesystemShutdown"};

	for (uint32_t i = 0; i < health->filesystem_count; i++) {
		const struct health_filesystem *f = &health->filesystems[i];
		for (size_t k = 0; k < ARRAY_SIZE(reasons); k++)
			if ((f->state == VERDICT_BAD || f->state == VERDICT_RECOVERING) && strcmp(f->reason, reasons[k]) == 0)
				return f;
	}
	return NULL;
}

static void say_read_only(const struct health *health, const struct report_condition *ready, struct report_condition *ret)
{
	const struct health_filesystem *f = read_only_one(health);
	char path[256];

	ret->status = f ? CONDITION_TRUE : ready->status == CONDITION_UNKNOWN ? CONDITION_UNKNOWN : CONDITION_FALSE;
	if (!f) {
		str_copy(ret->reason, sizeof(ret->reason), ret->status == CONDITION_UNKNOWN ? ready->reason : "FilesystemIsNotReadOnly");
		str_append(ret->message, sizeof(ret->message), ALIAS_MARK "%s",
			   ret->status == CONDITION_UNKNOWN ? ready->message : "no watched filesystem is read-only or shut down");
		return;
	}
	str_escape(path, sizeof(path), *f->mount_point ? f->mount_point : f->path);
	str_copy(ret->reason, sizeof(ret->reason), "FilesystemIsReadOnly");
	str_append(ret->message, sizeof(ret->message), ALIAS_MARK "%s: %s", path, *f->message ? f->message : f->reason);
}

void alias_condition(enum alias alias, const struct health *health, const struct report_condition *ready, struct report_condition *ret)
{
	memset(ret, 0, sizeof(*ret));
	str_copy(ret->type, sizeof(ret->type), alias_type(alias));
	if (alias == ALIAS_READONLY_FILESYSTEM) {
		say_read_only(health, ready, ret);
		return;
	}
	ret->status = ready->status;
	str_copy(ret->reason, sizeof(ret->reason), ready->reason);
	str_append(ret->message, sizeof(ret->message), ALIAS_MARK "%s", ready->message);
}

static bool is_same(const struct report_condition *a, const struct report_condition *b)
{
	return a->status == b->status && strcmp(a->reason, b->reason) == 0 && strcmp(a->message, b->message) == 0;
}

enum alias_step alias_judge(const struct report_condition *there, const struct report_condition *wanted, const struct report_condition *written)
{
	if (!there)
		return wanted ? ALIAS_WRITE : ALIAS_NOTHING;
	bool ours = str_starts(there->message, ALIAS_MARK) && (!*written->type || is_same(there, written));
	if (!ours)
		return wanted || *written->type ? ALIAS_FOREIGN : ALIAS_NOTHING;
	if (!wanted)
		return ALIAS_REMOVE;
	return is_same(there, wanted) ? ALIAS_NOTHING : ALIAS_WRITE;
}

void alias_words(enum alias alias, const struct report_condition *there, char *text, unsigned size)
{
	char message[160];

	if (size > 0)
		*text = '\0';
	str_escape(message, sizeof(message), there->message);
	str_append(text, size,
		   "the condition %s is written by somebody else (reason %s, \"%.80s\") and is left alone: take it out of report.aliases, or stop that writer "
		   "and delete its condition from the node",
		   alias_type(alias), there->reason, message);
}

char *alias_removal_patch(enum alias alias)
{
	cJSON *patch = cJSON_CreateObject();
	cJSON *conditions = cJSON_AddArrayToObject(cJSON_AddObjectToObject(patch, "status"), "conditions");
	cJSON *c = cJSON_CreateObject();

	cJSON_AddItemToArray(conditions, c);
	bool ok = cJSON_AddStringToObject(c, "$patch", "delete") && cJSON_AddStringToObject(c, "type", alias_type(alias));
	char *text = ok ? cJSON_PrintUnformatted(patch) : NULL;
	cJSON_Delete(patch);
	return text;
}
