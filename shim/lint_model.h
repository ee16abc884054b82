/* lint_model.h - what the files say, gathered for the rules of lint: parts, and launches with their settings, pods, volumes and mounts.
 *
 * A launch is one application, session or server: what the operators, Zeppelin or a pod of one's own start, or what spark-submit starts with
 * the given spark-defaults.conf. Files given together belong together: settings and templates apply to every launch that reads them. */
#pragma once

#include "shim/lint.h"
#include "shim/lint_document.h"

#define LINT_LAUNCHES_MAX 256
#define LINT_SETTINGS_MAX 4096 /* of one launch */
#define LINT_MOUNTS_MAX	  512  /* of one role of a launch */

enum lint_part_kind {
	LINT_PART_OTHER, /* a Kubernetes object of no concern */
	LINT_PART_SETTINGS,
	LINT_PART_POD, /* a pod template, or the template within a workload */
	LINT_PART_KUBEFLOW_APP,
	LINT_PART_KUBEFLOW_CONNECT,
	LINT_PART_APACHE_APP,
	LINT_PART_APACHE_CLUSTER,
	LINT_PART_ZEPPELIN,
	LINT_PART_QUOTA,
	LINT_PART_LIMIT_RANGE,
	LINT_PART_CHART_VALUES,
};

/* A whole document, for the rules of form. */
struct lint_tree {
	const struct lint_file *file;
	const struct lint_node *root;
	bool is_properties;
	struct lint_tree *next;
};

struct lint_part {
	enum lint_part_kind kind;
	const struct lint_file *file;
	const char *label;	      /* the file's name, or the key in a ConfigMap */
	const char *name_space;	      /* of the object; "" = not said */
	const struct lint_node *node; /* the object; of a workload its pod template */
	const struct lint_node *spec; /* of an application, also of one on a schedule */
	const struct lint_node *claims; /* volumeClaimTemplates of a workload */
	bool is_workload;
	bool is_used; /* by a launch */
	struct lint_part *next;
};

/* How a setting is written there. */
enum lint_style { LINT_STYLE_PROPERTIES, LINT_STYLE_YAML, LINT_STYLE_ZEPPELIN, LINT_STYLE_ARGUMENT };

struct lint_setting {
	const char *key, *value;
	struct lint_place place;
	struct lint_setting *next;
};

enum lint_volume_kind { LINT_VOLUME_OTHER, LINT_VOLUME_EMPTY_DIR, LINT_VOLUME_HOST_PATH, LINT_VOLUME_NFS, LINT_VOLUME_CLAIM };

struct lint_volume {
	const char *name;
	enum lint_volume_kind kind;
	bool is_memory;
	const char *size; /* "" = none */
	bool in_settings; /* spark.kubernetes.….volumes */
	struct lint_place place;
	struct lint_volume *next;
};

struct lint_mount {
	const char *path; /* without '/' at its end */
	const char *volume;
	const char *container; /* "" = Spark's own */
	const char *origin;    /* in words: "the pod template" */
	bool read_only, has_sub_path;
	bool is_local_dir; /* Spark makes it of spark.local.dir */
	struct lint_place place;
	struct lint_mount *next;
};

enum lint_role { LINT_DRIVER, LINT_EXECUTOR, LINT_ROLE_MAX_ };

struct lint_pod {
	struct lint_volume *volumes, *last_volume;
	struct lint_mount *mounts, *last_mount;
	uint32_t mount_count;
	bool has_fs_group, has_cpu_limit, is_root;
	const char *image; /* of a pod that Spark does not make; "" */
	struct lint_place image_place;
	const char *checkpoint; /* annotation stoker.dev/checkpoint; "" */
	struct lint_place template_place; /* of the pod's spec; file NULL = there is none */
};

struct lint_launch {
	const struct lint_part *part; /* NULL: implied by spark-defaults.conf or pod templates alone */
	const char *name;	      /* for people; "" */
	const char *name_space;
	struct lint_place place;
	enum lint_style style;
	bool is_client, is_python, is_notebook, has_driver_pod;
	struct lint_setting *settings, *last_setting;
	uint32_t setting_count;
	struct lint_pod pods[LINT_ROLE_MAX_];
	struct lint_launch *next;
};

const char *lint_role_name(enum lint_role role); /* "driver", "executor" */

/* lint_part.c: reads a text into trees and parts. */
int lint_part_read(struct lint *lint, struct lint_file *file, const char *text, size_t length, struct err *e);

/* lint_launch.c: makes the launches of the parts. */
int lint_launch_gather(struct lint *lint, struct err *e);

/* lint_pod.c: adds a pod's spec to what a role has; `origin` in words. */
int lint_pod_take(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *template, const char *origin);
int lint_pod_take_volumes(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *volumes);
int lint_pod_take_claims(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *claims); /* volumeClaimTemplates */
int lint_pod_take_mounts(struct lint *lint, struct lint_pod *pod, const struct lint_file *file, const struct lint_node *mounts, const char *container, const char *origin);
struct lint_mount *lint_pod_add_mount(struct lint *lint, struct lint_pod *pod, const char *path, const char *volume, struct lint_place place);
struct lint_volume *lint_pod_add_volume(struct lint *lint, struct lint_pod *pod, const char *name, struct lint_place place);
const struct lint_volume *lint_pod_volume(const struct lint_pod *pod, const char *name);
/* Spark's container of a pod: by its name, else the first; NULL = none. */
const struct lint_node *lint_pod_main(const struct lint_node *template);

/* lint_setting.c: the later one of a key wins. */
int lint_setting_put(struct lint *lint, struct lint_launch *launch, const char *key, const char *value, struct lint_place place);
int lint_setting_put_all(struct lint *lint, struct lint_launch *launch, const struct lint_file *file, const struct lint_node *mapping, const char *prefix);
/* "--conf KEY=VALUE" wherever it stands in a command line. */
int lint_setting_put_words(struct lint *lint, struct lint_launch *launch, const struct lint_file *file, const struct lint_node *words);
const struct lint_setting *lint_setting_find(const struct lint_launch *launch, const char *key);
/* The first of these that is set, or NULL. */
const struct lint_setting *lint_setting_any(const struct lint_launch *launch, const char *const *keys, size_t count);
const char *lint_setting_value(const struct lint_launch *launch, const char *key); /* "" = not set */
/* spark.kubernetes.….volumes, spark.local.dir */
int lint_setting_make_mounts(struct lint *lint, struct lint_launch *launch);

/* lint_memory.c: MiB. A role's heap, and what Spark adds beside it. */
uint64_t lint_heap_mib(const struct lint_launch *launch, enum lint_role role);
uint64_t lint_overhead_mib(const struct lint_launch *launch, enum lint_role role);

/* lint_report.c. `instead` and the text may name values only through lint_shown. */
void lint_report(struct lint *lint, enum lint_rule rule, struct lint_place place, const char *instead, const char *format, ...) __attribute__((format(printf, 5, 6)));
const char *lint_shown(struct lint *lint, const char *key, const char *value); /* escaped; redacted if the key says secret */
const char *lint_where(struct lint *lint, struct lint_place place);	       /* "FILE:LINE" */
const char *lint_write_setting(struct lint *lint, enum lint_style style, const char *key, const char *value);
struct lint_place lint_place_of(const struct lint_file *file, const struct lint_node *node);

/* One rule, for every launch or tree. */
void lint_check_mounts(struct lint *lint, const struct lint_launch *launch);
void lint_check_volumes(struct lint *lint, const struct lint_launch *launch);
void lint_check_setting_volumes(struct lint *lint, const struct lint_launch *launch);
void lint_check_webhook(struct lint *lint, const struct lint_launch *launch);
void lint_check_overhead(struct lint *lint, const struct lint_launch *launch);
void lint_check_tmpfs(struct lint *lint, const struct lint_launch *launch);
void lint_check_caches(struct lint *lint, const struct lint_launch *launch);
void lint_check_core_limit(struct lint *lint, const struct lint_launch *launch);
void lint_check_checkpoint(struct lint *lint, const struct lint_launch *launch);
void lint_check_images(struct lint *lint, const struct lint_launch *launch);
void lint_check_quantities(struct lint *lint, const struct lint_tree *tree);
void lint_check_twins(struct lint *lint, const struct lint_tree *tree);
void lint_check_fields(struct lint *lint, const struct lint_part *part);
