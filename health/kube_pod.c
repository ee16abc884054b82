#include "health/kube_pod.h"

#include <cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/json.h"

#define WORD_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define GRACE_MAX_S	(30 * 86400.0)

static uint64_t time_of(const cJSON *object, const char *key)
{
	uint64_t wall_us = 0;

	return clock_parse(json_text(object, key), &wall_us) < 0 ? 0 : wall_us;
}

/* Reasons are CamelCase words that rules compare and people read; anything else there is no reason. */
static void take_word(char word[static POD_END_WORD_BYTES], const char *text)
{
	*word = '\0';
	if (!text[strspn(text, WORD_CHARACTERS)] && !str_copy(word, POD_END_WORD_BYTES, text))
		*word = '\0';
}

static void take_message(const char *text, const struct redactor *redactor, char *ret, size_t size)
{
	char clean[512];

	redact_line(redactor, text, strlen(text), clean, sizeof(clean));
	str_escape(ret, size, clean);
}

/* Whether the object tells of the container's end already; *ret_wall_us: when it ended, 0 = not told. */
static bool knows_of_end(const cJSON *status, const char *container, uint64_t *ret_wall_us)
{
	const cJSON *item;
	bool knows = false;

	cJSON_ArrayForEach(item, json_member(status, "containerStatuses")) {
		const cJSON *terminated = json_member(json_member(item, "state"), "terminated");
		if (strcmp(json_text(item, "name"), container) != 0)
			continue;
		/* One that kubelet has started again keeps the end before as lastState. */
		if (!cJSON_IsObject(terminated))
			terminated = json_member(json_member(item, "lastState"), "terminated");
		knows = cJSON_IsObject(terminated);
		*ret_wall_us = time_of(terminated, "finishedAt");
	}
	return knows;
}

/* Times of the API are whole seconds, cut: the deletion came first only if it did so by a second, unless the end is not told yet. */
static bool is_deleted_first(const cJSON *meta, const struct pod_end *end, uint64_t ended_wall_us)
{
	const cJSON *grace = json_member(meta, "deletionGracePeriodSeconds");
	uint64_t grace_us = 0;

	if (!end->kill_wall_us)
		return false;
	if (!end->knows && !end->over)
		return true;
	if (cJSON_IsNumber(grace) && grace->valuedouble >= 0 && grace->valuedouble <= GRACE_MAX_S)
		grace_us = (uint64_t)grace->valuedouble * US_PER_S;
	return ended_wall_us && end->kill_wall_us + US_PER_S <= ended_wall_us + grace_us;
}

int kube_pod_end_read(const char *text, size_t length, const char *uid, const char *container, const struct redactor *redactor, struct pod_end *ret, struct err *e)
{
	scoped(json_drop) cJSON *json = cJSON_ParseWithLength(text, length);
	const cJSON *meta = json_member(json, "metadata"), *status = json_member(json, "status"), *item;
	const char *phase = json_text(status, "phase"), *message = json_text(status, "message");
	struct pod_end end = {0};
	uint64_t ended_wall_us = 0;

	if (strcmp(json_text(json, "kind"), "Pod") != 0)
		return err_rule(e, EBADMSG, "the answer is no pod");
	if (strcmp(json_text(meta, "uid"), uid) != 0)
		return err_rule(e, ESRCH, "another pod has this name now");
	end.over = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
	end.kill_wall_us = time_of(meta, "deletionTimestamp");
	end.knows = knows_of_end(status, container, &ended_wall_us);
	end.deleted_first = is_deleted_first(meta, &end, ended_wall_us);
	take_word(end.reason, json_text(status, "reason"));
	cJSON_ArrayForEach(item, json_member(status, "conditions")) {
		if (strcmp(json_text(item, "type"), "DisruptionTarget") != 0 || strcmp(json_text(item, "status"), "True") != 0)
			continue;
		take_word(end.disruption, json_text(item, "reason"));
		if (!*message)
			message = json_text(item, "message");
	}
	take_message(message, redactor, end.message, sizeof(end.message));
	*ret = end;
	return 0;
}
