#include "volumes/write_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/record.h"
#include "base/str.h"
#include "volumes/place_search.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#define PROBE_WRITE_BYTES 4096
#define PROBE_NAME_TRIES  8

static void probe_enter(const struct write_probe *what, struct finding *f, enum probe_step step)
{
	f->step = step;
	if (what->progress)
		*what->progress = step;
}

static int probe_fail(struct finding *f, int errnum)
{
	f->errnum = errnum;
	return -1;
}

/* Which filesystem the path lies on. Nothing is opened: an open file would make `umount` busy. */
static int probe_resolve(const struct write_probe *what, struct finding *f, char path[static NAME_PATH_BYTES])
{
	const int how = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | (what->path_hash ? AT_SYMLINK_NOFOLLOW : 0);
	struct statx st;

	probe_enter(what, f, PROBE_RESOLVE);
	if (what->mount_namespace_fd >= 0 && setns(what->mount_namespace_fd, CLONE_NEWNS) < 0)
		return probe_fail(f, errno);
	if (what->path_hash) {
		int r = place_search(what->path, what->path_hash, path);
		if (r < 0)
			return probe_fail(f, -r);
	} else {
		str_copy(path, NAME_PATH_BYTES, what->path);
	}
	if (statx(AT_FDCWD, path, how, STATX_TYPE | STATX_MNT_ID, &st) < 0)
		return probe_fail(f, errno);
	f->device_major = st.stx_dev_major;
	f->device_minor = st.stx_dev_minor;
	f->mount_id = st.stx_mask & STATX_MNT_ID ? st.stx_mnt_id : 0;
	f->mount_root = (st.stx_attributes_mask & st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	if (!S_ISDIR(st.stx_mode))
		return probe_fail(f, ENOTDIR);
	/* While a disk is unmounted for repair its mount point is a directory of the parent's filesystem: a probe there
	 * would go well and clear a taint that must stay. */
	if ((what->must_be_mounted || what->path_hash) && !f->mount_root)
		return probe_fail(f, ENODEV);
	/* Something else was mounted there since it was found, a network filesystem perhaps: that is for the asker to judge first. */
	if (what->mount_id && f->mount_id && f->mount_id != what->mount_id)
		return probe_fail(f, ESTALE);
	return 0;
}

static int probe_clone(const struct write_probe *what, struct finding *f, const char *path)
{
	probe_enter(what, f, PROBE_CLONE);
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC | (what->path_hash ? AT_SYMLINK_NOFOLLOW : 0));
	if (fd < 0 && errno == EPERM && (what->may_open_plainly || what->without_rights))
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? probe_fail(f, errno) : fd;
}

/* Opens the probe directory, making it if need be: as root, since the top of a filesystem is root's. */
static int probe_directory(const struct write_probe *what, struct finding *f, int top_fd)
{
	struct stat st;
	struct err e = {0};
	bool root = geteuid() == 0;

	probe_enter(what, f, PROBE_DIRECTORY);
	int fd = fd_open_beneath(top_fd, what->directory, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, &e);
	if (fd == -ENOENT) {
		if (mkdirat(top_fd, what->directory, 0700) < 0 && errno != EEXIST)
			return probe_fail(f, errno);
		fd = fd_open_beneath(top_fd, what->directory, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, &e);
	}
	if (fd < 0)
		return probe_fail(f, -fd);
	if (fstat(fd, &st) < 0 ||
	    (root && st.st_uid != what->uid && fchownat(fd, "", what->uid, what->uid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 &&
	     !(errno == EPERM && what->without_rights) && errno != EDQUOT /* the user's, see probe_create_early */)) {
		int saved = errno;
		fd_drop(&fd);
		return probe_fail(f, saved);
	}
	return fd;
}

/* From here on an ordinary user behind a filter. */
static int probe_drop_rights(const struct write_probe *what, struct finding *f)
{
	struct err e = {0};

	/* Without capabilities uid 0 cannot become another one; it is an ordinary user but for the blocks that ext4 keeps for it, and how
	 * full it is is judged by f_bavail anyway. */
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(what->uid, what->uid, what->uid) < 0 ||
			       setresuid(what->uid, what->uid, what->uid) < 0) && !(errno == EPERM && what->without_rights))
		return probe_fail(f, errno);
	/* A change of uid clears it (prctl(2)): without it a probe that hangs outlives a broker that was killed. */
	if (what->progress && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return probe_fail(f, errno);
	if (what->filter && sandbox_apply(what->filter, &e) < 0)
		return probe_fail(f, e.code);
	return 0;
}

/* What the probe holds open while it runs. */
struct probe_open {
	int top_fd, directory_fd, file_fd;
};

static void probe_close(struct probe_open *open)
{
	fd_drop(&open->file_fd);
	fd_drop(&open->directory_fd);
	fd_drop(&open->top_fd);
}

static bool is_nameless_refused(int errnum)
{
	return errnum == EOPNOTSUPP || errnum == EINVAL || errnum == EISDIR; /* EISDIR: kernels before O_TMPFILE */
}

/* While it may still be root: the file, and what is written to it, is then on root's account. A quota of the probe's user that is used up
 * says nothing of the disk; one of a project hits everybody, the probe too. Of blocks root's share is not touched: writing takes them,
 * and that is done as the user. -1 without an errno in `f`: there are no such files here, or not for root; as the user, then. */
static int probe_create_early(const struct write_probe *what, struct finding *f, int directory_fd)
{
	probe_enter(what, f, PROBE_CREATE);
	int fd = openat(directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 && !is_nameless_refused(errno) && errno != EACCES && errno != EPERM)
		probe_fail(f, errno);
	return fd;
}

/* Two nodes may have the same export: each has a name of its own there, always the same one, so that a node that died leaves one at most. */
static void probe_name(const struct write_probe *what, char name[static 32])
{
	snprintf(name, 32, "probe-%016" PRIx64, what->node_hash);
}

static int probe_create(const struct write_probe *what, struct finding *f, int directory_fd)
{
	char name[32];

	probe_enter(what, f, PROBE_CREATE);
	int fd = openat(directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (!is_nameless_refused(errno))
		return probe_fail(f, errno);

	/* A file left by a probe that was killed between making and unlinking is removed and the making tried again. Another probe of this
	 * node (stoker health --direct) may remove ours meanwhile: it is gone then, as it shall be. */
	probe_name(what, name);
	for (int attempt = 0; attempt < PROBE_NAME_TRIES; attempt++) {
		fd = openat(directory_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return probe_fail(f, errno);
		if (unlinkat(directory_fd, name, 0) < 0 && errno != ENOENT) {
			int saved = errno;
			fd_drop(&fd);
			return probe_fail(f, saved);
		}
		if (fd >= 0)
			return fd;
	}
	return probe_fail(f, EEXIST);
}

static int probe_write(const struct write_probe *what, struct finding *f, int fd)
{
	static const char text[PROBE_WRITE_BYTES] = "Written by Stoker's write probe; it has no name and is gone when the probe ends.\n";

	probe_enter(what, f, PROBE_WRITE);
	ssize_t n;
	do
		n = write(fd, text, sizeof(text));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return probe_fail(f, errno);
	if ((size_t)n != sizeof(text))
		return probe_fail(f, ENOSPC); /* a short write to a regular file: no room for the rest */

	probe_enter(what, f, PROBE_SYNC);
	return fdatasync(fd) < 0 ? probe_fail(f, errno) : 0;
}

static uint64_t bytes_of(uint64_t blocks, uint64_t block_bytes)
{
	return block_bytes && blocks > SPACE_MOST / block_bytes ? SPACE_MOST : blocks * block_bytes;
}

static enum space_kind kind_of(const struct statfs *st)
{
	return st->f_type == EXT4_SUPER_MAGIC ? SPACE_ON_EXT4 : st->f_type == TMPFS_MAGIC ? SPACE_ON_TMPFS :
	       st->f_type == NFS_SUPER_MAGIC ? SPACE_ON_NFS : SPACE_ON_OTHER;
}

static uint64_t at_most(uint64_t number)
{
	return number > SPACE_MOST ? SPACE_MOST : number;
}

/* statfs(2) and not statvfs(3): it tells the type too. f_bavail is without what is reserved for root; of inodes nothing is
 * reserved, the kernel has one number. Of the probe directory: where a project quota applies, these are its numbers. */
static void probe_measure(struct finding *f, int directory_fd)
{
	struct statfs st;

	if (fstatfs(directory_fd, &st) < 0)
		return;
	uint64_t block_bytes = (uint64_t)(st.f_frsize ? st.f_frsize : st.f_bsize);
#ifdef STOKER_SABOTAGE_RESERVED_IS_FREE
	st.f_bavail = st.f_bfree;
#endif
	f->space = (struct space){
		.total_bytes = bytes_of(st.f_blocks, block_bytes),
		.available_bytes = bytes_of(st.f_bavail < st.f_blocks ? st.f_bavail : st.f_blocks, block_bytes),
		.total_inodes = at_most(st.f_files),
		.available_inodes = at_most(st.f_ffree < st.f_files ? st.f_ffree : st.f_files),
		.inodes_are_dynamic = st.f_type == XFS_SUPER_MAGIC,
		.free_bytes = bytes_of(st.f_bfree < st.f_blocks ? st.f_bfree : st.f_blocks, block_bytes),
		.kind = kind_of(&st),
	};
}

int write_probe_clone(const struct write_probe *what, struct finding *ret)
{
	char path[NAME_PATH_BYTES];

	return probe_resolve(what, ret, path) < 0 ? -1 : probe_clone(what, ret, path);
}

static void probe_file(const struct write_probe *what, struct finding *f, struct probe_open *open)
{
	/* Before the file is made: a block or an inode less would be the probe's own. */
	probe_measure(f, open->directory_fd);
	open->file_fd = probe_create_early(what, f, open->directory_fd);
	if (f->errnum || probe_drop_rights(what, f) < 0)
		return;
	if (open->file_fd < 0)
		open->file_fd = probe_create(what, f, open->directory_fd);
	if (open->file_fd >= 0 && probe_write(what, f, open->file_fd) == 0)
		probe_enter(what, f, PROBE_DONE);
}

static void probe_walk(const struct write_probe *what, struct finding *f, struct probe_open *open)
{
	if ((open->top_fd = write_probe_clone(what, f)) < 0)
		return;
	open->directory_fd = probe_directory(what, f, open->top_fd);
	if (open->directory_fd >= 0)
		probe_file(what, f, open);
	if (f->errnum == ENOSPC || f->errnum == EDQUOT)
		probe_measure(f, open->directory_fd >= 0 ? open->directory_fd : open->top_fd);
}

/* Deliberate faults, to prove that the tests see them (tests/run sabotage). Never in a shipped build. */
static bool probe_sabotage(const struct write_probe *what, struct finding *f)
{
#ifdef STOKER_SABOTAGE_PROBE_HEALTHY
	char path[NAME_PATH_BYTES];
	probe_resolve(what, f, path);
	f->step = PROBE_DONE;
	f->errnum = 0;
	return true;
#elif defined(STOKER_SABOTAGE_RO_TRUSTED)
	char path[NAME_PATH_BYTES];
	struct statvfs st = {0};
	probe_resolve(what, f, path);
	bool read_only = statvfs(path, &st) == 0 && (st.f_flag & ST_RDONLY);
	f->step = read_only ? PROBE_CREATE : PROBE_DONE;
	f->errnum = read_only ? EROFS : 0;
	return true;
#else
	(void)what;
	(void)f;
	return false;
#endif
}

static void probe_run(const struct write_probe *what, struct finding *f, struct probe_open *open)
{
	uint64_t start_us = clock_mono_us();

	*f = (struct finding){.watch = what->watch, .started_wall_us = clock_wall_us()};
	if (!probe_sabotage(what, f))
		probe_walk(what, f, open);
	f->duration_us = clock_mono_us() - start_us;
}

void write_probe_run(const struct write_probe *what, struct finding *ret)
{
	scoped(probe_close) struct probe_open open = {-1, -1, -1};

	probe_run(what, ret, &open);
}

int write_probe_child(void *argument, int channel)
{
	const struct write_probe *what = argument;
	scoped(probe_close) struct probe_open open = {-1, -1, -1};
	struct finding found;

	probe_run(what, &found, &open);
	/* The answer leaves before the clone is closed: closing a mount waits for an RCU grace period in the kernel. */
	return record_send(channel, what->answer_type, 0, &found, sizeof(found), -1, NULL) < 0;
}

int write_probe_look_child(void *argument, int channel)
{
	const struct write_probe *what = argument;
	struct finding found = {.watch = what->watch, .started_wall_us = clock_wall_us()};
	char path[NAME_PATH_BYTES];

	probe_resolve(what, &found, path);
	return record_send(channel, what->answer_type, 0, &found, sizeof(found), -1, NULL) < 0;
}
