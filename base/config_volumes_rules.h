/* config_volumes_rules.h - the keys of the section `volumes`: from libcyaml's strings to struct config_volumes. */
#pragma once

#include <stdint.h>

#include "base/config_rule.h"
#include "base/config_volumes.h"
#include "base/err.h"

struct config_raw_scratch {
	char *max, *without_limit, *reserve, *inodes;
};
struct config_raw_namespaces {
	char **patterns;
	uint32_t count;
};
struct config_raw_checkpoint {
	char *name, *server, *export_path, *version, *port, *soft, *read_only;
	struct config_raw_namespaces namespaces;
};
struct config_raw_disk {
	char *name, *path;
	struct config_raw_namespaces namespaces;
};
struct config_raw_inject {
	char *path, *checkpoint, *size, *drivers;
	struct config_raw_namespaces namespaces;
};
struct config_raw_sweep {
	char *mode, *grace;
	struct config_raw_sweep_root {
		char *path;
	} *sweep_roots;
	uint32_t sweep_root_count;
};
struct config_raw_volumes {
	char *csi, *annotations, *cap_tmpfs, *empty_dead_scratch, *checkpoint_deadline, *account;
	struct config_raw_scratch *scratch;
	struct config_raw_checkpoint *checkpoints;
	struct config_raw_disk *disks;
	struct config_raw_inject *injects;
	uint32_t checkpoint_count, disk_count, inject_count;
	struct config_raw_sweep *sweep;
};

/* `raw` may be NULL: the defaults. `config` is zeroed by the caller. An error is "key: rule, not 'value'", and ret_key is where to
 * look for the line. */
int config_volumes_apply(const struct config_raw_volumes *raw, struct config_volumes *config, char ret_key[static CONFIG_KEY_BYTES], struct err *e);

/* Of a struct that came from a process that may lie: NULL, or the key of the first thing that breaks a rule. */
const char *config_volumes_find_broken(const struct config_volumes *config);
