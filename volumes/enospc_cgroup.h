/* enospc_cgroup.h - the numbers of a cgroup and its ancestors up to the top of its mount. As enospc_facts.h: only in a child. */
#pragma once

#include "volumes/enospc.h"

void enospc_read_cgroup(int dir_fd, enum enospc_object object, struct enospc_facts *facts);

/* How many a cpuset list names: "0-3,7" = 5, "" = 0; ENOSPC_UNKNOWN if it is none. Pure. */
uint64_t enospc_list_count(const char *list);
