#include "volumes/enospc_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define FILE_BYTES  8192
#define ANCESTORS_MAX 64 /* the kernel's own bound of levels is INT_MAX; nobody nests so deep */

static bool read_file(int dir_fd, const char *name, char text[static FILE_BYTES])
{
	struct err ignored = {0};
	scoped(fd_drop) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && fd_read_all(fd, text, FILE_BYTES, &ignored) >= 0;
}

/* A number, or "max". */
static uint64_t number_of(const char *text)
{
	char *end = NULL;

	if (str_starts(text, "max"))
		return ENOSPC_UNLIMITED;
	if (*text < '0' || *text > '9')
		return ENOSPC_UNKNOWN;
	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	return errno || (*end && *end != '\n' && *end != ' ') ? ENOSPC_UNKNOWN : n;
}

static uint64_t read_number(int dir_fd, const char *name)
{
	char text[FILE_BYTES];

	return read_file(dir_fd, name, text) ? number_of(text) : ENOSPC_UNKNOWN;
}

/* "key value" lines. */
static uint64_t read_key(int dir_fd, const char *name, const char *key)
{
	char text[FILE_BYTES], *save = NULL;
	size_t length = strlen(key);

	if (!read_file(dir_fd, name, text))
		return ENOSPC_UNKNOWN;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return number_of(line + length + 1);
	return ENOSPC_UNKNOWN;
}

uint64_t enospc_list_count(const char *list)
{
	uint64_t count = 0;

	while (*list && *list != '\n') {
		char *end = NULL;
		unsigned long first, last;
		if (*list < '0' || *list > '9')
			return ENOSPC_UNKNOWN;
		first = last = strtoul(list, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last - first > 1000000 || (*end && *end != ',' && *end != '\n'))
			return ENOSPC_UNKNOWN;
		count += last - first + 1;
		list = *end == ',' ? end + 1 : end;
	}
	return count;
}

static uint64_t read_list(int dir_fd, const char *name)
{
	char text[FILE_BYTES];

	return read_file(dir_fd, name, text) ? enospc_list_count(text) : ENOSPC_UNKNOWN;
}

static void name_of(int dir_fd, char where[static ENOSPC_WHERE_BYTES])
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	ssize_t n = readlink(link, where, ENOSPC_WHERE_BYTES - 1);
	where[n > 0 ? n : 0] = '\0';
}

/* Keeps the pair that is nearest to its limit; a limit that is reached stays. */
static void nearest(struct enospc_facts *f, enum enospc_number used, uint64_t u, uint64_t limit, int dir_fd, char where[static ENOSPC_WHERE_BYTES])
{
	uint64_t before_u = f->number[used], before = f->number[used + 1];

	if (u == ENOSPC_UNKNOWN || limit == ENOSPC_UNKNOWN)
		return;
	uint64_t room = limit == ENOSPC_UNLIMITED ? UINT64_MAX : limit > u ? limit - u : 0;
	uint64_t room_before = before == ENOSPC_UNKNOWN || before == ENOSPC_UNLIMITED ? UINT64_MAX : before > before_u ? before - before_u : 0;
	if (before != ENOSPC_UNKNOWN && room >= room_before)
		return;
	f->number[used] = u;
	f->number[used + 1] = limit;
	name_of(dir_fd, where);
}

/* memory.events and friends are only there where the controller is on. The last one looked at is the top of the mount. */
static void read_top(int top_fd, enum enospc_object object, struct enospc_facts *f)
{
	char text[FILE_BYTES], *save = NULL;
	unsigned hierarchy, count;

	f->number[NUMBER_MEMCGS] = read_key(top_fd, "cgroup.stat", "nr_subsys_memory");
	f->number[NUMBER_MEMCGS_DYING] = read_key(top_fd, "cgroup.stat", "nr_dying_subsys_memory");
	uint64_t below = read_key(top_fd, "cgroup.stat", "nr_descendants");
	if (below != ENOSPC_UNKNOWN)
		f->number[NUMBER_DIRECTORIES] = below + 1;
	if (f->number[NUMBER_MEMCGS] != ENOSPC_UNKNOWN || !read_file(AT_FDCWD, "/proc/cgroups", text))
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		/* hierarchy 0 = none of v1: then the count is v2's, if this is v2 */
		if (sscanf(line, "memory %u %u", &hierarchy, &count) == 2 && (hierarchy > 0) == (object == ENOSPC_CGROUP1))
			f->number[NUMBER_MEMCGS] = count;
}

static void read_ancestors(int dir_fd, enum enospc_object object, struct enospc_facts *f)
{
	struct stat here, up;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (uint64_t level = 0; fd >= 0 && level < ANCESTORS_MAX; level++) {
		nearest(f, NUMBER_DESCENDANTS, read_key(fd, "cgroup.stat", "nr_descendants"), read_number(fd, "cgroup.max.descendants"), fd, f->descendants_where);
		nearest(f, NUMBER_DEPTH, level, read_number(fd, "cgroup.max.depth"), fd, f->depth_where);
		nearest(f, NUMBER_PIDS, read_number(fd, "pids.current"), read_number(fd, "pids.max"), fd, f->pids_where);
		int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		bool top = parent < 0 || fstat(fd, &here) < 0 || fstat(parent, &up) < 0 || here.st_dev != up.st_dev || here.st_ino == up.st_ino;
		if (top)
			read_top(fd, object, f);
		fd_drop(&fd);
		fd = parent;
		if (top)
			break;
	}
	fd_drop(&fd);
}

static void read_children(int dir_fd, struct enospc_facts *f)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t count = 0;

	if (!dir) {
		fd_drop(&fd);
		return;
	}
	for (const struct dirent *d; (d = readdir(dir));)
		count += d->d_type == DT_DIR && d->d_name[0] != '.';
	closedir(dir);
	f->number[NUMBER_CHILDREN] = count;
}

static bool has_word(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	size_t length = strlen(word);

	return at && (at == text || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' ' || at[length] == '\n');
}

void enospc_read_cgroup(int dir_fd, enum enospc_object object, struct enospc_facts *f)
{
	char text[FILE_BYTES];

	read_ancestors(dir_fd, object, f);
	read_children(dir_fd, f);
	f->number[NUMBER_CPUS] = read_list(dir_fd, "cpuset.cpus");
	f->number[NUMBER_MEMS] = read_list(dir_fd, "cpuset.mems");
	if (read_file(dir_fd, "cgroup.type", text))
		f->number[NUMBER_DOMAIN_INVALID] = strcmp(text, "domain invalid\n") == 0 || strcmp(text, "threaded\n") == 0;
	f->number[NUMBER_POPULATED] = read_key(dir_fd, "cgroup.events", "populated");
	if (read_file(dir_fd, "cgroup.procs", text)) /* cut off by its size: then there are some */
		f->number[NUMBER_PROCESSES] = *text != '\0';
	if (f->number[NUMBER_POPULATED] == ENOSPC_UNKNOWN && object == ENOSPC_CGROUP1)
		f->number[NUMBER_POPULATED] = f->number[NUMBER_PROCESSES];
	if (object == ENOSPC_CGROUP1) {
		f->number[NUMBER_MEMCG_IN_CHILD] = faccessat(dir_fd, "memory.usage_in_bytes", F_OK, 0) == 0;
	} else if (read_file(dir_fd, "cgroup.subtree_control", text)) {
		f->number[NUMBER_MEMCG_IN_CHILD] = has_word(text, "memory");
		f->number[NUMBER_CONTROLLERS_ON] = *text >= 'a' && *text <= 'z';
	}
}
