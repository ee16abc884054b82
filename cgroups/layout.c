/* layout.c - see layout.h. */
#include "cgroups/layout.h"
#include "base/scoped.h"

const char *cgroup_mode_name(enum cgroup_mode mode)
{
	static const char *const names[] = {"none", "v1", "hybrid", "v2"};

	return (size_t)mode < ARRAY_SIZE(names) ? names[mode] : names[0];
}
