/* config_volumes.h - the section `volumes` of the configuration (docs/configuration.md): what Stoker mounts, bounds, counts and
 * removes. stokerd and the broker have it whole; stoker-csi and stoker-nri get in a record what they need of it (health/wire.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"

#define CONFIG_CHECKPOINTS_MAX	 8
#define CONFIG_DISKS_MAX	 8
#define CONFIG_INJECT_MAX	 8
#define CONFIG_SWEEP_MAX	 8
#define CONFIG_NAMESPACES_MAX	 4
#define CONFIG_VOLUME_NAME_BYTES 32
#define CONFIG_VOLUME_PATH_BYTES 160
#define CONFIG_ADDRESS_BYTES	 48

enum config_csi { CONFIG_CSI_AUTO, CONFIG_CSI_OFF };
enum config_sweep { CONFIG_SWEEP_OFF, CONFIG_SWEEP_DRY_RUN, CONFIG_SWEEP_ON };
enum config_account { CONFIG_ACCOUNT_AUTO, CONFIG_ACCOUNT_OFF };

/* Patterns (fnmatch) of the namespaces that may use it; none = nobody. */
struct config_namespaces {
	uint32_t count;
	char pattern[CONFIG_NAMESPACES_MAX][64];
};

/* One NFS export that pods may ask for by name. Only what is listed here is ever mounted from a server. */
struct config_checkpoint {
	char name[CONFIG_VOLUME_NAME_BYTES];	   /* a word */
	char server[NAME_NODE_BYTES];		   /* a host name or an address */
	char address[CONFIG_ADDRESS_BYTES];	   /* of the server: where it is to be used (volumes/nfs_mount.h); "" in a configuration */
	char export_path[CONFIG_VOLUME_PATH_BYTES]; /* absolute */
	uint32_t version;			   /* 4 (default: 4.2, else what the server has) or 3 */
	uint32_t port;				   /* 0 = the usual 2049 */
	uint32_t soft;				   /* bool, default false: hard. soft loses data in silence */
	uint32_t read_only;			   /* bool, default false */
	struct config_namespaces namespaces;
};

/* A directory on a disk of the node in which volumes of `type: disk` are made. */
struct config_disk {
	char name[CONFIG_VOLUME_NAME_BYTES];
	char path[CONFIG_VOLUME_PATH_BYTES];
	struct config_namespaces namespaces;
};

/* What executors of these namespaces get without asking. Annotations (if allowed) choose the same for one pod. */
struct config_inject {
	struct config_namespaces namespaces;
	char path[CONFIG_VOLUME_PATH_BYTES];	   /* where in the container */
	char checkpoint[CONFIG_VOLUME_NAME_BYTES]; /* name of a checkpoint, whose export it is; "" = scratch in memory */
	uint64_t size_bytes;			   /* of scratch; 0 = what the limit leaves */
	uint32_t drivers;			   /* bool: drivers too; default true for a checkpoint, false for scratch */
	uint32_t zero;
};

/* A hostPath under which Spark's local directories lie. */
struct config_sweep_root {
	char path[CONFIG_VOLUME_PATH_BYTES];
};

struct config_volumes {
	enum config_csi csi;	      /* volumes.csi: auto|off, default auto: served if the kubelet's directories are there */
	uint32_t annotations;	      /* volumes.annotations: bool, default false: pods may choose by annotation */
	uint32_t cap_tmpfs;	      /* volumes.capTmpfs: bool, default false: the kubelet's own tmpfs local dirs are bounded */
	uint32_t empty_dead_scratch;  /* volumes.emptyDeadScratch: bool, default false: before a restart in the same pod */
	uint64_t scratch_max_bytes;   /* volumes.scratch.max: 1Mi to 1Ti, default 8Gi: of one volume, whatever is asked */
	uint64_t scratch_no_limit_bytes; /* volumes.scratch.withoutLimit: default 1Gi: of a pod without a memory limit */
	uint64_t scratch_reserve_bytes;	 /* volumes.scratch.reserve: default 384Mi: of the limit, beside heap and off-heap */
	uint64_t scratch_inodes;      /* volumes.scratch.inodes: default 100000: of one volume that asks for none */
	uint32_t checkpoint_count, disk_count, inject_count, sweep_root_count;
	struct config_checkpoint checkpoints[CONFIG_CHECKPOINTS_MAX]; /* volumes.checkpoints */
	struct config_disk disks[CONFIG_DISKS_MAX];		      /* volumes.disks */
	struct config_inject injects[CONFIG_INJECT_MAX];	      /* volumes.inject */
	uint64_t checkpoint_deadline_us; /* volumes.checkpointDeadline: 1s to 110s, default 20s: of a mount; kubelet gives up after 120 s */
	enum config_sweep sweep;	 /* volumes.sweep.mode: off|dryRun|on, default off */
	uint64_t sweep_grace_us;	 /* volumes.sweep.grace: 1m to 7d, default 10m after the owner was last seen */
	struct config_sweep_root sweep_roots[CONFIG_SWEEP_MAX]; /* volumes.sweep.roots */
	enum config_account account;	 /* volumes.account: auto|off, default auto */
	uint32_t zero;
};

/* May pods of this namespace use it? */
bool config_namespaces_allow(const struct config_namespaces *namespaces, const char *name_space);
