#include "base/config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config_rules.h"
#include "base/config_units.h"
#include "base/config_yaml.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "base/hash.h"

/* What libcyaml is to accept: names and shape only. Everything is a string here; config_rules.c has the rules. */
#define STRING(key, structure, member) CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, 0, CYAML_UNLIMITED)
#define EMPTY_IS_UNSET		       (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL_STR) /* "probe:" with all its keys commented out */

static const cyaml_schema_field_t watch_fields[] = {
	STRING("path", struct config_raw_watch, path),
	STRING("role", struct config_raw_watch, role),
	STRING("ignore", struct config_raw_watch, ignore),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t watch_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_raw_watch, watch_fields)};
static const cyaml_schema_field_t probe_fields[] = {
	STRING("period", struct config_raw_probe, period),
	STRING("deadline", struct config_raw_probe, deadline),
	STRING("recoverAfter", struct config_raw_probe, recover_after),
	STRING("minimumBad", struct config_raw_probe, minimum_bad),
	STRING("directory", struct config_raw_probe, directory),
	STRING("uid", struct config_raw_probe, uid),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t limits_fields[] = {
	STRING("warn", struct config_raw_limits, warn),
	STRING("bad", struct config_raw_limits, bad),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t forecast_fields[] = {
	STRING("horizon", struct config_raw_forecast, horizon),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t web_fields[] = {
	STRING("listen", struct config_raw_web, listen),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t word_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};
static const cyaml_schema_field_t report_fields[] = {
	STRING("kubernetes", struct config_raw_report, kubernetes),
	STRING("kubeconfig", struct config_raw_report, kubeconfig),
	STRING("taint", struct config_raw_report, taint),
	STRING("taintKey", struct config_raw_report, taint_key),
	CYAML_FIELD_SEQUENCE("aliases", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_raw_report, aliases, &word_schema, 0, CONFIG_WATCH_MAX),
	CYAML_FIELD_SEQUENCE("taintFor", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_raw_report, taint_for, &word_schema, 0, CONFIG_WATCH_MAX),
	STRING("group", struct config_raw_report, group),
	STRING("maxTainted", struct config_raw_report, max_tainted),
	STRING("taintSingleNode", struct config_raw_report, taint_single_node),
	STRING("pods", struct config_raw_report, pods),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t executors_fields[] = {
	STRING("watch", struct config_raw_executors, watch),
	STRING("nriSocket", struct config_raw_executors, nri_socket),
	STRING("criSocket", struct config_raw_executors, cri_socket),
	STRING("dryRun", struct config_raw_executors, dry_run),
	STRING("annotations", struct config_raw_executors, annotations),
	STRING("pythonOomGroup", struct config_raw_executors, python_oom_group),
	STRING("oomScoreAdj", struct config_raw_executors, oom_score_adj),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t deaths_fields[] = {
	STRING("keepRecords", struct config_raw_deaths, keep_records),
	STRING("keepBytes", struct config_raw_deaths, keep_bytes),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t redact_fields[] = {
	STRING("regex", struct config_raw_redact, regex),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t scratch_fields[] = {
	STRING("max", struct config_raw_scratch, max),
	STRING("withoutLimit", struct config_raw_scratch, without_limit),
	STRING("reserve", struct config_raw_scratch, reserve),
	STRING("inodes", struct config_raw_scratch, inodes),
	CYAML_FIELD_END,
};
/* How many may be in a list of this section says its table (config_volumes_rules.c). */
#define NAMESPACES(structure) \
	CYAML_FIELD_SEQUENCE_COUNT("namespaces", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, namespaces.patterns, namespaces.count, &word_schema, 0, CYAML_UNLIMITED)
static const cyaml_schema_field_t checkpoint_fields[] = {
	STRING("name", struct config_raw_checkpoint, name),
	STRING("server", struct config_raw_checkpoint, server),
	STRING("export", struct config_raw_checkpoint, export_path),
	STRING("version", struct config_raw_checkpoint, version),
	STRING("port", struct config_raw_checkpoint, port),
	STRING("soft", struct config_raw_checkpoint, soft),
	STRING("readOnly", struct config_raw_checkpoint, read_only),
	NAMESPACES(struct config_raw_checkpoint),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t checkpoint_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_raw_checkpoint, checkpoint_fields)};
static const cyaml_schema_field_t disk_fields[] = {
	STRING("name", struct config_raw_disk, name),
	STRING("path", struct config_raw_disk, path),
	NAMESPACES(struct config_raw_disk),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t disk_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_raw_disk, disk_fields)};
static const cyaml_schema_field_t inject_fields[] = {
	NAMESPACES(struct config_raw_inject),
	STRING("path", struct config_raw_inject, path),
	STRING("checkpoint", struct config_raw_inject, checkpoint),
	STRING("size", struct config_raw_inject, size),
	STRING("drivers", struct config_raw_inject, drivers),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t inject_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_raw_inject, inject_fields)};
static const cyaml_schema_field_t sweep_fields[] = {
	STRING("mode", struct config_raw_sweep, mode),
	STRING("grace", struct config_raw_sweep, grace),
	CYAML_FIELD_SEQUENCE_COUNT("roots", EMPTY_IS_UNSET, struct config_raw_sweep, sweep_roots, sweep_root_count, &word_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};
#define ENTRIES(key, member, count, schema) CYAML_FIELD_SEQUENCE_COUNT(key, EMPTY_IS_UNSET, struct config_raw_volumes, member, count, &schema, 0, CYAML_UNLIMITED)
static const cyaml_schema_field_t volumes_fields[] = {
	STRING("csi", struct config_raw_volumes, csi),
	STRING("annotations", struct config_raw_volumes, annotations),
	STRING("capTmpfs", struct config_raw_volumes, cap_tmpfs),
	STRING("emptyDeadScratch", struct config_raw_volumes, empty_dead_scratch),
	STRING("checkpointDeadline", struct config_raw_volumes, checkpoint_deadline),
	STRING("account", struct config_raw_volumes, account),
	CYAML_FIELD_MAPPING_PTR("scratch", EMPTY_IS_UNSET, struct config_raw_volumes, scratch, scratch_fields),
	ENTRIES("checkpoints", checkpoints, checkpoint_count, checkpoint_schema),
	ENTRIES("disks", disks, disk_count, disk_schema),
	ENTRIES("inject", injects, inject_count, inject_schema),
	CYAML_FIELD_MAPPING_PTR("sweep", EMPTY_IS_UNSET, struct config_raw_volumes, sweep, sweep_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t log_fields[] = {
	STRING("level", struct config_raw_log, level),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t top_fields[] = {
	STRING("node", struct config_raw, node),
	STRING("runtimeDir", struct config_raw, runtime_dir),
	STRING("discover", struct config_raw, discover),
	STRING("kubeletRoot", struct config_raw, kubelet_root),
	STRING("retire", struct config_raw, retire),
	CYAML_FIELD_SEQUENCE("watch", EMPTY_IS_UNSET, struct config_raw, watch, &watch_schema, 0, CONFIG_WATCH_MAX),
	CYAML_FIELD_MAPPING_PTR("probe", EMPTY_IS_UNSET, struct config_raw, probe, probe_fields),
	CYAML_FIELD_MAPPING_PTR("space", EMPTY_IS_UNSET, struct config_raw, space, limits_fields),
	CYAML_FIELD_MAPPING_PTR("inodes", EMPTY_IS_UNSET, struct config_raw, inodes, limits_fields),
	CYAML_FIELD_MAPPING_PTR("forecast", EMPTY_IS_UNSET, struct config_raw, forecast, forecast_fields),
	CYAML_FIELD_MAPPING_PTR("web", EMPTY_IS_UNSET, struct config_raw, web, web_fields),
	CYAML_FIELD_MAPPING_PTR("report", EMPTY_IS_UNSET, struct config_raw, report, report_fields),
	CYAML_FIELD_MAPPING_PTR("executors", EMPTY_IS_UNSET, struct config_raw, executors, executors_fields),
	CYAML_FIELD_MAPPING_PTR("deaths", EMPTY_IS_UNSET, struct config_raw, deaths, deaths_fields),
	CYAML_FIELD_MAPPING_PTR("redact", EMPTY_IS_UNSET, struct config_raw, redact, redact_fields),
	CYAML_FIELD_MAPPING_PTR("volumes", EMPTY_IS_UNSET, struct config_raw, volumes, volumes_fields),
	CYAML_FIELD_MAPPING_PTR("log", EMPTY_IS_UNSET, struct config_raw, log, log_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t top_schema = {CYAML_VALUE_MAPPING(EMPTY_IS_UNSET, struct config_raw, top_fields)};

/* What libcyaml says about a refused file: one sentence, then a backtrace from the innermost place outwards. */
struct complaint {
	char sentence[256];
	char steps[CONFIG_YAML_DEPTH][CONFIG_YAML_PIECE_BYTES]; /* keys, or "[2]" */
	unsigned step_count;
	unsigned line; /* of the innermost place: often the line before */
};

static const char *behind(const char *text, const char *prefix)
{
	return str_starts(text, prefix) ? text + strlen(prefix) : NULL;
}

static void note_step(struct complaint *c, char *rest, bool is_entry)
{
	char *quote = strchr(rest, '\'');

	if (!quote || c->step_count == CONFIG_YAML_DEPTH)
		return;
	*quote = '\0';
	char *step = c->steps[c->step_count++];
	if (is_entry) /* libcyaml counts from 1 */
		snprintf(step, CONFIG_YAML_PIECE_BYTES, "[%lu]", strtoul(rest, NULL, 10) - 1);
	else
		str_copy(step, CONFIG_YAML_PIECE_BYTES, rest);
}

__attribute__((format(printf, 3, 0))) static void note_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct complaint *c = context;
	char text[256];

	(void)level;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	const char *line = strstr(text, "(line: ");
	if (line && str_starts(text, "  in ") && c->line == 0)
		c->line = (unsigned)strtoul(line + strlen("(line: "), NULL, 10);
	char *field = (char *)behind(text, "  in mapping field '"), *entry = (char *)behind(text, "  in sequence entry '");
	if (field || entry)
		note_step(c, field ? field : entry, !field);
	else if (!c->sentence[0] && behind(text, "Load: ") && !strstr(text, "Backtrace"))
		str_copy(c->sentence, sizeof(c->sentence), text + strlen("Load: "));
}

static void key_of(const struct complaint *c, const char *last, char path[static CONFIG_YAML_PATH_BYTES])
{
	path[0] = '\0';
	for (unsigned i = c->step_count; i-- > 0;) {
		if (c->steps[i][0] == '[')
			str_append(path, CONFIG_YAML_PATH_BYTES, "%s", c->steps[i]);
		else
			config_yaml_append_key(path, c->steps[i]);
	}
	if (last)
		config_yaml_append_key(path, last);
}

static const char *shape_name(const char *word)
{
	static const struct {
		const char *word, *name;
	} names[] = {{"MAPPING", "keys with values"}, {"SEQUENCE", "a list"}, {"S", "a single value"}}; /* SCALAR, STRING */

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_starts(word, names[i].word))
			return names[i].name;
	return "something else";
}

/* libcyaml's sentence in our words. Returns the key that it names beside the backtrace's, if it does. */
static const char *reword(const struct complaint *c, cyaml_err_t code, char rule[static 128])
{
	const char *unknown = behind(c->sentence, "Unexpected key: "), *expected = behind(c->sentence, "Expecting ");
	const char *got = expected ? strstr(expected, "event: ") : NULL;

	if (code == CYAML_ERR_INVALID_KEY && unknown)
		snprintf(rule, 128, "is not a known key");
	else if (str_starts(c->sentence, "Mapping field already seen: "))
		snprintf(rule, 128, "must not be there twice");
	else if (code == CYAML_ERR_SEQUENCE_ENTRIES_MAX)
		snprintf(rule, 128, "must have at most %d entries", CONFIG_WATCH_MAX);
	else if (got)
		snprintf(rule, 128, "must be %s, not %s", shape_name(expected), shape_name(got + strlen("event: ")));
	else
		snprintf(rule, 128, "is refused: %.60s", cyaml_strerror(code));
	return unknown;
}

static int refused_by_cyaml(struct complaint *c, cyaml_err_t code, const char *text, size_t length, struct err *e)
{
	char rule[128], path[CONFIG_YAML_PATH_BYTES];

	if (code == CYAML_ERR_OOM)
		return err_set(e, ENOMEM, "cannot parse");
	const char *last = reword(c, code, rule);
	while (code == CYAML_ERR_SEQUENCE_ENTRIES_MAX && c->step_count > 1) /* the list is at fault, not its last entry */
		memmove(c->steps, c->steps + 1, sizeof(c->steps[0]) * --c->step_count);
	key_of(c, last, path);
	unsigned line = config_yaml_line(text, length, path);
	return err_rule(e, EINVAL, "line %u: %.200s%s%s", line ? line : c->line, path, path[0] ? ": " : "", rule);
}

/* As kubelet names its node. A host whose name cannot be a node's leaves it empty: config_override_node says so. */
static void name_after_host(char node[static NAME_NODE_BYTES], const char *host)
{
	str_copy(node, NAME_NODE_BYTES, host);
	for (char *p = node; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	if (config_unit_node(node))
		memset(node, 0, NAME_NODE_BYTES);
}

static int apply_raw(const struct config_raw *raw, const char *host, const char *text, size_t length, struct config *ret, struct err *e)
{
	/* Not on the stack: it is 90 KB. Cleared and copied as bytes: two structs are the same when memcmp says so. */
	scoped(scoped_free) struct config *config = calloc(1, sizeof(*config));
	char key[CONFIG_KEY_BYTES];

	if (!config)
		return err_set(e, ENOMEM, "cannot parse");
	if (!raw->node)
		name_after_host(config->node, host);
	int r = config_rules_apply(raw, config, key, e);
	if (r < 0) {
		/* A key that is missing has no line: its parent has. */
		unsigned line = config_yaml_line(text, length, key);
		char *dot = strrchr(key, '.');
		if (line == 0 && dot) {
			*dot = '\0';
			line = config_yaml_line(text, length, key);
		}
		return err_wrap(e, "line %u", line);
	}
	config->hash = hash_fnv1a(HASH_START, text, length);
	memcpy(ret, config, sizeof(*config));
	return 0;
}

int config_parse_on(const char *host, const char *text, size_t length, struct config *ret, struct err *e)
{
	static const struct config_raw nothing;
	struct complaint complaint = {0};
	cyaml_data_t *loaded = NULL;
	const cyaml_config_t rules = {.log_fn = note_log, .log_ctx = &complaint, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR, .flags = CYAML_CFG_NO_ALIAS};

	if (length > CONFIG_FILE_MAX_BYTES)
		return err_rule(e, EFBIG, "must be at most %d bytes, not %zu", CONFIG_FILE_MAX_BYTES, length);
	int r = config_yaml_check(text, length, e);
	if (r < 0)
		return r;
	cyaml_err_t code = cyaml_load_data((const uint8_t *)text, length, &rules, &top_schema, &loaded, NULL);
	if (code != CYAML_OK)
		return refused_by_cyaml(&complaint, code, text, length, e);
	if (loaded && ((struct config_raw *)loaded)->report)
		((struct config_raw *)loaded)->report->taint_for_is_there = config_yaml_line(text, length, "report.taintFor") > 0;
	r = apply_raw(loaded ? loaded : &nothing, host, text, length, ret, e);
	cyaml_free(&rules, &top_schema, loaded, 0);
	return r;
}

int config_parse(const char *text, size_t length, struct config *ret, struct err *e)
{
	char host[NAME_NODE_BYTES] = "";

	/* Too long for us is too long for a node. */
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	return config_parse_on(host, text, length, ret, e);
}

void config_defaults(struct config *config)
{
	/* The table's own defaults obey its rules (test_config): this does not fail but for want of memory. */
	memset(config, 0, sizeof(*config));
	(void)config_parse("", 0, config, NULL);
}

int config_load(const char *path, struct config *ret, struct err *e)
{
	scoped(scoped_free) char *text = malloc(CONFIG_FILE_MAX_BYTES + 1);
	if (!text)
		return err_set(e, ENOMEM, "%s", path);
	ssize_t length = fd_read_path(path, text, CONFIG_FILE_MAX_BYTES + 1, e);
	if (length < 0)
		return (int)length;
	int r = config_parse(text, (size_t)length, ret, e);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

int config_override_node(struct config *config, const char *node_name, struct err *e)
{
	if (!node_name || !node_name[0]) {
		if (!config->node[0])
			return err_rule(e, EINVAL, "node: is not set, nor is NODE_NAME, and this host's name cannot be a node's");
		return 0;
	}
	const char *broken = config_unit_node(node_name);
	if (broken) {
		char shown[80];
		str_escape(shown, sizeof(shown), node_name);
		return err_rule(e, EINVAL, "NODE_NAME: %s, not '%s'", broken, shown);
	}
	memset(config->node, 0, sizeof(config->node));
	str_copy(config->node, sizeof(config->node), node_name);
	return 0;
}
