/* target.c - apart from discover.c, which needs libmount: who only reads a health (stoker-web, the CLI) must not map it. Under
 * stokerd's filter libselinux, which libmount brings, would end stoker-web at its start (statfs(2) in a constructor). */
#include "base/scoped.h"
#include "volumes/discover.h"

const char *target_origin_name(enum target_origin origin)
{
	static const char *const names[] = {"configured", "pattern", "found"};

	_Static_assert(ARRAY_SIZE(names) == TARGET_ORIGIN_MAX_, "every origin has a name");
	return names[origin];
}
