#include "health/block_names.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
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

/* An NVMe disk's directory lies in its controller's, whose name the driver's lines have (not with multipath). */
static void add_controller(struct block_names *names, const char *path)
{
	char parent[PATH_MAX];

	str_copy(parent, sizeof(parent), path);
	*strrchr(parent, '/') = '\0';
	const char *name = strrchr(parent, '/');
	if (name && str_starts(name, "/nvme") && name[5] && strspn(name + 5, "0123456789") == strlen(name + 5))
		add_name(names, name + 1);
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
	add_controller(names, path);
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

/* --- by the source of a mount: filesystems whose device number is no block device's (btrfs) --- */

/* /dev/mapper/NAME: the link may not be there where we are, but sysfs knows it. */
static bool find_mapped(const char *sys_root, const char *name, char *real)
{
	char path[PATH_MAX], text[256];

	snprintf(path, sizeof(path), "%.4000s/class/block", sys_root);
	scoped(directory_drop) DIR *all = opendir(path);
	for (const struct dirent *entry; all && (entry = readdir(all));) {
		if (!str_starts(entry->d_name, "dm-"))
			continue;
		snprintf(path, sizeof(path), "%.3800s/class/block/%.250s/dm/name", sys_root, entry->d_name);
		if (fd_read_path(path, text, sizeof(text), NULL) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		snprintf(path, sizeof(path), "%.3800s/class/block/%.250s", sys_root, entry->d_name);
		if (strcmp(text, name) == 0 && realpath(path, real))
			return true;
	}
	return false;
}

/* All devices of the btrfs that has this one: an error may name any of them. */
static void add_btrfs(struct block_names *names, const char *sys_root, const char *device)
{
	char path[PATH_MAX], real[PATH_MAX];

	snprintf(path, sizeof(path), "%.4000s/fs/btrfs", sys_root);
	scoped(directory_drop) DIR *all = opendir(path);
	for (const struct dirent *fs; all && (fs = readdir(all));) {
		snprintf(path, sizeof(path), "%.3800s/fs/btrfs/%.250s/devices/%.20s", sys_root, fs->d_name, device);
		if (*fs->d_name == '.' || access(path, F_OK) < 0)
			continue;
		*strrchr(path, '/') = '\0';
		scoped(directory_drop) DIR *devices = opendir(path);
		for (const struct dirent *one; devices && (one = readdir(devices));) {
			char link[PATH_MAX];
			snprintf(link, sizeof(link), "%.3800s/%.250s", path, one->d_name);
			if (*one->d_name != '.' && realpath(link, real))
				add_device(names, real, 0);
		}
	}
}

void block_names_of_source(const char *sys_root, const char *source, struct block_names *ret)
{
	char path[PATH_MAX], real[PATH_MAX], name[256];

	*ret = (struct block_names){0};
	if (!str_starts(source, "/dev/") || !str_copy(name, sizeof(name), source + strlen("/dev/")))
		return;
	if (str_starts(name, "mapper/")) {
		if (!find_mapped(sys_root, name + strlen("mapper/"), real))
			return;
	} else {
		for (char *p = name; *p; p++)
			*p = *p == '/' ? '!' : *p;
		snprintf(path, sizeof(path), "%.3800s/class/block/%.250s", sys_root, name);
		if (!*name || *name == '.' || !realpath(path, real))
			return;
	}
	str_copy(name, sizeof(name), strrchr(real, '/') + 1);
	add_device(ret, real, 0);
	add_btrfs(ret, sys_root, name);
}
