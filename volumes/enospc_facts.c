#include "volumes/enospc_facts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "volumes/enospc_cgroup.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443 /* Linux 5.14 */
#endif
#define PRJQUOTA_TYPE	   2
#define KERNFS_XATTRS_MAX  128
#define KERNFS_XATTR_BYTES (128 << 10)
#define XATTR_LIST_BYTES   65536

int enospc_object_of(int dir_fd, enum enospc_object *ret, struct enospc_facts *f)
{
	static const struct {
		long magic;
		enum enospc_object object;
		const char *name;
	} known[] = {
		{CGROUP_SUPER_MAGIC, ENOSPC_CGROUP1, "cgroup"}, {CGROUP2_SUPER_MAGIC, ENOSPC_CGROUP2, "cgroup2"}, {TMPFS_MAGIC, ENOSPC_TMPFS, "tmpfs"},
		{EXT4_SUPER_MAGIC, ENOSPC_DISK, "ext4"},	{XFS_SUPER_MAGIC, ENOSPC_DISK, "xfs"},		  {BTRFS_SUPER_MAGIC, ENOSPC_DISK, "btrfs"},
		{OVERLAYFS_SUPER_MAGIC, ENOSPC_DISK, "overlay"},
	};
	struct statfs st;

	if (fstatfs(dir_fd, &st) < 0)
		return -errno;
	*ret = ENOSPC_DISK;
	snprintf(f->fs_type, sizeof(f->fs_type), "0x%lx", (unsigned long)st.f_type);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if ((unsigned)known[i].magic == (unsigned)st.f_type) {
			*ret = known[i].object;
			str_copy(f->fs_type, sizeof(f->fs_type), known[i].name);
		}
	}
	if (*ret == ENOSPC_CGROUP1 || *ret == ENOSPC_CGROUP2)
		return 0;
	f->number[NUMBER_BLOCK_BYTES] = (uint64_t)st.f_bsize;
	f->number[NUMBER_BYTES_TOTAL] = (uint64_t)st.f_blocks * (uint64_t)st.f_bsize;
	f->number[NUMBER_BYTES_FREE] = (uint64_t)st.f_bfree * (uint64_t)st.f_bsize;
	f->number[NUMBER_BYTES_AVAILABLE] = (uint64_t)st.f_bavail * (uint64_t)st.f_bsize;
	f->number[NUMBER_INODES_TOTAL] = st.f_files;
	f->number[NUMBER_INODES_FREE] = st.f_ffree;
	return 0;
}

/* --- quota --- */

/* The limit that counts: the hard one, or the soft one when its grace has ended. */
static uint64_t limit_of(uint64_t hard, uint64_t soft, uint64_t grace_end, uint64_t used, uint64_t now)
{
	if (soft && used > soft && grace_end && grace_end < now)
		return soft;
	return hard ? hard : ENOSPC_UNLIMITED;
}

static void read_quota(int dir_fd, int type, uint32_t id, enum enospc_number first, struct enospc_facts *f)
{
	struct dqblk q = {0};
	uint64_t now = (uint64_t)time(NULL);

	if (syscall(SYS_quotactl_fd, dir_fd, (unsigned)QCMD(Q_GETQUOTA, type), id, &q) < 0)
		return;
	f->number[first] = q.dqb_curspace;
	f->number[first + 1] = limit_of(q.dqb_bhardlimit << 10, q.dqb_bsoftlimit << 10, q.dqb_btime, q.dqb_curspace, now);
	f->number[first + 2] = q.dqb_curinodes;
	f->number[first + 3] = limit_of(q.dqb_ihardlimit, q.dqb_isoftlimit, q.dqb_itime, q.dqb_curinodes, now);
}

static void read_quotas(int dir_fd, struct enospc_facts *f)
{
	struct fsxattr x = {0};

	read_quota(dir_fd, USRQUOTA, f->uid, NUMBER_USER_BYTES, f);
	read_quota(dir_fd, GRPQUOTA, f->uid, NUMBER_GROUP_BYTES, f);
	if (ioctl(dir_fd, FS_IOC_FSGETXATTR, &x) == 0 && x.fsx_projid) {
		f->project = x.fsx_projid;
		read_quota(dir_fd, PRJQUOTA_TYPE, x.fsx_projid, NUMBER_PROJECT_BYTES, f);
	}
}

/* --- the machine --- */

static uint64_t read_sysctl(const char *path)
{
	char text[64], *end = NULL;
	struct err ignored = {0};

	if (fd_read_path(path, text, sizeof(text), &ignored) <= 0 || !isdigit((unsigned char)*text))
		return ENOSPC_UNKNOWN;
	uint64_t n = strtoull(text, &end, 10);
	return *end == '\n' || *end == '\0' ? n : ENOSPC_UNKNOWN;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b; /* unknown is the largest of all */
}

static uint64_t count_mounts(void)
{
	char buffer[65536];
	uint64_t lines = 0;
	ssize_t n;
	scoped(fd_drop) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ENOSPC_UNKNOWN;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += buffer[i] == '\n';
	return n < 0 ? ENOSPC_UNKNOWN : lines;
}

void enospc_read_facts(int dir_fd, enum enospc_object object, struct enospc_facts *f)
{
	struct utsname uts;
	unsigned major, minor;

	if (uname(&uts) == 0 && sscanf(uts.release, "%u.%u", &major, &minor) == 2)
		f->number[NUMBER_KERNEL] = major * 1000 + minor;
	f->number[NUMBER_MEMCGS_MAX] = ENOSPC_MEMCG_MAX;
	/* The limit of this user namespace and that of the machine; the file of a namespace is the one that is smaller there. */
	f->number[NUMBER_WATCHES_MAX] = smaller(read_sysctl("/proc/sys/fs/inotify/max_user_watches"), read_sysctl("/proc/sys/user/max_inotify_watches"));
	f->number[NUMBER_INSTANCES_MAX] = smaller(read_sysctl("/proc/sys/fs/inotify/max_user_instances"), read_sysctl("/proc/sys/user/max_inotify_instances"));
	f->number[NUMBER_MOUNTS_MAX] = read_sysctl("/proc/sys/fs/mount-max");
	f->number[NUMBER_MOUNTS] = count_mounts();
	f->number[NUMBER_USER_NS_MAX] = read_sysctl("/proc/sys/user/max_user_namespaces");
	if (object == ENOSPC_CGROUP1 || object == ENOSPC_CGROUP2)
		enospc_read_cgroup(dir_fd, object, f);
	else
		read_quotas(dir_fd, f);
}

void enospc_read_xattrs(int dir_fd, enum enospc_object object, struct enospc_facts *f)
{
	static char names[XATTR_LIST_BYTES];
	const bool cgroup = object == ENOSPC_CGROUP1 || object == ENOSPC_CGROUP2;
	uint64_t count = 0, bytes = 0;
	ssize_t length = flistxattr(dir_fd, names, sizeof(names));

	if (length < 0)
		return;
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		ssize_t value = fgetxattr(dir_fd, name, NULL, 0);
		if (cgroup && !str_starts(name, "user."))
			continue;
		count++;
		/* ext4 puts a header of 16 bytes before each, and pads */
		bytes += (value > 0 ? (uint64_t)value : 0) + (cgroup ? 0 : strlen(name) + 16);
	}
	f->number[NUMBER_XATTRS] = count;
	f->number[NUMBER_XATTR_BYTES] = bytes;
	if (cgroup) {
		f->number[NUMBER_XATTRS_MAX] = KERNFS_XATTRS_MAX;
		f->number[NUMBER_XATTR_BYTES_MAX] = KERNFS_XATTR_BYTES;
	}
}

/* --- the processes of a uid --- */

static void count_watches(int fdinfo_fd, const char *name, struct enospc_facts *f)
{
	scoped(fd_drop) int fd = openat(fdinfo_fd, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char line[512];

	if (!file)
		return;
	fd = -1; /* the stream's now */
	while (fgets(line, sizeof(line), file))
		f->number[NUMBER_WATCHES] += str_starts(line, "inotify wd:");
	fclose(file);
}

static void count_inotify(const char *pid, struct enospc_facts *f)
{
	char path[64], target[64];
	struct dirent *d;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	DIR *dir = opendir(path);
	snprintf(path, sizeof(path), "/proc/%.16s/fdinfo", pid);
	scoped(fd_drop) int info = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (dir && (d = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strcmp(target, "anon_inode:inotify") != 0)
			continue;
		f->number[NUMBER_INSTANCES]++;
		if (info >= 0)
			count_watches(info, d->d_name, f);
	}
	if (dir)
		closedir(dir);
}

void enospc_read_processes(struct enospc_facts *f)
{
	DIR *dir = opendir("/proc");
	struct stat st;
	struct dirent *d;

	if (!dir)
		return;
	f->number[NUMBER_WATCHES] = f->number[NUMBER_INSTANCES] = 0;
	while ((d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0]) && fstatat(dirfd(dir), d->d_name, &st, 0) == 0 && st.st_uid == f->uid)
			count_inotify(d->d_name, f);
	closedir(dir);
}
