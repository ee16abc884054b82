/* mounts.c - see mounts.h. libcgroup's struct cgroup is another one than ours: cgroups/cgroup.h stays out of this file. */
#include "cgroups/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"

const char *cgroup_mounts_get(const struct cgroup_mounts *mounts, const char *controller)
{
	for (unsigned i = 0; i < mounts->count; i++)
		if (strcmp(mounts->entries[i].controller, controller) == 0)
			return mounts->entries[i].path;
	return NULL;
}

/* The first mount of a controller wins, as in libcgroup: a second one shows the same. */
static void add(struct cgroup_mounts *mounts, const char *controller, const char *path)
{
	struct cgroup_mount entry;

	if (mounts->count == CGROUP_MOUNTS_MAX || cgroup_mounts_get(mounts, controller))
		return;
	if (str_copy(entry.controller, sizeof(entry.controller), controller) && str_copy(entry.path, sizeof(entry.path), path))
		mounts->entries[mounts->count++] = entry;
}

void cgroup_mounts_add_words(struct cgroup_mounts *mounts, const char *words, const char *path)
{
	while (*(words += strspn(words, ", \n")) != '\0') {
		char word[64];
		size_t n = strcspn(words, ", \n");
		if (n < sizeof(word)) {
			memcpy(word, words, n);
			word[n] = '\0';
			add(mounts, word, path);
		}
		words += n;
	}
}

/* The mount table writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; out++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' && in[3] >= '0' && in[3] <= '7') {
			*out = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

static void parse_line(char *line, struct cgroup_mounts *mounts)
{
	char *rest = line, *fields[4];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = strsep(&rest, " ");
		if (!fields[i])
			return;
	}
	unescape(fields[1]);
	if (strcmp(fields[2], "cgroup2") == 0)
		add(mounts, "", fields[1]);
	else if (strcmp(fields[2], "cgroup") == 0)
		cgroup_mounts_add_words(mounts, fields[3], fields[1]); /* the other options (rw, relatime) name no controller */
}

void cgroup_mounts_parse(const char *text, size_t length, struct cgroup_mounts *ret)
{
	*ret = (struct cgroup_mounts){0};
	for (const char *line = text, *end = text + length; line < end;) {
		char copy[1024];
		const char *newline = memchr(line, '\n', (size_t)(end - line)), *stop = newline ? newline : end;
		size_t n = (size_t)(stop - line);
		/* a cgroup mount's line is short; overlayfs fills pages */
		if (n < sizeof(copy) && memmem(line, n, " cgroup", 7)) {
			memcpy(copy, line, n);
			copy[n] = '\0';
			parse_line(copy, ret);
		}
		line = stop + 1;
	}
}

/* --- libcgroup --- */

/* In the child: one record an entry, at the end one whose path is the error's words. The pipe holds them all (64 KiB). */
static int tell(int channel)
{
	struct cgroup_mount_point point;
	struct cgroup_mount entry;
	void *handle = NULL;

	cgroup_set_logger(NULL, CGROUP_LOG_ERROR, NULL); /* its complaints would go to stdout */
	int code = cgroup_init();
	if (code == 0)
		code = cgroup_get_controller_begin(&handle, &point);
	for (; code == 0; code = cgroup_get_controller_next(&handle, &point)) {
		memset(&entry, 0, sizeof(entry));
		if (str_copy(entry.controller, sizeof(entry.controller), point.name) && str_copy(entry.path, sizeof(entry.path), point.path) &&
		    fd_write_all(channel, &entry, sizeof(entry), NULL) < 0)
			return 1;
	}
	if (handle)
		cgroup_get_controller_end(&handle);
	memset(&entry, 0, sizeof(entry));
	if (code != ECGEOF)
		str_copy(entry.path, sizeof(entry.path), cgroup_strerror(code));
	return fd_write_all(channel, &entry, sizeof(entry), NULL) < 0 ? 1 : 0;
}

/* 1 = an entry, 0 = the channel ended. */
static int receive(int channel, struct cgroup_mount *ret)
{
	size_t length = 0;

	while (length < sizeof(*ret)) {
		ssize_t n = read(channel, (char *)ret + length, sizeof(*ret) - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		length += (size_t)n;
	}
	return str_is_ended(ret->controller, sizeof(ret->controller)) && str_is_ended(ret->path, sizeof(ret->path));
}

int cgroup_mounts_ask(struct cgroup_mounts *ret, struct err *e)
{
	int ends[2];
	struct cgroup_mounts mounts = {0};
	struct cgroup_mount entry;
	bool whole = false;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot ask libcgroup");
	scoped(fd_drop) int in = ends[0], out = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_set(e, errno, "cannot ask libcgroup");
	if (pid == 0)
		_exit(tell(out));
	fd_drop(&out);
	while (!whole && receive(in, &entry)) {
		whole = !*entry.controller;
		if (!whole)
			add(&mounts, entry.controller, entry.path);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!whole)
		return err_rule(e, EIO, "libcgroup gave no answer");
	if (mounts.count == 0)
		return err_rule(e, ENOENT, "libcgroup finds no cgroup mount%s%s", *entry.path ? ": " : "", entry.path);
	*ret = mounts;
	return 0;
}
