#include "volumes/sweep.h"

#include <string.h>

#include "base/scoped.h"

#define UUID_LENGTH 36

/* --- names --- */

static bool is_uuid(const char *text)
{
	for (int i = 0; i < UUID_LENGTH; i++) {
		const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		const bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
		if (dash ? text[i] != '-' : !digit)
			return false;
	}
	return true;
}

/* The length of such a name at the beginning of `text`, which ends at `end`; 0 = it is none. */
static size_t name_length(const char *text, const char *end)
{
	static const char *const kinds[] = {"blockmgr-", "spark-", "executor-"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const size_t kind = strlen(kinds[i]);
		if ((size_t)(end - text) >= kind + UUID_LENGTH && memcmp(text, kinds[i], kind) == 0 && is_uuid(text + kind))
			return kind + UUID_LENGTH;
	}
	return 0;
}

bool sweep_is_name(const char *name)
{
	const size_t length = strlen(name);

	return length > 0 && name_length(name, name + length) == length;
}

/* What a component ends with, in a path of /proc: a slash, blanks and line ends around it, a colon or a comma in mount options. */
static bool is_border(char c)
{
	return c == '/' || c == ' ' || c == '\n' || c == '\t' || c == ':' || c == ',' || c == '=' || c == '\0';
}

bool sweep_next_name(const char **at, const char *end, char ret[static SWEEP_NAME_BYTES])
{
	const char *begin = *at;

	for (const char *p = begin; p < end; p++) {
		if (p > begin && !is_border(p[-1]))
			continue;
		const size_t length = name_length(p, end);
		if (length == 0 || (p + length < end && !is_border(p[length])))
			continue;
		memcpy(ret, p, length);
		ret[length] = '\0';
		*at = p + length;
		return true;
	}
	*at = end;
	return false;
}

/* --- who made it --- */

static bool has_uid(const struct sweep_process *process, uint32_t uid)
{
	for (size_t i = 0; i < ARRAY_SIZE(process->uids); i++)
		if (process->uids[i] == uid)
			return true;
	return process->own_ids;
}

bool sweep_may_have_made(const struct sweep_process *process, uint32_t uid, uint64_t born_wall_us, uint64_t slack_us)
{
	/* Whoever sees the whole node, sees each root: kubelet, log shippers, shells. Of those only a JVM makes such a directory. To whom the
	 * root was given is not asked what it is. */
	if (process->view == SWEEP_SEES_NOTHING || (process->view == SWEEP_SEES_ALL && !process->jvm))
		return false;
	return has_uid(process, uid) && process->started_wall_us <= born_wall_us + slack_us;
}

/* --- the verdict --- */

static bool is_unborn(const struct sweep_facts *f)
{
	return f->born_wall_us == 0 || f->born_wall_us > f->now_wall_us;
}

/* The first that holds counts. */
enum sweep_reason sweep_judge(const struct sweep_facts *f, uint32_t *ret_pid)
{
	const struct {
		bool holds;
		enum sweep_reason reason;
		uint32_t pid;
	} rules[] = {
		{!f->is_directory, SWEEP_NO_DIRECTORY, 0},
		{f->mounted_pid != 0, SWEEP_MOUNTED, f->mounted_pid},
		{f->open_pid != 0, SWEEP_OPEN, f->open_pid},
		{is_unborn(f), SWEEP_NO_BIRTH, 0},
		{f->maker_pid != 0, SWEEP_MAKER, f->maker_pid},
		{f->unread_pid != 0, SWEEP_UNREAD, f->unread_pid},
		{f->known_changed_wall_us != 0 && f->known_changed_wall_us != f->changed_wall_us, SWEEP_CHANGED, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].holds) {
			*ret_pid = rules[i].pid;
			return rules[i].reason;
		}
	}
	*ret_pid = 0;
	return SWEEP_OWNERLESS;
}

static const struct {
	const char *name, *words;
} reasons[SWEEP_REASON_MAX_] = {
	[SWEEP_OWNERLESS] = {"Ownerless", "nobody holds it, and whoever made it is gone"},
	[SWEEP_OPEN] = {"Open", "a process has something open in it"},
	[SWEEP_MOUNTED] = {"Mounted", "something is mounted on it, from it or in it"},
	[SWEEP_MAKER] = {"MakerLives", "a process that may have made it lives"},
	[SWEEP_NO_BIRTH] = {"NoBirthTime", "when it was made is not told"},
	[SWEEP_UNREAD] = {"ProcessUnread", "a process could not be looked into"},
	[SWEEP_NO_DIRECTORY] = {"NoDirectory", "it is no directory"},
	[SWEEP_CHANGED] = {"Changed", "it was written to since it was found ownerless"},
};

const char *sweep_reason_name(enum sweep_reason reason)
{
	return (size_t)reason < SWEEP_REASON_MAX_ ? reasons[reason].name : "?";
}

const char *sweep_reason_words(enum sweep_reason reason)
{
	return (size_t)reason < SWEEP_REASON_MAX_ ? reasons[reason].words : "?";
}
