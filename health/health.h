/* health.h - the node's health at one moment: what the CLI, the JSON and the node report are made from.
 *
 * Made by monitor_snapshot(); a plain value without pointers into anything. Wall-clock times, 0 = never. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/err.h"
#include "health/checkpoint.h"
#include "health/executor_counts.h"
#include "health/report.h"
#include "health/storage_totals.h"
#include "health/verdict.h"
#include "volumes/discover.h"

#define HEALTH_ROLES_MAX  8
#define HEALTH_INPUTS_MAX 24
#define HEALTH_JSON_MAX_BYTES (1024 * 1024)
#define HEALTH_VERSION_BYTES  32

/* How long probes take: counts of those that took at most so long, and of those that took longer. */
#define HEALTH_BUCKETS	   7
#define HEALTH_BUCKETS_US  1000, 5000, 20000, 100000, 500000, 2000000, 10000000

enum health_status { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_WARNING, HEALTH_UNHEALTHY, HEALTH_STATUS_MAX_ };

/* Of one filesystem since this stokerd began to watch it; they only rise. */
struct health_probes {
	uint64_t count;			       /* = good + failed + unclear */
	uint64_t good, failed, unclear;	       /* writing worked; failed; could not tell */
	uint64_t total_us;		       /* of all */
	uint64_t within[HEALTH_BUCKETS + 1]; /* by duration, each probe in one; the last: longer than all bounds */
};

struct health_filesystem {
	char mount_point[NAME_PATH_BYTES]; /* as mounted; the watched path while nothing is known */
	char path[NAME_PATH_BYTES];	   /* the watched path */
	char source[256], fs_type[32];
	char device[24]; /* "8:1" */
	uint32_t role_count;
	char roles[HEALTH_ROLES_MAX][CONFIG_ROLE_BYTES];
	enum verdict_state state;
	char reason[NAME_REASON_BYTES];
	char message[256];
	uint64_t since_wall_us;
	uint64_t last_probe_wall_us; /* 0 = never probed */
	uint64_t last_probe_duration_us;
	int32_t last_probe_errnum;
	uint64_t size_bytes, available_bytes; /* of it, for ordinary users; both 0 = not known, or without a limit */
	uint64_t inodes, available_inodes;    /* both 0 = not known, or not counted */
	uint64_t space_full_low_s, space_full_high_s; /* full in so many seconds; both 0 = not filling up, as far as can be told */
	uint64_t inodes_full_low_s, inodes_full_high_s;
	enum target_origin origin;  /* how it came to be watched */
	uint32_t ignored;	    /* bool: seen, and no part of the verdict */
	struct health_probes probes;
	uint64_t kernel_errors, kernel_errors_wall_us; /* as the filesystem itself counts them (ext4), and when that was read; 0 = never */
	uint32_t mounted; /* bool: the path was seen as a mount point of its own (state file: see monitor.h) */
};

/* An NFS export that the configuration names. */
struct health_checkpoint {
	char name[CONFIG_VOLUME_NAME_BYTES];
	char source[NAME_NODE_BYTES + CONFIG_VOLUME_PATH_BYTES + 4]; /* "nas1:/spark" */
	enum checkpoint_state state;
	uint32_t mounted;  /* bool: on this node */
	char message[160]; /* why it is not healthy; "" = it is */
	uint64_t since_wall_us;
};

/* kmsg, broker, reporter, config …: "ok", "missing", "degraded", "off" and words. */
struct health_input {
	char name[24], state[16], detail[256];
	uint64_t since_wall_us; /* when `state` began; 0 = not known */
};

/* The stokerd that says this. Counters begin at its start and only rise. */
#define HEALTH_BOOT_ID_BYTES 40

struct health_agent {
	uint64_t started_wall_us; /* 0 = no daemon says this */
	char version[HEALTH_VERSION_BYTES];
	uint64_t kmsg_gaps, kmsg_lost; /* times that the kernel's ring overran us; records lost by it */
	uint64_t report_writes;	       /* requests that changed the node object, of every reporter since the start */
	uint64_t last_write_wall_us;   /* the heartbeat counts; 0 = none yet */
	uint64_t abandoned_probes;     /* children that hang in the kernel now */
	char boot_id[HEALTH_BOOT_ID_BYTES]; /* of the kernel's life that all this is of; "" = not known */
};

/* The container runtime's NRI: what it offers, and what was done with it. Counters only rise. */
struct health_nri {
	uint32_t present;	/* bool: executors are watched */
	uint32_t live;		/* bool: connected and synchronised */
	uint32_t exit_codes;	/* bool: it tells how containers end */
	uint32_t oom_score_adj, unified; /* bool: these can be set at a creation */
	uint32_t zero;			 /* no padding: compared with memcmp */
	char runtime[32], runtime_version[32], nri_version[16];
	uint64_t requests, late, refused, adjusted, reconnects;
	uint64_t unverified;	/* what was set at a creation and was not so after the start */
};

/* Volumes, and what the kubelet asked of stoker-csi. Counters only rise; those of calls begin anew with stoker-csi. */
struct health_volumes {
	uint32_t present;    /* bool: volumes are made, or may be */
	uint32_t registered; /* bool: the kubelet said so */
	uint64_t count, size_bytes, used_bytes; /* that are there; used: as measured last */
	uint64_t bounded, emptied, refused;
	uint64_t publish, unpublish, stats, failed; /* calls; how many of all failed */
};

struct health {
	char node[NAME_NODE_BYTES];
	uint64_t time_wall_us;
	enum health_status status;
	struct report report;	/* condition and taint as wanted */
	uint32_t report_ready;	/* bool: every watched filesystem has been probed, the report may go out */
	uint32_t taint_held;	/* bool: the taint is wanted but not put on the node (off, no cluster, not reachable …) */
	char taint_why[256];	/* why it is held, or "" */
	uint32_t taint_holder;	/* enum taint_holder */
	struct health_agent agent;
	struct executor_counts executors;
	struct health_nri nri;
	struct health_volumes volumes;
	struct storage_totals storage;
	uint32_t checkpoint_count;
	struct health_checkpoint checkpoints[CONFIG_CHECKPOINTS_MAX];
	uint32_t filesystem_count;
	struct health_filesystem filesystems[CONFIG_WATCH_MAX];
	uint32_t input_count;
	struct health_input inputs[HEALTH_INPUTS_MAX];
};

const char *health_status_name(enum health_status status); /* "Healthy", "Warning", "Unhealthy", "Unknown" */
int health_exit_code(enum health_status status);	   /* 0 healthy or warning, 1 unhealthy, 2 unknown */

/* Seen through a mount that is read-only by its own flag: no part of the verdict. */
void health_ignore_bind(struct health_filesystem *filesystem);

/* Pure: the node's status from its filesystems' states. */
enum health_status health_judge(const struct health *health);

/* The filesystem that the condition is about, NULL if none is watched; and how many are like it. */
const struct health_filesystem *health_worst(const struct health *health, unsigned *ret_count);

/* Pure: conditions and taint, from the filesystems and the checkpoints, as docs/contract.md names them. Sets everything of `report` but sequence and
 * transition times, which monitor.c keeps. */
void health_report(const struct health *health, const struct config *config, struct report *ret);

/* JSON of docs/contract.md ("kind":"NodeHealth"), made with cJSON. The text is malloc'ed, the caller frees it. */
int health_to_json(const struct health *health, char **ret_text, struct err *e);

/* Reads it back (the CLI; the state file). Unknown keys are ignored, missing ones are "" or 0; wrong types are refused by name. */
int health_from_json(const char *text, size_t length, struct health *ret, struct err *e);
