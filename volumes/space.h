/* space.h - how much room a filesystem has for an ordinary user, and whether that is enough.
 *
 * Plain values, pure functions: the write probe measures in its child (write_probe.c), and here it is judged. What is
 * reserved for root is not free (f_bavail, not f_bfree): a full ext4 with 5 % kept back fails executors all the same. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/config_amount.h"
#include "base/config.h"

/* Larger numbers than a JSON number can hold exactly are cut to this: some network and FUSE filesystems say 2^63. */
#define SPACE_MOST ((1ULL << 53) - 1)

/* What the words about a shortage depend on. */
enum space_kind { SPACE_ON_OTHER, SPACE_ON_EXT4, SPACE_ON_TMPFS, SPACE_ON_NFS };

struct space {
	uint64_t total_bytes; /* 0 = not measured, or without a limit (tmpfs, size=0) */
	uint64_t available_bytes;
	uint64_t total_inodes; /* 0 = the filesystem does not count them (btrfs) */
	uint64_t available_inodes;
	uint64_t inodes_are_dynamic; /* bool: made from free blocks as they are needed (XFS), so the total is no fixed one */
	uint64_t free_bytes;	     /* with what is reserved for root */
	uint64_t kind;		     /* enum space_kind */
};

enum space_resource { SPACE_BYTES, SPACE_INODES, SPACE_RESOURCE_MAX_ };

enum space_level { SPACE_ENOUGH, SPACE_LOW, SPACE_EXHAUSTED };

/* One for each resource; the memory that the hysteresis needs. */
struct space_levels {
	enum space_level of[SPACE_RESOURCE_MAX_];
};

/* A level begins when less than its amount is left, and ends when what is left is above it by a margin: one point of the
 * whole, but at least a tenth of the amount and at most as much again. */
enum space_level space_level_step(uint64_t available, uint64_t total, const struct config_limits *limits, enum space_level before);

struct space_levels space_judge(const struct space *space, const struct config_limits *bytes, const struct config_limits *inodes,
				struct space_levels before);

/* "3 of 2000 inodes left for ordinary users", "1.2 GiB of 60.0 GiB left for ordinary users" */
void space_describe(const struct space *space, enum space_resource resource, char *text, size_t size);

/* "1.2 GiB" */
void space_append_bytes(char *text, size_t size, uint64_t bytes);
