/* doctor.h - `stoker doctor`: does Stoker itself work on this node, and is the node the cause? Pure: facts -> lines.
 *
 * Each line says what is so and what to do next. A fact that could not be read is "unknown", never guessed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "health/doctor_role.h"
#include "health/health.h"

enum doctor_mark { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_UNKNOWN, DOCTOR_PROBLEM, DOCTOR_MARK_MAX_ };
enum doctor_cgroups { DOCTOR_CGROUPS_UNKNOWN, DOCTOR_CGROUPS_V1, DOCTOR_CGROUPS_HYBRID, DOCTOR_CGROUPS_V2 };

struct doctor_facts {
	char version[HEALTH_VERSION_BYTES]; /* of this command */
	char kernel[65];		    /* uname -r, "" = not read */
	enum doctor_cgroups cgroups;
	const char *config_path;
	struct err config; /* code 0 = read and understood */
	char runtime_dir[CONFIG_SOCKET_BYTES];
	int runtime_errnum;    /* of stat(2); 0 = it is there */
	unsigned runtime_mode; /* with S_IFMT */
	struct err daemon;     /* code 0 = it answered, `health` is its answer */
	struct health health;
	unsigned role_count; /* processes of ours that are seen from here */
	struct doctor_role roles[DOCTOR_ROLES_MAX];
};

struct doctor_line {
	enum doctor_mark mark;
	char name[32];
	char what[768];
	char todo[512]; /* "" = nothing to do */
};

#define DOCTOR_LINES_MAX (HEALTH_INPUTS_MAX + CONFIG_WATCH_MAX + DOCTOR_ROLES_MAX + 20)

struct doctor {
	unsigned count;
	struct doctor_line lines[DOCTOR_LINES_MAX];
};

/* `ret` is about 130 KiB: allocate it. */
void doctor_examine(const struct doctor_facts *facts, struct doctor *ret);

const char *doctor_mark_name(enum doctor_mark mark);	/* "ok", "note", "unknown", "problem" */
int doctor_exit_code(const struct doctor *doctor);	/* 0, 1 with a problem, 2 with something unknown */
