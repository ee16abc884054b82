#include "base/config_volumes.h"

#include <fnmatch.h>

bool config_namespaces_allow(const struct config_namespaces *namespaces, const char *name_space)
{
	for (uint32_t i = 0; i < namespaces->count; i++)
		if (name_space[0] && fnmatch(namespaces->pattern[i], name_space, 0) == 0)
			return true;
	return false;
}
