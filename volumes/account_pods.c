#include "volumes/account_pods.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "volumes/entries.h"
#include "volumes/proc_lines.h"
#include "volumes/proc_text.h"
#include "volumes/quota.h"

#define EMPTY_DIRS "kubernetes.io~empty-dir"
#define CSI	   "kubernetes.io~csi"

struct account_place *account_add(struct account_list *list, enum account_kind kind, const char *pod_uid, const char *name, int fd)
{
	struct statx st;

	if (list->count == ACCOUNT_PLACES_MAX) {
		list->cut = true;
		return NULL;
	}
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return NULL;
	struct account_place *place = &list->places[list->count++];
	*place = (struct account_place){.kind = kind, .device_major = st.stx_dev_major, .device_minor = st.stx_dev_minor};
	str_copy(place->pod_uid, sizeof(place->pod_uid), pod_uid);
	str_escape(place->name, sizeof(place->name), name);
	return place;
}

static bool is_uid(const char *name)
{
	return *name && strlen(name) < EXECUTOR_UID_BYTES && strspn(name, "0123456789abcdef-") == strlen(name);
}

/* --- on the kubelet's disk --- */

static void add_empty_dirs(int pods_fd, const char *uid, struct account_list *list)
{
	static struct entries entries;
	char path[EXECUTOR_UID_BYTES + 64];
	struct entry entry;

	snprintf(path, sizeof(path), "%s/volumes/" EMPTY_DIRS, uid);
	scoped(fd_drop) int fd = fd_open_same_mount(pods_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL);
	entries.at = entries.length = 0;
	while (fd >= 0 && entries_next(fd, &entries, &entry, NULL) > 0) {
		/* One in memory is a mount, and is added with those. */
		scoped(fd_drop) int volume = fd_open_same_mount(fd, entry.name, O_PATH | O_DIRECTORY | O_NOFOLLOW, NULL);
		struct account_place *place = volume < 0 ? NULL : account_add(list, ACCOUNT_EMPTY_DIR, uid, entry.name, volume);
		if (place)
			account_walk(volume, &list->budget, place);
	}
}

/* --- mounted --- */

struct mounted {
	const char *pods; /* KUBELET/pods */
	struct account_list *list;
};

static bool is_local(const char *type)
{
	static const char *const types[] = {"tmpfs", "ext4", "xfs", "btrfs", "ext3", "ext2", "f2fs"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

/* "/UID/volumes/KIND/NAME" and, of CSI, "/mount": kinds and names, or false. */
static bool take_apart(const char *path, char uid[static EXECUTOR_UID_BYTES], char name[static 64], enum account_kind *ret_kind)
{
	char kind[32], end[8] = "";
	int used = 0;

	if (sscanf(path, "/%39[0-9a-f-]/volumes/%31[^/]/%63[^/]%n", uid, kind, name, &used) != 3 || used == 0)
		return false;
	str_copy(end, sizeof(end), path + used);
	*ret_kind = strcmp(kind, CSI) == 0 ? ACCOUNT_CSI : ACCOUNT_TMPFS;
	return (strcmp(kind, CSI) == 0 && strcmp(end, "/mount") == 0) || (strcmp(kind, EMPTY_DIRS) == 0 && !*end);
}

/* Is what is mounted its whole filesystem, or bounded by a quota, so that statfs(2) tells of it alone? */
static bool tells_of_itself(const struct proc_mount *mount, int fd)
{
	uint32_t project = 0;

	if (strcmp(mount->root, "/") == 0)
		return true;
	scoped(fd_drop) int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return readable >= 0 && quota_project_of(readable, &project, NULL) == 0 && project != 0;
}

static bool take_mount(void *context, const char *line, size_t length)
{
	static struct proc_mount mount;
	struct mounted *m = context;
	char uid[EXECUTOR_UID_BYTES], name[64];
	enum account_kind kind;

	if (!proc_mount_parse(line, length, &mount) || mount.cut || !proc_path_is_at_or_beneath(mount.mount_point, m->pods) || !is_local(mount.type) ||
	    !take_apart(mount.mount_point + strlen(m->pods), uid, name, &kind))
		return true;
	scoped(fd_drop) int fd = open(mount.mount_point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct account_place *place = fd < 0 ? NULL : account_add(m->list, kind, uid, name, fd);
	if (!place)
		return true;
	if (tells_of_itself(&mount, fd))
		account_filesystem(fd, place);
	else
		account_walk(fd, &m->list->budget, place);
	return true;
}

void account_pods(const char *root, struct account_list *list)
{
	static struct entries entries;
	char pods[NAME_PATH_BYTES];
	struct mounted mounted = {pods, list};
	struct entry entry;

	if (!str_copy(pods, sizeof(pods), root) || !str_append(pods, sizeof(pods), "/pods"))
		return;
	scoped(fd_drop) int fd = open(pods, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* What costs nothing first: it must not suffer from a walk that takes all the time. */
	scoped(fd_drop) int mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (mounts >= 0)
		proc_lines(mounts, take_mount, &mounted);
	while (entries_next(fd, &entries, &entry, NULL) > 0)
		if (is_uid(entry.name))
			add_empty_dirs(fd, entry.name, list);
}

/* --- names --- */

static void name_pod(struct account_list *list, const char *directory)
{
	const char *pod = strchr(directory, '_'), *uid = pod ? strchr(pod + 1, '_') : NULL;

	if (!uid || !is_uid(uid + 1))
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		struct account_place *p = &list->places[i];
		if (strcmp(p->pod_uid, uid + 1) != 0)
			continue;
		snprintf(p->name_space, sizeof(p->name_space), "%.*s", (int)(pod - directory), directory);
		snprintf(p->pod, sizeof(p->pod), "%.*s", (int)(uid - pod - 1), pod + 1);
	}
}

void account_name_pods(struct account_list *list, const char *logs)
{
	static struct entries entries;
	struct entry entry;

	scoped(fd_drop) int fd = open(logs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	entries.at = entries.length = 0;
	while (fd >= 0 && entries_next(fd, &entries, &entry, NULL) > 0)
		name_pod(list, entry.name);
}
