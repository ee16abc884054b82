/* config_rules.h - the one table of keys: where each comes from, its rule, range and default, and where it goes.
 *
 * libcyaml fills a struct config_raw (all strings, NULL = not set); config_rules_apply turns it into the typed struct. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/config_rule.h"
#include "base/config_volumes_rules.h"
#include "base/err.h"

struct config_raw_watch {
	char *path, *role, *ignore;
};
struct config_raw_probe {
	char *period, *deadline, *recover_after, *minimum_bad, *directory, *uid;
};
struct config_raw_limits {
	char *warn, *bad;
};
struct config_raw_forecast {
	char *horizon;
};
struct config_raw_web {
	char *listen;
};
struct config_raw_report {
	char **aliases, **taint_for;
	uint32_t aliases_count, taint_for_count;
	bool taint_for_is_there; /* libcyaml does not tell an empty list from none, and here they differ */
	char *kubernetes, *kubeconfig, *taint, *taint_key, *group, *max_tainted, *taint_single_node, *pods;
};
struct config_raw_executors {
	char *watch, *nri_socket, *cri_socket, *dry_run, *annotations, *python_oom_group, *oom_score_adj;
};
struct config_raw_deaths {
	char *keep_records, *keep_bytes;
};
struct config_raw_redact {
	char *regex;
};
struct config_raw_log {
	char *level;
};
struct config_raw {
	char *node, *runtime_dir, *discover, *kubelet_root, *retire;
	struct config_raw_watch *watch;
	uint32_t watch_count;
	struct config_raw_probe *probe;
	struct config_raw_limits *space, *inodes;
	struct config_raw_forecast *forecast;
	struct config_raw_web *web;
	struct config_raw_report *report;
	struct config_raw_executors *executors;
	struct config_raw_deaths *deaths;
	struct config_raw_redact *redact;
	struct config_raw_volumes *volumes;
	struct config_raw_log *log;
};

/* `config` is zeroed by the caller. An error is "key: rule, not 'value'", and ret_key is where to look for the line. */
int config_rules_apply(const struct config_raw *raw, struct config *config, char ret_key[static CONFIG_KEY_BYTES], struct err *e);

/* Checks a struct that came from a process that may lie: every string ended and by its rule, every number in its range. */
int config_rules_check(const struct config *config, struct err *e);
