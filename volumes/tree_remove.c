#include "volumes/tree_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define LEVELS_MAX 14
#define MOVES_MAX  64

struct removal {
	struct tree_budget *budget;
	int top_fd;	   /* of the directory that is removed */
	uint64_t progress; /* entries removed or moved up */
	unsigned moved;
};

static void directory_drop(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static void count(struct removal *r)
{
	r->progress++;
	r->budget->removed++;
}

/* What lies too deep for our descriptors goes up to the top, where a later pass finds it. */
static int move_up(struct removal *r, int parent_fd, const char *name, struct err *e)
{
	char up[32];

	for (unsigned i = 0; i < MOVES_MAX; i++) {
		snprintf(up, sizeof(up), ".stoker-removed-%u", r->moved++);
		if (renameat2(parent_fd, name, r->top_fd, up, RENAME_NOREPLACE) == 0) {
			r->progress++;
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return errno == ENOENT ? 0 : err_set(e, errno, "cannot move '%s' up", name);
}

static int remove_directory(struct removal *r, int parent_fd, const char *name, unsigned level, struct err *e);

static int remove_entry(struct removal *r, int directory_fd, const struct dirent *entry, unsigned level, struct err *e)
{
	/* Something goes each time, so that whoever asks again and again comes to an end. */
	if (r->progress && clock_mono_us() >= r->budget->until_us)
		return err_rule(e, EAGAIN, "there is more than could be removed in time");
	if (entry->d_type != DT_DIR) {
		if (unlinkat(directory_fd, entry->d_name, 0) == 0) {
			count(r);
			return 0;
		}
		if (errno == ENOENT || errno == EBUSY) /* somebody was quicker; something is mounted on it */
			return 0;
		if (errno != EISDIR)
			return err_set(e, errno, "cannot remove '%s'", entry->d_name);
	}
	if (level == LEVELS_MAX)
		return move_up(r, directory_fd, entry->d_name, e);
	int done = remove_directory(r, directory_fd, entry->d_name, level, e);
	return done == -EBUSY ? 0 : done; /* the rest goes all the same */
}

static int remove_entries(struct removal *r, DIR *directory, unsigned level, struct err *e)
{
	struct dirent *entry;

	for (errno = 0; (entry = readdir(directory)); errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int done = remove_entry(r, dirfd(directory), entry, level + 1, e);
		if (done < 0)
			return done;
	}
	return errno ? err_set(e, errno, "cannot list a directory") : 0;
}

static int remove_directory(struct removal *r, int parent_fd, const char *name, unsigned level, struct err *e)
{
	scoped(fd_drop) int fd = fd_open_same_mount(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, e);

	if (fd == -ENOENT)
		return 0;
	/* A mount lies there, or what was a directory is none any more. */
	if (fd == -EXDEV || fd == -ENOTDIR || fd == -ELOOP)
		return err_rule(e, EBUSY, "'%s' is left: it is a mount or was changed meanwhile", name);
	if (fd < 0)
		return fd;
	scoped(directory_drop) DIR *directory = fdopendir(fd);
	if (!directory)
		return err_set(e, errno, "cannot list '%s'", name);
	fd_take(&fd);
	if (level == 0)
		r->top_fd = dirfd(directory);
	for (;;) {
		uint64_t before = r->progress;
		int done = remove_entries(r, directory, level, e);
		if (done < 0)
			return done;
		if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			break;
		if (errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY)
			return err_set(e, errno, "cannot remove '%s'", name);
		if (r->progress == before)
			return err_rule(e, EBUSY, "'%s' is left: something in it is mounted", name);
		rewinddir(directory);
	}
	count(r);
	return 0;
}

int tree_remove(int parent_fd, const char *name, struct tree_budget *budget, struct err *e)
{
	struct removal r = {.budget = budget, .top_fd = -1};

	return remove_directory(&r, parent_fd, name, 0, e);
}
