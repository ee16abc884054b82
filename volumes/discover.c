#include "volumes/discover.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_units.h"
#include "base/scoped.h"
#include "base/str.h"
#include "base/hash.h"

/* --- which mounts --- */

/* What a write probe can judge: a disk, or what stands for one. Network filesystems hang for reasons that are not this node's,
 * and FUSE does what its process likes; both are watched only when the configuration names their path. */
static bool is_disk(const struct mount *m)
{
	static const char *const types[] = {"ext4", "xfs", "btrfs", "overlay", "tmpfs", "zfs", "f2fs", "ext3", "ext2", "bcachefs", "jfs"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(m->type, types[i]) == 0)
			return true;
	return false;
}

/* Mounts that live and die with a pod, a container or a package: never a disk of the node. */
static bool is_passing(const struct config *config, const struct mount *m)
{
	static const char *const marks[] = {"/kubelet/pods/",	"/kubelet/plugins/", "/io.containerd.",	   "/overlay2/",   "/storage/overlay/", "/overlay-containers/",
					    "/run/containerd/", "/run/docker/",	     "/run/k3s/",	   "/run/crio/",   "/run/containers/",	"/netns/",
					    "/run/user/",	"/run/credentials/", "/snap/core"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(m->mount_point, marks[i]))
			return true;
	size_t length = strlen(config->kubelet_root);
	return length > 0 && strncmp(m->mount_point, config->kubelet_root, length) == 0 &&
	       (str_starts(m->mount_point + length, "/pods/") || str_starts(m->mount_point + length, "/plugins/"));
}

bool mount_is_read_only_bind(const struct mount *mount)
{
#ifdef STOKER_SABOTAGE_BIND_JUDGED
	if (mount->read_only)
		return false;
#endif
	return mount->read_only && !mount->super_read_only;
}

uint64_t discover_digest(const struct config *config, const struct mount_table *table)
{
	uint64_t hash = HASH_START;

	for (size_t i = 0; i < table->count; i++) {
		const struct mount *m = &table->mounts[i];
		const uint64_t numbers[] = {m->id, m->device_major, m->device_minor, m->read_only, m->super_read_only};
		if (!is_disk(m) || is_passing(config, m))
			continue;
		hash = hash_fnv1a(hash, numbers, sizeof(numbers));
		hash = hash_fnv1a(hash, m->mount_point, strlen(m->mount_point) + 1);
	}
	return hash;
}

static bool matches(const char *pattern, const char *path)
{
	/* A backslash is a letter: in a path without wildcards it is one too. */
	return fnmatch(pattern, path, FNM_PATHNAME | FNM_NOESCAPE | FNM_PERIOD) == 0;
}

static bool is_ignored(const struct config *config, const char *path)
{
	for (uint32_t i = 0; i < config->watch_count; i++)
		if (config->watch[i].ignore && matches(config->watch[i].path, path))
			return true;
	return false;
}

/* A mount over a mount: only the last one can be reached. */
static bool is_on_top(const struct mount_table *table, size_t index)
{
	for (size_t i = index + 1; i < table->count; i++)
		if (strcmp(table->mounts[i].mount_point, table->mounts[index].mount_point) == 0)
			return false;
	return true;
}

/* --- the list --- */

static bool is_listed(const struct target_list *list, const char *path)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (strcmp(list->targets[i].path, path) == 0)
			return true;
	return false;
}

static void add(struct target_list *list, uint32_t number, const struct place *place, const char *path, const struct mount *mount,
		bool mount_root)
{
	if (is_listed(list, path))
		return;
	if (list->count == TARGET_MAX) {
		list->left_off++;
		return;
	}
	struct target *t = &list->targets[list->count++];
	*t = (struct target){.origin = place->origin, .place = number, .path_hash = place->origin == TARGET_PATTERN ? place_path_hash(path) : 0};
	str_copy(t->path, sizeof(t->path), path);
	str_copy(t->role, sizeof(t->role), place->role);
	if (mount) {
		t->mount_root = mount_root;
		t->mount_id = mount->id;
		t->device_major = mount->device_major;
		t->device_minor = mount->device_minor;
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct target *)a)->path, ((const struct target *)b)->path);
}

static void add_pattern(const struct config *config, const struct mount_table *table, uint32_t number, const struct place *place, struct target_list *list)
{
	uint32_t first = list->count;
	bool found = false;

	for (size_t i = 0; i < table->count; i++) {
		const struct mount *m = &table->mounts[i];
#ifdef STOKER_SABOTAGE_PATTERN_BLIND
		if (place->origin == TARGET_PATTERN)
			continue;
#endif
		if (!matches(place->path, m->mount_point) || !is_disk(m) || is_passing(config, m) || is_ignored(config, m->mount_point) || !is_on_top(table, i))
			continue;
		found = true;
		add(list, number, place, m->mount_point, m, true);
	}
	/* In an order that does not depend on which was mounted first. */
	qsort(list->targets + first, list->count - first, sizeof(list->targets[0]), by_path);
	if (!found)
		list->idle_patterns |= 1ULL << number;
}

static void add_known(const struct config *config, const struct mount_table *table, uint32_t number, const struct place *place,
		      const struct place_look *look, struct target_list *list)
{
	const struct mount *m = NULL;

	if (!look->exists || is_ignored(config, place->path))
		return;
	for (size_t i = 0; i < table->count && look->mount_id && !m; i++)
		m = table->mounts[i].id == look->mount_id ? &table->mounts[i] : NULL;
	if (!look->mount_id)
		m = mount_table_at(table, place->path);
	if (!m || is_ignored(config, m->mount_point)) /* not in the table: it is not there any more, the next look will tell */
		return;
	/* What is in memory fills up by itself and is empty again after a boot: watched only where it is asked for. */
	if (is_disk(m) && strcmp(m->type, "tmpfs") != 0)
		add(list, number, place, place->path, m, look->mount_id ? look->mount_root : strcmp(m->mount_point, place->path) == 0);
	else
		str_append(list->note, sizeof(list->note), "%s lies on %s and is left alone; ", place->path, m->type);
}

static void note(const struct config *config, struct target_list *list)
{
	unsigned counts[TARGET_ORIGIN_MAX_] = {0};
	char text[sizeof(list->note)] = "";

	for (uint32_t i = 0; i < list->count; i++)
		counts[list->targets[i].origin]++;
	str_append(text, sizeof(text), "filesystems by path %u, by pattern %u, found %u; ", counts[TARGET_CONFIGURED], counts[TARGET_PATTERN], counts[TARGET_FOUND]);
	for (uint32_t i = 0; i < config->watch_count; i++)
		if (list->idle_patterns & 1ULL << i)
			str_append(text, sizeof(text), "%s matches no mounted disk; ", config->watch[i].path);
	if (list->left_off)
		str_append(text, sizeof(text), "%u are not watched, the limit is %d; ", list->left_off, TARGET_MAX);
	str_append(text, sizeof(text), "%s", list->note);
	size_t length = strlen(text);
	if (length >= 2 && strcmp(text + length - 2, "; ") == 0)
		text[length - 2] = '\0';
	str_copy(list->note, sizeof(list->note), text);
}

void discover(const struct config *config, const struct mount_table *table, const struct place_look looks[static DISCOVER_KNOWN_MAX],
	      struct target_list *ret)
{
	static const enum target_origin order[] = {TARGET_CONFIGURED, TARGET_PATTERN, TARGET_FOUND};
	struct place place;

	memset(ret, 0, sizeof(*ret));
	/* What the configuration names comes first, so that it is never what is left off. */
	for (size_t pass = 0; pass < ARRAY_SIZE(order); pass++) {
		for (uint32_t number = 0; number < PLACE_MAX; number++) {
			if (!place_get(config, number, &place) || place.origin != order[pass])
				continue;
			if (place.origin == TARGET_CONFIGURED)
				add(ret, number, &place, place.path, NULL, false);
			else if (place.origin == TARGET_PATTERN)
				add_pattern(config, table, number, &place, ret);
			else
				add_known(config, table, number, &place, &looks[number - CONFIG_WATCH_MAX], ret);
		}
	}
	note(config, ret);
}

bool target_renew(const struct config *config, struct target *target)
{
	struct place place;

	if (target->origin != TARGET_CONFIGURED && is_ignored(config, target->path))
		return false;
	for (uint32_t number = 0; number < PLACE_MAX; number++) {
		if (!place_get(config, number, &place) || place.origin != target->origin)
			continue;
		if (place.origin == TARGET_PATTERN ? !matches(place.path, target->path) : strcmp(place.path, target->path) != 0)
			continue;
		target->place = number;
		target->path_hash = place.origin == TARGET_PATTERN ? place_path_hash(target->path) : 0;
		str_copy(target->role, sizeof(target->role), place.role);
		return true;
	}
	return false;
}

bool discover_is_needed(const struct config *config)
{
	struct place place;
	bool needed = config->discover != CONFIG_DISCOVER_OFF;

	for (uint32_t number = 0; number < config->watch_count; number++)
		needed = needed || (place_get(config, number, &place) && place.origin == TARGET_PATTERN);
	return needed;
}

/* --- several targets on one filesystem --- */

int target_stands_for(const struct target_seat *seats, uint32_t count, uint32_t index)
{
	const struct target_seat *own = &seats[index];
	int first = -1;

	if (!own->known)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		const struct target_seat *s = &seats[i];
		if (!s->known || s->device_major != own->device_major || s->device_minor != own->device_minor)
			continue;
		if (!s->read_only_bind)
			return i == index ? -1 : (int)i;
		if (first < 0)
			first = (int)i;
	}
	return first == (int)index ? -1 : first;
}
