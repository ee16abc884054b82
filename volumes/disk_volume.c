#include "volumes/disk_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "volumes/quota.h"
#include "volumes/tree_remove.h"
#include "volumes/volume_mark.h"

#define REMOVE_WITHIN_US (5 * US_PER_S)
#define NAME_BYTES	 (EXECUTOR_UID_BYTES + VOLUME_NAME_BYTES + 8)
#define DIRECTORY_FLAGS	 (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

/* What was opened and made so far; what was made is undone unless it is done. */
struct work {
	int base_fd, directory_fd;
	char name[NAME_BYTES];
	bool made;
	uint32_t project; /* with limits that were set here; 0 = none */
};

static void work_drop(struct work *w)
{
	if (w->project)
		quota_set(w->base_fd, w->project, 0, 0, NULL);
	if (w->made)
		unlinkat(w->base_fd, w->name, AT_REMOVEDIR);
	fd_drop(&w->directory_fd);
	fd_drop(&w->base_fd);
}

static void name_of(const struct volume_at *at, char name[static NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "%s.%s", at->pod_uid, at->name);
}

static int open_disk(const struct config_disk *disk, struct err *e)
{
	int fd = open(disk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_set(e, errno, "cannot open the disk '%s'", disk->path) : fd;
}

/* --- make --- */

static int open_base(const struct config_disk *disk, struct err *e)
{
	scoped(fd_drop) int disk_fd = open_disk(disk, e);

	if (disk_fd < 0 || quota_is_enforced(disk_fd, disk->path, e) < 0)
		return -e->code;
	const bool made = mkdirat(disk_fd, DISK_VOLUME_DIRECTORY, 0700) == 0;
	if (!made && errno != EEXIST)
		return err_set(e, errno, "cannot make '%s/" DISK_VOLUME_DIRECTORY "'", disk->path);
	scoped(fd_drop) int base_fd = fd_open_same_mount(disk_fd, DISK_VOLUME_DIRECTORY, DIRECTORY_FLAGS, e);
	/* Of a project that it has from above nothing could be renamed in it. */
	if (base_fd < 0 || (made && quota_assign(base_fd, 0, e) < 0))
		return -e->code;
	return fd_take(&base_fd);
}

/* 1 = it is there, complete and as asked for: only bound anew. */
static int open_directory(struct work *w, const struct volume *v, struct err *e)
{
	struct volume_mark mark;

	w->made = mkdirat(w->base_fd, w->name, 0700) == 0;
	if (!w->made && errno != EEXIST)
		return err_set(e, errno, "cannot make the volume's directory");
	w->directory_fd = fd_open_same_mount(w->base_fd, w->name, DIRECTORY_FLAGS, e);
	if (w->directory_fd < 0)
		return w->directory_fd;
	int marked = w->made ? 0 : volume_mark_read(w->directory_fd, &mark, e);
	if (marked == 1 && (mark.digest != volume_digest(v) || !volume_mark_is_of(&mark, &v->at)))
		return err_rule(e, EEXIST, "the volume is on the disk, with other attributes");
	return marked;
}

/* Two that choose at once choose different ones: the lock is held until the project shows as used. */
static int give_quota(struct work *w, const struct volume *v, struct err *e)
{
	uint32_t project = 0;

	if (flock(w->base_fd, LOCK_EX) < 0)
		return err_set(e, errno, "cannot lock the disk's volumes");
	if (quota_project_of(w->directory_fd, &project, e) < 0)
		return -e->code;
	if (!quota_is_ours(project) && quota_choose(w->base_fd, hash_fnv1a(HASH_START, w->name, strlen(w->name)), &project, e) < 0)
		return -e->code;
	/* First the directory: whatever is cut off here is found by it. */
	if (quota_assign(w->directory_fd, project, e) < 0)
		return -e->code;
	w->project = project;
	int r = quota_set(w->base_fd, project, v->size_bytes, v->inodes, e);
	flock(w->base_fd, LOCK_UN);
	return r;
}

static int own(const struct work *w, const struct volume *v, struct err *e)
{
	if (fchown(w->directory_fd, v->uid == UINT32_MAX ? 0 : v->uid, v->gid == UINT32_MAX ? 0 : v->gid) < 0)
		return err_set(e, errno, "cannot give the volume to its owner");
	if (fchmod(w->directory_fd, v->mode) < 0)
		return err_set(e, errno, "cannot set the volume's mode");
	return volume_mark_write(w->directory_fd, v, e);
}

static int bind_directory(const struct work *w, const struct volume_spot *spot, struct err *e)
{
	struct mount_attr flags = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	scoped(fd_drop) int mount_fd = open_tree(w->directory_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (mount_fd < 0)
		return err_set(e, errno, "cannot make a mount of the directory");
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &flags, sizeof(flags)) < 0)
		return err_set(e, errno, "cannot set the mount's flags");
	return volume_spot_attach(spot, mount_fd, e);
}

int disk_volume_make(const struct config *config, const struct volume *v, const struct volume_spot *spot, struct volume_result *r, struct err *e)
{
	scoped(work_drop) struct work w = {.base_fd = -1, .directory_fd = -1};

	r->step = VOLUME_PREPARE;
	w.base_fd = open_base(&config->volumes.disks[v->source], e);
	if (w.base_fd < 0)
		return w.base_fd;
	name_of(&v->at, w.name);
	int complete = open_directory(&w, v, e);
	if (complete < 0 || (complete == 0 && give_quota(&w, v, e) < 0))
		return -e->code;
	if (complete == 0) {
		r->step = VOLUME_OWN;
		if (own(&w, v, e) < 0)
			return -e->code;
	}
	r->step = VOLUME_PLACE;
	if (bind_directory(&w, spot, e) < 0)
		return -e->code;
	w.made = false;
	w.project = 0;
	return 0;
}

/* --- remove --- */

/* Without quota by now, or on a filesystem that has none, there is nothing to be taken back. */
static bool has_no_quota(int r)
{
	return r == -ESRCH || r == -ENOSYS || r == -EOPNOTSUPP || r == -ENOTTY;
}

/* Its limits go before the directory does: what is cut off in between is found by it. */
static int remove_gone(int base_fd, const char *gone, struct err *e)
{
	struct tree_budget budget = {UINT32_MAX, clock_mono_us() + REMOVE_WITHIN_US};
	uint64_t removed = 0;
	uint32_t project = 0;

	scoped(fd_drop) int fd = fd_open_same_mount(base_fd, gone, DIRECTORY_FLAGS, e);
	if (fd < 0)
		return fd;
	int r = quota_project_of(fd, &project, e);
	if (r == 0 && quota_is_ours(project))
		r = quota_set(base_fd, project, 0, 0, e);
	return r < 0 && !has_no_quota(r) ? r : tree_remove_whole(base_fd, gone, &budget, &removed, e);
}

/* 1 = removed, 0 = there was none */
static int remove_from(const struct config_disk *disk, const char *name, struct err *e)
{
	char gone[NAME_BYTES + sizeof(DISK_VOLUME_GONE)];
	bool removed = false;

	scoped(fd_drop) int disk_fd = open_disk(disk, e);
	scoped(fd_drop) int base_fd = disk_fd < 0 ? disk_fd : fd_open_same_mount(disk_fd, DISK_VOLUME_DIRECTORY, DIRECTORY_FLAGS, e);
	if (base_fd < 0)
		return base_fd == -ENOENT ? 0 : base_fd;
	snprintf(gone, sizeof(gone), "%s" DISK_VOLUME_GONE, name);
	for (;;) {
		int r = remove_gone(base_fd, gone, e);
		if (r < 0 && r != -ENOENT)
			return r;
		removed = removed || r == 0;
		if (renameat2(base_fd, name, base_fd, gone, RENAME_NOREPLACE) < 0)
			return errno == ENOENT ? removed : err_set(e, errno, "cannot take '%s' out of reach", name);
	}
}

int disk_volume_remove(const struct config *config, const struct volume_at *at, struct err *e)
{
	char name[NAME_BYTES];
	int removed = 0;

	name_of(at, name);
	for (uint32_t i = 0; i < config->volumes.disk_count; i++) {
		int r = remove_from(&config->volumes.disks[i], name, e);
		if (r < 0)
			return r;
		removed |= r;
	}
	return removed;
}
