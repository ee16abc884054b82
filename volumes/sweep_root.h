/* sweep_root.h - one configured root, opened so that nothing of it is held, and the directories with Spark's names right in it.
 *
 * In a disposable child: a disk may hang. Opened is a clone of its mount (OPEN_TREE_CLONE): `umount` works meanwhile, and nothing that is
 * mounted beneath is there at all, now or later. */
#pragma once

#include "base/err.h"
#include "volumes/proc_text.h"
#include "volumes/sweep.h"

struct sweep_root {
	int fd;
	uint32_t device_major, device_minor; /* as mount tables have it */
	char in_filesystem[NAME_PATH_BYTES]; /* its path beneath the root of its filesystem */
	/* what is mounted at "/" of the node: who has the same there sees the node as it is */
	uint32_t top_major, top_minor;
	char top_root[NAME_PATH_BYTES];
};

struct sweep_directory {
	char name[SWEEP_NAME_BYTES];
	uint64_t ino;
	uint32_t uid;
	struct sweep_facts facts;
};

struct sweep_page {
	uint32_t count;
	bool more; /* there are others with higher inode numbers */
	bool cut;  /* SWEEP_NAMES_MAX */
	uint32_t unread_pid; /* a process that could not be looked into; 0 = none */
	struct sweep_directory directories[SWEEP_PAGE]; /* by inode number */
};

/* In the mount namespace of the node. No link on the way; a local filesystem; not "/". */
int sweep_root_open(const char *path, struct sweep_root *ret, struct err *e);
void sweep_root_close(struct sweep_root *root);

/* The directories with inode numbers above `after`, the lowest first; with wanted != NULL only those of its `wanted_count` numbers. */
int sweep_root_list(const struct sweep_root *root, uint64_t after, const uint64_t *wanted, size_t wanted_count, struct sweep_page *ret, struct err *e);

/* When it was changed last, anew. */
void sweep_root_look_again(const struct sweep_root *root, struct sweep_directory *directory);

struct sweep_directory *sweep_page_find(struct sweep_page *page, const char *name);
