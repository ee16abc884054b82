#include "base/config_rules.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/config_units.h"
#include "base/redact.h"
#include "base/scoped.h"
#include "base/str.h"

#define SHOWN_VALUE_BYTES 80 /* of a refused value, in its error */

enum kind { DURATION, COUNT, WORD, TEXT, AMOUNT_BYTES, AMOUNT_COUNT, DURATION_OR_OFF, BYTES };

struct rule {
	const char *key;
	const char *fallback; /* as it would stand in the file; NULL = none: `node` has the host's name, `path` must be there */
	size_t group, source; /* in the raw struct: of the pointer to the group (or AT_TOP), and of the string in it */
	size_t offset, size;  /* in the typed struct */
	enum kind kind;
	const char *range; /* what is said when the value is out of it */
	uint64_t min, max; /* DURATION in microseconds, COUNT, WORD: index of the last word */
	const char *(*check)(const char *text);
	const char *words[4];
};

#define AT_TOP		    ((size_t)-1)
#define TOP(member)	    AT_TOP, offsetof(struct config_raw, member)
#define GROUP(name, member) offsetof(struct config_raw, name), offsetof(struct config_raw_##name, member)
#define LIMIT(name, member) offsetof(struct config_raw, name), offsetof(struct config_raw_limits, member)
#define ITEM(member)	    AT_TOP, offsetof(struct config_raw_watch, member)
#define INTO(member)	    offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define INTO_WATCH(member)  offsetof(struct config_watch, member), sizeof(((struct config_watch *)0)->member)
#define MS		    US_PER_MS
#define S		    US_PER_S

static const struct rule rules[] = {
	{"node", NULL, TOP(node), INTO(node), TEXT, .check = config_unit_node},
	{"runtimeDir", STOKER_RUNTIME_DIR, TOP(runtime_dir), INTO(runtime_dir), TEXT, .check = config_unit_path},
	{"discover", "auto", TOP(discover), INTO(discover), WORD, "must be auto or off", 0, CONFIG_DISCOVER_OFF, .words = {"auto", "off"}},
	{"kubeletRoot", "", TOP(kubelet_root), INTO(kubelet_root), TEXT, .check = config_unit_plain_path_or_none},
	{"probe.period", "5s", GROUP(probe, period), INTO(probe.period_us), DURATION, "must be from 1s to 10m", 1 * S, 600 * S},
	{"probe.deadline", "10s", GROUP(probe, deadline), INTO(probe.deadline_us), DURATION, "must be from 100ms to 5m", 100 * MS, 300 * S},
	{"probe.recoverAfter", "3", GROUP(probe, recover_after), INTO(probe.recover_after), COUNT, "must be from 1 to 100", 1, 100},
	{"probe.minimumBad", "10s", GROUP(probe, minimum_bad), INTO(probe.minimum_bad_us), DURATION, "must be from 0s to 1h", 0, 3600 * S},
	{"probe.directory", ".stoker", GROUP(probe, directory), INTO(probe.directory), TEXT, .check = config_unit_file_name},
	{"probe.uid", "65534", GROUP(probe, uid), INTO(probe.uid), COUNT, "must be from 1 to 4294967294", 1, 4294967294},
	{"space.warn", "5%, at most 20Gi", LIMIT(space, warn), INTO(space.warn), AMOUNT_BYTES},
	{"space.bad", "1%, at most 2Gi", LIMIT(space, bad), INTO(space.bad), AMOUNT_BYTES},
	{"inodes.warn", "5%, at most 100000", LIMIT(inodes, warn), INTO(inodes.warn), AMOUNT_COUNT},
	{"inodes.bad", "1%, at most 10000", LIMIT(inodes, bad), INTO(inodes.bad), AMOUNT_COUNT},
	{"forecast.horizon", "30m", GROUP(forecast, horizon), INTO(forecast.horizon_us), DURATION_OR_OFF, "must be off, or from 15m to 24h", 900 * S, 86400 * S},
	{"web.listen", "127.0.0.1:9469", GROUP(web, listen), INTO(web.listen), TEXT, .check = config_unit_listen},
	{"report.kubernetes", "auto", GROUP(report, kubernetes), INTO(report.kubernetes), WORD, "must be auto or off", 0, CONFIG_KUBERNETES_OFF,
	 .words = {"auto", "off"}},
	{"report.kubeconfig", "", GROUP(report, kubeconfig), INTO(report.kubeconfig), TEXT, .check = config_unit_path_or_none},
	{"report.taint", "NoSchedule", GROUP(report, taint), INTO(report.taint), WORD, "must be NoSchedule, PreferNoSchedule or off", 0, CONFIG_TAINT_OFF,
	 .words = {"NoSchedule", "PreferNoSchedule", "off"}},
	{"report.taintKey", STOKER_TAINT_KEY, GROUP(report, taint_key), INTO(report.taint_key), TEXT, .check = config_unit_qualified_name},
	{"report.group", "0", GROUP(report, group), INTO(report.group), COUNT, "must be from 0 to 4294967294", 0, 4294967294},
	{"report.maxTainted", "10%", GROUP(report, max_tainted), INTO(report.max_tainted), TEXT, .check = config_unit_share},
	{"report.taintSingleNode", "false", GROUP(report, taint_single_node), INTO(report.taint_single_node), WORD, "must be true or false", 0, 1,
	 .words = {"false", "true"}},
	{"executors.watch", "auto", GROUP(executors, watch), INTO(executors.watch), WORD, "must be auto or off", 0, CONFIG_RECOGNITION_OFF, .words = {"auto", "off"}},
	{"executors.nriSocket", STOKER_NRI_SOCKET, GROUP(executors, nri_socket), INTO(executors.nri_socket), TEXT, .check = config_unit_path},
	{"executors.criSocket", "", GROUP(executors, cri_socket), INTO(executors.cri_socket), TEXT, .check = config_unit_path_or_none},
	{"executors.dryRun", "false", GROUP(executors, dry_run), INTO(executors.dry_run), WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
	{"executors.annotations", "false", GROUP(executors, annotations), INTO(executors.annotations), WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
	{"executors.pythonOomGroup", "leave", GROUP(executors, python_oom_group), INTO(executors.python_oom_group), WORD, "must be leave, single or group", 0,
	 CONFIG_OOM_GROUP_GROUP, .words = {"leave", "single", "group"}},
	{"executors.oomScoreAdj", "leave", GROUP(executors, oom_score_adj), INTO(executors.oom_score_adj), WORD, "must be leave or driversLast", 0,
	 CONFIG_OOM_SCORE_DRIVERS_LAST, .words = {"leave", "driversLast"}},
	{"deaths.keepRecords", "256", GROUP(deaths, keep_records), INTO(deaths.keep_records), COUNT, "must be from 1 to 10000", 1, 10000},
	{"deaths.keepBytes", "1Mi", GROUP(deaths, keep_bytes), INTO(deaths.keep_bytes), BYTES, "must be from 64Ki to 64Mi", 64 << 10, 64 << 20},
	{"redact.regex", REDACT_REGEX, GROUP(redact, regex), INTO(redact.regex), TEXT, .check = redact_check},
	{"retire", "false", TOP(retire), INTO(retire), WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
	{"log.level", "info", GROUP(log, level), INTO(log_level), WORD, "must be debug, info, warn or error", 0, LOG_ERROR,
	 .words = {"debug", "info", "warn", "error"}},
};

static const struct rule watch_rules[] = {
	{"path", NULL, ITEM(path), INTO_WATCH(path), TEXT, .check = config_unit_path},
	{"role", "scratch", ITEM(role), INTO_WATCH(role), TEXT, .check = config_unit_role},
	{"ignore", "false", ITEM(ignore), INTO_WATCH(ignore), WORD, "must be true or false", 0, 1, .words = {"false", "true"}},
};

_Static_assert(sizeof(enum config_kubernetes) == sizeof(unsigned) && sizeof(enum config_taint) == sizeof(unsigned) &&
		       sizeof(enum log_level) == sizeof(unsigned) && sizeof(enum config_discover) == sizeof(unsigned) &&
		       sizeof(enum config_recognition) == sizeof(unsigned) && sizeof(enum config_oom_group) == sizeof(unsigned) &&
		       sizeof(enum config_oom_score) == sizeof(unsigned),
	       "words are stored as unsigned");

/* The string that libcyaml left for the rule, or NULL. */
static const char *raw_value(const struct rule *rule, const void *raw)
{
	const char *base = raw;
	char *value;

	if (rule->group != AT_TOP) {
		memcpy(&base, base + rule->group, sizeof(base));
		if (!base)
			return NULL;
	}
	memcpy(&value, base + rule->source, sizeof(value));
	return value;
}

static const char *store_number(const struct rule *rule, uint64_t number, void *field)
{
	if (number < rule->min || number > rule->max)
		return rule->range;
	if (rule->size == sizeof(uint64_t)) {
		memcpy(field, &number, sizeof(number));
	} else {
		uint32_t narrow = (uint32_t)number;
		memcpy(field, &narrow, sizeof(narrow));
	}
	return NULL;
}

static const char *store_word(const struct rule *rule, const char *text, void *field)
{
	for (unsigned i = 0; i <= rule->max; i++)
		if (strcmp(text, rule->words[i]) == 0)
			return store_number(rule, i, field);
	return rule->range;
}

static bool is_amount(const struct rule *rule)
{
	return rule->kind == AMOUNT_BYTES || rule->kind == AMOUNT_COUNT;
}

static const char *store_amount(const struct rule *rule, const char *text, void *field)
{
	struct config_amount amount = {0};
	const char *broken = config_amount_parse(text, rule->kind == AMOUNT_BYTES ? CONFIG_AMOUNT_BYTES : CONFIG_AMOUNT_COUNT, &amount);

	if (!broken)
		memcpy(field, &amount, sizeof(amount));
	return broken;
}

static const char *read_number(enum kind kind, const char *text, uint64_t *ret)
{
	if (kind == COUNT)
		return config_unit_count(text, ret);
	return kind == BYTES ? config_unit_bytes(text, ret) : config_unit_duration(text, ret);
}

/* NULL or the broken rule. A text that is too long has been refused by the caller: nothing is ever cut. */
static const char *store(const struct rule *rule, const char *text, void *field)
{
	uint64_t number = 0;
	const char *broken;

	if (is_amount(rule))
		return store_amount(rule, text, field);
	if (rule->kind == WORD)
		return store_word(rule, text, field);
	if (rule->kind == TEXT) {
		broken = rule->check(text);
		if (!broken)
			str_copy(field, rule->size, text);
		return broken;
	}
	if (rule->kind == DURATION_OR_OFF && strcmp(text, "off") == 0) {
		memcpy(field, &number, sizeof(number));
		return NULL;
	}
	broken = read_number(rule->kind, text, &number);
	return broken ? broken : store_number(rule, number, field);
}

static int apply(const struct rule *rule, const char *text, const char *key, void *typed, struct err *e)
{
	char shown[SHOWN_VALUE_BYTES];

	if (!text)
		return err_rule(e, EINVAL, "%s: is missing", key);
	if (!text[0] && rule->fallback && rule->fallback[0])
		return err_rule(e, EINVAL, "%s: must not be empty (default %s)", key, rule->fallback);
	if (!text[0] && !rule->fallback)
		return err_rule(e, EINVAL, "%s: must not be empty", key);
	if (rule->kind == TEXT && strlen(text) >= rule->size)
		return err_rule(e, EINVAL, "%s: must be at most %zu bytes, not %zu", key, rule->size - 1, strlen(text));
	const char *broken = store(rule, text, (char *)typed + rule->offset);
	if (!broken)
		return 0;
	str_escape(shown, sizeof(shown), text);
	return err_rule(e, EINVAL, "%s: %s, not '%s'", key, broken, shown);
}

static int refuse_twin(const struct config *config, uint32_t index, const char *key, struct err *e)
{
	const char *path = config->watch[index].path;
	char shown[SHOWN_VALUE_BYTES];

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
		const char *text = raw_value(rule, &raw->watch[index]);
		key[0] = '\0';
		str_append(key, CONFIG_KEY_BYTES, "watch[%u].%s", index, rule->key);
		if (apply(rule, text ? text : rule->fallback, key, &config->watch[index], e) < 0)
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
	const char *warn_text = raw_value(warn, raw), *bad_text = raw_value(bad, raw);

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
	char **list, shown[SHOWN_VALUE_BYTES];
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
		const char *text = raw_value(&rules[i], raw);
		str_copy(ret_key, CONFIG_KEY_BYTES, rules[i].key);
		if (!text && !rules[i].fallback)
			continue;
		if (apply(&rules[i], text ? text : rules[i].fallback, rules[i].key, config, e) < 0)
			return -EINVAL;
	}
	if (refuse_crossed(raw, "space.warn", "space.bad", &config->space, ret_key, e) < 0 ||
	    refuse_crossed(raw, "inodes.warn", "inodes.bad", &config->inodes, ret_key, e) < 0)
		return -EINVAL;
	if (apply_sets(raw, config, ret_key, e) < 0)
		return -EINVAL;
	if (raw->watch_count > CONFIG_WATCH_MAX)
		return err_rule(e, EINVAL, "watch: must have at most %d entries", CONFIG_WATCH_MAX);
	for (uint32_t i = 0; i < raw->watch_count; i++)
		if (apply_watch(raw, i, config, ret_key, e) < 0)
			return -EINVAL;
	config->watch_count = raw->watch_count;
	return 0;
}

static bool holds(const struct rule *rule, const void *typed)
{
	const char *field = (const char *)typed + rule->offset;
	uint64_t number;
	uint32_t narrow;

	if (rule->kind == TEXT) /* an empty text: a host whose name cannot be a node's */
		return str_is_ended(field, rule->size) && ((!field[0] && !rule->fallback) || !rule->check(field));
	if (is_amount(rule)) {
		struct config_amount amount;
		memcpy(&amount, field, sizeof(amount));
		return config_amount_holds(&amount);
	}
	if (rule->size == sizeof(number)) {
		memcpy(&number, field, sizeof(number));
	} else {
		memcpy(&narrow, field, sizeof(narrow));
		number = narrow;
	}
	return (number >= rule->min && number <= rule->max) || (rule->kind == DURATION_OR_OFF && number == 0);
}

int config_rules_check(const struct config *config, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (!holds(&rules[i], config))
			return err_rule(e, EPROTO, "%s: came back broken from its reader", rules[i].key);
	if (!sets_hold(config))
		return err_rule(e, EPROTO, "report: came back broken from its reader");
	if (config->watch_count > CONFIG_WATCH_MAX)
		return err_rule(e, EPROTO, "watch: came back broken from its reader");
	for (uint32_t i = 0; i < config->watch_count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(watch_rules); j++)
			if (!config->watch[i].path[0] || !holds(&watch_rules[j], &config->watch[i]))
				return err_rule(e, EPROTO, "watch[%u]: came back broken from its reader", i);
	return 0;
}
