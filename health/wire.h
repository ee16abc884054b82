/* wire.h - the record types between the roles, one list. Answers repeat the id of what was asked. */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/config.h"
#include "base/executor.h"
#include "health/driver_clue.h"
#include "health/event.h"
#include "health/pod_end.h"
#include "health/report.h"
#include "volumes/account.h"
#include "volumes/finding.h"
#include "volumes/fs_error_mark.h"
#include "volumes/sweep.h"
#include "volumes/volume.h"

enum wire_type {
	/* stokerd -> broker */
	WIRE_PROBE = 1, /* struct wire_probe */
	WIRE_MOUNTS,	/* no payload: the host's mount table */
	WIRE_KMSG,	/* no payload: the kernel log */
	/* broker -> stokerd */
	WIRE_FINDING,	  /* struct finding */
	WIRE_DESCRIPTOR,  /* struct wire_descriptor and the descriptor beside it: mountinfo (poll it for changes), kmsg or the group */
	WIRE_REFUSED,	  /* struct wire_refused */
	WIRE_CHILD_ENDED, /* struct wire_ended, unasked: an abandoned child of this watch is gone */
	/* stokerd -> reporter */
	WIRE_REPORT, /* struct report */
	/* reporter -> stokerd */
	WIRE_REPORT_STATE, /* struct report_state */
	/* stokerd -> web */
	WIRE_LISTEN,	  /* listening socket beside it; struct wire_listen */
	WIRE_HEALTH_PART, /* struct wire_part: text of JSON, answers WIRE_GET_HEALTH */
	/* web -> stokerd */
	WIRE_GET_HEALTH, /* no payload */
	/* stokerd -> broker */
	WIRE_FS_ERRORS = 32, /* no payload: a fanotify group for FAN_FS_ERROR */
	WIRE_FS_MARK,	     /* struct wire_probe, the group beside it: watch the errors of this filesystem */
	/* broker -> stokerd */
	WIRE_FS_MARKED, /* struct fs_error_mark */
	/* stokerd -> broker */
	WIRE_NODE, /* no payload: something that this node has once, to be locked; answered by WIRE_DESCRIPTOR */
	WIRE_LOOK = 40, /* struct wire_look */
	/* broker -> stokerd */
	WIRE_LOOKED, /* struct finding of the step "resolve"; its `watch` is the place */
	/* stokerd -> reporter */
	WIRE_EVENT = 48, /* struct event */
	WIRE_POD_ASK,	 /* struct wire_pod_ask: how did this pod come to its end? Answered by WIRE_POD_TOLD */
	WIRE_DRIVER_EVENT, /* struct wire_driver_event: the same for the driver, once its pod is found */
	/* reporter -> stokerd */
	WIRE_POD_TOLD, /* struct wire_pod_told */
	/* stokerd -> nri */
	WIRE_NRI_CONFIG = 64, /* struct wire_nri_config: first, and again when it changes; beside it the lock, which is kept */
	WIRE_NRI_CONNECTION,  /* no payload, its number is the id; the socket connected to the runtime beside it; the one before is closed */
	/* nri -> stokerd */
	WIRE_NRI_STATE,		/* struct wire_nri_state */
	WIRE_NRI_LOST,		/* no payload: the connection with this id is gone, dial again */
	WIRE_EXECUTOR,		/* struct executor: a container of a Spark pod is created, or is found at Synchronize */
	WIRE_CONTAINER_STARTED, /* struct wire_container */
	WIRE_CONTAINER_STOPPED, /* struct wire_container, with the exit code if the runtime says it */
	WIRE_CONTAINER_REMOVED, /* struct wire_container */
	WIRE_POD_STOPPING,	/* struct wire_container, container_id "": somebody stops the pod */
	WIRE_SYNCHRONIZED,	/* no payload: every WIRE_EXECUTOR of now was sent; who was not named is gone */
	WIRE_COMPLAINT,		/* struct wire_complaint */
	WIRE_ADJUSTED,		/* struct wire_adjusted: after its WIRE_EXECUTOR */
	/* stokerd -> broker */
	WIRE_PROCESSES = 80, /* struct wire_container_ask: memory of the processes of a container, by kind */
	WIRE_LOG_TAIL,	     /* struct wire_container_ask: the end of its log, redacted */
	/* broker -> stokerd */
	WIRE_PROCESSES_READ, /* struct wire_processes */
	WIRE_LOG_READ,	     /* struct wire_log */
	/* stokerd -> broker */
	WIRE_STATUS, /* struct wire_container_ask: what the container runtime says of a container (CRI) */
	/* broker -> stokerd */
	WIRE_STATUS_READ, /* struct wire_status */
	/* web -> stokerd; answered by WIRE_HEALTH_PART */
	WIRE_GET_EXECUTORS = 88, /* no payload */
	WIRE_GET_DEATHS,	 /* no payload */
	/* stokerd -> broker: who lives here, where no runtime tells */
	WIRE_SCAN = 96, /* no payload */
	/* broker -> stokerd */
	WIRE_SCANNED, /* struct wire_scanned; beside it a file in memory with so many struct executor */
	/* stokerd -> broker */
	WIRE_VOLUME_MAKE = 112, /* struct wire_volume: mount it, or find that it is mounted */
	WIRE_VOLUME_REMOVE,	/* struct wire_volume, of which only `at` counts */
	WIRE_VOLUME_BOUND,	/* struct wire_volume: bytes and inodes of a tmpfs that is there, by remount */
	WIRE_VOLUME_EMPTY,	/* struct wire_volume, of which only `at` counts: Spark's files of a dead container go */
	WIRE_VOLUME_STAT,	/* struct wire_volume, of which only `at` counts: how much is in it */
	WIRE_CHECKPOINT_LOOK,	/* struct wire_volume at VOLUME_AT_NODE: does it answer? statfs with a deadline */
	WIRE_SWEEP,		/* struct wire_sweep */
	WIRE_ACCOUNT,		/* struct wire_account */
	/* broker -> stokerd */
	WIRE_VOLUME_RESULT, /* struct volume_result: answers all of WIRE_VOLUME_… and WIRE_CHECKPOINT_LOOK */
	WIRE_SWEPT,	    /* struct wire_swept */
	WIRE_ACCOUNTED,	    /* struct wire_accounted */
	/* stokerd -> csi */
	WIRE_CSI_CONFIG = 128, /* struct wire_csi_config: first, and again when it changes */
	WIRE_CSI_LISTEN,       /* listening socket beside it; struct wire_csi_listen */
	WIRE_CSI_RESULT,       /* struct volume_result */
	WIRE_CSI_STATS,	       /* struct wire_volume_stats */
	/* csi -> stokerd: answered by WIRE_CSI_RESULT or WIRE_CSI_STATS with the same id */
	WIRE_CSI_PUBLISH, /* struct wire_volume */
	WIRE_CSI_UNPUBLISH, /* struct wire_volume, of which only `at` counts */
	WIRE_CSI_GET_STATS, /* struct wire_volume, of which only `at` counts */
	WIRE_CSI_REGISTERED, /* struct wire_csi_registered: the kubelet said so */
	WIRE_CSI_COUNTS,     /* struct wire_csi_counts, at most once a second, when something was counted */
	/* stokerd -> csi */
	WIRE_CSI_STORAGE, /* struct wire_csi_storage: at first and when it changes */
	WIRE_CSI_FIGURES, /* struct wire_volume_stats, unasked: newly measured, good until the next; or not known any more */
	/* csi -> stokerd */
	WIRE_CSI_ASKED, /* struct wire_volume, of which only `at` counts: its figures were given from memory; no answer */
	/* stokerd -> nri */
	WIRE_NRI_VOLUMES = 144, /* struct wire_nri_volumes */
	WIRE_NRI_CHECKPOINTS,	/* struct wire_checkpoints_ready */
	WIRE_NRI_SCRATCH,	/* struct wire_nri_scratch */
	/* web -> stokerd; answered by WIRE_HEALTH_PART */
	WIRE_GET_VOLUMES = 152, /* no payload */
	WIRE_GET_SWEEP,		/* no payload */
	WIRE_TYPE_MAX_
};

struct wire_probe {
	uint64_t config_hash;
	uint32_t watch;		/* the asker's own number for it, repeated in the answer */
	uint32_t place;		/* volumes/discover.h: the same number to both that have this configuration */
	uint64_t path_hash;	/* which mount point of a place that is a pattern; else 0 */
	uint64_t mount_id;	/* on another mount nothing is probed, ESTALE is found; 0 = any */
	uint32_t must_be_mounted; /* bool: if the path is no mount root (any more), probe nothing and find ENODEV */
	uint32_t zero;
};

struct wire_look {
	uint64_t config_hash;
	uint32_t place; /* one of the known paths */
	uint32_t zero;
};

struct wire_descriptor {
	uint32_t what; /* WIRE_MOUNTS, WIRE_KMSG, WIRE_FS_ERRORS or WIRE_NODE */
};

struct wire_refused {
	int32_t errnum; /* EPERM not in the table or not now, ESTALE other config, EINVAL, or the fork's errno */
	uint32_t watch; /* of a WIRE_PROBE, else UINT32_MAX */
	char text[256];
	uint32_t request; /* enum wire_type of what is refused */
};

struct wire_ended {
	uint32_t watch;
};

/* A long text in pieces, in order; the last one has last = 1. An error ends it: errnum != 0, last = 1. */
#define WIRE_PART_BYTES 8000
struct wire_part {
	int32_t errnum;
	uint32_t last; /* bool */
	uint32_t length;
	char bytes[WIRE_PART_BYTES]; /* only `length` of them are sent: the record is shorter than the struct */
};

struct wire_listen {
	uint32_t is_unix; /* bool: the CLI's socket; else the TCP port */
};

/* --- executors --- */

struct wire_nri_config {
	struct config_executors executors;
	uint32_t cgroup_v2; /* bool: this node's containers live in it */
	uint32_t log_level; /* enum log_level */
	char redact_regex[CONFIG_REGEX_BYTES]; /* redact.regex */
};

enum wire_nri { WIRE_NRI_OFF, WIRE_NRI_DISCONNECTED, WIRE_NRI_REGISTERING, WIRE_NRI_SYNCHRONISING, WIRE_NRI_LIVE };

struct wire_nri_state {
	uint32_t state; /* enum wire_nri */
	uint32_t unified;    /* bool: keys of cgroup v2 may be sent */
	uint32_t exit_codes; /* bool: WIRE_CONTAINER_STOPPED comes when a container ends by itself, with its code */
	uint32_t oom_score_adj; /* bool: it can be set */
	char runtime[32], runtime_version[32], nri_version[16];
	uint64_t requests_total, late_total, refused_total, adjusted_total, reconnects_total;
	char why[192]; /* of the last loss */
};

struct wire_container {
	char container_id[EXECUTOR_CONTAINER_ID_BYTES];
	char pod_uid[EXECUTOR_UID_BYTES];
	uint32_t pid;
	uint32_t has_exit; /* bool */
	int32_t exit_code;
	uint32_t zero;
	uint64_t finished_wall_us;
};

/* What was set at its creation, to be looked for after its start. */
struct wire_adjusted {
	struct wire_container who;
	uint32_t has_oom_group, has_oom_score_adj; /* bool */
	uint32_t oom_group;			   /* bool: memory.oom.group */
	int32_t oom_score_adj;
};

struct wire_complaint {
	struct wire_container who;
	char name_space[EXECUTOR_NAMESPACE_BYTES], pod[NAME_NODE_BYTES];
	char text[256];
	uint32_t is_mount; /* bool: of a mount, else of an annotation */
	uint32_t zero;
};

/* Names, no path: the child builds it beneath the configured roots. */
struct wire_container_ask {
	struct wire_container who;
	char cgroup[EXECUTOR_CGROUP_BYTES]; /* relative to the memory hierarchy; for processes */
	char name_space[EXECUTOR_NAMESPACE_BYTES], pod[NAME_NODE_BYTES], container[EXECUTOR_LABEL_BYTES]; /* for the log */
};

struct wire_processes {
	struct wire_container who;
	int32_t errnum;
	uint32_t cut; /* bool: more processes than were looked at */
	uint64_t jvm_bytes, python_bytes, r_bytes, other_bytes; /* RSS */
	uint32_t jvm_count, python_count, r_count, other_count;
	uint32_t has_oom_score_adj; /* bool: of who.pid, if it is one of them */
	int32_t oom_score_adj;
};

struct wire_log {
	struct wire_container who;
	int32_t errnum;
	uint32_t bits; /* DEATH_LOG_… */
	char line[256];
};

struct wire_status {
	struct wire_container who; /* has_exit: it has ended, so with its code and when */
	int32_t errnum;		   /* ENOENT no runtime answers, ESRCH none knows it (any more), else the first one's failure */
	uint32_t log_number;	   /* of its log, N.log; UINT32_MAX = not said */
	char reason[32];	   /* "OOMKilled", "Error", "Completed", "StartError" … */
	char message[256];	   /* redacted; with errnum: what went wrong */
	char socket[CONFIG_SUN_PATH_BYTES]; /* of the one that answered; of errnum ENOENT "" */
};

struct wire_pod_ask {
	struct event_pod pod;
	char container[EXECUTOR_LABEL_BYTES];
};

struct wire_pod_told {
	int32_t errnum; /* ENOENT it is gone, EACCES the right is missing or report.pods is off, EBUSY, EIO the API server does not answer: not now */
	uint32_t zero;
	struct pod_end end;
};

/* Its event.pod is "": whom it is about is to be found. */
struct wire_driver_event {
	struct event event;
	struct driver_clue clue;
};

struct wire_scanned {
	int32_t errnum;
	uint32_t count; /* of struct executor in the file, at most as many as a roster has (shim/roster.h) */
	uint32_t cut;	/* bool: there are more containers or cgroups than were looked at */
	uint32_t zero;
};

/* --- volumes --- */

struct wire_volume {
	uint64_t config_hash;
	struct volume volume;
};

#define WIRE_SWEEP_REMOVE_MAX 16
struct wire_sweep {
	uint64_t config_hash;
	uint32_t root;	       /* index of config_volumes.sweep_roots */
	uint32_t remove_count; /* 0 = only look */
	uint64_t after_ino;    /* looking: the page behind this one */
	uint64_t slack_us;     /* so far the clock may have been set since a process was started */
	struct wire_sweep_one {
		uint64_t ino, born_wall_us, changed_wall_us; /* as they were told */
	} remove[WIRE_SWEEP_REMOVE_MAX]; /* what still is as it was, and still is ownerless, goes */
};

struct wire_swept {
	uint32_t root;
	int32_t errnum;	 /* the root could not be looked at */
	uint32_t count;
	uint32_t more;	 /* bool: there are directories with higher inode numbers */
	uint32_t cut;	 /* bool: there are more names in the root than are looked at */
	uint32_t removing; /* bool: this answers a request to remove */
	uint32_t zero;
	uint32_t unread; /* a process that could not be looked into; 0 = none */
	uint64_t duration_us;
	char text[192];	 /* of the error */
	struct wire_swept_one {
		char name[SWEEP_NAME_BYTES];
		uint64_t ino, born_wall_us, changed_wall_us;
		uint32_t uid, reason /* enum sweep_reason */, pid /* that speaks for it; 0 = none */;
		uint32_t gone;			     /* bool */
		uint64_t removed_entries, removed_bytes; /* by this run */
		uint32_t left;			     /* entries that could not be removed */
		int32_t left_errnum;
	} of[SWEEP_PAGE];
};
static_assert(sizeof(struct wire_swept) <= 8192, "must fit one record");

struct wire_account {
	uint64_t config_hash;
	uint32_t entries; /* that are looked at, at most: ACCOUNT_ENTRIES_MIN to ACCOUNT_ENTRIES_MAX */
	uint32_t zero;
};

/* Beside it a file in memory with so many struct account_place. */
struct wire_accounted {
	int32_t errnum;
	uint32_t count;
	uint32_t cut; /* bool: there are more places than are told */
	uint32_t zero;
	uint64_t duration_us, entries;
};

struct wire_figures {
	uint64_t bytes_total, bytes_used, bytes_available, inodes_total, inodes_used, inodes_free;
};

struct wire_volume_stats {
	struct volume_at at;
	uint32_t known;	  /* bool: is it one of ours? */
	uint32_t abnormal; /* bool */
	struct wire_figures figures;
	char message[192]; /* of the condition: "NFSServerNotResponding: …" */
};

/* stoker-csi judges form only; which checkpoint or disk a namespace may have, and how large, is stokerd's to say. */
struct wire_csi_config {
	char node[NAME_NODE_BYTES];
	char kubelet_root[NAME_PATH_BYTES];
	uint32_t log_level; /* enum log_level */
	uint32_t zero;
};

struct wire_csi_listen {
	uint32_t is_registration; /* bool: plugins_registry's; else plugins/csi.stoker.dev's */
};

struct wire_csi_registered {
	uint32_t registered; /* bool */
	char text[256];
};

/* For the metrics. A call is counted when it is answered; those that broke a bound or are no gRPC are in refused_total only. */
enum wire_csi_call { WIRE_CSI_CALL_PUBLISH, WIRE_CSI_CALL_UNPUBLISH, WIRE_CSI_CALL_STATS, WIRE_CSI_CALL_OTHER, WIRE_CSI_CALL_MAX_ };
struct wire_csi_counts {
	uint64_t calls_total[WIRE_CSI_CALL_MAX_], failed_total[WIRE_CSI_CALL_MAX_];
	uint64_t connections_total, refused_total;
};

/* The servers behind the checkpoints that do not answer as they should, for NodeGetStorageHealth. */
struct wire_csi_storage {
	uint32_t count, zero;
	struct wire_csi_backend {
		uint32_t unreachable, zero; /* bool; else slow */
		char reason[NAME_REASON_BYTES]; /* CamelCase: "NFSServerNotResponding" */
		char message[192];
	} backends[CONFIG_CHECKPOINTS_MAX];
};

/* What injection needs of the section `volumes`. */
struct wire_nri_volumes {
	uint64_t config_hash;
	uint64_t scratch_max_bytes, scratch_no_limit_bytes, scratch_reserve_bytes, scratch_inodes;
	uint32_t annotations, inject_count, checkpoint_count, zero;
	struct config_inject injects[CONFIG_INJECT_MAX];
	struct wire_nri_checkpoint {
		char name[CONFIG_VOLUME_NAME_BYTES];
		uint32_t read_only;
		struct config_namespaces namespaces;
	} checkpoints[CONFIG_CHECKPOINTS_MAX];
	char checkpoints_dir[CONFIG_VOLUME_PATH_BYTES]; /* where the broker mounts them, as the host has it; checkpoint n is beneath, by its name */
};
static_assert(sizeof(struct wire_nri_volumes) <= 8192, "must fit one record");

/* Scratch in memory that a pod has beside what is injected; 0 volumes = none any more. */
struct wire_nri_scratch {
	char pod_uid[EXECUTOR_UID_BYTES];
	uint32_t volumes, zero;
};

struct wire_checkpoints_ready {
	uint64_t config_hash;
	uint32_t ready; /* bit n: checkpoint n is mounted on the node and answers */
	uint32_t zero;
};
