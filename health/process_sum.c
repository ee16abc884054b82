/* process_sum.c - see process_sum.h. */
#include "health/process_sum.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "health/process_status.h"

static ssize_t read_some(int directory_fd, const char *path, char *buffer, size_t capacity)
{
	scoped(fd_drop) int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, capacity - 1);

	buffer[n < 0 ? 0 : n] = '\0';
	return n;
}

void process_sum_add(int proc_fd, unsigned long pid, struct wire_processes *sum)
{
	uint64_t *const bytes[PROCESS_KIND_MAX_] = {&sum->other_bytes, &sum->jvm_bytes, &sum->python_bytes, &sum->r_bytes};
	uint32_t *const counts[PROCESS_KIND_MAX_] = {&sum->other_count, &sum->jvm_count, &sum->python_count, &sum->r_count};
	char text[PROCESS_STATUS_BYTES], path[48];
	struct process_status status;

	snprintf(path, sizeof(path), "%lu/status", pid);
	ssize_t n = read_some(proc_fd, path, text, sizeof(text));
	if (n <= 0 || process_status_parse(text, (size_t)n, &status, NULL) < 0 || status.rss_bytes == 0)
		return;
	snprintf(path, sizeof(path), "%lu/cmdline", pid);
	read_some(proc_fd, path, text, 256); /* its first word ends with NUL */
	const enum process_kind kind = process_kind(status.name, text);
	*bytes[kind] += status.rss_bytes;
	(*counts[kind])++;
}

bool process_oom_score_adj(int proc_fd, unsigned long pid, int32_t *ret)
{
	char text[24], path[48], *end;

	snprintf(path, sizeof(path), "%lu/oom_score_adj", pid);
	if (read_some(proc_fd, path, text, sizeof(text)) <= 0)
		return false;
	const long value = strtol(text, &end, 10);
	if (end == text || value < -1000 || value > 1000)
		return false;
	*ret = (int32_t)value;
	return true;
}
