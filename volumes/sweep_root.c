#include "volumes/sweep_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "volumes/entries.h"
#include "volumes/proc_lines.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#define CHILDREN_MAX 256 /* of a directory, whose changes count: Spark makes 64 */

/* --- opening --- */

/* Where a mount that hangs would hang us, and where what we see need not be what others see, nothing is swept. */
static bool is_local(const char *type)
{
	static const char *const types[] = {"ext4", "xfs", "btrfs", "tmpfs", "ext3", "ext2", "f2fs", "zfs", "overlay"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

struct search {
	const char *path;
	struct sweep_root *root;
	struct statx st; /* of the path */
	bool found, top;
	char type[32], mount_point[NAME_PATH_BYTES];
	const char *beneath; /* the mount point: "" or a relative path */
};

static bool take_mount(void *context, const char *line, size_t length)
{
	static struct proc_mount mount;
	struct search *s = context;
	struct sweep_root *r = s->root;

	if (!proc_mount_parse(line, length, &mount) || mount.cut)
		return true;
	if (strcmp(mount.mount_point, "/") == 0) { /* the last one is on top */
		s->top = true;
		r->top_major = mount.device_major;
		r->top_minor = mount.device_minor;
		str_copy(r->top_root, sizeof(r->top_root), mount.root);
	}
	if (mount.id != s->st.stx_mnt_id || !proc_path_is_at_or_beneath(s->path, mount.mount_point))
		return true;
	const char *beneath = s->path + (strcmp(mount.mount_point, "/") == 0 ? 0 : strlen(mount.mount_point));
	s->found = str_copy(r->in_filesystem, sizeof(r->in_filesystem), strcmp(mount.root, "/") == 0 ? "" : mount.root) &&
		   str_append(r->in_filesystem, sizeof(r->in_filesystem), "%s", beneath);
	if (!*r->in_filesystem)
		str_copy(r->in_filesystem, sizeof(r->in_filesystem), "/");
	r->device_major = mount.device_major;
	r->device_minor = mount.device_minor;
	str_copy(s->type, sizeof(s->type), mount.type);
	str_copy(s->mount_point, sizeof(s->mount_point), mount.mount_point);
	s->beneath = beneath + strspn(beneath, "/");
	return true;
}

/* The mount is found before anything is opened: a lookup asks the last component's filesystem for nothing. */
static int find_mount(struct search *search, struct err *e)
{
	const char *path = search->path;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO | STATX_MNT_ID, &search->st) < 0)
		return err_set(e, errno, "cannot look at '%s'", path);
	if (!S_ISDIR(search->st.stx_mode))
		return err_rule(e, ENOTDIR, "'%s' is no directory", path);
	if (!(search->st.stx_mask & STATX_MNT_ID))
		return err_rule(e, EOPNOTSUPP, "this kernel does not tell on which mount '%s' lies (5.8 does)", path);
	scoped(fd_drop) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || proc_lines(fd, take_mount, search) < 0)
		return err_set(e, errno, "cannot read the mount table");
	if (!search->found || !search->top)
		return err_rule(e, ELOOP, "the mount of '%s' is not found by its path: is there a symbolic link in it?", path);
	if (!is_local(search->type))
		return err_rule(e, EOPNOTSUPP, "'%s' lies on %s: only local filesystems are swept", path, search->type);
	return 0;
}

/* In a clone of the whole mount: a descriptor of the mount itself would keep it from being unmounted, if only for a moment. */
static int open_in_clone(const struct search *search, struct err *e)
{
	struct statx st;

	scoped(fd_drop) int clone = (int)syscall(SYS_open_tree, AT_FDCWD, search->mount_point, OPEN_TREE_CLONE | O_CLOEXEC);
	if (clone < 0)
		return err_set(e, errno, "cannot clone the mount of '%s'", search->path);
	scoped(fd_drop) int fd = fd_open_same_mount(clone, *search->beneath ? search->beneath : ".", O_RDONLY | O_DIRECTORY, e);
	if (fd < 0)
		return fd;
	/* Something else was mounted there meanwhile. */
	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) < 0 || st.stx_ino != search->st.stx_ino || st.stx_dev_major != search->st.stx_dev_major ||
	    st.stx_dev_minor != search->st.stx_dev_minor)
		return err_rule(e, ESTALE, "'%s' is another directory now", search->path);
	return fd_take(&fd);
}

int sweep_root_open(const char *path, struct sweep_root *ret, struct err *e)
{
	struct sweep_root root = {.fd = -1};
	struct search search = {.path = path, .root = &root};

	if (path[0] != '/' || path[1] == '\0')
		return err_rule(e, EINVAL, "'%s' cannot be a root to sweep", path);
	if (find_mount(&search, e) < 0)
		return -e->code;
	root.fd = open_in_clone(&search, e);
	if (root.fd < 0)
		return err_wrap(e, "cannot open '%s'", path);
	*ret = root;
	return 0;
}

void sweep_root_close(struct sweep_root *root)
{
	fd_drop(&root->fd);
}

/* --- listing --- */

struct sweep_directory *sweep_page_find(struct sweep_page *page, const char *name)
{
	for (uint32_t i = 0; i < page->count; i++)
		if (strcmp(page->directories[i].name, name) == 0)
			return &page->directories[i];
	return NULL;
}

static bool is_wanted(uint64_t ino, const uint64_t *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (wanted[i] == ino)
			return true;
	return !wanted;
}

/* The page stays sorted; what falls out at its end is on the next one. */
static void insert(struct sweep_page *page, const struct entry *entry)
{
	uint32_t at = page->count;

	while (at > 0 && page->directories[at - 1].ino > entry->ino)
		at--;
	if (page->count == SWEEP_PAGE) {
		page->more = true;
		if (at == SWEEP_PAGE)
			return;
		page->count--;
	}
	memmove(&page->directories[at + 1], &page->directories[at], (page->count - at) * sizeof(page->directories[0]));
	page->directories[at] = (struct sweep_directory){.ino = entry->ino};
	str_copy(page->directories[at].name, sizeof(page->directories[at].name), entry->name);
	page->count++;
}

static uint64_t micros(const struct statx_timestamp *t)
{
	return t->tv_sec < 0 ? 0 : (uint64_t)t->tv_sec * US_PER_S + t->tv_nsec / 1000;
}

static void note_change(const struct statx *st, struct sweep_facts *facts)
{
	const uint64_t times[] = {micros(&st->stx_mtime), micros(&st->stx_ctime)};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if (times[i] > facts->changed_wall_us)
			facts->changed_wall_us = times[i];
}

/* The 64 directories in it change when a file of theirs comes or goes. */
static void note_children(int root_fd, struct sweep_directory *d)
{
	static struct entries entries;
	struct entry entry;
	struct statx st;

	scoped(fd_drop) int fd = fd_open_beneath(root_fd, d->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);
	entries.at = entries.length = 0;
	for (int i = 0; fd >= 0 && i < CHILDREN_MAX && entries_next(fd, &entries, &entry, NULL) > 0; i++)
		if (statx(fd, entry.name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MTIME | STATX_CTIME, &st) == 0)
			note_change(&st, &d->facts);
}

static void look_at(int root_fd, struct sweep_directory *d)
{
	struct statx st;

	d->facts.now_wall_us = clock_wall_us();
	if (statx(root_fd, d->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return; /* gone: no directory */
	d->facts.is_directory = S_ISDIR(st.stx_mode);
	d->facts.born_wall_us = st.stx_mask & STATX_BTIME ? micros(&st.stx_btime) : 0;
	d->uid = st.stx_uid;
	note_change(&st, &d->facts);
	if (d->facts.is_directory)
		note_children(root_fd, d);
}

int sweep_root_list(const struct sweep_root *root, uint64_t after, const uint64_t *wanted, size_t wanted_count, struct sweep_page *ret, struct err *e)
{
	static struct entries entries;
	struct entry entry;
	int r = 0;

	*ret = (struct sweep_page){0};
	entries.at = entries.length = 0;
	for (uint32_t seen = 0; (r = entries_next(root->fd, &entries, &entry, NULL)) > 0 && !ret->cut; seen++) {
		ret->cut = seen == SWEEP_NAMES_MAX;
		if (sweep_is_name(entry.name) && entry.ino > after && is_wanted(entry.ino, wanted, wanted_count))
			insert(ret, &entry);
	}
	if (r < 0)
		return err_set(e, -r, "cannot list the root");
	for (uint32_t i = 0; i < ret->count; i++)
		look_at(root->fd, &ret->directories[i]);
	return 0;
}

void sweep_root_look_again(const struct sweep_root *root, struct sweep_directory *directory)
{
	directory->facts.changed_wall_us = 0;
	look_at(root->fd, directory);
}
