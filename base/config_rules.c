#include "base/config_rules.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/config_rule.h"
#include "base/config_units.h"
#include "base/config_volumes_rules.h"
#include "base/redact.h"
#include "base/scoped.h"
#include "base/str.h"

#define TOP(member)	    RULE_NO_GROUP, offsetof(struct config_raw, member)
#define GROUP(name, member) offsetof(struct config_raw, name), offsetof(struct config_raw_##name, member)
#define LIMIT(name, member) offsetof(struct config_raw, name), offsetof(struct config_raw_limits, member)
#define ITEM(member)	    RULE_NO_GROUP, offsetof(struct config_raw_watch, member)
#define INTO(member)	    RULE_INTO(struct config, member)
#define INTO_WATCH(member)  RULE_INTO(struct config_watch, member)
#define MS		    US_PER_MS
#define S		    US_PER_S

static const struct rule rules[] = {
	{"node", NULL, TOP(node), INTO(node), RULE_TEXT, .check = config_unit_node},
	{"runtimeDir", STOKER_RUNTIME_DIR, TOP(runtime_dir), INTO(runtime_dir), RULE_TEXT, .check = config_unit_path},
	{"discover", "auto", TOP(discover), INTO(discover), RULE_WORD, "must be auto or off", 0, CONFIG_DISCOVER_OFF, .words = {"auto", "off"}},
	{"kubeletRoot", "", TOP(kubelet_root), INTO(kubelet_root), RULE_TEXT, .check = config_unit_plain_path_or_none},
	{"probe.period", "5s", GROUP(probe, period), INTO(probe.period_us), RULE_DURATION, "must be from 1s to 10m", 1 * S, 600 * S},
	{"probe.deadline", "10s", GROUP(probe, deadline), INTO(probe.deadline_us), RULE_DURATION, "must be from 100ms to 5m", 100 * MS, 300 * S},
	{"probe.recoverAfter", "3", GROUP(probe, recover_after), INTO(probe.recover_after), RULE_COUNT, "must be from 1 to 100", 1, 100},
	{"probe.minimumBad", "10s", GROUP(probe, minimum_bad), INTO(probe.minimum_bad_us), RULE_DURATION, "must be from 0s to 1h", 0, 3600 * S},
	{"probe.directory", ".stoker", GROUP(probe, directory), INTO(probe.directory), RULE_TEXT, .check = config_unit_file_name},
	{"probe.uid", "65534", GROUP(probe, uid), INTO(probe.uid), RULE_COUNT, "must be from 1 to 4294967294", 1, 4294967294},
	{"space.warn", "5%, at most 20Gi", LIMIT(space, warn), INTO(space.warn), RULE_AMOUNT_BYTES},
	{"space.bad", "1%, at most 2Gi", LIMIT(space, bad), INTO(space.bad), RULE_AMOUNT_BYTES},
	{"inodes.warn", "5%, at most 100000", LIMIT(inodes, warn), INTO(inodes.warn), RULE_AMOUNT_COUNT},
	{"inodes.bad", "1%, at most 10000", LIMIT(inodes, bad), INTO(inodes.bad), RULE_AMOUNT_COUNT},
	{"forecast.horizon", "30m", GROUP(forecast, horizon), INTO(forecast.horizon_us), RULE_DURATION_OR_OFF, "must be off, or from 15m to 24h", 900 * S, 86400 * S},
	{"web.listen", "127.0.0.1:9469", GROUP(web, listen), INTO(web.listen), RULE_TEXT, .check = config_unit_listen},
	{"report.kubernetes", "auto", GROUP(report, kubernetes), INTO(report.kubernetes), RULE_WORD, "must be auto or off", 0, CONFIG_KUBERNETES_OFF,
	 .words = {"auto", "off"}},
	{"report.kubeconfig", "", GROUP(report, kubeconfig), INTO(report.kubeconfig), RULE_TEXT, .check = config_unit_path_or_none},
	{"report.taint", "NoSchedule", GROUP(report, taint), INTO(report.taint), RULE_WORD, "must be NoSchedule, PreferNoSchedule or off", 0, CONFIG_TAINT_OFF,
	 .words = {"NoSchedule", "PreferNoSchedule", "off"}},
	{"report.taintKey", STOKER_TAINT_KEY, GROUP(report, taint_key), INTO(report.taint_key), RULE_TEXT, .check = config_unit_qualified_name},
	{"report.group", "0", GROUP(report, group), INTO(report.group), RULE_COUNT, "must be from 0 to 4294967294", 0, 4294967294},
	{"report.maxTainted", "10%", GROUP(report, max_tainted), INTO(report.max_tainted), RULE_TEXT, .check = config_unit_share},
	{"report.taintSingleNode", "false", GROUP(report, taint_single_node), INTO(report.taint_single_node), RULE_WORD, "must be true or false", 0, 1,
	 .words = {"false", "true"}},
	{"report.pods", "false", GROUP(report, pods), INTO(report.pods), RULE_WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
	{"executors.watch", "auto", GROUP(executors, watch), INTO(executors.watch), RULE_WORD, "must be auto or off", 0, CONFIG_RECOGNITION_OFF, .words = {"auto", "off"}},
	{"executors.nriSocket", STOKER_NRI_SOCKET, GROUP(executors, nri_socket), INTO(executors.nri_socket), RULE_TEXT, .check = config_unit_path},
	{"executors.criSocket", "", GROUP(executors, cri_socket), INTO(executors.cri_socket), RULE_TEXT, .check = config_unit_path_or_none},
	{"executors.dryRun", "false", GROUP(executors, dry_run), INTO(executors.dry_run), RULE_WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
	{"executors.annotations", "false", GROUP(executors, annotations), INTO(executors.annotations), RULE_WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
	{"executors.pythonOomGroup", "leave", GROUP(executors, python_oom_group), INTO(executors.python_oom_group), RULE_WORD, "must be leave, single or group", 0,
	 CONFIG_OOM_GROUP_GROUP, .words = {"leave", "single", "group"}},
	{"executors.oomScoreAdj", "leave", GROUP(executors, oom_score_adj), INTO(executors.oom_score_adj), RULE_WORD, "must be leave or driversLast", 0,
	 CONFIG_OOM_SCORE_DRIVERS_LAST, .words = {"leave", "driversLast"}},
	{"deaths.keepRecords", "256", GROUP(deaths, keep_records), INTO(deaths.keep_records), RULE_COUNT, "must be from 1 to 10000", 1, 10000},
	{"deaths.keepBytes", "1Mi", GROUP(deaths, keep_bytes), INTO(deaths.keep_bytes), RULE_BYTES, "must be from 64Ki to 64Mi", 64 << 10, 64 << 20},
	{"redact.regex", REDACT_REGEX, GROUP(redact, regex), INTO(redact.regex), RULE_TEXT, .check = redact_check},
	{"retire", "false", TOP(retire), INTO(retire), RULE_WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
	{"log.level", "info", GROUP(log, level), INTO(log_level), RULE_WORD, "must be debug, info, warn or error", 0, LOG_ERROR,
	 .words = {"debug", "info", "warn", "error"}},
};

static const struct rule watch_rules[] = {
	{"path", NULL, ITEM(path), INTO_WATCH(path), RULE_TEXT, .check = config_unit_path},
	{"role", "scratch", ITEM(role), INTO_WATCH(role), RULE_TEXT, .check = config_unit_role},
	{"ignore", "false", ITEM(ignore), INTO_WATCH(ignore), RULE_WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
};

_Static_assert(sizeof(enum config_kubernetes) == sizeof(unsigned) && sizeof(enum config_taint) == sizeof(unsigned) &&
		       sizeof(enum log_level) == sizeof(unsigned) && sizeof(enum config_discover) == sizeof(unsigned) &&
		       sizeof(enum config_recognition) == sizeof(unsigned) && sizeof(enum config_oom_group) == sizeof(unsigned) &&
		       sizeof(enum config_oom_score) == sizeof(unsigned),
	       "words are stored as unsigned");

static int refuse_twin(const struct config *config, uint32_t index, const char *key, struct err *e)
{
	const char *path = config->watch[index].path;
	char shown[CONFIG_SHOWN_VALUE_BYTES];

	for (uint32_t i = 0; i < index; i++) {
		if (strcmp(config->watch[i].path, path) != 0)
			continue;
		str_escape(shown, sizeof(shown), path);
		return err_rule(e, EINVAL, "%s: must be unique, '%s' is watch[%u] too", key, shown, i);
	}
	return 0;
}

static int apply_watch(const struct config_raw *raw, uint32_t index, struct config *config, char key[static CONFIG_KEY_BYTES], struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(watch_rules); i++) {
		const struct rule *rule = &watch_rules[i];
		const char *text = rule_raw_value(rule, &raw->watch[index]);
		key[0] = '\0';
		str_append(key, CONFIG_KEY_BYTES, "watch[%u].%s", index, rule->key);
		if (rule_apply(rule, text ? text : rule->fallback, key, &config->watch[index], e) < 0)
			return -EINVAL;
		if (i == 0 && refuse_twin(config, index, key, e) < 0)
			return -EINVAL;
	}
	return 0;
}

static const struct rule *find_rule(const char *key)
{
	size_t i = 0;

	while (strcmp(rules[i].key, key) != 0)
		i++;
	return &rules[i];
}

/* It must warn before it is bad. A share and a number can only be compared once the size of a filesystem is known: then
 * what is bad is bad. */
static int refuse_crossed(const struct config_raw *raw, const char *warn_key, const char *bad_key, const struct config_limits *limits,
			  char key[static CONFIG_KEY_BYTES], struct err *e)
{
	const struct rule *warn = find_rule(warn_key), *bad = find_rule(bad_key);
	const char *warn_text = rule_raw_value(warn, raw), *bad_text = rule_raw_value(bad, raw);

	if (!config_amount_is_less(&limits->warn, &limits->bad))
		return 0;
	str_copy(key, CONFIG_KEY_BYTES, warn_text ? warn_key : bad_key);
	if (warn_text)
		return err_rule(e, EINVAL, "%s: must not be less than %s (%s%s), not '%s'", warn_key, bad_key, bad_text ? "" : "default ",
				bad_text ? bad_text : bad->fallback, warn_text);
	return err_rule(e, EINVAL, "%s: must not be more than %s (default %s), not '%s'", bad_key, warn_key, warn->fallback, bad_text);
}

/* Lists of words: one bit each. */
static const struct set {
	const char *key;
	size_t list, count, offset;
	uint32_t fallback;
	const char *range;
	const char *words[3];
} sets[] = {
	{"report.aliases", offsetof(struct config_raw_report, aliases), offsetof(struct config_raw_report, aliases_count), offsetof(struct config, report.aliases), 0,
	 "must be ReadonlyFilesystem or StorageReady", {"ReadonlyFilesystem", "StorageReady"}},
	{"report.taintFor", offsetof(struct config_raw_report, taint_for), offsetof(struct config_raw_report, taint_for_count), offsetof(struct config, report.taint_for),
	 CONFIG_TAINT_FOR_STORAGE, "must be a condition of ours: StorageReady", {"StorageReady"}},
};

static int apply_set(const struct set *set, const struct config_raw_report *raw, uint32_t *bits, char key[static CONFIG_KEY_BYTES], struct err *e)
{
	char **list, shown[CONFIG_SHOWN_VALUE_BYTES];
	uint32_t count;

	memcpy(&list, (const char *)raw + set->list, sizeof(list));
	memcpy(&count, (const char *)raw + set->count, sizeof(count));
	for (uint32_t i = 0; i < count; i++) {
		unsigned word = 0;
		key[0] = '\0';
		str_append(key, CONFIG_KEY_BYTES, "%s[%u]", set->key, i);
		while (set->words[word] && strcmp(set->words[word], list[i]) != 0)
			word++;
		str_escape(shown, sizeof(shown), list[i]);
		if (!set->words[word])
			return err_rule(e, EINVAL, "%s: %s, not '%s'", key, set->range, shown);
		if (*bits & 1U << word)
			return err_rule(e, EINVAL, "%s: must be there once, not '%s' again", key, shown);
		*bits |= 1U << word;
	}
	return 0;
}

static int apply_sets(const struct config_raw *raw, struct config *config, char key[static CONFIG_KEY_BYTES], struct err *e)
{
	static const struct config_raw_report nothing;
	const struct config_raw_report *report = raw->report ? raw->report : &nothing;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		uint32_t bits = 0;
		if (apply_set(&sets[i], report, &bits, key, e) < 0)
			return -EINVAL;
		if (sets[i].fallback && bits == 0 && !report->taint_for_is_there)
			bits = sets[i].fallback;
		memcpy((char *)config + sets[i].offset, &bits, sizeof(bits));
	}
	return 0;
}

static bool sets_hold(const struct config *config)
{
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		uint32_t bits, known = 0;
		for (unsigned word = 0; sets[i].words[word]; word++)
			known |= 1U << word;
		memcpy(&bits, (const char *)config + sets[i].offset, sizeof(bits));
		if (bits & ~known)
			return false;
	}
	return true;
}

int config_rules_apply(const struct config_raw *raw, struct config *config, char ret_key[static CONFIG_KEY_BYTES], struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const char *text = rule_raw_value(&rules[i], raw);
		str_copy(ret_key, CONFIG_KEY_BYTES, rules[i].key);
		if (!text && !rules[i].fallback)
			continue;
		if (rule_apply(&rules[i], text ? text : rules[i].fallback, rules[i].key, config, e) < 0)
			return -EINVAL;
	}
	if (refuse_crossed(raw, "space.warn", "space.bad", &config->space, ret_key, e) < 0 ||
	    refuse_crossed(raw, "inodes.warn", "inodes.bad", &config->inodes, ret_key, e) < 0)
		return -EINVAL;
	if (apply_sets(raw, config, ret_key, e) < 0)
		return -EINVAL;
	if (config_volumes_apply(raw->volumes, &config->volumes, ret_key, e) < 0)
		return -EINVAL;
	if (raw->watch_count > CONFIG_WATCH_MAX)
		return err_rule(e, EINVAL, "watch: must have at most %d entries", CONFIG_WATCH_MAX);
	for (uint32_t i = 0; i < raw->watch_count; i++)
		if (apply_watch(raw, i, config, ret_key, e) < 0)
			return -EINVAL;
	config->watch_count = raw->watch_count;
	return 0;
}

int config_rules_check(const struct config *config, struct err *e)
{
	const char *broken = rule_find_broken(rules, ARRAY_SIZE(rules), config);

	if (!broken && !sets_hold(config))
		broken = "report";
	if (!broken)
		broken = config_volumes_find_broken(&config->volumes);
	if (broken)
		return err_rule(e, EPROTO, "%s: came back broken from its reader", broken);
	if (config->watch_count > CONFIG_WATCH_MAX)
		return err_rule(e, EPROTO, "watch: came back broken from its reader");
	for (uint32_t i = 0; i < config->watch_count; i++)
		if (!config->watch[i].path[0] || rule_find_broken(watch_rules, ARRAY_SIZE(watch_rules), &config->watch[i]))
			return err_rule(e, EPROTO, "watch[%u]: came back broken from its reader", i);
	return 0;
}
