/* tree_remove.h - a directory and all that lies beneath it, removed as far as a budget goes. For processes that may do it.
 *
 * Each name is removed beneath the open directory that it was read from: no link is followed, no mount crossed, and a directory that was
 * moved elsewhere meanwhile is left at once. What cannot be removed (immutable, a mount point of the node) is left, counted and said; the
 * rest goes. It takes 32 descriptors at most. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tree_budget {
	uint32_t entries;  /* still to be tried */
	uint64_t until_us; /* CLOCK_MONOTONIC; something goes all the same, so that whoever asks again and again comes to an end */
};

/* What else may be done to get it away. */
struct tree_rules {
	bool move_up; /* what lies too deep is renamed into the top directory, where it is met again; else it is left */
	bool give_up; /* at the first error that is not about one entry alone (EIO, EROFS): the next ones would meet it too */
};

struct tree_removed {
	uint64_t entries, bytes; /* bytes: of what had no other name */
	uint32_t left;		 /* could not be removed */
	int32_t errnum;		 /* the first reason why, a lasting one before a passing one; 0 = none */
	bool whole;		 /* it is gone, or was not there */
	bool stopped;		 /* the budget was used up */
};

void tree_remove(int parent_fd, const char *name, const struct tree_rules *rules, struct tree_budget *budget, struct tree_removed *ret);

/* With both rules. 0 = gone, or was not there. -EAGAIN: the time is up, and a second call goes on. -EBUSY: what could be removed is, but
 * something is mounted beneath, is being made all the time or was changed meanwhile. Adds to *removed what was removed. */
int tree_remove_whole(int parent_fd, const char *name, struct tree_budget *budget, uint64_t *removed, struct err *e);
