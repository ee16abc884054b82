/* volumes.h - the volumes of this node: who may have which, how large it may be, and what is known of each. Pure: `now` is passed in.
 *
 * Nothing of it is kept on disk: after a restart the mount table tells which volumes there are (by place, and by our mark in the source
 * of a tmpfs), and the kernel how large they are. What a pod asked for is not told again; so what is found may be bounded more tightly,
 * never wider. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/executor.h"
#include "volumes/mount_table.h"
#include "volumes/volume.h"

#define VOLUMES_MAX	   1024
#define VOLUMES_LEAST_BYTES (16ULL << 20) /* no scratch is bounded below: an executor writes something before it fails */
#define VOLUMES_INJECTED   "injected" /* what scratch in memory is called that a container was given at its creation: it is no volume of its pod */
#define VOLUMES_FRESH_US   1000000ULL /* figures younger than that are not asked for again */

struct volumes_entry {
	struct volume volume;	/* size_bytes and inodes: as they were made or bounded last */
	bool sized;		/* whoever asked for it said how large */
	bool found;		/* in the mount table: what was asked for is not known */
	bool named;		/* in the mount table when it was read last */
	bool fresh;		/* found there the first time: whoever reads it takes it back */
	bool made;		/* the broker said so, or it was found */
	bool warned;		/* without a memory limit: said once */
	uint64_t total_bytes, total_inodes, free_bytes, free_inodes; /* as measured */
	uint64_t measured_us;	/* 0 = not yet */
	uint64_t bound_bytes;	/* asked for last; 0 = not yet */
	bool bound_again;	/* what was asked for last reached nobody */
	bool empty_again;	/* the same, or it was not done in time; until another container comes */
	uint64_t left_bytes;	/* what the last dead container had left when its files were removed; 0 = nothing */
	struct executor owner;	/* container_id "" = not seen yet */
};

struct volumes {
	unsigned count;
	struct volumes_entry *entries[VOLUMES_MAX]; /* owned */
	uint64_t bounded_total, refused_total, emptied_total;
};

/* May this pod have it, and how large is it then? Fills in source, size and inodes, and `asked`. The error is a rule in words:
 * -EACCES who may and how much, -EINVAL what must be said. */
int volumes_admit(const struct config_volumes *rules, struct volume *volume, struct err *e);

struct volumes_entry *volumes_find(const struct volumes *volumes, const struct volume_at *at);
/* The entry of this volume, made if need be; NULL when there are too many. */
struct volumes_entry *volumes_put(struct volumes *volumes, const struct volume *volume);
void volumes_remove(struct volumes *volumes, const struct volume_at *at);
void volumes_drop(struct volumes *volumes);

/* The volume that a mount is, if it is one of ours or a tmpfs in which the kubelet keeps an emptyDir. */
bool volumes_of_mount(const struct config *config, const struct mount *mount, struct volume *ret);
/* What the mount table shows is there; what it does not show any more is forgotten. */
void volumes_mounts(struct volumes *volumes, const struct config *config, const struct mount_table *table);

/* How many volumes of the pod, made or being made, share what its memory limit leaves: scratch of ours, and the kubelet's own where it is
 * bounded. */
unsigned volumes_scratch_of(const struct volumes *volumes, const struct config_volumes *rules, const char *pod_uid);

/* A container of the pod: its owner from now on. False if it is not one that says how much may be used. */
bool volumes_own(struct volumes *volumes, const struct executor *executor);
/* The next volume of this pod that is to be bounded, with the bounds in *ret; NULL = none. It counts as asked for. */
struct volumes_entry *volumes_next_bound(struct volumes *volumes, const struct config_volumes *rules, const char *pod_uid, struct volume *ret);
/* Is it to be bounded again, because what was asked for last reached nobody? Then volumes_next_bound() finds it. */
bool volumes_bound_again(struct volumes_entry *entry);
/* Is it scratch in memory that a dead container may leave full? */
bool volumes_is_scratch(const struct volumes_entry *entry);

/* And the first of its pod in the table: who tells of pods tells of each once. */
bool volumes_is_first_scratch(const struct volumes *volumes, unsigned index);

/* Of the pod's volumes that were measured the one that is used the most of its size; NULL = none. Checkpoints are the server's. */
const struct volumes_entry *volumes_fullest(const struct volumes *volumes, const char *pod_uid);

/* As measured last; 0 = not yet. */
uint64_t volumes_used_bytes(const struct volumes_entry *entry);
uint64_t volumes_used_inodes(const struct volumes_entry *entry);

/* What was used when a dead container's files were removed, or as measured last. */
uint64_t volumes_left_bytes(const struct volumes_entry *entry);

/* What a request about it ended with; of emptying it the figures are those of before. */
void volumes_emptied(struct volumes_entry *entry, const struct volume_result *result);
void volumes_result(struct volumes_entry *entry, const struct volume_result *result, uint64_t now_us);
