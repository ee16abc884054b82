/* ready.h - what /readyz says: does this agent really watch the node? One line for each input and role, by name.
 *
 * Red is what makes the agent blind or mute by its own fault: a role that is gone, a main input that is dead, filesystems that
 * were never probed. What the agent bears (an API server that is away, a refused configuration while the old one is in force) is a
 * warning: turning every pod of the DaemonSet unready for the API server's fault would hide that they all still watch. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "health/health.h"

enum ready_mark { READY_OK, READY_WARNING, READY_FAILED, READY_MARK_MAX_ };

struct ready_line {
	enum ready_mark mark;
	char name[24];
	char words[640]; /* what is so, since when, what to do; "" for what is well */
};

#define READY_LINES_MAX (HEALTH_INPUTS_MAX + 2)

struct ready {
	bool ready; /* no line has failed */
	unsigned count;
	struct ready_line lines[READY_LINES_MAX];
};

/* Pure. */
void ready_judge(const struct health *health, struct ready *ret);

/* What to do about an input or role that is not "ok"; "" if there is nothing special. */
const char *ready_advice(const char *input);

/* "[+]kmsg ok", "[!]config degraded …", "[-]broker missing since …: …". All lines when `verbose` or not ready, else only "ok".
 * malloc'ed, the caller frees it. -ENOMEM. */
int ready_text(const struct ready *ready, bool verbose, char **ret_text, size_t *ret_length, struct err *e);
