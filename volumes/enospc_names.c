#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "volumes/enospc.h"

static const char *const cause_names[ENOSPC_CAUSE_MAX_] = {
	"Unknown", "SpaceExhausted", "ReservedBlocks", "InodesExhausted", "QuotaExhausted", "TmpfsSize", "TmpfsInodes", "DirectoryFull",
	"MemcgIdsExhausted", "MemcgLeak", "CgroupMaxDescendants", "CgroupMaxDepth", "CpusetEmpty", "CpusetInUse", "CgroupDomainInvalid",
	"CgroupHasProcesses", "CgroupHasControllers", "CgroupInUse", "PidsMax", "InotifyWatchesExhausted", "InotifyInstancesExhausted",
	"MountMaxReached", "XattrSpaceExhausted", "UserNamespacesExhausted", "NamespacesExhausted",
};

static const char *const call_names[ENOSPC_CALL_MAX_] = {"open",  "write",  "mkdir",	    "rmdir",		      "setxattr",   "mount", "inotify_init",
							 "inotify_add_watch", "unshare", "fork", "cgroup.procs", "cgroup.subtree_control", "cpuset"};

static const char *const object_names[ENOSPC_OBJECT_MAX_] = {"disk", "tmpfs", "cgroup v1", "cgroup v2"};
static const char *const confidence_names[CONFIDENCE_MAX_] = {"seen", "likely", "unknown", "ruled out"};

static const char *const number_names[NUMBER_MAX_] = {
	"totalBytes", "freeBytes", "availableBytes", "totalInodes", "freeInodes", "blockBytes", "userQuotaBytes", "userQuotaBytesMax",
	"userQuotaInodes", "userQuotaInodesMax", "groupQuotaBytes", "groupQuotaBytesMax", "groupQuotaInodes", "groupQuotaInodesMax",
	"projectQuotaBytes", "projectQuotaBytesMax", "projectQuotaInodes", "projectQuotaInodesMax", "namelessFileWorks", "kernelVersion",
	"memoryCgroups", "memoryCgroupsMax", "memoryCgroupsDying", "cgroupDirectories", "childIsMemoryCgroup", "cgroupDescendants",
	"cgroupDescendantsMax", "cgroupDepth", "cgroupDepthMax", "cpusetCpus", "cpusetMems", "cgroupDomainInvalid", "cgroupPopulated",
	"cgroupProcesses", "cgroupChildren", "cgroupControllersOn", "pids", "pidsMax", "inotifyWatches", "inotifyWatchesMax",
	"inotifyInstances", "inotifyInstancesMax", "mounts", "mountsMax", "xattrs", "xattrsMax", "xattrBytes", "xattrBytesMax",
	"userNamespaces", "userNamespacesMax", "otherNamespaces", "otherNamespacesMax",
};

static const char *name_of(const char *const *names, size_t count, unsigned index)
{
	return index < count ? names[index] : "?";
}

const char *enospc_cause_name(enum enospc_cause cause)
{
	return name_of(cause_names, ARRAY_SIZE(cause_names), cause);
}

const char *enospc_call_name(enum enospc_call call)
{
	return name_of(call_names, ARRAY_SIZE(call_names), call);
}

const char *enospc_object_name(enum enospc_object object)
{
	return name_of(object_names, ARRAY_SIZE(object_names), object);
}

const char *enospc_confidence_name(enum enospc_confidence confidence)
{
	return name_of(confidence_names, ARRAY_SIZE(confidence_names), confidence);
}

const char *enospc_number_name(enum enospc_number number)
{
	return name_of(number_names, ARRAY_SIZE(number_names), number);
}

int enospc_call_parse(const char *word, enum enospc_call *ret)
{
	for (unsigned i = 0; i < ENOSPC_CALL_MAX_; i++) {
		if (strcmp(word, call_names[i]) == 0) {
			*ret = (enum enospc_call)i;
			return 0;
		}
	}
	return -EINVAL;
}
