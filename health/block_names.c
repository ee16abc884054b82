#include "health/block_names.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scoped.h"
#include "base/str.h"

#define SLAVES_DEPTH 3 /* LUKS on LVM on md */

bool block_names_has(const struct block_names *names, const char *device)
{
	for (unsigned i = 0; i < names->count; i++)
		if (strcmp(names->name[i], device) == 0)
			return true;
	return false;
}

/* sysfs writes '/' in a name as '!'. */
static void add_name(struct block_names *names, const char *name)
{
	char plain[KMSG_DEVICE_BYTES];

	if (names->count == BLOCK_NAMES_MAX || !str_copy(plain, sizeof(plain), name))
		return;
	for (char *p = plain; *p; p++)
		*p = *p == '!' ? '/' : *p;
	if (!block_names_has(names, plain))
		str_copy(names->name[names->count++], KMSG_DEVICE_BYTES, plain);
}

static void directory_drop(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* The device whose directory in sysfs is `path`, its disk, and what lies beneath. */
static void add_device(struct block_names *names, char *path, int depth)
{
	char inner[PATH_MAX];
	char *slash = strrchr(path, '/');

	if (!slash || depth > SLAVES_DEPTH)
		return;
	add_name(names, slash + 1);
	snprintf(inner, sizeof(inner), "%.4000s/partition", path);
	if (access(inner, F_OK) == 0) {
		*slash = '\0'; /* a partition's directory lies in its disk's */
		add_device(names, path, depth);
		return;
	}
	/* an NVMe disk's directory lies in its controller's, whose name the driver's lines have (not with multipath) */
	if (str_starts(slash + 1, "nvme")) {
		char parent[PATH_MAX];
		str_copy(parent, sizeof(parent), path);
		*strrchr(parent, '/') = '\0';
		const char *controller = strrchr(parent, '/');
		if (controller && str_starts(controller + 1, "nvme") && strspn(controller + 5, "0123456789") == strlen(controller + 5) && controller[5])
			add_name(names, controller + 1);
	}
	snprintf(inner, sizeof(inner), "%.4000s/slaves", path);
	scoped(directory_drop) DIR *slaves = opendir(inner);
	for (const struct dirent *entry; slaves && names->count < BLOCK_NAMES_MAX && (entry = readdir(slaves));) {
		char link[PATH_MAX], real[PATH_MAX];
		if (*entry->d_name == '.')
			continue;
		snprintf(link, sizeof(link), "%.3800s/%.250s", inner, entry->d_name);
		if (realpath(link, real))
			add_device(names, real, depth + 1);
	}
}

int block_names_read(const char *sys_root, uint32_t major, uint32_t minor, struct block_names *ret, struct err *e)
{
	char link[PATH_MAX], real[PATH_MAX];

	*ret = (struct block_names){0};
	if (major == 0) /* an anonymous device */
		return 0;
	snprintf(link, sizeof(link), "%.4000s/dev/block/%u:%u", sys_root, major, minor);
	if (!realpath(link, real))
		return err_set(e, errno, "cannot resolve '%s'", link);
	add_device(ret, real, 0);
	return 0;
}
