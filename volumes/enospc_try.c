#include "volumes/enospc_try.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/child.h"
#include "base/fd.h"
#include "base/str.h"
#include "volumes/enospc_facts.h"

#define TRY_BYTES 4096
#define TRY_XATTR "user.stoker.why"

static void note(struct enospc_report *r, enum enospc_call call, int errnum)
{
	if (r->try_count < ENOSPC_TRIES_MAX)
		r->tries[r->try_count++] = (struct enospc_try){call, errnum};
}

/* Runs in a process of its own, whose namespaces and cgroup end with it; returns its errno. */
static int apart(int (*body)(const struct enospc_report *r, int dir_fd, int argument), const struct enospc_report *r, int dir_fd, int argument)
{
	int status = 0;
	pid_t pid = child_fork_plain();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(body(r, dir_fd, argument));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

/* An ordinary user to quotas, reserved blocks and limits, but one who may enter any directory. */
static int drop_rights(uint32_t uid)
{
	const cap_value_t kept[] = {CAP_DAC_OVERRIDE};

	if (geteuid() != 0 || uid == 0)
		return 0;
	/* PDEATHSIG is cleared by a change of uid (prctl(2)), so it is set again at the end. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return errno;
	cap_t caps = cap_init();
	if (!caps)
		return ENOMEM;
	bool failed = cap_set_flag(caps, CAP_PERMITTED, 1, kept, CAP_SET) < 0 || cap_set_flag(caps, CAP_EFFECTIVE, 1, kept, CAP_SET) < 0 || cap_set_proc(caps) < 0;
	cap_free(caps);
	return failed || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? EPERM : 0;
}

/* --- one try each: 0 or the errno --- */

static void try_file(struct enospc_report *r, int dir_fd, bool write_too)
{
	static const char text[TRY_BYTES] = "Written by stoker why-enospc; it has no name and is gone at once.\n";
	scoped(fd_drop) int fd = openat(dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	note(r, ENOSPC_OPEN, fd < 0 ? errno : 0);
	if (fd >= 0 || errno == ENOSPC || errno == EDQUOT)
		r->facts.number[NUMBER_NAMELESS_WORKS] = fd >= 0;
	if (fd < 0 || !write_too)
		return;
	ssize_t n = write(fd, text, sizeof(text));
	int errnum = n < 0 ? errno : n < (ssize_t)sizeof(text) ? ENOSPC : fdatasync(fd) < 0 ? errno : 0;
	note(r, ENOSPC_WRITE, errnum);
	if (errnum) /* it is the data that finds no room: whether a name does is another matter */
		r->facts.number[NUMBER_NAMELESS_WORKS] = 0;
}

/* On a disk with a long name: a directory whose index is full still has room for a short one here and there. */
static void try_mkdir(struct enospc_report *r, int dir_fd)
{
	char name[241];
	int length = snprintf(name, sizeof(name), "stoker-why-enospc.%d", getpid());

	if (r->object == ENOSPC_DISK)
		snprintf(name + length, sizeof(name) - (size_t)length, "%0*d", (int)sizeof(name) - 1 - length, 0);
	int errnum = mkdirat(dir_fd, name, 0700) < 0 ? errno : 0;
	if (errnum == 0)
		unlinkat(dir_fd, name, AT_REMOVEDIR);
	note(r, ENOSPC_MKDIR, errnum);
}

static void try_xattr(struct enospc_report *r, int dir_fd)
{
	int errnum = fsetxattr(dir_fd, TRY_XATTR, "1", 1, 0) < 0 ? errno : 0;

	if (errnum == 0)
		fremovexattr(dir_fd, TRY_XATTR);
	note(r, ENOSPC_SETXATTR, errnum);
}

static void try_inotify(struct enospc_report *r, int dir_fd)
{
	char path[64];
	scoped(fd_drop) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	note(r, ENOSPC_INOTIFY_INIT, fd < 0 ? errno : 0);
	if (fd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	note(r, ENOSPC_INOTIFY_ADD_WATCH, inotify_add_watch(fd, path, IN_DELETE_SELF) < 0 ? errno : 0);
}

static int join_cgroup(const struct enospc_report *r, int dir_fd, int argument)
{
	(void)r;
	(void)argument;
	int fd = openat(dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0", 1) < 0 ? errno : 0; /* 0 = the writer */
}

static int mount_tmpfs(const struct enospc_report *r, int dir_fd, int argument)
{
	(void)dir_fd;
	(void)argument;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return EPERM;
	return mount("stoker-why-enospc", r->path, "tmpfs", 0, "size=64k") < 0 ? errno : 0;
}

static int unshare_one(const struct enospc_report *r, int dir_fd, int flag)
{
	(void)r;
	(void)dir_fd;
	return unshare(flag) < 0 ? errno : 0;
}

/* Root's kinds, while there is the right to; the first that finds no room is it. True if one did. */
static bool try_other_namespaces(struct enospc_report *r, int dir_fd)
{
	static const struct {
		const char *kind;
		int flag;
	} kinds[] = {{"mnt", CLONE_NEWNS}, {"cgroup", CLONE_NEWCGROUP}, {"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET}, {"uts", CLONE_NEWUTS}, {"ipc", CLONE_NEWIPC}};
	char path[64], text[32];
	struct err ignored = {0};
	unsigned long long limit;

	for (size_t i = 0; geteuid() == 0 && i < ARRAY_SIZE(kinds); i++) {
		if (apart(unshare_one, r, dir_fd, kinds[i].flag) != ENOSPC)
			continue;
		str_copy(r->facts.other_ns, sizeof(r->facts.other_ns), kinds[i].kind);
		snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kinds[i].kind);
		if (fd_read_path(path, text, sizeof(text), &ignored) > 0 && sscanf(text, "%llu", &limit) == 1)
			r->facts.number[NUMBER_OTHER_NS_MAX] = limit;
		r->facts.number[NUMBER_USER_NS_MAX] = ENOSPC_UNLIMITED; /* it was not this kind that failed */
		note(r, ENOSPC_UNSHARE, ENOSPC);
		return true;
	}
	return false;
}

/* --- which of them --- */

bool enospc_can_try(enum enospc_call call)
{
	return call != ENOSPC_RMDIR && call != ENOSPC_FORK && call != ENOSPC_SUBTREE_CONTROL && call != ENOSPC_CPUSET;
}

static void try_in_cgroup(struct enospc_report *r, int dir_fd)
{
	const struct enospc_facts *f = &r->facts;

	if (r->call < 0 || r->call == ENOSPC_MKDIR)
		try_mkdir(r, dir_fd);
	/* A cgroup that hands out controllers takes no process, and that is no fault. */
	if (r->call == ENOSPC_CGROUP_PROCS || (r->call < 0 && f->number[NUMBER_CONTROLLERS_ON] != 1))
		note(r, ENOSPC_CGROUP_PROCS, apart(join_cgroup, r, dir_fd, 0));
}

static void try_named(struct enospc_report *r, int dir_fd)
{
	int errnum;

	if (r->call == ENOSPC_SETXATTR)
		try_xattr(r, dir_fd);
	if (r->call == ENOSPC_MOUNT)
		note(r, ENOSPC_MOUNT, apart(mount_tmpfs, r, dir_fd, 0));
	if (r->call == ENOSPC_UNSHARE && try_other_namespaces(r, dir_fd))
		return;
	if ((errnum = drop_rights(r->uid)) != 0) {
		note(r, r->call < 0 ? ENOSPC_OPEN : (enum enospc_call)r->call, errnum);
		return;
	}
	if (r->call == ENOSPC_UNSHARE)
		note(r, ENOSPC_UNSHARE, apart(unshare_one, r, dir_fd, CLONE_NEWUSER));
	if (r->call == ENOSPC_INOTIFY_INIT || r->call == ENOSPC_INOTIFY_ADD_WATCH)
		try_inotify(r, dir_fd);
	if (r->object == ENOSPC_CGROUP1 || r->object == ENOSPC_CGROUP2)
		return;
	if (r->call < 0 || r->call == ENOSPC_OPEN || r->call == ENOSPC_WRITE || r->call == ENOSPC_MKDIR)
		try_file(r, dir_fd, r->call < 0 || r->call == ENOSPC_WRITE);
	if (r->call < 0 || r->call == ENOSPC_MKDIR || r->call == ENOSPC_OPEN)
		try_mkdir(r, dir_fd);
}

/* A child in D state outlives the command: whoever reads our output must not wait for it. */
static void let_go_of_output(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null_fd >= 0 && fd <= 2; fd++)
		dup2(null_fd, fd);
	fd_drop(&null_fd);
}

int enospc_try_child(void *argument, int channel)
{
	struct enospc_report *r = argument;
	let_go_of_output();
	scoped(fd_drop) int dir_fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)channel;
	enospc_facts_clear(&r->facts);
	r->facts.uid = geteuid() == 0 ? r->uid : geteuid();
	r->look_errnum = dir_fd < 0 ? errno : -enospc_object_of(dir_fd, &r->object, &r->facts);
	if (r->look_errnum)
		return 1;
	enospc_read_facts(dir_fd, r->object, &r->facts);
	if (r->pod_setup) {
		pod_setup_run(r->path, &r->setup);
		r->done = 1;
		return 0;
	}
	if (r->call == ENOSPC_SETXATTR)
		enospc_read_xattrs(dir_fd, r->object, &r->facts);
	if (r->call == ENOSPC_INOTIFY_INIT || r->call == ENOSPC_INOTIFY_ADD_WATCH)
		enospc_read_processes(&r->facts);
	if (r->object == ENOSPC_CGROUP1 || r->object == ENOSPC_CGROUP2)
		try_in_cgroup(r, dir_fd);
	try_named(r, dir_fd);
	r->done = 1;
	return 0;
}
