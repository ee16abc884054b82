/* enospc_facts.h - reads the numbers that enospc.h judges. Every file may hang, so it is only called in a child with a deadline. */
#pragma once

#include "volumes/enospc.h"

/* Which kind of object the directory is; fills fs_type. -errno if it cannot be looked at. */
int enospc_object_of(int dir_fd, enum enospc_object *ret, struct enospc_facts *facts);

/* statfs, quota, kernel version, sysctls: what is cheap. `facts->uid` is whose quota counts. */
void enospc_read_facts(int dir_fd, enum enospc_object object, struct enospc_facts *facts);

/* What costs a walk through /proc: inotify and namespaces held by the uid's processes. */
void enospc_read_processes(struct enospc_facts *facts);
void enospc_read_xattrs(int dir_fd, enum enospc_object object, struct enospc_facts *facts);
