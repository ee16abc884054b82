/* discover.h - which filesystems are watched: from the configuration, the mount table, and where the known paths lie. Pure.
 *
 * A place is what may be watched: an entry of `watch`, or one of the paths where kubelets, runtimes and pod logs are known to
 * lie. Its number means the same to every role that has the same configuration, so that a request can name it. A place that
 * is a pattern names mount points: which ones, only the mount table tells. What comes out is a list of targets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/names.h"
#include "volumes/mount_table.h"

#define DISCOVER_KNOWN_MAX 16				    /* known paths */
#define PLACE_MAX	   (CONFIG_WATCH_MAX + DISCOVER_KNOWN_MAX) /* numbers: entries of `watch` first */
#define TARGET_MAX	   CONFIG_WATCH_MAX

enum target_origin { TARGET_CONFIGURED, TARGET_PATTERN, TARGET_FOUND, TARGET_ORIGIN_MAX_ };

const char *target_origin_name(enum target_origin origin); /* "configured", "pattern", "found" */

struct place {
	enum target_origin origin;
	const char *path, *role;
};

/* False if there is no such place, or the configuration leaves it alone. */
bool place_get(const struct config *config, uint32_t number, struct place *ret);

/* Where this node's kubelet may keep its pods: kubeletRoot of the configuration alone, else the known places, in their order. NULL = no more. */
const char *place_kubelet_root(const struct config *config, unsigned index);

/* Names one mount point that a pattern matches. */
uint64_t place_path_hash(const char *path);

/* Where a known path lies, as a look at it found. */
struct place_look {
	bool exists;
	bool mount_root;   /* a mount of its own, not a directory of another's */
	uint64_t mount_id; /* 0 = not told: the path decides */
};

struct target {
	char path[NAME_PATH_BYTES];
	char role[CONFIG_ROLE_BYTES];
	enum target_origin origin;
	uint32_t place;
	uint64_t path_hash; /* of a pattern's mount point; else 0 */
	uint64_t mount_id;  /* of the mount that was found; 0 = any: a path that the configuration names is taken as it is */
	uint32_t device_major, device_minor; /* of that mount */
	bool mount_root;		     /* the path is that mount's own root */
};

struct target_list {
	uint32_t count, left_off;
	struct target targets[TARGET_MAX];
	uint64_t idle_patterns; /* bit n: watch n is a pattern that matches nothing */
	char note[256];		/* for people: what was found, what was left alone and why */
};

/* `looks` has one entry for each known path, in the order of their numbers. */
void discover(const struct config *config, const struct mount_table *table, const struct place_look looks[static DISCOVER_KNOWN_MAX],
	      struct target_list *ret);

/* A target that was found under an earlier configuration, or by an earlier life: fills its place, role and hash in again from
 * `path` and `origin`. False if this configuration does not watch it. */
bool target_renew(const struct config *config, struct target *target);

/* Is there more to watch than the paths that the configuration names? */
bool discover_is_needed(const struct config *config);

/* Of the mounts that discovery may look at: pods that come and go do not change it. */
uint64_t discover_digest(const struct config *config, const struct mount_table *table);

/* A mount that is read-only by its own flag, of a filesystem that is not: its refusal to write says nothing about the disk. */
bool mount_is_read_only_bind(const struct mount *mount);

/* What decides which of several targets on one filesystem stands for it. */
struct target_seat {
	bool known; /* where it lies */
	bool read_only_bind;
	uint32_t device_major, device_minor;
};

/* The index of the seat that stands for the filesystem of seat `index`; -1 = this one itself. The first that can be written
 * through, else the first. */
int target_stands_for(const struct target_seat *seats, uint32_t count, uint32_t index);
