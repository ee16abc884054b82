#include "volumes/tree_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "volumes/entries.h"

#define DEPTH_MAX   32 /* Spark's are three deep; Python's temporary packages some more */
#define MOVES_MAX   64
#define BLOCK_BYTES 512

struct level {
	int fd;
	dev_t parent_device;
	ino_t parent_inode;
	uint64_t progress; /* as it was when this pass began */
	uint32_t left;
	char name[256]; /* in its parent */
	struct entries entries;
};

struct removal {
	const struct tree_rules *rules;
	struct tree_budget *budget;
	struct tree_removed *done;
	uint64_t progress; /* removed or moved up */
	unsigned moved;
	unsigned depth;
	bool given_up;
	struct level *levels; /* DEPTH_MAX */
};

/* Of one entry, and another time it may go: a mount, a link, something that was made or moved meanwhile. */
static bool is_passing(int errnum)
{
	return errnum == EBUSY || errnum == EXDEV || errnum == ENOTDIR || errnum == ELOOP || errnum == ENOTEMPTY || errnum == EEXIST || errnum == ESTALE;
}

/* ENOENT: somebody else was quicker. */
static void leave(struct removal *r, int errnum)
{
	if (errnum == ENOENT)
		return;
	r->done->left++;
	if (!r->done->errnum || (is_passing(r->done->errnum) && !is_passing(errnum)))
		r->done->errnum = errnum;
	r->given_up = r->given_up || (r->rules->give_up && !is_passing(errnum));
}

static bool may_go_on(struct removal *r)
{
	r->done->stopped = r->budget->entries == 0 || (r->progress > 0 && clock_mono_us() >= r->budget->until_us);
	if (r->done->stopped || r->given_up)
		return false;
	r->budget->entries--;
	return true;
}

static void count(struct removal *r)
{
	r->progress++;
	r->done->entries++;
}

/* --- levels --- */

static void move_up(struct removal *r, int parent_fd, const char *name)
{
	char up[32];

	for (unsigned i = 0; i < MOVES_MAX; i++) {
		snprintf(up, sizeof(up), ".stoker-removed-%u", r->moved++);
		if (renameat2(parent_fd, name, r->levels[0].fd, up, RENAME_NOREPLACE) == 0) {
			r->progress++;
			return;
		}
		if (errno != EEXIST)
			break;
	}
	leave(r, errno);
}

static void enter(struct removal *r, int parent_fd, const char *name)
{
	struct level *l = &r->levels[r->depth];
	struct stat parent;

	if (r->depth == DEPTH_MAX && r->rules->move_up) {
		move_up(r, parent_fd, name);
		return;
	}
	if (r->depth == DEPTH_MAX) {
		leave(r, ELOOP);
		return;
	}
	if (!str_copy(l->name, sizeof(l->name), name)) {
		leave(r, ENAMETOOLONG);
		return;
	}
	l->fd = fstat(parent_fd, &parent) < 0 ? -errno : fd_open_same_mount(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL);
	if (l->fd < 0) {
		r->done->whole = r->depth == 0 && l->fd == -ENOENT;
		leave(r, -l->fd);
		return;
	}
	l->parent_device = parent.st_dev;
	l->parent_inode = parent.st_ino;
	l->progress = r->progress;
	l->left = r->done->left;
	l->entries.at = l->entries.length = 0;
	r->depth++;
}

/* A directory that is renamed is still open here: what it holds now may be somebody's. */
static bool is_in_place(const struct level *l)
{
	struct stat parent;

	return fstatat(l->fd, "..", &parent, AT_SYMLINK_NOFOLLOW) == 0 && parent.st_dev == l->parent_device && parent.st_ino == l->parent_inode;
}

/* Its end was met; back to its parent. */
static void finish(struct removal *r, int root_fd)
{
	struct level *l = &r->levels[--r->depth];
	const int parent_fd = r->depth ? r->levels[r->depth - 1].fd : root_fd;
	char name[sizeof(l->name)];

	fd_drop(&l->fd);
	if (unlinkat(parent_fd, l->name, AT_REMOVEDIR) == 0) {
		count(r);
		r->done->whole = r->depth == 0;
	} else if (errno == ENOENT) {
		r->done->whole = r->depth == 0;
	} else if ((errno == ENOTEMPTY || errno == EEXIST) && r->progress > l->progress && r->done->left == l->left) {
		/* Not by what was left in it: something came, from below or from others. Once more. */
		memcpy(name, l->name, sizeof(name));
		enter(r, parent_fd, name);
	} else {
		leave(r, errno);
	}
}

static void go_back(struct removal *r)
{
	fd_drop(&r->levels[--r->depth].fd);
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
	count(r);
	if (known && st.stx_nlink == 1)
		r->done->bytes += st.stx_blocks * BLOCK_BYTES;
}

static void step(struct removal *r, int root_fd)
{
	struct level *l = &r->levels[r->depth - 1];
	struct entry entry;
	bool fresh = false;
	const int n = entries_next(l->fd, &l->entries, &entry, &fresh);

	if (n == 0) {
		finish(r, root_fd);
	} else if (n < 0 || (fresh && !is_in_place(l))) {
		leave(r, n < 0 ? -n : ESTALE);
		go_back(r);
	} else {
		(entry.type == DT_DIR ? enter : remove_file)(r, l->fd, entry.name);
	}
}

void tree_remove(int parent_fd, const char *name, const struct tree_rules *rules, struct tree_budget *budget, struct tree_removed *ret)
{
	/* 270 KiB: not on the stack, and not in the broker's own locked memory. */
	scoped(scoped_free) struct level *levels = calloc(DEPTH_MAX, sizeof(*levels));
	struct removal r = {.rules = rules, .budget = budget, .done = ret, .levels = levels};

	*ret = (struct tree_removed){0};
	if (!levels) {
		leave(&r, ENOMEM);
		return;
	}
	enter(&r, parent_fd, name);
	while (r.depth > 0 && may_go_on(&r))
		step(&r, parent_fd);
	while (r.depth > 0)
		go_back(&r);
}

int tree_remove_whole(int parent_fd, const char *name, struct tree_budget *budget, uint64_t *removed, struct err *e)
{
	static const struct tree_rules rules = {.move_up = true, .give_up = true};
	struct tree_removed done;

	tree_remove(parent_fd, name, &rules, budget, &done);
	*removed += done.entries;
	if (done.whole)
		return 0;
	if (done.errnum && !is_passing(done.errnum))
		return err_set(e, done.errnum, "cannot remove all of '%s'", name);
	if (done.stopped)
		return err_rule(e, EAGAIN, "there is more in '%s' than could be removed in time", name);
	return err_rule(e, EBUSY, "'%s' is left: something in it is mounted, or was changed meanwhile", name);
}
