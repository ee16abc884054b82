/* monitor_blame.c - who is named when a filesystem is short of room; see monitor.h. */
#include <string.h>

#include "base/str.h"
#include "health/monitor.h"

bool monitor_is_short(const struct monitor_watch *w)
{
	return w->alias_of < 0 && verdict_is_short_of(w->verdict.reason) >= 0;
}

static uint64_t used_of(const struct space *space, enum space_resource resource)
{
	const uint64_t total = resource == SPACE_BYTES ? space->total_bytes : space->total_inodes;
	const uint64_t left = resource == SPACE_BYTES ? space->free_bytes : space->available_inodes;

	return total > left ? total - left : 0;
}

/* What was said stays while reason and pods do: each change of the numbers would be a write to the node object. */
static bool blame_one(struct monitor_watch *w, const struct accounts *accounts)
{
	char text[sizeof(w->offender)];
	uint64_t pods = 0;
	const int resource = monitor_is_short(w) ? verdict_is_short_of(w->verdict.reason) : -1;

	if (resource < 0) {
		w->offender[0] = '\0';
		return false;
	}
	if (!accounts_blame(accounts, w->last.device_major, w->last.device_minor, (enum space_resource)resource, used_of(&w->space, (enum space_resource)resource),
			    text, sizeof(text), &pods))
		return false;
	if (*w->offender && w->offender_pods == pods && strcmp(w->offender_reason, w->verdict.reason) == 0)
		return false;
	w->offender_pods = pods;
	str_copy(w->offender_reason, sizeof(w->offender_reason), w->verdict.reason);
	return strcmp(w->offender, text) != 0 && (str_copy(w->offender, sizeof(w->offender), text), true);
}

bool monitor_blame(struct monitor *m, const struct accounts *accounts)
{
	bool changed = false;

	for (uint32_t i = 0; i < m->watch_count; i++)
		changed = blame_one(&m->watch[i], accounts) || changed;
	return changed;
}

bool monitor_any_is_short(const struct monitor *m)
{
	for (uint32_t i = 0; i < m->watch_count; i++)
		if (monitor_is_short(&m->watch[i]))
			return true;
	return false;
}
