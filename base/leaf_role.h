/* leaf_role.h - main() of the roles that stokerd starts: nothing but descriptor 3, the link to it, and what comes through it. They read
 * foreign bytes and therefore may do nothing: no file, no socket of their own, no process, no capability. */
#pragma once

#include <uv.h>

#include "base/log.h"
#include "base/sandbox.h"

#define LEAF_ROLE_LINK_FD 3

struct leaf_role {
	const char *name, *usage; /* "stoker-web"; what it serves */
	enum sandbox_role sandbox;
	/* `log` lives as long as the process. */
	int (*start)(uv_loop_t *loop, struct log *log, int link_fd, struct err *e);
};

/* Returns what main does. */
int leaf_role_main(const struct leaf_role *role, int argc, char **argv);
