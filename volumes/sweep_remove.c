#include "volumes/sweep_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "volumes/entries.h"

#define DEPTH_MAX   32 /* Spark's are three deep; Python's temporary packages some more */
#define BLOCK_BYTES 512

struct level {
	int fd;
	dev_t parent_device;
	ino_t parent_inode;
	char name[256]; /* in its parent */
	struct entries entries;
};

struct removal {
	struct sweep_budget *budget;
	struct sweep_removed *done;
	unsigned depth;
	struct level *levels; /* DEPTH_MAX */
};

/* ENOENT: somebody else was quicker. */
static void leave(struct removal *r, int errnum)
{
	if (errnum == ENOENT)
		return;
	r->done->left++;
	if (!r->done->errnum)
		r->done->errnum = errnum;
}

static bool may_go_on(struct removal *r)
{
	if (r->budget->entries == 0)
		return false;
	r->budget->entries--;
	return r->budget->entries % 64 != 0 || clock_mono_us() < r->budget->until_mono_us;
}

/* --- levels --- */

static void enter(struct removal *r, int parent_fd, const char *name)
{
	struct level *l = &r->levels[r->depth];
	struct stat parent;

	if (r->depth == DEPTH_MAX) {
		leave(r, ELOOP);
		return;
	}
	if (fstat(parent_fd, &parent) < 0 || !str_copy(l->name, sizeof(l->name), name)) {
		leave(r, errno ? errno : ENAMETOOLONG);
		return;
	}
	l->fd = fd_open_same_mount(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL);
	if (l->fd < 0) {
		leave(r, -l->fd);
		return;
	}
	l->parent_device = parent.st_dev;
	l->parent_inode = parent.st_ino;
	l->entries.at = l->entries.length = 0;
	r->depth++;
}

/* A directory that is renamed is still open here: what it holds now may be somebody's. */
static bool is_in_place(const struct level *l)
{
	struct stat parent;

	return fstatat(l->fd, "..", &parent, AT_SYMLINK_NOFOLLOW) == 0 && parent.st_dev == l->parent_device && parent.st_ino == l->parent_inode;
}

/* Empty, moved away or unreadable: back to its parent. */
static void go_back(struct removal *r, int root_fd, bool remove)
{
	struct level *l = &r->levels[--r->depth];
	const int parent_fd = r->depth ? r->levels[r->depth - 1].fd : root_fd;

	fd_drop(&l->fd);
	if (!remove)
		return;
	if (unlinkat(parent_fd, l->name, AT_REMOVEDIR) < 0) {
		leave(r, errno);
		return;
	}
	r->done->entries++;
	r->done->whole = r->depth == 0;
}

/* --- entries --- */

static void remove_file(struct removal *r, int parent_fd, const char *name)
{
	struct statx st = {0};
	const bool known = statx(parent_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BLOCKS | STATX_NLINK | STATX_TYPE, &st) == 0;

	if (known && S_ISDIR(st.stx_mode)) { /* a filesystem that does not tell types with names */
		enter(r, parent_fd, name);
		return;
	}
	if (unlinkat(parent_fd, name, 0) < 0) {
		leave(r, errno);
		return;
	}
	r->done->entries++;
	if (known && st.stx_nlink == 1)
		r->done->bytes += st.stx_blocks * BLOCK_BYTES;
}

static void step(struct removal *r, int root_fd)
{
	struct level *l = &r->levels[r->depth - 1];
	struct entry entry;
	bool fresh = false;
	const int n = entries_next(l->fd, &l->entries, &entry, &fresh);

	if (n < 0)
		leave(r, -n);
	if (n <= 0) {
		go_back(r, root_fd, n == 0);
		return;
	}
	if (fresh && !is_in_place(l)) {
		leave(r, ESTALE);
		go_back(r, root_fd, false);
		return;
	}
	(entry.type == DT_DIR ? enter : remove_file)(r, l->fd, entry.name);
}

void sweep_remove(int root_fd, const char *name, struct sweep_budget *budget, struct sweep_removed *ret)
{
	/* 260 KiB: not on the stack, and not in the broker's own locked memory. */
	scoped(scoped_free) struct level *levels = calloc(DEPTH_MAX, sizeof(*levels));
	struct removal r = {.budget = budget, .done = ret, .levels = levels};

	*ret = (struct sweep_removed){0};
	if (!levels) {
		leave(&r, ENOMEM);
		return;
	}
	enter(&r, root_fd, name);
	while (r.depth > 0 && may_go_on(&r))
		step(&r, root_fd);
	while (r.depth > 0)
		go_back(&r, root_fd, false);
}
