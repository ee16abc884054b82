/* path.h - what a container's cgroup is called, whichever driver, runtime and nesting. Pure: no path here is ever opened.
 *
 * Paths are relative to a hierarchy's mount, without a slash at the beginning; no component is empty, "." or "..".
 * Sources: kubelet (ConvertCgroupNameToSystemd), opencontainers/cgroups (systemd: "slice:prefix:name"), crun (its sub-cgroup
 * "container" beneath the scope), CRI-O (crio-conmon-ID beside crio-ID), cri-dockerd. The table of names: docs/executors.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/executor.h"

/* The container's directory from what the runtime says (cgroups_path, or cgroup_parent and id), for either driver:
 * "kubepods-burstable-podX.slice:cri-containerd:ID" becomes
 * "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podX.slice/cri-containerd-ID.scope". The limits are there, though
 * processes may live further down. -EINVAL with the rule. */
int cgroup_path_of(const struct executor *executor, char *path, size_t size, struct err *e);
int cgroup_pod_path_of(const struct executor *executor, char *path, size_t size, struct err *e); /* its parent: the pod's */

/* Of the text of /proc/PID/cgroup: the path of `controller` ("memory"; where no line names it, the v2 line), up to the topmost
 * component that names `container_id`. -ENOENT: there is none; -EXDEV: the process lives outside of our cgroup namespace, so
 * the path begins with ".." and its upper part is not told (look it up beneath the pod instead). */
int cgroup_path_from_proc(const char *proc_cgroup, size_t length, const char *controller, const char *container_id, char *path, size_t size,
			  struct err *e);

/* Does a directory's name mean this container: "ID", "prefix-ID", with ".scope" or without? Not conmon's own, which has the id too. */
bool cgroup_names_container(const char *name, const char *container_id);

/* What a path says: the pod, and the container right beneath it. Further down a container may make what it likes, so names
 * there count for nothing. Without a pod in it the topmost container counts (plain docker or podman); "" = not told. */
struct cgroup_name {
	char container_id[EXECUTOR_CONTAINER_ID_BYTES];
	char pod_uid[EXECUTOR_UID_BYTES];
	enum executor_qos qos;
};
bool cgroup_name_parse(const char *path, struct cgroup_name *ret); /* false: neither */
