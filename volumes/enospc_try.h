/* enospc_try.h - tries the very thing that fails, so that nothing is left behind, and reads the numbers beside it.
 *
 * Runs in a child with a deadline (child_fork): every step may hang, and it gives up rights on the way. What it finds goes into memory
 * shared with the parent, so that a child that hangs has still told what it knew. */
#pragma once

#include "base/names.h"
#include "volumes/enospc.h"
#include "volumes/pod_setup.h"

#define ENOSPC_TRIES_MAX 8

struct enospc_try {
	enum enospc_call call;
	int errnum; /* 0 = it worked */
};

struct enospc_report {
	/* asked */
	char path[NAME_PATH_BYTES];
	uint32_t uid;	      /* who tries, when the caller is root: root has room that others have not */
	int call;	      /* enum enospc_call; -1 = what is usual for such an object */
	bool pod_setup;	      /* PATH is a kubelet's root: make a volume there as the kubelet does, and nothing else */
	/* found */
	struct pod_setup setup;
	int look_errnum; /* the path could not be opened */
	enum enospc_object object;
	struct enospc_facts facts;
	uint32_t try_count;
	struct enospc_try tries[ENOSPC_TRIES_MAX];
	volatile uint32_t done; /* 1 = everything was tried */
};

/* For child_fork: `argument` is a struct enospc_report in shared memory. */
int enospc_try_child(void *argument, int channel);

/* True if the call can be tried without harm; of the others (rmdir, fork …) only the numbers are read. */
bool enospc_can_try(enum enospc_call call);
