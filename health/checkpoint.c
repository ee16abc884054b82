#include "health/checkpoint.h"

#include "base/scoped.h"
#include "base/str.h"

/* Where an event leads, before counts and dwell are looked at. */
static const enum checkpoint_state next[CHECKPOINT_STATE_MAX_][CHECKPOINT_EVENT_MAX_] = {
	/*                          ANSWERED              LATE                  SILENT                  LOST             HINT                    MOUNTED */
	[CHECKPOINT_UNKNOWN] =     {CHECKPOINT_HEALTHY,   CHECKPOINT_SLOW,      CHECKPOINT_SLOW,        CHECKPOINT_STALE, CHECKPOINT_UNKNOWN,     CHECKPOINT_HEALTHY},
	[CHECKPOINT_HEALTHY] =     {CHECKPOINT_HEALTHY,   CHECKPOINT_SLOW,      CHECKPOINT_SLOW,        CHECKPOINT_STALE, CHECKPOINT_SLOW,        CHECKPOINT_HEALTHY},
	[CHECKPOINT_SLOW] =        {CHECKPOINT_HEALTHY,   CHECKPOINT_SLOW,      CHECKPOINT_UNREACHABLE, CHECKPOINT_STALE, CHECKPOINT_SLOW,        CHECKPOINT_SLOW},
	[CHECKPOINT_UNREACHABLE] = {CHECKPOINT_RECOVERED, CHECKPOINT_RECOVERED, CHECKPOINT_UNREACHABLE, CHECKPOINT_STALE, CHECKPOINT_UNREACHABLE, CHECKPOINT_RECOVERED},
	/* That the server answers does not bring back what is mounted; only a new mount does. */
	[CHECKPOINT_STALE] =       {CHECKPOINT_STALE,     CHECKPOINT_STALE,     CHECKPOINT_STALE,       CHECKPOINT_STALE, CHECKPOINT_STALE,       CHECKPOINT_RECOVERED},
	[CHECKPOINT_RECOVERED] =   {CHECKPOINT_HEALTHY,   CHECKPOINT_RECOVERED, CHECKPOINT_UNREACHABLE, CHECKPOINT_STALE, CHECKPOINT_RECOVERED,   CHECKPOINT_RECOVERED},
};

/* The way back to healthy takes several good answers and some time: a server that comes and goes is not said to be well in between. */
static bool may_be_healthy(const struct checkpoint *c, uint64_t now_us)
{
	if (c->state != CHECKPOINT_SLOW && c->state != CHECKPOINT_RECOVERED)
		return true;
	return c->good >= CHECKPOINT_RECOVER_AFTER && now_us - c->since_us >= CHECKPOINT_DWELL_US;
}

static void count(struct checkpoint *c, enum checkpoint_event event)
{
	switch (event) {
	case CHECKPOINT_ANSWERED:
	case CHECKPOINT_MOUNTED:
		c->good++;
		c->failures = 0;
		break;
	case CHECKPOINT_SILENT:
		c->failures++;
		c->good = 0;
		break;
	case CHECKPOINT_LATE:
	case CHECKPOINT_LOST:
		c->good = c->failures = 0;
		break;
	case CHECKPOINT_HINT:
		c->good = 0;
		break;
	case CHECKPOINT_EVENT_MAX_: break;
	}
}

struct checkpoint checkpoint_step(struct checkpoint c, enum checkpoint_event event, const char *words, uint64_t now_us)
{
	if ((unsigned)event >= CHECKPOINT_EVENT_MAX_ || (unsigned)c.state >= CHECKPOINT_STATE_MAX_)
		return c;
	count(&c, event);
	enum checkpoint_state to = next[c.state][event];
	if (to == CHECKPOINT_HEALTHY && !may_be_healthy(&c, now_us))
		to = c.state;
	/* A kernel's hint and one silence are not two silences. */
	if (to == CHECKPOINT_UNREACHABLE && c.state == CHECKPOINT_SLOW && c.failures < CHECKPOINT_FAILURES)
		to = CHECKPOINT_SLOW;
	/* What began it stays its reason: the words are the node's condition, and each change of them is a write to the API server. */
	if (to == c.state && *c.words)
		return c;
	if (to == CHECKPOINT_HEALTHY)
		c.words[0] = '\0';
	else if (words && *words && event != CHECKPOINT_ANSWERED && event != CHECKPOINT_MOUNTED)
		str_copy(c.words, sizeof(c.words), words);
	if (to == c.state)
		return c;
	c.state = to;
	c.since_us = now_us;
	return c;
}

bool checkpoint_is_usable(const struct checkpoint *c)
{
	return c->state != CHECKPOINT_UNREACHABLE && c->state != CHECKPOINT_STALE;
}

const char *checkpoint_state_name(enum checkpoint_state state)
{
	static const char *const names[] = {"unknown", "healthy", "slow", "unreachable", "stale", "recovered"};

	_Static_assert(ARRAY_SIZE(names) == CHECKPOINT_STATE_MAX_, "every state has a name");
	return (unsigned)state < CHECKPOINT_STATE_MAX_ ? names[state] : "?";
}

const char *checkpoint_state_reason(enum checkpoint_state state)
{
	static const char *const reasons[] = {"NotProbed", "AllProbesPassed", "CheckpointSlow", "CheckpointUnreachable", "CheckpointStale", "CheckpointRecovered"};

	_Static_assert(ARRAY_SIZE(reasons) == CHECKPOINT_STATE_MAX_, "every state has a reason");
	return (unsigned)state < CHECKPOINT_STATE_MAX_ ? reasons[state] : "?";
}
