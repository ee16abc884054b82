/* verdict.h - the state of one watched filesystem: a pure table, `now` passed in.
 *
 * The write probe decides; a kernel line is only a hint: it triggers a probe and supplies the reason. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"
#include "health/forecast.h"
#include "volumes/finding.h"

enum verdict_state { VERDICT_UNKNOWN, VERDICT_HEALTHY, VERDICT_WARNING, VERDICT_BAD, VERDICT_RECOVERING, VERDICT_STATE_MAX_ };

enum verdict_event {
	VERDICT_GOOD,	/* a probe with fdatasync went through */
	VERDICT_FAILED, /* a probe failed in a way that fails executors */
	VERDICT_UNSURE, /* the probe could not tell (no path, not permitted, broker's own trouble) */
	VERDICT_HINT,	/* the kernel reported an error for this device; a probe is on its way */
	VERDICT_STALE,	/* nothing was heard for longer than it should take */
	VERDICT_LOW,	/* a probe went through, but little is left, or it is filling up: a warning */
	VERDICT_EVENT_MAX_,
	VERDICT_NOTHING = VERDICT_EVENT_MAX_, /* the probe's own trouble, says nothing about the filesystem: no step is taken */
};

struct verdict_rules {
	uint32_t recover_after;	   /* good probes in a row */
	uint64_t minimum_bad_us;   /* a bad filesystem stays bad at least so long */
	uint64_t warning_dwell_us; /* a warning goes this long after the last hint */
};

struct verdict {
	enum verdict_state state;
	char reason[NAME_REASON_BYTES]; /* CamelCase; of the fault while bad or recovering */
	char message[256];		/* in words, for people */
	uint64_t since_us;		/* monotonic time at which `state` began */
	uint64_t bad_since_us;		/* when it became bad (kept while recovering) */
	uint64_t last_hint_us;		/* 0 = none */
	char hint_reason[NAME_REASON_BYTES];
	char hint_message[160];
	uint32_t good_in_a_row;
	bool answered; /* at least one probe has ended since start */
};

struct verdict_input {
	enum verdict_event event;
	char reason[NAME_REASON_BYTES];
	char message[256];
};

/* The next verdict. Every (state, event) pair has an answer. */
struct verdict verdict_step(struct verdict verdict, const struct verdict_input *input, const struct verdict_rules *rules, uint64_t now_us);

/* What a finding means: event, reason and words. */
struct verdict_input verdict_judge(const struct finding *finding);

/* What is left makes of a probe that went through. */
struct verdict_input verdict_judge_space(const struct space *space, struct space_levels levels);

/* The same of one that is not low: is it filling up? */
struct verdict_input verdict_judge_forecast(const struct forecast *forecast);

/* The reason is of a forecast: something that may come, not something that is. */
bool verdict_is_forecast(const char *reason);

/* Of which resource a reason says that there is too little (SpaceExhausted, ReservedBlocks, TmpfsInodes …): enum space_resource; -1 = of none. */
int verdict_shortage(const char *reason);

/* The same, of a warning or a forecast too (SpaceLow, InodesFillingUp …). */
int verdict_is_short_of(const char *reason);

const char *verdict_state_name(enum verdict_state state); /* "healthy" … */
bool verdict_is_bad(const struct verdict *verdict);	  /* bad or recovering: the node must not get executors */
