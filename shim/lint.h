/* lint.h - what is wrong with Spark's configuration before it runs: `stoker lint`. The rules: docs/lint.md.
 *
 * The texts of all files of one deployment are given together, then judged; findings stay in the order of files and lines. Pure: no file is
 * opened here. No value whose key looks like a secret's gets into a finding. Bounded in files, launches and findings; what is
 * beyond is said in `cut`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "shim/lint_arena.h"

#define LINT_FILES_MAX	  256
#define LINT_FINDINGS_MAX 1000

enum lint_severity { LINT_WARNING, LINT_ERROR };
enum lint_webhook { LINT_WEBHOOK_UNKNOWN, LINT_WEBHOOK_ON, LINT_WEBHOOK_OFF };

enum lint_rule {
	LINT_MOUNT_TWICE,
	LINT_MOUNTS_OVERLAP,
	LINT_VOLUME_UNDEFINED,
	LINT_VOLUME_INCOMPLETE,
	LINT_NEEDS_WEBHOOK,
	LINT_CLIENT_PYTHON_OVERHEAD,
	LINT_TMPFS_WITHOUT_SIZE,
	LINT_MEMORY_IN_MILLIBYTES,
	LINT_CACHE_WITHOUT_FSGROUP,
	LINT_CORE_LIMIT_MISSING,
	LINT_CHECKPOINT_ON_LOCAL_PATH,
	LINT_CHECKPOINT_NOT_MOUNTED,
	LINT_IMAGES_DIFFER,
	LINT_DUPLICATE_KEY,
	LINT_DUPLICATE_SETTING,
	LINT_UNKNOWN_FIELD,
	LINT_RULE_MAX_
};

struct lint_file {
	const char *name;
	bool understood;  /* something in it is of lint's concern, or a Kubernetes object that is not */
	const char *why;  /* not understood: "line 3: must be YAML: …"; else "" */
	uint32_t known;	  /* documents and embedded files that were judged */
	struct lint_file *next;
};

struct lint_place {
	const struct lint_file *file;
	uint32_t line, column; /* column 0: not known (a file within a file) */
};

struct lint_finding {
	enum lint_rule rule;
	struct lint_place place;
	const char *text;    /* one sentence */
	const char *instead; /* what to write there; lines */
};

struct redactor;
struct lint_part;
struct lint_tree;
struct lint_launch;

struct lint {
	struct lint_arena arena;
	enum lint_webhook webhook; /* set by the caller, or by a chart's values among the files */
	uint32_t ignored;	   /* bit of enum lint_rule: is not judged */
	const char *cut;	   /* "" or what was too much to be judged */
	uint32_t file_count, finding_count;
	struct lint_file *files, *last_file;
	struct lint_finding findings[LINT_FINDINGS_MAX];
	/* private */
	struct redactor *redactor;
	struct lint_tree *trees, *last_tree;
	struct lint_part *parts, *last_part;
	struct lint_launch *launches, *last_launch;
	uint32_t launch_count;
	bool is_embedded; /* what is being read is a file within a file */
};

/* NULL with the reason; about 60 KB. The caller frees. */
struct lint *lint_new(struct err *e);
struct lint *lint_free(struct lint *lint); /* always NULL */

/* A file that is not understood is kept as such; an error is one of memory or of too many files. `name` and `text` may go afterwards. */
int lint_add(struct lint *lint, const char *name, const char *text, size_t length, struct err *e);

/* A file that could not be read, with the reason. */
int lint_add_unread(struct lint *lint, const char *name, const char *why, struct err *e);

/* Once, after all files. */
int lint_judge(struct lint *lint, struct err *e);

const char *lint_rule_id(enum lint_rule rule);	   /* a contract */
const char *lint_rule_summary(enum lint_rule rule);
enum lint_severity lint_rule_severity(enum lint_rule rule);
const char *lint_severity_name(enum lint_severity severity);
