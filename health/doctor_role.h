/* doctor_role.h - the rights that a live process of ours has, and what is wrong with them. Pure: text of /proc/PID/status in, words out.
 *
 * What a role may have is base/sandbox_table.h, the same table by which it gives its rights up. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sandbox.h"

#define DOCTOR_ROLES_MAX 24

struct doctor_role {
	enum sandbox_role role;
	uint32_t pid, parent, uid;
	bool launcher;	       /* `stokerd --all`: keeps its rights to start the roles */
	uint64_t permitted;    /* capabilities, effective ones too: bit n is capability n */
	bool no_new_privs;
	uint32_t seccomp;      /* 0 none, 1 strict, 2 filter */
};

/* From the text of /proc/PID/status. -ENOENT if the process is none of our roles, -EBADMSG if a line is missing or is none. */
int doctor_role_read(const char *status, struct doctor_role *ret);

enum doctor_role_fault { DOCTOR_ROLE_WELL, DOCTOR_ROLE_LESS, DOCTOR_ROLE_MORE, DOCTOR_ROLE_OPEN };

/* MORE: a capability that it should have given up; OPEN: without no_new_privs or a filter; LESS: it lacks some of its own. `text` says what it
 * has, and which ones. */
enum doctor_role_fault doctor_role_judge(const struct doctor_role *role, char *text, size_t size);
