/* layout.c - see layout.h. */
#include "cgroups/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "cgroups/mounts.h"

const char *cgroup_mode_name(enum cgroup_mode mode)
{
	static const char *const names[] = {"none", "v1", "hybrid", "v2"};

	return (size_t)mode < ARRAY_SIZE(names) ? names[mode] : names[0];
}

/* What a controller is called in either version; NULL = it is not there. */
static const struct {
	const char *v1, *v2;
} names[CGROUP_CONTROLLERS_] = {
	[CGROUP_MEMORY] = {"memory", "memory"}, [CGROUP_CPU] = {"cpu", "cpu"},	       [CGROUP_PIDS] = {"pids", "pids"},
	[CGROUP_IO] = {"blkio", "io"},		[CGROUP_CPUACCT] = {"cpuacct", NULL},
};

static int open_mount(const char *root, const char *path, struct err *e)
{
	char whole[4096];

	if (snprintf(whole, sizeof(whole), "%s%s", root, path) >= (int)sizeof(whole))
		return err_set(e, ENAMETOOLONG, "'%s'", path);
	int fd = open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "cannot open '%s'", whole) : fd;
}

static int read_mounts(const char *root, struct cgroup_mounts *ret, struct err *e)
{
	char path[4096];
	scoped(scoped_free) char *text = malloc(CGROUP_MOUNTS_TEXT_BYTES);

	if (!text)
		return err_set(e, ENOMEM, "cannot read the mount table");
	if (snprintf(path, sizeof(path), "%s/proc/self/mounts", root) >= (int)sizeof(path))
		return err_set(e, ENAMETOOLONG, "'%s'", root);
	ssize_t n = fd_read_path(path, text, CGROUP_MOUNTS_TEXT_BYTES, e);
	if (n < 0)
		return (int)n;
	cgroup_mounts_parse(text, (size_t)n, ret);
	return 0;
}

/* Without libcgroup the v2 mount is asked itself which controllers it has. */
static int read_controllers(const char *root, struct cgroup_mounts *mounts, struct err *e)
{
	char path[4096], words[1024];
	const char *unified = cgroup_mounts_get(mounts, "");

	if (!unified)
		return 0;
	if (snprintf(path, sizeof(path), "%s%s/cgroup.controllers", root, unified) >= (int)sizeof(path))
		return err_set(e, ENAMETOOLONG, "'%s'", unified);
	ssize_t n = fd_read_path(path, words, sizeof(words), e);
	if (n < 0)
		return (int)n;
	cgroup_mounts_add_words(mounts, words, unified);
	return 0;
}

/* `unified` is the v2 mount's path, NULL = none: what lies elsewhere is v1. */
static int fill(const char *root, const struct cgroup_mounts *mounts, const char *unified, struct cgroup_layout *layout, struct err *e)
{
	for (int i = 0; i < CGROUP_CONTROLLERS_; i++) {
		struct cgroup_hierarchy *h = &layout->controllers[i];
		const char *v1 = cgroup_mounts_get(mounts, names[i].v1), *v2 = names[i].v2 ? cgroup_mounts_get(mounts, names[i].v2) : NULL;
		bool is_v2 = v2 && unified && strcmp(v2, unified) == 0, is_v1 = !is_v2 && v1 && !(unified && strcmp(v1, unified) == 0);
		if (!is_v1 && !is_v2)
			continue;
		h->root_fd = is_v2 ? layout->unified_fd : open_mount(root, v1, e);
		if (h->root_fd < 0)
			return h->root_fd;
		h->version = is_v2 ? 2 : 1;
		str_copy(h->mount, sizeof(h->mount), is_v2 ? v2 : v1);
	}
	return 0;
}

static enum cgroup_mode mode_of(const struct cgroup_layout *layout)
{
	for (int i = 0; i < CGROUP_CONTROLLERS_; i++)
		if (layout->controllers[i].version == 1)
			return layout->unified_fd >= 0 ? CGROUP_HYBRID : CGROUP_V1;
	return layout->unified_fd >= 0 ? CGROUP_V2 : CGROUP_NONE;
}

void cgroup_layout_close(struct cgroup_layout *layout)
{
	for (int i = 0; i < CGROUP_CONTROLLERS_; i++) {
		if (layout->controllers[i].root_fd != layout->unified_fd)
			fd_drop(&layout->controllers[i].root_fd);
		layout->controllers[i] = (struct cgroup_hierarchy){.root_fd = -1};
	}
	fd_drop(&layout->unified_fd);
	layout->mode = CGROUP_NONE;
}

int cgroup_layout_find(const char *root, struct cgroup_layout *ret, struct err *e)
{
	struct cgroup_layout layout = {.unified_fd = -1};
	struct cgroup_mounts table, mounts;
	int r = read_mounts(root, &table, e);

	for (int i = 0; i < CGROUP_CONTROLLERS_; i++)
		layout.controllers[i].root_fd = -1;
	if (r < 0)
		return err_wrap(e, "cannot find the cgroups of this machine");
	/* libcgroup knows controllers; the v2 mount of a hybrid, which may have none, it does not */
	const char *unified = cgroup_mounts_get(&table, "");
	if (*root == '\0') {
		r = cgroup_mounts_ask(&mounts, e);
		if (r == -ENOENT && unified) {
			mounts = table;
			r = 0;
		}
	} else {
		mounts = table;
		r = read_controllers(root, &mounts, e);
	}
	if (r == 0 && unified)
		r = layout.unified_fd = open_mount(root, unified, e);
	if (r >= 0)
		r = fill(root, &mounts, unified, &layout, e);
	layout.mode = mode_of(&layout);
	if (r >= 0 && layout.mode == CGROUP_NONE)
		r = err_rule(e, ENOENT, "no cgroup filesystem is mounted");
	if (r < 0) {
		cgroup_layout_close(&layout);
		return err_wrap(e, "cannot find the cgroups of this machine");
	}
	*ret = layout;
	return 0;
}
