#include "volumes/account.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "volumes/entries.h"

#define DEPTH_MAX   48
#define BLOCK_BYTES 512

const char *account_kind_name(enum account_kind kind)
{
	static const char *const names[] = {"emptyDir", "tmpfs", "csi", "hostPath", "containerLayer"};

	_Static_assert(ARRAY_SIZE(names) == ACCOUNT_KIND_MAX_, "every kind has a name");
	return (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "?";
}

struct level {
	int fd;
	struct entries entries;
};

struct walk {
	struct account_budget *budget;
	struct account_place *sum;
	unsigned depth;
	struct level *levels;
	uint32_t share; /* entries that this one may still take */
};

static bool may_go_on(struct walk *w)
{
	if (w->share == 0 || (w->budget->seen % 64 == 0 && clock_mono_us() >= w->budget->until_mono_us)) {
		w->sum->at_least = 1;
		return false;
	}
	w->share--;
	w->budget->entries--;
	w->budget->seen++;
	return true;
}

static void add(struct walk *w, const struct statx *st)
{
	const uint32_t names = st->stx_nlink > 1 && !S_ISDIR(st->stx_mode) ? st->stx_nlink : 1;

	w->sum->bytes += st->stx_blocks * BLOCK_BYTES / names;
	w->sum->inodes++;
}

static void enter(struct walk *w, int fd)
{
	if (fd < 0)
		return;
	if (w->depth == DEPTH_MAX) {
		w->sum->at_least = 1;
		close(fd);
		return;
	}
	w->levels[w->depth].fd = fd;
	w->levels[w->depth].entries.at = w->levels[w->depth].entries.length = 0;
	w->depth++;
}

static void step(struct walk *w)
{
	struct level *l = &w->levels[w->depth - 1];
	struct entry entry;
	struct statx st;

	if (entries_next(l->fd, &l->entries, &entry, NULL) <= 0) {
		fd_drop(&l->fd);
		w->depth--;
		return;
	}
	if (statx(l->fd, entry.name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_BLOCKS | STATX_NLINK, &st) < 0)
		return;
	/* Onto another mount the open does not go, and what lies there is not counted here. */
	int fd = S_ISDIR(st.stx_mode) ? fd_open_same_mount(l->fd, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL) : -1;
	if (fd != -EXDEV)
		add(w, &st);
	enter(w, fd);
}

void account_walk(int directory_fd, struct account_budget *budget, struct account_place *ret)
{
	/* 390 KiB: not on the stack, and not in the broker's own locked memory. */
	scoped(scoped_free) struct level *levels = calloc(DEPTH_MAX, sizeof(*levels));
	struct walk w = {.budget = budget, .sum = ret, .levels = levels, .share = budget->entries / 2};
	struct statx st;

	if (!levels) {
		ret->at_least = 1;
		return;
	}
	if (statx(directory_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_BLOCKS | STATX_NLINK, &st) == 0)
		add(&w, &st);
	enter(&w, fd_open_same_mount(directory_fd, ".", O_RDONLY | O_DIRECTORY, NULL));
	while (w.depth > 0 && may_go_on(&w))
		step(&w);
	while (w.depth > 0)
		fd_drop(&levels[--w.depth].fd);
}

int account_filesystem(int fd, struct account_place *ret)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return -errno;
	const uint64_t block_bytes = (uint64_t)(st.f_frsize ? st.f_frsize : st.f_bsize);
	ret->bytes += st.f_blocks > st.f_bfree ? (st.f_blocks - st.f_bfree) * block_bytes : 0;
	ret->inodes += st.f_files > st.f_ffree ? st.f_files - st.f_ffree : 0;
	return 0;
}
