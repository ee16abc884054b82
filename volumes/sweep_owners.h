/* sweep_owners.h - which processes of the node hold, mount or may have made the directories of a page.
 *
 * Read from /proc alone (links as text, never followed: a file of a dead network server is not touched): descriptors, working and root
 * directory, mappings, mount tables, and of each process its user, name and start. A UUID in a path is a directory's name whatever mount
 * it is seen through, and after a rename of what lies above. Needs CAP_SYS_PTRACE; who cannot be looked into keeps everything.
 * Not seen: descriptors on their way through a socket, and files that are registered with an io_uring only. Whoever has such a one has
 * the root mounted, and is seen as its maker. */
#pragma once

#include "volumes/sweep_root.h"

/* Fills open_pid, mounted_pid, maker_pid and unread_pid of each directory. `proc_fd`: the node's /proc. */
int sweep_find_owners(int proc_fd, const struct sweep_root *root, uint64_t slack_us, struct sweep_page *page, struct err *e);
