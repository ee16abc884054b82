#include "health/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "volumes/enospc.h"

#define VERDICT_HINT_FRESH_US (60 * 1000000ULL) /* a hint explains a failure that comes at most so long after it */

const char *verdict_state_name(enum verdict_state state)
{
	static const char *const name[VERDICT_STATE_MAX_] = {"unknown", "healthy", "warning", "bad", "recovering"};

	return (unsigned)state < VERDICT_STATE_MAX_ ? name[state] : "unknown";
}

bool verdict_is_bad(const struct verdict *verdict)
{
	return verdict->state == VERDICT_BAD || verdict->state == VERDICT_RECOVERING;
}

/* --- what a finding means --- */

/* The first row that fits counts. errnum 0 = any, step PROBE_STEP_MAX_ = any. */
static const struct {
	int errnum;
	enum probe_step step;
	enum verdict_event event;
	const char *reason, *words;
} judgement[] = {
	{ENOENT, PROBE_RESOLVE, VERDICT_UNSURE, "WatchPathMissing", "the path does not exist (yet)"},
	{ENOTDIR, PROBE_RESOLVE, VERDICT_UNSURE, "WatchPathMissing", "the path is no directory"},
	{ENODEV, PROBE_RESOLVE, VERDICT_UNSURE, "NotMounted", "nothing is mounted there any more"},
	/* What is wrong with a path, or with what stands before it, says nothing of the disk at its end. */
	{ELOOP, PROBE_RESOLVE, VERDICT_UNSURE, "WatchPathMissing", "the path is a circle of symbolic links"},
	{ENAMETOOLONG, PROBE_RESOLVE, VERDICT_UNSURE, "WatchPathMissing", "the path is too long"},
	{E2BIG, PROBE_RESOLVE, VERDICT_UNSURE, "ProbeDenied", "too many entries in the directories of the pattern to look it up"},
	{EINVAL, PROBE_RESOLVE, VERDICT_UNSURE, "ProbeDenied", "the host's mount namespace cannot be entered"},
	/* Whoever may write at the top of a disk must not be able to have its node tainted. */
	{ENOTDIR, PROBE_DIRECTORY, VERDICT_UNSURE, "ProbeDenied", "what has the name of the probe directory is no directory: remove it"},
	{ELOOP, PROBE_DIRECTORY, VERDICT_UNSURE, "ProbeDenied", "what has the name of the probe directory is a symbolic link: remove it"},
	{ENOENT, PROBE_CREATE, VERDICT_UNSURE, "ProbeDenied", "somebody removed the probe directory or the probe's file meanwhile"},
	{ESTALE, PROBE_WRITE, VERDICT_UNSURE, "ProbeDenied", "somebody removed the probe's file meanwhile"}, /* on NFS, from another node */
	{ESTALE, PROBE_SYNC, VERDICT_UNSURE, "ProbeDenied", "somebody removed the probe's file meanwhile"},
	{EEXIST, PROBE_CREATE, VERDICT_UNSURE, "ProbeDenied", "somebody else makes files in the probe directory"},
	{EACCES, PROBE_STEP_MAX_, VERDICT_UNSURE, "ProbeDenied", "the probe is not permitted"},
	{EPERM, PROBE_STEP_MAX_, VERDICT_UNSURE, "ProbeDenied", "the probe is not permitted"},
	{EINVAL, PROBE_CLONE, VERDICT_UNSURE, "ProbeDenied", "the mount cannot be cloned (unbindable?)"},
	{ENOMEM, PROBE_STEP_MAX_, VERDICT_NOTHING, "ProbeUnavailable", "no memory for the probe"},
	{EMFILE, PROBE_STEP_MAX_, VERDICT_NOTHING, "ProbeUnavailable", "no descriptor for the probe"},
	{ENFILE, PROBE_STEP_MAX_, VERDICT_NOTHING, "ProbeUnavailable", "no descriptor for the probe"},
	{EAGAIN, PROBE_STEP_MAX_, VERDICT_NOTHING, "ProbeUnavailable", "no process for the probe"},
	{ENOSYS, PROBE_STEP_MAX_, VERDICT_UNSURE, "ProbeDenied", "the kernel or a filter refuses a call of the probe"},
	{EROFS, PROBE_STEP_MAX_, VERDICT_FAILED, "ReadOnlyFilesystem", "read-only"},
	{ETIMEDOUT, PROBE_STEP_MAX_, VERDICT_FAILED, "FilesystemHung", "hangs"},
	{ENOSPC, PROBE_STEP_MAX_, VERDICT_FAILED, "SpaceExhausted", "full"}, /* unless the numbers name the cause */
	{EDQUOT, PROBE_STEP_MAX_, VERDICT_FAILED, "QuotaExhausted", "over its quota"},
	{EIO, PROBE_STEP_MAX_, VERDICT_FAILED, "IOErrors", "gives I/O errors"},
	{EUCLEAN, PROBE_STEP_MAX_, VERDICT_FAILED, "FilesystemCorrupted", "corrupted"},
	{ESHUTDOWN, PROBE_STEP_MAX_, VERDICT_FAILED, "FilesystemShutdown", "shut down"},
	{0, PROBE_STEP_MAX_, VERDICT_FAILED, "WriteFailed", "cannot be written"},
};

static const char *step_words(enum probe_step step)
{
	static const char *const words[PROBE_STEP_MAX_] = {
		[PROBE_RESOLVE] = "looking it up",	     [PROBE_CLONE] = "cloning its mount",
		[PROBE_DIRECTORY] = "opening the probe directory", [PROBE_CREATE] = "making a file",
		[PROBE_WRITE] = "writing",		     [PROBE_SYNC] = "fdatasync",
		[PROBE_DONE] = "ending",
	};

	return (unsigned)step < PROBE_STEP_MAX_ ? words[step] : "probing";
}

/* What there can be too little of, by the names of enospc.h. */
static const struct {
	enum enospc_cause cause;
	int resource; /* enum space_resource, -1 = neither */
	const char *words;
} shortages[] = {
	{ENOSPC_SPACE, SPACE_BYTES, "full"},
	{ENOSPC_RESERVED, SPACE_BYTES, "full, what is free is reserved for root"},
	{ENOSPC_TMPFS_SIZE, SPACE_BYTES, "full to the size= of this tmpfs"},
	{ENOSPC_INODES, SPACE_INODES, "out of inodes"},
	{ENOSPC_TMPFS_INODES, SPACE_INODES, "out of inodes, by the nr_inodes= of this tmpfs"},
	{ENOSPC_QUOTA, -1, "over its quota"},
};

int verdict_shortage(const char *reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(shortages); i++)
		if (strcmp(reason, enospc_cause_name(shortages[i].cause)) == 0)
			return shortages[i].resource;
	return -1;
}

static void name_shortage(struct verdict_input *input, enum enospc_cause cause)
{
	for (size_t i = 0; i < ARRAY_SIZE(shortages); i++) {
		if (shortages[i].cause != cause)
			continue;
		str_copy(input->reason, sizeof(input->reason), enospc_cause_name(cause));
		str_copy(input->message, sizeof(input->message), shortages[i].words);
	}
}

static void say_left(struct verdict_input *input, const char *separator, const struct space *space, enum space_resource resource)
{
	char left[128];

	space_describe(space, resource, left, sizeof(left));
	str_append(input->message, sizeof(input->message), "%s%s", separator, left);
	if (strcmp(input->reason, enospc_cause_name(ENOSPC_RESERVED)) != 0)
		return;
	str_append(input->message, sizeof(input->message), ", ");
	space_append_bytes(input->message, sizeof(input->message), space->free_bytes);
	str_append(input->message, sizeof(input->message), " for root");
}

/* On NFS the file is the probe user's, and the server says only that some quota is used up: one of everybody's shows in what is left. */
static bool may_be_own_quota(const struct finding *f)
{
	return f->errnum == EDQUOT && f->space.kind == SPACE_ON_NFS && f->space.available_bytes >= (1 << 20) &&
	       (f->space.available_inodes > 0 || f->space.total_inodes == 0);
}

struct verdict_input verdict_judge(const struct finding *finding)
{
	struct verdict_input input = {.event = VERDICT_GOOD};
	size_t i = 0;

	if (finding_is_good(finding))
		return input;
	while (judgement[i].errnum && !(judgement[i].errnum == finding->errnum &&
					(judgement[i].step == PROBE_STEP_MAX_ || judgement[i].step == finding->step)))
		i++;
	input.event = judgement[i].event;
	str_copy(input.reason, sizeof(input.reason), judgement[i].reason);
	str_copy(input.message, sizeof(input.message), judgement[i].words);

	enum enospc_cause cause = enospc_of_probe(finding->errnum, &finding->space);
	if (may_be_own_quota(finding)) {
		input.event = VERDICT_UNSURE;
		str_copy(input.reason, sizeof(input.reason), "ProbeDenied");
		str_copy(input.message, sizeof(input.message), "over a quota, perhaps that of the probe's user (probe.uid) alone");
	} else {
		name_shortage(&input, cause);
	}
	const char *name = strerrorname_np(finding->errnum);
	str_append(input.message, sizeof(input.message), ": %s %s %s", step_words(finding->step),
		   finding->errnum == ETIMEDOUT ? "did not end within the deadline," : "failed with", name ? name : "an unknown error");
	if (finding->errnum != ENOSPC || finding->space.total_bytes == 0)
		return input;
	say_left(&input, ", ", &finding->space, verdict_shortage(input.reason) == SPACE_INODES ? SPACE_INODES : SPACE_BYTES);
	if (cause == ENOSPC_CAUSE_UNKNOWN)
		str_append(input.message, sizeof(input.message), ": another limit (stoker why-enospc tells which)");
	return input;
}

struct verdict_input verdict_judge_space(const struct space *space, struct space_levels levels)
{
	/* The first row that fits counts. */
	static const struct {
		enum space_level level;
		enum space_resource resource;
		enum verdict_event event;
		const char *reason, *words; /* NULL: by its cause */
	} row[] = {
		{SPACE_EXHAUSTED, SPACE_BYTES, VERDICT_FAILED, NULL, NULL},
		{SPACE_EXHAUSTED, SPACE_INODES, VERDICT_FAILED, NULL, NULL},
		{SPACE_LOW, SPACE_BYTES, VERDICT_LOW, "SpaceLow", "space is low"},
		{SPACE_LOW, SPACE_INODES, VERDICT_LOW, "InodesLow", "inodes are low"},
	};
	struct verdict_input input = {.event = VERDICT_GOOD};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		if (levels.of[row[i].resource] != row[i].level)
			continue;
		input.event = row[i].event;
		str_copy(input.reason, sizeof(input.reason), row[i].reason ? row[i].reason : "");
		str_copy(input.message, sizeof(input.message), row[i].words ? row[i].words : "");
		if (!row[i].reason)
			name_shortage(&input, enospc_of_space(space, row[i].resource));
		say_left(&input, ": ", space, row[i].resource);
		break;
	}
	return input;
}

static const struct {
	const char *reason, *words;
} foreseen[SPACE_RESOURCE_MAX_] = {
	[SPACE_BYTES] = {"SpaceFillingUp", "space is filling up"},
	[SPACE_INODES] = {"InodesFillingUp", "inodes are filling up"},
};

struct verdict_input verdict_judge_forecast(const struct forecast *forecast)
{
	struct verdict_input input = {.event = VERDICT_GOOD};

	for (int r = 0; r < SPACE_RESOURCE_MAX_; r++) {
		const struct forecast_outlook *o = &forecast->outlook[r];
		if (!o->alarm)
			continue;
		input.event = VERDICT_LOW;
		str_copy(input.reason, sizeof(input.reason), foreseen[r].reason);
		snprintf(input.message, sizeof(input.message), "%s: full in %" PRIu64 " to %" PRIu64 " min, if it goes on", foreseen[r].words, o->low_s / 60,
			 (o->high_s + 59) / 60);
		break;
	}
	return input;
}

bool verdict_is_forecast(const char *reason)
{
	return strcmp(reason, foreseen[SPACE_BYTES].reason) == 0 || strcmp(reason, foreseen[SPACE_INODES].reason) == 0;
}

int verdict_is_short_of(const char *reason)
{
	static const char *const low[SPACE_RESOURCE_MAX_] = {[SPACE_BYTES] = "SpaceLow", [SPACE_INODES] = "InodesLow"};

	for (int r = 0; r < SPACE_RESOURCE_MAX_; r++)
		if (strcmp(reason, low[r]) == 0 || strcmp(reason, foreseen[r].reason) == 0)
			return r;
	return verdict_shortage(reason);
}

/* --- the state table --- */

enum verdict_move {
	MOVE_STAY,
	MOVE_UNKNOWN,
	MOVE_WELL,    /* healthy, or warning while a kernel error is fresh */
	MOVE_WARN,    /* with the input's reason, or with the kernel's while that is fresh */
	MOVE_BAD,     /* with the input's reason */
	MOVE_RELAPSE, /* bad again, the reason of the fault stands */
	MOVE_RECOVER, /* one more good probe; healthy (or warning, if little is left) when there are enough */
	MOVE_RESTART, /* the good probes counted so far do not count */
};

static const enum verdict_move table[VERDICT_STATE_MAX_][VERDICT_EVENT_MAX_] = {
	/*		          GOOD          FAILED    UNSURE        HINT          STALE         LOW */
	[VERDICT_UNKNOWN] =    {MOVE_WELL,    MOVE_BAD, MOVE_UNKNOWN, MOVE_STAY,    MOVE_UNKNOWN, MOVE_WARN},
	[VERDICT_HEALTHY] =    {MOVE_WELL,    MOVE_BAD, MOVE_UNKNOWN, MOVE_STAY,    MOVE_UNKNOWN, MOVE_WARN},
	[VERDICT_WARNING] =    {MOVE_WELL,    MOVE_BAD, MOVE_UNKNOWN, MOVE_STAY,    MOVE_UNKNOWN, MOVE_WARN},
	/* What is bad stays bad until it was written to: being unsure clears nothing. */
	[VERDICT_BAD] =	       {MOVE_RECOVER, MOVE_BAD, MOVE_STAY,    MOVE_STAY,    MOVE_STAY,	  MOVE_RECOVER},
	[VERDICT_RECOVERING] = {MOVE_RECOVER, MOVE_BAD, MOVE_RELAPSE, MOVE_RESTART, MOVE_RELAPSE, MOVE_RECOVER},
};

static bool hint_is_fresh(const struct verdict *v, uint64_t now_us, uint64_t dwell_us)
{
	return v->last_hint_us && now_us - v->last_hint_us < dwell_us;
}

static void enter(struct verdict *v, enum verdict_state state, uint64_t now_us)
{
	if (v->state == state)
		return;
	if (state == VERDICT_BAD && v->state != VERDICT_RECOVERING)
		v->bad_since_us = now_us;
	v->state = state;
	v->since_us = now_us;
}

static void explain(struct verdict *v, const char *reason, const char *message)
{
	str_copy(v->reason, sizeof(v->reason), reason);
	str_copy(v->message, sizeof(v->message), message);
}

static bool is_telling(const char *reason)
{
	return strcmp(reason, "ReadOnlyFilesystem") == 0 || strcmp(reason, "FilesystemShutdown") == 0;
}

/* Of several lines about one fault the telling one is kept ("Please unmount the filesystem" comes after "Shutting down"). */
static void note_hint(struct verdict *v, const struct verdict_input *input, uint64_t now_us)
{
	bool keep = hint_is_fresh(v, now_us, VERDICT_HINT_FRESH_US) && is_telling(v->hint_reason) && !is_telling(input->reason);

	v->last_hint_us = now_us;
	if (keep)
		return;
	str_copy(v->hint_reason, sizeof(v->hint_reason), input->reason);
	str_copy(v->hint_message, sizeof(v->hint_message), input->message);
}

/* "Input/output error" alone does not say why: the kernel's line does (EXT4 since 6.6 and XFS answer EIO after a shutdown). */
static void refine(struct verdict *v, uint64_t now_us)
{
	bool generic = strcmp(v->reason, "IOErrors") == 0;

	if (!generic || !is_telling(v->hint_reason) || !hint_is_fresh(v, now_us, VERDICT_HINT_FRESH_US))
		return;
	str_copy(v->reason, sizeof(v->reason), v->hint_reason);
	str_append(v->message, sizeof(v->message), "; kernel: %s", v->hint_message);
}

/* The fault goes on: what is said of it stays, so that nothing is written again and again. A shutdown that the kernel named
 * an hour ago is still a shutdown, though each probe says only EIO. */
static bool is_explained(const struct verdict *v, const struct verdict_input *input)
{
	int resource = verdict_shortage(v->reason);

	return strcmp(v->reason, input->reason) == 0 || (is_telling(v->reason) && strcmp(input->reason, "IOErrors") == 0) ||
	       (resource >= 0 && resource == verdict_shortage(input->reason)); /* the same resource, seen a little earlier */
}

static void move_well(struct verdict *v, const struct verdict_rules *rules, uint64_t now_us)
{
	if (hint_is_fresh(v, now_us, rules->warning_dwell_us)) {
		enter(v, VERDICT_WARNING, now_us);
		explain(v, v->hint_reason, v->hint_message);
	} else {
		enter(v, VERDICT_HEALTHY, now_us);
		explain(v, "", "");
	}
}

/* What was said stays while the reason does: each change of the numbers would be a write to the node object. */
static void move_warn(struct verdict *v, const struct verdict_input *input, const struct verdict_rules *rules, uint64_t now_us)
{
	if (hint_is_fresh(v, now_us, rules->warning_dwell_us)) {
		move_well(v, rules, now_us);
		return;
	}
	if (v->state != VERDICT_WARNING || strcmp(v->reason, input->reason) != 0)
		explain(v, input->reason, input->message);
	enter(v, VERDICT_WARNING, now_us);
}

static void move_recover(struct verdict *v, const struct verdict_input *input, const struct verdict_rules *rules, uint64_t now_us)
{
	bool low = input->event == VERDICT_LOW;

	if (v->good_in_a_row >= rules->recover_after && now_us - v->bad_since_us >= rules->minimum_bad_us) {
		v->last_hint_us = 0; /* those lines were about the fault that is over */
		enter(v, low ? VERDICT_WARNING : VERDICT_HEALTHY, now_us);
		explain(v, low ? input->reason : "", low ? input->message : "");
	} else {
		enter(v, VERDICT_RECOVERING, now_us);
	}
}

struct verdict verdict_step(struct verdict v, const struct verdict_input *input, const struct verdict_rules *rules, uint64_t now_us)
{
	if (input->event >= VERDICT_EVENT_MAX_)
		return v;
	if (input->event != VERDICT_HINT)
		v.answered = true;
	if (input->event == VERDICT_HINT)
		note_hint(&v, input, now_us);
	if (input->event == VERDICT_GOOD || input->event == VERDICT_LOW)
		v.good_in_a_row++;
	else if (input->event != VERDICT_HINT)
		v.good_in_a_row = 0;

	switch (table[v.state][input->event]) {
	case MOVE_STAY:
		break;
	case MOVE_UNKNOWN:
		enter(&v, VERDICT_UNKNOWN, now_us);
		explain(&v, input->reason, input->message);
		break;
	case MOVE_WELL:
		move_well(&v, rules, now_us);
		break;
	case MOVE_WARN:
		move_warn(&v, input, rules, now_us);
		break;
	case MOVE_BAD:
		if (!verdict_is_bad(&v) || !is_explained(&v, input))
			explain(&v, input->reason, input->message);
		enter(&v, VERDICT_BAD, now_us);
		break;
	case MOVE_RELAPSE:
		enter(&v, VERDICT_BAD, now_us);
		break;
	case MOVE_RECOVER:
		move_recover(&v, input, rules, now_us);
		break;
	case MOVE_RESTART:
		v.good_in_a_row = 0;
		break;
	}
	if (v.state == VERDICT_BAD)
		refine(&v, now_us);
	return v;
}
