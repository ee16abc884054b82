/* account_pods.h - the writable volumes of all pods beneath a kubelet's root: emptyDirs on its disk by walks, what is mounted there (tmpfs,
 * disks of CSI drivers) by statfs. Network filesystems are nobody's of this node, and are not touched. */
#pragma once

#include "volumes/account.h"

struct account_list {
	struct account_place *places; /* ACCOUNT_PLACES_MAX */
	uint32_t count;
	bool cut;
	struct account_budget budget;
};

/* A new entry at the end, with its device from the open file; NULL when the list is full (and cut is set). */
struct account_place *account_add(struct account_list *list, enum account_kind kind, const char *pod_uid, const char *name, int fd);

/* `root`: the kubelet's, in the mount namespace that the process is in. Nothing there is nothing found. */
void account_pods(const char *root, struct account_list *list);

/* Names of pods from the directories of their logs: NAMESPACE_POD_UID. */
void account_name_pods(struct account_list *list, const char *logs);
