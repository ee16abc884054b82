/* account_view.h - what is shown of what one pod has written to one filesystem: the array "accounts" of a VolumeList (docs/contract.md), and
 * back for the CLI. */
#pragma once

#include "health/accounts.h"
#include "health/view_list.h"

#define ACCOUNT_VIEWS_MAX 4096 /* that are read back */

struct account_view {
	char pod[EXECUTOR_NAMESPACE_BYTES + NAME_NODE_BYTES]; /* "NAMESPACE/POD"; else the UID */
	char pod_uid[EXECUTOR_UID_BYTES];		      /* "": what dead pods left on hostPaths */
	char filesystem[NAME_PATH_BYTES];		      /* a watched path on it, else "MAJOR:MINOR" */
	bool at_least, fastest;				      /* fastest: writes the most bytes a second of all there */
	uint64_t bytes, inodes, grown_bytes, grown_inodes, grown_seconds;
	uint64_t measured_wall_us;
};

extern const struct view_list account_list; /* of struct account_view */

/* Whoever wrote the most comes first. All but the filesystem's name is filled in; *ret has room for a->count. */
void account_views(const struct accounts *a, uint64_t now_us, uint64_t wall_us, struct account_view *ret);
