/* volume_view.h - what is shown of one volume: the JSON of docs/contract.md ("kind": "VolumeList") and back, for the CLI. */
#pragma once

#include "base/err.h"
#include "base/executor.h"
#include "health/account_view.h"
#include "volumes/volume.h"

#define VOLUME_VIEWS_MAX 4096 /* that are read back */

struct volume_view {
	char name_space[EXECUTOR_NAMESPACE_BYTES], pod[NAME_NODE_BYTES], pod_uid[EXECUTOR_UID_BYTES], name[VOLUME_NAME_BYTES];
	char place[16], type[16];
	char source[CONFIG_VOLUME_NAME_BYTES]; /* the name of its disk or checkpoint; "" = neither, or not known after a restart */
	char owner[320];	/* "app NAME exec N"; "" = not seen yet */
	bool mounted, bounded;	/* bounded: to what the owner's memory limit leaves */
	uint64_t size_bytes, used_bytes, inodes, used_inodes;
	uint64_t measured_wall_us; /* 0 = not yet */
};

extern const struct view_list volume_list; /* of struct volume_view */

/* As executor_views_to_json. */
int volume_views_to_json(const struct volume_view *views, size_t count, const struct account_view *accounts, size_t account_count, const char *node,
			 uint64_t wall_us, char **ret_text, struct err *e);
