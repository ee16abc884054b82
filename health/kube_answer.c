#include "health/kube_answer.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"

#define RETRY_AFTER_MAX_S 300

/* Pauses: the first one and the longest, doubled in between, each drawn between half and whole (errors that a person must
 * mend) or between nothing and whole (a server that a thousand nodes wait for). A server that is back must not wait long for what
 * the taint says: a thousand nodes at 15 s are 130 connections a second; each kubelet tries every 10 s as well. */
static const struct {
	uint64_t first_us, longest_us;
	bool full_jitter;
	const char *words;
} meanings[KUBE_MEANING_MAX_] = {
	[KUBE_DONE] = {0, 0, false, "done"},
	[KUBE_CONFLICT] = {20 * US_PER_MS, 5 * US_PER_S, true, "another writer was faster; trying again"},
	[KUBE_UNAUTHORIZED] = {1 * US_PER_S, 30 * US_PER_S, false, "the API server does not know this token (expired, or of another cluster?); it is read anew with every try"},
	[KUBE_FORBIDDEN] = {5 * US_PER_S, 60 * US_PER_S, false, "a right is missing or a policy refuses, see docs/rights.md"},
	[KUBE_NO_NODE] = {2 * US_PER_S, 30 * US_PER_S, false, "there is no such node object: is `node` (or NODE_NAME) the name that kubectl get nodes shows?"},
	[KUBE_NO_NAMESPACE] = {5 * US_PER_S, 60 * US_PER_S, false, "there is no namespace " STOKER_NAMESPACE ": make it, the Leases of the brake live there"},
	[KUBE_REFUSED] = {10 * US_PER_S, 60 * US_PER_S, false, "the API server refuses the request (an admission policy?)"},
	[KUBE_BUSY] = {1 * US_PER_S, 60 * US_PER_S, false, "the API server asks to wait"},
	[KUBE_BROKEN] = {200 * US_PER_MS, 30 * US_PER_S, true, "the API server has trouble of its own"},
	[KUBE_UNREACHABLE] = {200 * US_PER_MS, 15 * US_PER_S, true, "the API server does not answer"},
};

static const struct {
	long status;
	enum kube_meaning meaning;
} statuses[] = {
	{0, KUBE_UNREACHABLE}, {401, KUBE_UNAUTHORIZED}, {403, KUBE_FORBIDDEN}, {404, KUBE_NO_NODE}, {408, KUBE_BROKEN},
	{409, KUBE_CONFLICT},  {429, KUBE_BUSY},
};

/* What a status means on one lane only. */
static const struct {
	enum kube_lane lane;
	long status;
	enum kube_meaning meaning;
} special[] = {
	{KUBE_TAINT, 422, KUBE_CONFLICT}, /* how a failed `test` of a JSON Patch is said; the condition's patch has none */
	{KUBE_LEASES, 404, KUBE_REFUSED},
	{KUBE_LEASE_MAKE, 404, KUBE_NO_NAMESPACE},
	{KUBE_LEASE, 404, KUBE_CONFLICT}, /* deleted meanwhile */
	{KUBE_NODES, 404, KUBE_REFUSED},
	{KUBE_EVENT_MAKE, 409, KUBE_DONE}, /* it was made, the answer was lost */
	{KUBE_EVENT_MAKE, 404, KUBE_REFUSED},
	{KUBE_EVENT, 404, KUBE_CONFLICT}, /* Events live an hour */
	{KUBE_POD_EVENT_MAKE, 409, KUBE_DONE},
	{KUBE_POD_EVENT_MAKE, 404, KUBE_REFUSED}, /* the namespace is gone */
	{KUBE_POD_EVENT, 404, KUBE_CONFLICT},
	{KUBE_POD, 404, KUBE_DONE}, /* it is gone: an answer too */
	{KUBE_OWNER, 404, KUBE_DONE},
	{KUBE_NODES, 410, KUBE_CONFLICT}, /* the continue token is too old: from the beginning */
};

enum kube_meaning kube_answer_judge(enum kube_lane lane, long http_status, uint64_t retry_after_s)
{
	if (http_status >= 200 && http_status < 300)
		return KUBE_DONE;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (special[i].lane == lane && special[i].status == http_status)
			return special[i].meaning;
	if (http_status >= 500)
		return retry_after_s ? KUBE_BUSY : KUBE_BROKEN;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == http_status)
			return statuses[i].meaning;
	return KUBE_REFUSED;
}

void kube_answer_words(enum kube_lane lane, enum kube_meaning meaning, long http_status, const char *detail, char *text, unsigned size)
{
	static const char *const doing[KUBE_LANE_MAX_] = {"get nodes",     "patch nodes/status", "patch nodes", "list leases",
							    "create leases", "update leases",	"list nodes",  "get another node",
							    "create events", "patch events", "create events about pods", "patch events about pods",
							    "patch nodes/status for report.aliases", "patch nodes/status (a dry run of what the policy must refuse)",
							    "get pods for report.pods", "get pods for report.pods", "list pods for report.pods"};

	if (size > 0)
		*text = '\0';
	if (http_status)
		str_append(text, size, "%s: %ld: %s", doing[lane], http_status, meanings[meaning].words);
	else
		str_append(text, size, "%s: %s", doing[lane], meanings[meaning].words);
	if (detail && *detail)
		str_append(text, size, " (%s)", detail);
}

uint64_t kube_answer_pause_us(enum kube_meaning meaning, unsigned failures, uint64_t retry_after_s, uint32_t random)
{
	uint64_t pause = meanings[meaning].first_us << (failures > 1 ? (failures < 16 ? failures - 1 : 15) : 0);

	if (pause > meanings[meaning].longest_us)
		pause = meanings[meaning].longest_us;
	uint64_t least = meanings[meaning].full_jitter ? 0 : pause / 2;
	pause = least + (pause > least ? random % (pause - least + 1) : 0);
	if (retry_after_s > 0) /* asked for: never sooner, and spread a little */
		return retry_after_s * US_PER_S + random % US_PER_S;
	return pause;
}

uint64_t kube_answer_retry_after(const char *value)
{
	char *end = NULL;
	unsigned long seconds = strtoul(value, &end, 10);

	if (end == value)
		return 1;
	return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}
