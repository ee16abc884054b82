/* tmpfs_options.h - a volume's attributes as tmpfs(5) spells them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "volumes/volume.h"

#define TMPFS_OPTIONS_MAX 8

struct tmpfs_option {
	const char *key;
	char value[32];
};

struct tmpfs_options {
	size_t count;
	struct tmpfs_option options[TMPFS_OPTIONS_MAX];
};

/* Without noswap, which older kernels refuse. */
void tmpfs_options_of(const struct volume *volume, struct tmpfs_options *ret);
void tmpfs_options_of_bounds(uint64_t size_bytes, uint64_t inodes, struct tmpfs_options *ret);

/* "size=1048576,nr_inodes=100", for mount(2). */
void tmpfs_options_join(const struct tmpfs_options *options, char *text, size_t size);

/* "stoker-" and the digest: what the mount table shows as its source. */
void tmpfs_source(const struct volume *volume, char *text, size_t size);
