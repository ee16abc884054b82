#include "volumes/sweep_owners.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "volumes/entries.h"
#include "volumes/proc_lines.h"

#define NAMESPACES_MAX 4096
#define INIT_PID       1
#define LINK_BYTES     4096 /* what the kernel gives at most */

/* One mount table is read once, for all processes that have it. */
struct mount_view {
	char name[32]; /* "mnt:[4026531840]" */
	enum sweep_view view;
};

struct scan {
	const struct sweep_root *root;
	struct sweep_page *page;
	uint64_t slack_us;
	uint64_t boot_wall_us; /* when the machine was started */
	uint64_t ticks_a_second;
	uint32_t pid;	       /* that is looked at */
	char user_namespace[32]; /* ours */
	bool whole, given, node; /* of the mount table that is read: above the root, the root itself, the node's own "/" */
	bool unread;
	unsigned namespace_count;
	struct mount_view namespaces[NAMESPACES_MAX];
};

enum mark { MARK_OPEN, MARK_MOUNTED };

/* Every name of Spark's in the text that is of a directory of the page. */
static void mark_names(struct scan *s, const char *text, size_t length, enum mark mark)
{
	char name[SWEEP_NAME_BYTES];

	for (const char *at = text; sweep_next_name(&at, text + length, name);) {
		struct sweep_directory *d = sweep_page_find(s->page, name);
		if (d)
			*(mark == MARK_OPEN ? &d->facts.open_pid : &d->facts.mounted_pid) = s->pid;
	}
}

/* Processes end while they are looked at: that is no reason to know nothing. EINVAL: of the mount table of one that has closed its
 * files already. */
static void note_failure(struct scan *s, int errnum)
{
	if (errnum != ENOENT && errnum != ESRCH && errnum != EINVAL)
		s->unread = true;
}

static int open_file(int process_fd, const char *name, int flags)
{
	return openat(process_fd, name, O_RDONLY | O_CLOEXEC | flags);
}

/* --- what it holds --- */

static void mark_link(struct scan *s, int directory_fd, const char *name)
{
	static char target[LINK_BYTES];
	ssize_t length = readlinkat(directory_fd, name, target, sizeof(target));

	if (length < 0)
		note_failure(s, errno);
	else
		mark_names(s, target, (size_t)length, MARK_OPEN);
}

static void mark_descriptors(struct scan *s, int process_fd)
{
	static struct entries entries;
	struct entry entry;
	int r = 0;

	scoped(fd_drop) int fd = open_file(process_fd, "fd", O_DIRECTORY);
	if (fd < 0) {
		note_failure(s, errno);
		return;
	}
	entries.at = entries.length = 0;
	while ((r = entries_next(fd, &entries, &entry, NULL)) > 0)
		mark_link(s, fd, entry.name);
	if (r < 0)
		note_failure(s, -r);
}

static bool take_mapping(void *context, const char *line, size_t length)
{
	mark_names(context, line, length, MARK_OPEN);
	return true;
}

static void mark_lines(struct scan *s, int process_fd, const char *name, bool (*take)(void *, const char *, size_t))
{
	scoped(fd_drop) int fd = open_file(process_fd, name, 0);
	const int r = fd < 0 ? -errno : proc_lines(fd, take, s);

	if (r < 0)
		note_failure(s, -r);
}

static void mark_held(struct scan *s, int process_fd)
{
#ifdef STOKER_SABOTAGE_OPEN_IGNORED
	(void)mark_descriptors;
	(void)mark_lines;
	(void)take_mapping;
	(void)process_fd;
	(void)s;
#else
	mark_descriptors(s, process_fd);
	mark_link(s, process_fd, "cwd");
	mark_link(s, process_fd, "root");
	mark_lines(s, process_fd, "maps", take_mapping);
#endif
}

/* --- what it sees --- */

static bool take_mount(void *context, const char *line, size_t length)
{
	static struct proc_mount mount;
	struct scan *s = context;
	const struct sweep_root *r = s->root;

	mark_names(s, line, length, MARK_MOUNTED);
	if (!proc_mount_parse(line, length, &mount) || mount.cut) {
		s->unread = true;
		return true;
	}
	if (strcmp(mount.mount_point, "/") == 0 && mount.device_major == r->top_major && mount.device_minor == r->top_minor &&
	    strcmp(mount.root, r->top_root) == 0)
		s->node = true;
	if (mount.read_only || mount.device_major != r->device_major || mount.device_minor != r->device_minor ||
	    !proc_path_is_at_or_beneath(r->in_filesystem, mount.root))
		return true;
	*(strcmp(r->in_filesystem, mount.root) == 0 ? &s->given : &s->whole) = true;
	return true;
}

static bool read_link(struct scan *s, int process_fd, const char *name, char *text, size_t size)
{
	ssize_t length = readlinkat(process_fd, name, text, size - 1);

	if (length < 0)
		note_failure(s, errno);
	text[length < 0 ? 0 : length] = '\0';
	return length > 0;
}

static enum sweep_view view_of(struct scan *s, int process_fd)
{
	struct mount_view view = {.view = SWEEP_SEES_NOTHING};

	if (!read_link(s, process_fd, "ns/mnt", view.name, sizeof(view.name)))
		return SWEEP_SEES_NOTHING;
	for (unsigned i = 0; i < s->namespace_count; i++)
		if (strcmp(s->namespaces[i].name, view.name) == 0)
			return s->namespaces[i].view;
	s->whole = s->given = s->node = false;
	mark_lines(s, process_fd, "mountinfo", take_mount);
	if (s->given && !s->node)
		view.view = SWEEP_SEES_ROOT;
	else if (s->given || s->whole)
		view.view = SWEEP_SEES_ALL;
	if (s->namespace_count < NAMESPACES_MAX) /* else it is read again each time */
		s->namespaces[s->namespace_count++] = view;
	return view.view;
}

/* --- who it is --- */

static ssize_t read_text(struct scan *s, int process_fd, const char *name, char *text, size_t size)
{
	scoped(fd_drop) int fd = open_file(process_fd, name, 0);
	const ssize_t length = fd < 0 ? -errno : fd_read_all(fd, text, size, NULL);

	if (length < 0)
		note_failure(s, (int)-length);
	return length;
}

static void mark_made(struct scan *s, const struct sweep_process *process)
{
	for (uint32_t i = 0; i < s->page->count; i++) {
		struct sweep_directory *d = &s->page->directories[i];
		if (process->started_wall_us < d->facts.maker_started_wall_us || !sweep_may_have_made(process, d->uid, d->facts.born_wall_us, s->slack_us))
			continue;
		d->facts.maker_pid = process->pid;
		d->facts.maker_started_wall_us = process->started_wall_us;
	}
}

static void look_at(struct scan *s, int process_fd, const struct proc_stat *stat)
{
	static char text[16384], namespace[32];
	struct sweep_process process = {
		.pid = s->pid,
		.jvm = strcmp(stat->name, "java") == 0,
		.started_wall_us = s->boot_wall_us + stat->start_ticks * US_PER_S / s->ticks_a_second,
	};

	mark_held(s, process_fd);
	process.view = view_of(s, process_fd);
	const ssize_t length = read_text(s, process_fd, "status", text, sizeof(text));
	if (length < 0)
		return;
	if (!proc_uids_parse(text, (size_t)length, process.uids) || !read_link(s, process_fd, "ns/user", namespace, sizeof(namespace))) {
		s->unread = true;
		return;
	}
	process.own_ids = strcmp(namespace, s->user_namespace) != 0;
	mark_made(s, &process);
}

/* Of a process whose first thread has ended (a JVM that cannot die does that) the others still hold what it has. */
static void look_at_threads(struct scan *s, int process_fd, const struct proc_stat *leader)
{
	static struct entries entries;
	static char text[1024];
	struct entry entry;

	scoped(fd_drop) int tasks = open_file(process_fd, "task", O_DIRECTORY);
	entries.at = entries.length = 0;
	while (tasks >= 0 && entries_next(tasks, &entries, &entry, NULL) > 0) {
		struct proc_stat stat;
		scoped(fd_drop) int task = openat(tasks, entry.name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		const ssize_t length = task < 0 ? -1 : read_text(s, task, "stat", text, sizeof(text));
		if (length > 0 && proc_stat_parse(text, (size_t)length, &stat) && stat.state != 'Z' && stat.state != 'X') {
			look_at(s, task, leader);
			return;
		}
	}
}

static void look_at_process(struct scan *s, int proc_fd, const char *name)
{
	static char text[1024];
	struct proc_stat stat;

	s->pid = (uint32_t)strtoul(name, NULL, 10);
	s->unread = false;
	scoped(fd_drop) int fd = openat(proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const ssize_t length = fd < 0 ? -1 : read_text(s, fd, "stat", text, sizeof(text));
	if (length > 0 && !proc_stat_parse(text, (size_t)length, &stat))
		s->unread = true;
	else if (length > 0 && !stat.kernel_thread)
		(stat.state == 'Z' || stat.state == 'X' ? look_at_threads : look_at)(s, fd, &stat);
	/* Some nodes let nobody look into their init. It starts services and opens no scratch; what it shows counts all the same. */
	if (s->unread && s->pid != INIT_PID)
		s->page->unread_pid = s->pid;
}

/* --- all --- */

static int look_at_all(struct scan *s, int proc_fd, struct err *e)
{
	static struct entries entries;
	struct entry entry;
	int r = 0;

	scoped(fd_drop) int list = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (list < 0 || readlinkat(proc_fd, "self/ns/user", s->user_namespace, sizeof(s->user_namespace) - 1) <= 0)
		return err_set(e, errno, "cannot read /proc");
	while ((r = entries_next(list, &entries, &entry, NULL)) > 0)
		if (entry.name[0] >= '1' && entry.name[0] <= '9')
			look_at_process(s, proc_fd, entry.name);
	return r < 0 ? err_set(e, -r, "cannot list the processes") : 0;
}

int sweep_find_owners(int proc_fd, const struct sweep_root *root, uint64_t slack_us, struct sweep_page *page, struct err *e)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, ENOMEM, "cannot look for owners");
	s->root = root;
	s->page = page;
	s->slack_us = slack_us;
	s->boot_wall_us = clock_wall_us() - clock_boot_us();
	s->ticks_a_second = (uint64_t)sysconf(_SC_CLK_TCK);
	const int r = look_at_all(s, proc_fd, e);
	for (uint32_t i = 0; i < page->count; i++)
		page->directories[i].facts.unread_pid = page->unread_pid;
	free(s);
	return r;
}
