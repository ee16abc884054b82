/* config.h - the typed configuration, /etc/stoker/stoker.yaml (docs/configuration.md).
 *
 * A struct config is a plain value without pointers: it is copied, sent as a record and compared with memcmp.
 * Parsing is pure; reading happens in config_source.h. Read with libcyaml. A refused file gives one error naming
 * line, key and rule: "line 7: probe.period: must be from 1s to 10m, not '0s'". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config_amount.h"
#include "base/config_volumes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/names.h"

#define CONFIG_FILE_MAX_BYTES (256 * 1024)
#define CONFIG_WATCH_MAX      64
#define CONFIG_ROLE_BYTES     32
#define CONFIG_SOCKET_BYTES   80 /* runtimeDir: with a socket's name it must fit sun_path (108) */
#define CONFIG_SUN_PATH_BYTES 108
#define CONFIG_REGEX_BYTES    256

enum config_kubernetes { CONFIG_KUBERNETES_AUTO, CONFIG_KUBERNETES_OFF };
enum config_discover { CONFIG_DISCOVER_AUTO, CONFIG_DISCOVER_OFF };
enum config_taint { CONFIG_TAINT_NO_SCHEDULE, CONFIG_TAINT_PREFER_NO_SCHEDULE, CONFIG_TAINT_OFF };

enum config_recognition { CONFIG_RECOGNITION_AUTO, CONFIG_RECOGNITION_OFF };
enum config_oom_group { CONFIG_OOM_GROUP_LEAVE, CONFIG_OOM_GROUP_SINGLE, CONFIG_OOM_GROUP_GROUP };
enum config_oom_score { CONFIG_OOM_SCORE_LEAVE, CONFIG_OOM_SCORE_DRIVERS_LAST };

#define CONFIG_TAINT_FOR_STORAGE 1U

struct config_watch {
	char path[NAME_PATH_BYTES];   /* absolute, without "..", without a trailing slash; with *, ? or [ a pattern of mount points */
	char role[CONFIG_ROLE_BYTES]; /* what Spark or the kubelet uses it for: a word, default "scratch" */
	uint32_t ignore;	      /* bool: what patterns and discovery leave alone; default false */
};

/* How little may be left before it is said, and before the filesystem counts as bad. */
struct config_limits {
	struct config_amount warn, bad;
};

/* What is looked at and what may be changed about Spark's containers. A struct of its own: stoker-nri gets it in one record. */
struct config_executors {
	enum config_recognition watch;		 /* executors.watch: auto|off, default auto */
	char nri_socket[CONFIG_SUN_PATH_BYTES];	 /* executors.nriSocket: default /var/run/nri/nri.sock */
	char cri_socket[CONFIG_SUN_PATH_BYTES];	 /* executors.criSocket: default "", the known places */
	uint32_t dry_run;			 /* executors.dryRun: bool, default false: decide and say, change nothing */
	uint32_t annotations;			 /* executors.annotations: bool, default false: pods may choose by annotation */
	enum config_oom_group python_oom_group;	 /* executors.pythonOomGroup: leave|single|group, default leave */
	enum config_oom_score oom_score_adj;	 /* executors.oomScoreAdj: leave|driversLast, default leave */
};

struct config {
	char node[NAME_NODE_BYTES]; /* node: default the host's name; NODE_NAME overrides it */
	char runtime_dir[CONFIG_SOCKET_BYTES];
	enum config_discover discover;		/* discover: auto|off, default auto */
	char kubelet_root[NAME_PATH_BYTES];	/* kubeletRoot: default "", the known places */
	uint32_t watch_count;
	struct config_watch watch[CONFIG_WATCH_MAX];
	struct {
		uint64_t period_us;		    /* probe.period: 1s to 10m, default 5s */
		uint64_t deadline_us;		    /* probe.deadline: 100ms to 5m, default 10s */
		uint32_t recover_after;		    /* probe.recoverAfter: 1 to 100 good probes, default 3 */
		uint64_t minimum_bad_us;	    /* probe.minimumBad: 0s to 1h, default 10s: no flapping */
		char directory[64];		    /* probe.directory: one name without '/', default ".stoker" */
		uint32_t uid;			    /* probe.uid: 1 to 4294967294, default 65534 */
	} probe;
	struct config_limits space;  /* space.warn, space.bad: of the bytes, default "5%, at most 20Gi" and "1%, at most 2Gi" */
	struct config_limits inodes; /* inodes.warn, inodes.bad: default "5%, at most 100000" and "1%, at most 10000" */
	struct {
		uint64_t horizon_us; /* forecast.horizon: 15m to 24h, or off (0); default 30m */
	} forecast;
	struct {
		char listen[64]; /* web.listen: "ADDRESS:PORT" or "off", default "127.0.0.1:9469" */
	} web;
	struct {
		enum config_kubernetes kubernetes; /* report.kubernetes: auto|off, default auto */
		char kubeconfig[NAME_PATH_BYTES];  /* report.kubeconfig: absolute path, default none */
		enum config_taint taint;	   /* report.taint: NoSchedule|PreferNoSchedule|off, default NoSchedule */
		uint32_t taint_for;		   /* report.taintFor: CONFIG_TAINT_FOR_…, default StorageReady; which conditions taint */
		uint32_t aliases;		   /* report.aliases: bit = enum alias of health/alias.h; default none */
		char taint_key[NAME_TAINT_BYTES];  /* report.taintKey: a qualified name, default stoker.dev/unhealthy */
		uint32_t group;			   /* report.group: gid that may reach the reporter's socket: 0 to 4294967294, default 0 */
		char max_tainted[8];		   /* report.maxTainted: "1" to "100" nodes or "1%" to "100%", default "10%" */
		uint32_t taint_single_node;	   /* report.taintSingleNode: bool, default false */
		uint32_t pods;			   /* report.pods: bool, default false: pods are read from the API (get, list) */
	} report;
	struct config_executors executors;
	struct config_volumes volumes;
	struct {
		uint64_t keep_bytes;   /* deaths.keepBytes: 64Ki to 64Mi, default 1Mi */
		uint32_t keep_records; /* deaths.keepRecords: 1 to 10000, default 256 */
	} deaths;
	struct {
		char regex[CONFIG_REGEX_BYTES]; /* redact.regex: of names whose values are secret; default Spark's own, REDACT_REGEX */
	} redact;
	uint32_t retire;	  /* retire: bool, default false: take away what we put on the node object, then be quiet */
	enum log_level log_level; /* log.level: debug|info|warn|error, default info */
	uint64_t hash;		  /* of the file's bytes: broker requests carry it, so that "watch 2" means the same to both */
};

/* The defaults alone (as an empty file gives), with this host's name in lower case as `node`, as kubelet has it. */
void config_defaults(struct config *config);

/* Parses `length` bytes of YAML; `host` is this host's name, the default of `node`. Pure. Touches *ret only on success. */
int config_parse_on(const char *host, const char *text, size_t length, struct config *ret, struct err *e);

/* The same with the name that gethostname(2) gives. */
int config_parse(const char *text, size_t length, struct config *ret, struct err *e);

/* Reads and parses a file. The error names the path: "/etc/stoker/stoker.yaml: line 7: …". */
int config_load(const char *path, struct config *ret, struct err *e);

/* NODE_NAME of the environment, if set, overrides config->node; it is refused if it cannot be a node's name. Without it
 * config->node must be there: it is "" when the file does not set it and the host's name cannot be a node's. */
int config_override_node(struct config *config, const char *node_name, struct err *e);
