#include "volumes/quota.h"

#include <errno.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PRJQUOTA
#define PRJQUOTA 2
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* Away from what others count up from: /etc/projects (1), container runtimes (1), the kubelet (1048577). */
#define PROJECT_FIRST 0x53000000U
#define PROJECT_COUNT 0x01000000U
#define TRIES_MAX     256
#define BLOCK_BYTES   1024ULL /* in which quotactl(2) counts limits */

static long control(int fd, int command, uint32_t project, void *argument)
{
	return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, argument);
}

static int lacks(const char *path, const char *what, struct err *e)
{
	return err_rule(e, EOPNOTSUPP, "'%s' has no project quota: %s", path, what);
}

int quota_is_enforced(int fd, const char *path, struct err *e)
{
	struct fs_quota_statv state = {.qs_version = FS_QSTATV_VERSION1};
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return err_set(e, errno, "cannot look at '%s'", path);
	if (st.f_type != EXT4_SUPER_MAGIC && st.f_type != XFS_SUPER_MAGIC)
		return lacks(path, "it is neither ext4 nor xfs", e);
	const bool xfs = st.f_type == XFS_SUPER_MAGIC;
	if (control(fd, Q_XGETQSTATV, 0, &state) < 0) {
		if (errno == EPERM || errno == EIO || errno == ENOMEM)
			return err_set(e, errno, "cannot ask for the quota of '%s'", path);
		/* ENOSYS: neither the call (before Linux 5.14) nor, of the filesystem, its operations. */
		state.qs_flags = 0;
	}
	if (!(state.qs_flags & FS_QUOTA_PDQ_ACCT))
		return lacks(path, xfs ? "mount it with the option prjquota (a remount does not do; the kernel needs XFS_QUOTA and Linux 5.14)" :
					 "unmount it, run `tune2fs -O project,quota -Q prjquota`, mount it with the option prjquota (the kernel needs QFMT_V2 and Linux 5.14)", e);
	if (!(state.qs_flags & FS_QUOTA_PDQ_ENFD))
		return lacks(path, xfs ? "it only counts (pqnoenforce): mount it with prjquota" : "it only counts: mount it with the option prjquota", e);
	return 0;
}

int quota_get(int fd, uint32_t project, struct quota *ret, struct err *e)
{
	struct dqblk block = {0};

	if (control(fd, Q_GETQUOTA, project, &block) < 0 && errno != ENOENT) /* xfs of one that was never used */
		return err_set(e, errno, "cannot read the quota of project %u", project);
	*ret = (struct quota){.limit_bytes = block.dqb_bhardlimit * BLOCK_BYTES, .limit_inodes = block.dqb_ihardlimit,
			      .used_bytes = block.dqb_curspace, .used_inodes = block.dqb_curinodes};
	return 0;
}

int quota_set(int fd, uint32_t project, uint64_t limit_bytes, uint64_t limit_inodes, struct err *e)
{
	/* Soft limits too: one of an earlier life would be a bound with a grace of a week. */
	struct dqblk block = {.dqb_bhardlimit = (limit_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES, .dqb_ihardlimit = limit_inodes, .dqb_valid = QIF_LIMITS};

	if (control(fd, Q_SETQUOTA, project, &block) < 0)
		return err_set(e, errno, "cannot set the quota of project %u", project);
	return 0;
}

int quota_project_of(int dir_fd, uint32_t *ret, struct err *e)
{
	struct fsxattr attribute = {0};

	if (ioctl(dir_fd, FS_IOC_FSGETXATTR, &attribute) < 0)
		return err_set(e, errno, "cannot read a directory's project");
	*ret = attribute.fsx_projid;
	return 0;
}

int quota_assign(int dir_fd, uint32_t project, struct err *e)
{
	struct fsxattr attribute = {0};

	if (ioctl(dir_fd, FS_IOC_FSGETXATTR, &attribute) < 0)
		return err_set(e, errno, "cannot read a directory's project");
	attribute.fsx_projid = project;
	attribute.fsx_xflags = project ? attribute.fsx_xflags | FS_XFLAG_PROJINHERIT : attribute.fsx_xflags & ~(unsigned)FS_XFLAG_PROJINHERIT;
	if (ioctl(dir_fd, FS_IOC_FSSETXATTR, &attribute) < 0)
		return err_set(e, errno, "cannot give a directory the project %u", project);
	return 0;
}

bool quota_is_ours(uint32_t project)
{
	return project >= PROJECT_FIRST && project - PROJECT_FIRST < PROJECT_COUNT;
}

int quota_choose(int fd, uint64_t hash, uint32_t *ret, struct err *e)
{
	for (uint32_t i = 0; i < TRIES_MAX; i++) {
		uint32_t project = PROJECT_FIRST + (uint32_t)((hash + i) % PROJECT_COUNT);
		struct quota q;

		if (quota_get(fd, project, &q, e) < 0)
			return -e->code;
		if (q.used_inodes == 0 && q.used_bytes == 0 && q.limit_bytes == 0 && q.limit_inodes == 0) {
			*ret = project;
			return 0;
		}
	}
	return err_rule(e, EBUSY, "%d projects in a row are in use", TRIES_MAX);
}
