#include "health/run_jvm.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/jvm_counters.h"

#define BEFORE_US 2000000ULL /* between the collection and the end: a fork of the JVM, a shell, a signal */
#define SLACK_US  1000000ULL /* its clock is read once, in ms, and goes on without steps */

/* In a directory of ours, where anybody may make names. */
static int open_counters(pid_t pid)
{
	const struct passwd *user = getpwuid(geteuid());
	char directory[128], name[16];
	struct stat st;

	if (!user || (size_t)snprintf(directory, sizeof(directory), "/tmp/hsperfdata_%s", user->pw_name) >= sizeof(directory))
		return -1;
	snprintf(name, sizeof(name), "%d", (int)pid);
	scoped(fd_drop) int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory_fd < 0 || fstat(directory_fd, &st) < 0 || st.st_uid != geteuid())
		return -1;
	scoped(fd_drop) int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -1;
	return fd_take(&fd);
}

bool run_jvm_collected_last(pid_t pid, uint64_t started_wall_us, uint64_t ended_wall_us)
{
	scoped(scoped_free) unsigned char *bytes = malloc(JVM_COUNTERS_BYTES);
	scoped(fd_drop) int fd = open_counters(pid);
	struct jvm_counters c;
	ssize_t n = 0;
	size_t length = 0;

	while (bytes && fd >= 0 && length < JVM_COUNTERS_BYTES && (n = read(fd, bytes + length, JVM_COUNTERS_BYTES - length)) > 0)
		length += (size_t)n;
	if (length == 0 || !jvm_counters_read(bytes, length, &c) || c.by_request || c.full_collection_wall_us == 0)
		return false;
	/* not of an earlier process of that number */
	if (c.begun_wall_us + SLACK_US < started_wall_us)
		return false;
	return c.full_collection_wall_us <= ended_wall_us + SLACK_US && c.full_collection_wall_us + BEFORE_US >= ended_wall_us;
}
