/* sandbox_table.h - the tables behind sandbox.h: which system calls and capabilities a role has, and why. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/capability.h>

#include "base/sandbox.h"

struct sandbox_call {
	const char *name;  /* as libseccomp knows it; unknown to this architecture = left out */
	uint32_t roles;	   /* bits of enum sandbox_role */
};

extern const struct sandbox_call sandbox_calls[];
extern const size_t sandbox_call_count;

/* Ended by -1. */
const cap_value_t *sandbox_kept_capabilities(enum sandbox_role role);
