/* sandbox.h - what a role gives up at start: environment, descriptors, capabilities, system calls.
 *
 * The tables of kept capabilities and allowed calls are in sandbox_table.c and docs/architecture.md shows them.
 * An unlisted call gets ENOSYS and is logged by the kernel (SECCOMP_FILTER_FLAG_LOG); builds with
 * -Dseccomp=kill end the process instead (the tests' build), -Dseccomp=off is for sanitizers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum sandbox_role {
	SANDBOX_STOKERD,
	SANDBOX_BROKER,	      /* mounts nothing: overlay no-volumes */
	SANDBOX_BROKER_MOUNTS, /* its children do */
	SANDBOX_REPORTER,
	SANDBOX_WEB,
	SANDBOX_NRI,
	SANDBOX_CSI,
	/* children forked without exec */
	SANDBOX_CHILD_PROBE,
	SANDBOX_CHILD_RELAY,  /* sends the mount table, hands out kmsg */
	SANDBOX_CHILD_CONFIG, /* parses the config */
	SANDBOX_CHILD_MOUNT,  /* makes, bounds, empties and removes volumes */
	SANDBOX_CHILD_RESOLVE, /* finds the address of a checkpoint's server */
	SANDBOX_CHILD_ACCOUNT, /* looks at what pods have written */
	SANDBOX_CHILD_SWEEP,   /* removes what they left */
	SANDBOX_ROLE_MAX_
};

/* A compiled filter, made once at start so that a fork costs one prctl and needs no disk. Plain memory of the caller. */
#define SANDBOX_FILTER_MAX 512
struct sandbox_filter {
	unsigned short length; /* instructions; 0 = none (sanitizer build) */
	unsigned long long code[SANDBOX_FILTER_MAX]; /* struct sock_filter, 8 bytes each */
};

/* Clears the environment except KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT and NODE_NAME. */
int sandbox_environment(struct err *e);

/* Closes every descriptor above 2 but `keep` (-1 = none); makes sure 0, 1 and 2 are open. */
int sandbox_descriptors(int keep, struct err *e);

/* no_new_privs, and the capabilities of the role: permitted, effective and bounding set; inheritable and ambient empty. */
int sandbox_capabilities(enum sandbox_role role, struct err *e);

int sandbox_compile(enum sandbox_role role, struct sandbox_filter *ret, struct err *e);
int sandbox_apply(const struct sandbox_filter *filter, struct err *e);

/* environment + capabilities + filter of a role, in the order that works. */
int sandbox_enter(enum sandbox_role role, struct err *e);

const char *sandbox_role_name(enum sandbox_role role);
