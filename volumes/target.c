/* target.c - names and numbers of what is watched: all that the broker and who only reads a health (stoker-web, the CLI) know of it. */
#include <string.h>

#include "base/config_units.h"
#include "base/scoped.h"
#include "volumes/discover.h"
#include "base/hash.h"

/* Where kubelets and runtimes keep what pods need, by distribution. What exists is watched: a directory on the filesystem of
 * another one costs nothing, both are one. `kubeletRoot` of the configuration takes the place of the first row and ends the
 * others of that role. The order is the order of numbers: rows are only ever added at the end. */
static const struct known {
	const char *path, *role;
} known[] = {
	{"/var/lib/kubelet", "kubelet"}, /* kubeadm, k3s, k3d, rke2, EKS, GKE, AKS, minikube, Rancher Desktop */
	{"/var/snap/microk8s/common/var/lib/kubelet", "kubelet"},
	{"/var/lib/k0s/kubelet", "kubelet"},
	{"/var/lib/containerd", "runtime"},
	{"/var/lib/containers", "runtime"}, /* CRI-O: storage/ beneath */
	{"/var/lib/docker", "runtime"},	    /* cri-dockerd: images and layers are dockerd's */
	{"/var/lib/cri-dockerd", "runtime"},
	{"/var/lib/rancher/k3s/agent/containerd", "runtime"},
	{"/var/lib/rancher/rke2/agent/containerd", "runtime"},
	{"/var/snap/microk8s/common/var/lib/containerd", "runtime"},
	{"/var/lib/k0s/containerd", "runtime"},
	{"/var/log/pods", "logs"},
};

_Static_assert(ARRAY_SIZE(known) <= DISCOVER_KNOWN_MAX, "every known path has a number");

bool place_get(const struct config *config, uint32_t number, struct place *ret)
{
	if (number < CONFIG_WATCH_MAX) {
		if (number >= config->watch_count || config->watch[number].ignore)
			return false;
		const struct config_watch *w = &config->watch[number];
		*ret = (struct place){config_unit_is_pattern(w->path) ? TARGET_PATTERN : TARGET_CONFIGURED, w->path, w->role};
		return true;
	}
	number -= CONFIG_WATCH_MAX;
	if (number >= ARRAY_SIZE(known) || config->discover == CONFIG_DISCOVER_OFF)
		return false;
	*ret = (struct place){TARGET_FOUND, known[number].path, known[number].role};
	if (!config->kubelet_root[0] || strcmp(ret->role, known[0].role) != 0)
		return true;
	ret->path = config->kubelet_root;
	return number == 0;
}

const char *place_kubelet_root(const struct config *config, unsigned index)
{
	if (config->kubelet_root[0])
		return index == 0 ? config->kubelet_root : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].role, known[0].role) == 0 && index-- == 0)
			return known[i].path;
	return NULL;
}

const char *target_origin_name(enum target_origin origin)
{
	static const char *const names[] = {"configured", "pattern", "found"};

	_Static_assert(ARRAY_SIZE(names) == TARGET_ORIGIN_MAX_, "every origin has a name");
	return names[origin];
}

uint64_t place_path_hash(const char *path)
{
	return hash_fnv1a(HASH_START, path, strlen(path));
}
