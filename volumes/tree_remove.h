/* tree_remove.h - a directory and all that lies beneath it, removed beneath kept descriptors: never through a symbolic link, never across
 * a mount, whoever changes it meanwhile. As deep as it may be, it takes sixteen descriptors. For processes that may do it. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct tree_budget {
	uint64_t until_us; /* CLOCK_MONOTONIC */
	uint64_t removed;  /* entries so far; counted on */
};

/* 0 = gone, or was not there. -EAGAIN: the time is up, and a second call goes on. -EBUSY: what could be removed is, but something is
 * mounted beneath or is being made all the time. */
int tree_remove(int parent_fd, const char *name, struct tree_budget *budget, struct err *e);
