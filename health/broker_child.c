/* broker_child.c - what every child of the broker that reads foreign bytes does before it reads them; see broker.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "health/broker.h"

#define NICE		   10 /* at 19, beside 20 that work, what takes 0.1 s of a CPU is not done in the 30 s that it has */
#define IOPRIO_IDLE	   (3 << 13) /* linux/ioprio.h, which libc does not wrap */
#define IOPRIO_WHO_PROCESS 1

void broker_task_ordinary(const struct broker *b, struct broker_job *job, uint32_t what, const char *path, const struct sandbox_filter *filter)
{
	job->task.what = what;
	job->task.path = path;
	job->task.uid = b->config->probe.uid;
	job->task.without_rights = b->without_rights;
	job->task.mount_namespace_fd = b->mount_namespace_fd;
	job->task.filter = filter;
}

bool broker_is_name(const char *name, size_t size)
{
	if (!str_is_ended(name, size) || !*name || *name == '.' || *name == '-')
		return false;
	for (const char *p = name; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && !(*p >= 'A' && *p <= 'Z') && *p != '-' && *p != '.')
			return false;
	return true;
}

int broker_enter_host(const struct broker_task *task, struct err *e)
{
	if (task->mount_namespace_fd >= 0 && setns(task->mount_namespace_fd, CLONE_NEWNS) < 0)
		return err_set(e, errno, "cannot enter the host's mount namespace");
	return 0;
}

int broker_enter_idle(const struct broker_task *task, struct err *e)
{
	if (broker_enter_host(task, e) < 0)
		return -e->code;
	/* Whoever works on a disk goes first. Where it is refused it goes on all the same: the budget bounds it. */
	setpriority(PRIO_PROCESS, 0, NICE);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "cannot open /proc") : fd;
}

int broker_become_ordinary(const struct broker_task *task, const struct sandbox_filter *filter, struct err *e)
{
	const uint32_t uid = task->uid;

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) && !(errno == EPERM && task->without_rights))
		return err_set(e, errno, "cannot become uid %u", uid);
	/* A change of uid clears it (prctl(2)). */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_set(e, errno, "cannot ask to die with the broker");
	return sandbox_apply(filter, e);
}
