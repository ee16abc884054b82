/* A cgroup's path: as the runtime says it, in /proc/PID/cgroup, as found in cgroupfs; and a mount table. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/mounts.h"
#include "cgroups/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What path.h promises of every path it gives. */
static void check(const char *path)
{
	if (!*path || *path == '/' || strstr(path, "//") || strstr(path, "/../") || strncmp(path, "../", 3) == 0 || path[strlen(path) - 1] == '/')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct executor x = {.container_id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
	char path[EXECUTOR_CGROUP_BYTES];
	struct cgroup_mounts mounts;
	struct cgroup_name name;
	struct err e;

	if (cgroup_path_from_proc((const char *)data, size, "memory", x.container_id, path, sizeof(path), &e) == 0)
		check(path);
	cgroup_mounts_parse((const char *)data, size, &mounts);
	if (size >= sizeof(x.cgroups_path))
		return 0;
	memcpy(x.cgroups_path, data, size);
	if (cgroup_path_of(&x, path, sizeof(path), &e) == 0)
		check(path);
	if (cgroup_pod_path_of(&x, path, sizeof(path), &e) == 0)
		check(path);
	if (size < sizeof(x.cgroup_parent)) {
		memcpy(x.cgroup_parent, data, size);
		memset(x.cgroups_path, 0, sizeof(x.cgroups_path));
		if (cgroup_path_of(&x, path, sizeof(path), &e) == 0)
			check(path);
		memcpy(x.cgroups_path, data, size);
	}
	cgroup_name_parse(x.cgroups_path, &name);
	return 0;
}
