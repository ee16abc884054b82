#include "shim/roster.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "cgroups/path.h"
#include "shim/pod_names.h"
#include "shim/recognise.h"

#define DEPTH_MAX	  12   /* kubelet's root, two slices, the pod, and what a nested node adds on top */
#define DIRECTORIES_MAX	  8192
#define PROCESSES_MAX	  16 /* of a container: tini, the JVM, a daemon of Python and its first workers */
#define LIST_BYTES	  2048
#define COMMAND_MAX_BYTES 32768 /* a class path can be long, and the main class comes behind it */

struct scan {
	const struct roster_places *places;
	const struct redactor *redactor;
	struct roster *roster;
	unsigned directories;
	char path[EXECUTOR_CGROUP_BYTES]; /* of the directory that is looked at, beneath places->cgroups_fd */
	char command[COMMAND_MAX_BYTES];
};

/* As in the kernel: glibc's readdir asks for more system calls than this needs. */
struct entry {
	ino64_t ino;
	off64_t off;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* Calls `visit` with each name beneath the directory that is no hidden one. False from it ends the list. */
typedef bool visit_entry(void *context, int directory_fd, const char *name, unsigned char type);

static void each_entry(int directory_fd, visit_entry *visit, void *context)
{
	_Alignas(struct entry) char list[LIST_BYTES];

	for (long n; (n = syscall(SYS_getdents64, directory_fd, list, sizeof(list))) > 0;) {
		for (long at = 0; at < n;) {
			const struct entry *entry = (const void *)(list + at);
			at += entry->length;
			if (entry->name[0] != '.' && !visit(context, directory_fd, entry->name, entry->type))
				return;
		}
	}
}

static int open_directory(int parent_fd, const char *name)
{
	return openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static ssize_t read_file(int directory_fd, const char *name, char *text, size_t size)
{
	scoped(fd_drop) int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t length = 0;

	if (fd < 0)
		return -1;
	for (ssize_t n; (size_t)length < size - 1 && (n = read(fd, text + length, size - 1 - (size_t)length)) > 0;)
		length += n;
	text[length] = '\0';
	return length;
}

/* --- the processes of a container --- */

struct processes {
	struct scan *scan;
	struct executor *executor;
	unsigned count;
};

static void take_process(struct processes *p, unsigned long pid)
{
	struct scan *scan = p->scan;
	char path[32];

	if (!p->executor->pid)
		p->executor->pid = (uint32_t)pid;
	snprintf(path, sizeof(path), "%lu/cmdline", pid);
	ssize_t length = read_file(scan->places->proc_fd, path, scan->command, sizeof(scan->command));
	if (length > 0)
		recognise_from_process(scan->redactor, scan->command, (size_t)length, p->executor);
}

/* A pid is 0 where the process is of another pid namespace than ours. */
static void take_processes(struct processes *p, int cgroup_fd)
{
	char text[PROCESSES_MAX * 12 + 1];

	if (read_file(cgroup_fd, "cgroup.procs", text, sizeof(text)) <= 0)
		return;
	for (char *at = text, *end; p->count < PROCESSES_MAX; at = end, p->count++) {
		unsigned long pid = strtoul(at, &end, 10);
		if (end == at || *end != '\n') /* the last number may be cut */
			return;
		if (pid > 0 && pid <= INT_MAX)
			take_process(p, pid);
	}
}

/* crun puts the processes into a group beneath the container's. */
static bool take_subgroup(void *context, int directory_fd, const char *name, unsigned char type)
{
	struct processes *p = context;

	if (type != DT_DIR)
		return true;
	scoped(fd_drop) int fd = open_directory(directory_fd, name);
	if (fd >= 0)
		take_processes(p, fd);
	return p->count < PROCESSES_MAX;
}

static bool take_container(struct scan *scan, int cgroup_fd, const struct cgroup_name *name)
{
	struct roster *roster = scan->roster;

	if (roster->count == ROSTER_MAX) {
		roster->cut = true;
		return false;
	}
	struct executor *executor = &roster->executors[roster->count];
	struct processes processes = {.scan = scan, .executor = executor};
	*executor = (struct executor){.source = EXECUTOR_FROM_CGROUPFS, .qos = name->qos, .uid = UINT32_MAX, .gid = UINT32_MAX, .oom_score_adj = INT32_MIN};
	take_processes(&processes, cgroup_fd);
	each_entry(cgroup_fd, take_subgroup, &processes);
	if (executor->role == EXECUTOR_ROLE_NONE)
		return true;
	str_copy(executor->container_id, sizeof(executor->container_id), name->container_id);
	str_copy(executor->pod_uid, sizeof(executor->pod_uid), name->pod_uid);
	executor->cgroups_path[0] = '/';
	str_copy(executor->cgroups_path + 1, sizeof(executor->cgroups_path) - 1, scan->path);
	roster->count++;
	return true;
}

/* --- the tree of cgroups --- */

static bool take_directory(void *context, int directory_fd, const char *name, unsigned char type);

/* Units of the system hold no pods, and there are many of them. */
static bool is_other_unit(const char *name)
{
	static const char *const ends[] = {".service", ".mount", ".socket", ".swap"};
	size_t length = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (length > strlen(ends[i]) && strcmp(name + length - strlen(ends[i]), ends[i]) == 0)
			return true;
	return false;
}

/* False: no more of the tree. */
static bool walk(struct scan *scan, int fd, unsigned depth)
{
	struct cgroup_name name;

	if (scan->directories++ == DIRECTORIES_MAX) {
		scan->roster->cut = true;
		return false;
	}
	if (cgroup_name_parse(scan->path, &name) && name.container_id[0] && name.pod_uid[0])
		return take_container(scan, fd, &name);
	if (depth < DEPTH_MAX)
		each_entry(fd, take_directory, scan);
	return !scan->roster->cut;
}

static bool take_directory(void *context, int directory_fd, const char *name, unsigned char type)
{
	struct scan *scan = context;
	size_t length = strlen(scan->path);
	unsigned depth = 1;
	bool more = true;

	if (type != DT_DIR || is_other_unit(name))
		return true;
	for (const char *p = scan->path; *p; p++)
		depth += *p == '/';
	if (str_append(scan->path, sizeof(scan->path) - 1, "%s%s", length ? "/" : "", name)) {
		scoped(fd_drop) int fd = open_directory(directory_fd, name);
		more = fd < 0 || walk(scan, fd, depth);
	} else {
		scan->roster->cut = true;
	}
	scan->path[length] = '\0';
	return more;
}

/* --- the names of log directories --- */

struct container_names {
	char name[EXECUTOR_LABEL_BYTES];
	unsigned count;
};

static bool take_container_name(void *context, int directory_fd, const char *name, unsigned char type)
{
	static const char *const main_names[] = {"spark-kubernetes-executor", "spark-kubernetes-driver"};
	struct container_names *names = context;

	(void)directory_fd;
	if (type != DT_DIR)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(main_names); i++) {
		if (strcmp(name, main_names[i]) == 0) {
			str_copy(names->name, sizeof(names->name), name);
			names->count = 1;
			return false;
		}
	}
	names->count++;
	str_copy(names->name, sizeof(names->name), name);
	return true;
}

/* Which of several containers is which, the directories do not say, but for Spark's own names. */
static void name_container(int logs_fd, const char *directory, struct executor *executor)
{
	struct container_names names = {0};
	scoped(fd_drop) int fd = open_directory(logs_fd, directory);

	if (fd >= 0)
		each_entry(fd, take_container_name, &names);
	if (names.count == 1)
		str_copy(executor->container, sizeof(executor->container), names.name);
}

static bool take_log_directory(void *context, int directory_fd, const char *name, unsigned char type)
{
	struct roster *roster = context;
	struct executor pod = {0};

	if (type != DT_DIR || !recognise_log_directory(name, &pod))
		return true;
	for (uint32_t i = 0; i < roster->count; i++) {
		struct executor *executor = &roster->executors[i];
		if (strcmp(executor->pod_uid, pod.pod_uid) != 0)
			continue;
		str_copy(executor->name_space, sizeof(executor->name_space), pod.name_space);
		str_copy(executor->pod, sizeof(executor->pod), pod.pod);
		name_container(directory_fd, name, executor);
		if (!executor->app_name[0])
			pod_names_app(executor);
	}
	return true;
}

void roster_scan(const struct roster_places *places, const struct redactor *redactor, struct roster *ret)
{
	static struct scan scan;

	memset(&scan, 0, sizeof(scan));
	scan.places = places;
	scan.redactor = redactor;
	scan.roster = ret;
	ret->count = 0;
	ret->cut = false;
	each_entry(places->cgroups_fd, take_directory, &scan);
	if (places->logs_fd >= 0)
		each_entry(places->logs_fd, take_log_directory, ret);
}
