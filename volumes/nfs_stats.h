/* nfs_stats.h - what the kernel counts of one NFS mount's calls: a reader of /proc/self/mountstats, which waits for no server.
 *
 * A server whose disk is slow answers a ping and a statfs at once, and lets writes wait: only the calls of the pods themselves tell. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/names.h"

/* Of what reaches the disk, READ, WRITE and COMMIT: attributes come from the server's memory, a thousand to one. */
struct nfs_stats {
	uint64_t calls;	  /* that have ended */
	uint64_t wait_ms; /* from when they were wanted until they ended, all together */
};

struct nfs_stats_search {
	const char *source, *mount_point_end; /* "nas1:/spark"; how its mount point ends */
	bool inside, found;
	struct nfs_stats stats;
};

/* One line of it, in their order; for proc_lines(). False: the rest is of no interest. Pure. */
bool nfs_stats_line(void *search, const char *line, size_t length);

/* Of the mount of this process's namespace. -ENOENT: it is not there. */
int nfs_stats_read(const char *source, const char *mount_point_end, struct nfs_stats *ret, struct err *e);
