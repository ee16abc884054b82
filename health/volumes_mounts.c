/* volumes_mounts.c - which volumes there are, as the mount table tells. See volumes.h. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "health/volumes.h"
#include "volumes/discover.h"
#include "volumes/nfs_mount.h"

#define SPARK_LOCAL_DIR "spark-local-dir-" /* what Spark calls the volumes of its local directories */
#define CSI_PART	"/volumes/kubernetes.io~csi/"
#define EMPTY_DIR_PART	"/volumes/kubernetes.io~empty-dir/"

/* The part of the path between two marks, as a name; false if it is none. */
static bool take_name(const char **at, const char *end_mark, char *ret, size_t size)
{
	const char *end = *end_mark ? strstr(*at, end_mark) : *at + strlen(*at);

	if (!end || end == *at || (size_t)(end - *at) >= size || memchr(*at, '/', (size_t)(end - *at)))
		return false;
	memcpy(ret, *at, (size_t)(end - *at));
	ret[end - *at] = '\0';
	*at = end + strlen(end_mark);
	return true;
}

/* After KUBELET/pods/: UID, the part that tells the kind, the name. */
static bool read_place(const char *rest, struct volume_at *ret)
{
	const char *at = rest;

	*ret = (struct volume_at){.place = VOLUME_AT_CSI};
	if (take_name(&at, CSI_PART, ret->pod_uid, sizeof(ret->pod_uid)))
		return take_name(&at, "/mount", ret->name, sizeof(ret->name)) && !*at;
	at = rest;
	*ret = (struct volume_at){.place = VOLUME_AT_EMPTY_DIR};
	return take_name(&at, EMPTY_DIR_PART, ret->pod_uid, sizeof(ret->pod_uid)) && take_name(&at, "", ret->name, sizeof(ret->name));
}

/* "size=1048576k" of a tmpfs, in bytes; 0 = not told. */
static uint64_t option_value(const char *options, const char *key)
{
	const size_t length = strlen(key);
	static const char units[] = "kmg";

	for (const char *at = options; at; at = strchr(at, ','), at = at ? at + 1 : NULL) {
		if (strncmp(at, key, length) != 0 || at[length] != '=')
			continue;
		char *end;
		uint64_t value = strtoull(at + length + 1, &end, 10);
		const char *unit = *end ? strchr(units, *end) : NULL;
		return unit ? value << (10 * (unit - units + 1)) : value;
	}
	return 0;
}

static uint32_t type_of(const struct mount *mount)
{
	if (strcmp(mount->type, "tmpfs") == 0)
		return VOLUME_SCRATCH;
	return str_starts(mount->type, "nfs") ? VOLUME_CHECKPOINT : VOLUME_DISK;
}

/* Other drivers mount from NFS servers, too: only what the configuration names is ours. */
static bool find_checkpoint(const struct config_volumes *rules, const char *source, struct volume *ret)
{
	char ours[NFS_SOURCE_BYTES];

	for (uint32_t i = 0; i < rules->checkpoint_count; i++) {
		nfs_source(&rules->checkpoints[i], ours);
		const size_t length = strlen(ours);
		if (strncmp(source, ours, length) != 0 || (source[length] != '\0' && source[length] != '/' && ours[length - 1] != '/'))
			continue;
		ret->source = i;
		str_copy(ret->source_name, sizeof(ret->source_name), rules->checkpoints[i].name);
		return true;
	}
	return false;
}

bool volumes_of_mount(const struct config *config, const struct mount *mount, struct volume *ret)
{
	const char *root;

	for (unsigned i = 0; (root = place_kubelet_root(config, i)); i++) {
		const size_t length = strlen(root);
		if (strncmp(mount->mount_point, root, length) != 0 || !str_starts(mount->mount_point + length, "/pods/"))
			continue;
		*ret = (struct volume){.type = type_of(mount), .uid = UINT32_MAX, .gid = UINT32_MAX};
		if (!read_place(mount->mount_point + length + strlen("/pods/"), &ret->at))
			return false;
		if (ret->type == VOLUME_SCRATCH) {
			ret->size_bytes = option_value(mount->super_options, "size");
			ret->inodes = option_value(mount->super_options, "nr_inodes");
		}
		if (ret->at.place == VOLUME_AT_EMPTY_DIR)
			return ret->type == VOLUME_SCRATCH && str_starts(ret->at.name, SPARK_LOCAL_DIR);
		/* Other drivers' volumes lie there too. */
		return ret->type == VOLUME_SCRATCH   ? str_starts(mount->source, VOLUME_SOURCE_PREFIX)
		       : ret->type == VOLUME_DISK ? strstr(mount->root, "/.stoker-volumes/") != NULL
						  : find_checkpoint(&config->volumes, mount->source, ret);
	}
	return false;
}

void volumes_mounts(struct volumes *volumes, const struct config *config, const struct mount_table *table)
{
	struct volume volume;

	for (unsigned i = 0; i < volumes->count; i++)
		volumes->entries[i]->named = false;
	for (size_t i = 0; i < table->count; i++) {
		if (!volumes_of_mount(config, &table->mounts[i], &volume))
			continue;
		const unsigned before = volumes->count;
		struct volumes_entry *entry = volumes_put(volumes, &volume);
		if (!entry)
			continue;
		entry->fresh = entry->fresh || volumes->count > before;
		entry->found = entry->found || volumes->count > before;
		entry->named = entry->made = true;
		if (volume.size_bytes)
			entry->volume.size_bytes = volume.size_bytes;
	}
	for (unsigned i = volumes->count; i-- > 0;)
		if (!volumes->entries[i]->named && volumes->entries[i]->made)
			volumes_remove(volumes, &volumes->entries[i]->volume.at);
}
