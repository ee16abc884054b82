#include "base/config_volumes_rules.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/config_units.h"
#include "base/scoped.h"
#include "base/str.h"

#define MI	(1ULL << 20)
#define TI	(1ULL << 40)
#define BOOLEAN RULE_WORD, "must be true or false", 0, 1, .words = {"false", "true"}

#define TOP(member)	       RULE_NO_GROUP, offsetof(struct config_raw_volumes, member)
#define GROUP(name, member)    offsetof(struct config_raw_volumes, name), offsetof(struct config_raw_##name, member)
#define INTO(member)	       RULE_INTO(struct config_volumes, member)
#define ITEM(kind, member)     RULE_NO_GROUP, offsetof(struct config_raw_##kind, member)
#define OF_ITEM(kind, member)  RULE_INTO(struct config_##kind, member)

static const struct rule rules[] = {
	{"volumes.csi", "auto", TOP(csi), INTO(csi), RULE_WORD, "must be auto or off", 0, CONFIG_CSI_OFF, .words = {"auto", "off"}},
	{"volumes.annotations", "false", TOP(annotations), INTO(annotations), BOOLEAN},
	{"volumes.capTmpfs", "false", TOP(cap_tmpfs), INTO(cap_tmpfs), BOOLEAN},
	{"volumes.emptyDeadScratch", "false", TOP(empty_dead_scratch), INTO(empty_dead_scratch), BOOLEAN},
	{"volumes.scratch.max", "8Gi", GROUP(scratch, max), INTO(scratch_max_bytes), RULE_BYTES, "must be from 1Mi to 1Ti", MI, TI},
	{"volumes.scratch.withoutLimit", "1Gi", GROUP(scratch, without_limit), INTO(scratch_no_limit_bytes), RULE_BYTES, "must be from 1Mi to 1Ti", MI, TI},
	{"volumes.scratch.reserve", "384Mi", GROUP(scratch, reserve), INTO(scratch_reserve_bytes), RULE_BYTES, "must be from 1Mi to 1Ti", MI, TI},
	{"volumes.scratch.inodes", "100000", GROUP(scratch, inodes), INTO(scratch_inodes), RULE_COUNT, "must be from 100 to 100000000", 100, 100000000},
	{"volumes.checkpointDeadline", "20s", TOP(checkpoint_deadline), INTO(checkpoint_deadline_us), RULE_DURATION, "must be from 1s to 110s", 1 * US_PER_S,
	 110 * US_PER_S},
	{"volumes.sweep.mode", "off", GROUP(sweep, mode), INTO(sweep), RULE_WORD, "must be off, dryRun or on", 0, CONFIG_SWEEP_ON, .words = {"off", "dryRun", "on"}},
	{"volumes.sweep.grace", "10m", GROUP(sweep, grace), INTO(sweep_grace_us), RULE_DURATION, "must be from 1m to 168h", 60 * US_PER_S, 168 * 3600 * US_PER_S},
	{"volumes.account", "auto", TOP(account), INTO(account), RULE_WORD, "must be auto or off", 0, CONFIG_ACCOUNT_OFF, .words = {"auto", "off"}},
};

static const struct rule checkpoint_rules[] = {
	{"name", NULL, ITEM(checkpoint, name), OF_ITEM(checkpoint, name), RULE_TEXT, .check = config_unit_role},
	{"server", NULL, ITEM(checkpoint, server), OF_ITEM(checkpoint, server), RULE_TEXT, .check = config_unit_host},
	{"export", NULL, ITEM(checkpoint, export_path), OF_ITEM(checkpoint, export_path), RULE_TEXT, .check = config_unit_path},
	{"version", "4", ITEM(checkpoint, version), OF_ITEM(checkpoint, version), RULE_COUNT, "must be 3 or 4", 3, 4},
	{"port", "0", ITEM(checkpoint, port), OF_ITEM(checkpoint, port), RULE_COUNT, "must be from 1 to 65535, or 0 for the usual one", 0, UINT16_MAX},
	{"soft", "false", ITEM(checkpoint, soft), OF_ITEM(checkpoint, soft), BOOLEAN},
	{"readOnly", "false", ITEM(checkpoint, read_only), OF_ITEM(checkpoint, read_only), BOOLEAN},
};

static const struct rule disk_rules[] = {
	{"name", NULL, ITEM(disk, name), OF_ITEM(disk, name), RULE_TEXT, .check = config_unit_role},
	{"path", NULL, ITEM(disk, path), OF_ITEM(disk, path), RULE_TEXT, .check = config_unit_directory},
};

static const struct rule inject_rules[] = {
	{"path", NULL, ITEM(inject, path), OF_ITEM(inject, path), RULE_TEXT, .check = config_unit_mount_path},
	{"checkpoint", "", ITEM(inject, checkpoint), OF_ITEM(inject, checkpoint), RULE_TEXT, .check = config_unit_role_or_none},
	{"size", "", ITEM(inject, size), OF_ITEM(inject, size_bytes), RULE_BYTES_OR_NONE, "must be from 1Mi to 1Ti", MI, TI},
	{"drivers", "false", ITEM(inject, drivers), OF_ITEM(inject, drivers), BOOLEAN},
};

static const struct rule sweep_root_rules[] = {
	{"path", NULL, ITEM(sweep_root, path), OF_ITEM(sweep_root, path), RULE_TEXT, .check = config_unit_directory},
};

_Static_assert(sizeof(enum config_csi) == sizeof(uint32_t) && sizeof(enum config_sweep) == sizeof(uint32_t) && sizeof(enum config_account) == sizeof(uint32_t),
	       "words are stored as uint32_t");

/* The lists. */
static const struct list {
	const char *key;
	uint32_t most;
	bool is_named; /* the first key of an entry must be unique */
	size_t group, raw, raw_count, raw_size; /* in struct config_raw_volumes: of the group's pointer, the list and its length; of an entry */
	size_t typed, count, typed_size;	/* in struct config_volumes */
	size_t raw_namespaces, namespaces;	/* in an entry; RULE_NO_GROUP = it has none */
	const struct rule *rules;
	size_t rule_count;
} lists[] = {
/* the last: where the namespaces are, NAMESPACES(kind) or NO_NAMESPACES */
#define LIST(key, most, is_named, group, parent, kind, ...)                                                                                         \
	{key, most, is_named, group, offsetof(struct parent, kind##s), offsetof(struct parent, kind##_count), sizeof(struct config_raw_##kind),     \
	 offsetof(struct config_volumes, kind##s), offsetof(struct config_volumes, kind##_count), sizeof(struct config_##kind), __VA_ARGS__, \
	 kind##_rules, ARRAY_SIZE(kind##_rules)}
#define NO_NAMESPACES	 RULE_NO_GROUP, RULE_NO_GROUP
#define NAMESPACES(kind) offsetof(struct config_raw_##kind, namespaces), offsetof(struct config_##kind, namespaces)
	LIST("volumes.checkpoints", CONFIG_CHECKPOINTS_MAX, true, RULE_NO_GROUP, config_raw_volumes, checkpoint, NAMESPACES(checkpoint)),
	LIST("volumes.disks", CONFIG_DISKS_MAX, true, RULE_NO_GROUP, config_raw_volumes, disk, NAMESPACES(disk)),
	LIST("volumes.inject", CONFIG_INJECT_MAX, false, RULE_NO_GROUP, config_raw_volumes, inject, NAMESPACES(inject)),
	LIST("volumes.sweep.roots", CONFIG_SWEEP_MAX, true, offsetof(struct config_raw_volumes, sweep), config_raw_sweep, sweep_root, NO_NAMESPACES),
};

static char *entry_of(const struct list *list, struct config_volumes *config, uint32_t index)
{
	return (char *)config + list->typed + index * list->typed_size;
}

static const char *entry_in(const struct list *list, const struct config_volumes *config, uint32_t index)
{
	return (const char *)config + list->typed + index * list->typed_size;
}

static uint32_t count_in(const struct list *list, const struct config_volumes *config)
{
	uint32_t count;

	memcpy(&count, (const char *)config + list->count, sizeof(count));
	return count;
}

static void name_key(char key[static CONFIG_KEY_BYTES], const char *list, uint32_t index, const char *name)
{
	key[0] = '\0';
	str_append(key, CONFIG_KEY_BYTES, "%s[%u]%s%s", list, index, name[0] ? "." : "", name);
}

/* The earlier entry that begins with the same text, or `index`. */
static uint32_t find_twin(const struct list *list, const struct config_volumes *config, uint32_t index)
{
	uint32_t twin = 0;

	while (twin < index && strcmp(entry_in(list, config, twin) + list->rules[0].offset, entry_in(list, config, index) + list->rules[0].offset) != 0)
		twin++;
	return twin;
}

static int apply_pattern(const char *text, const char *key, struct config_namespaces *namespaces, struct err *e)
{
	static const struct rule rule = {.kind = RULE_TEXT, .size = sizeof(((struct config_namespaces *)0)->pattern[0]), .check = config_unit_namespaces};
	char shown[CONFIG_SHOWN_VALUE_BYTES];

	if (rule_apply(&rule, text, key, namespaces->pattern[namespaces->count], e) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < namespaces->count; i++) {
		if (strcmp(namespaces->pattern[i], text) != 0)
			continue;
		str_escape(shown, sizeof(shown), text);
		return err_rule(e, EINVAL, "%s: must be there once, not '%s' again", key, shown);
	}
	namespaces->count++;
	return 0;
}

/* Who may use it must be said: an entry that nobody may use is a mistake. */
static int apply_namespaces(const char *list, uint32_t index, const struct config_raw_namespaces *raw, struct config_namespaces *namespaces,
			    char key[static CONFIG_KEY_BYTES], struct err *e)
{
	name_key(key, list, index, "namespaces");
	if (raw->count == 0)
		return err_rule(e, EINVAL, "%s: must name at least one namespace ('*' is every one)", key);
	if (raw->count > CONFIG_NAMESPACES_MAX)
		return err_rule(e, EINVAL, "%s: must have at most %d entries", key, CONFIG_NAMESPACES_MAX);
	for (uint32_t i = 0; i < raw->count; i++) {
		name_key(key, list, index, "namespaces");
		str_append(key, CONFIG_KEY_BYTES, "[%u]", i);
		if (apply_pattern(raw->patterns[i], key, namespaces, e) < 0)
			return -EINVAL;
	}
	return 0;
}

static int apply_entry(const struct list *list, const char *raw, struct config_volumes *config, uint32_t index, char key[static CONFIG_KEY_BYTES],
		       struct err *e)
{
	char *entry = entry_of(list, config, index), prefix[CONFIG_KEY_BYTES], shown[CONFIG_SHOWN_VALUE_BYTES];

	name_key(prefix, list->key, index, "");
	if (rule_apply_all(list->rules, list->rule_count, prefix, raw, entry, key, e) < 0)
		return -EINVAL;
	uint32_t twin = find_twin(list, config, index);
	if (list->is_named && twin < index) {
		name_key(key, list->key, index, list->rules[0].key);
		str_escape(shown, sizeof(shown), entry + list->rules[0].offset);
		return err_rule(e, EINVAL, "%s: must be unique, '%s' is %s[%u] too", key, shown, list->key, twin);
	}
	if (list->namespaces == RULE_NO_GROUP)
		return 0;
	return apply_namespaces(list->key, index, (const void *)(raw + list->raw_namespaces), (void *)(entry + list->namespaces), key, e);
}

static int apply_list(const struct list *list, const struct config_raw_volumes *raw, struct config_volumes *config, char key[static CONFIG_KEY_BYTES],
		      struct err *e)
{
	const char *base = (const char *)raw, *entries = NULL;
	uint32_t count = 0;

	if (list->group != RULE_NO_GROUP)
		memcpy(&base, base + list->group, sizeof(base));
	if (base) {
		memcpy(&entries, base + list->raw, sizeof(entries));
		memcpy(&count, base + list->raw_count, sizeof(count));
	}
	str_copy(key, CONFIG_KEY_BYTES, list->key);
	if (count > list->most)
		return err_rule(e, EINVAL, "%s: must have at most %u entries", list->key, list->most);
	for (uint32_t i = 0; i < count; i++)
		if (apply_entry(list, entries + i * list->raw_size, config, i, key, e) < 0)
			return -EINVAL;
	memcpy((char *)config + list->count, &count, sizeof(count));
	return 0;
}

static bool is_checkpoint(const struct config_volumes *config, const char *name)
{
	for (uint32_t i = 0; i < config->checkpoint_count; i++)
		if (strcmp(config->checkpoints[i].name, name) == 0)
			return true;
	return false;
}

static bool shares_namespace(const struct config_inject *a, const struct config_inject *b)
{
	for (uint32_t i = 0; i < a->namespaces.count; i++)
		for (uint32_t j = 0; j < b->namespaces.count; j++)
			if (strcmp(a->namespaces.pattern[i], b->namespaces.pattern[j]) == 0)
				return true;
	return false;
}

/* What an entry of volumes.inject may not be beside the rest: NULL, or the rule; *ret_name is the key. */
static const char *break_of_inject(const struct config_volumes *config, uint32_t index, const char **ret_name)
{
	const struct config_inject *inject = &config->injects[index];

	*ret_name = "checkpoint";
	if (inject->checkpoint[0] && !is_checkpoint(config, inject->checkpoint))
		return "must be the name of an entry of volumes.checkpoints";
	*ret_name = "size";
	if (inject->size_bytes && inject->checkpoint[0])
		return "must be without a value where a checkpoint is named";
	if (inject->size_bytes > config->scratch_max_bytes)
		return "must not be more than volumes.scratch.max";
	*ret_name = "path";
	for (uint32_t i = 0; i < index; i++)
		if (strcmp(config->injects[i].path, inject->path) == 0 && shares_namespace(&config->injects[i], inject))
			return "must be unique among the entries for a namespace";
	return NULL;
}

static int check_injects(const struct config_volumes *config, char key[static CONFIG_KEY_BYTES], struct err *e)
{
	const char *name;

	for (uint32_t i = 0; i < config->inject_count; i++) {
		const char *broken = break_of_inject(config, i, &name);
		name_key(key, "volumes.inject", i, name);
		if (broken)
			return err_rule(e, EINVAL, "%s: %s", key, broken);
	}
	return 0;
}

/* A smaller maximum makes the default of a pod without a limit smaller too; one that was written down must fit. */
static int bound_scratch(const struct config_raw_volumes *raw, struct config_volumes *config, char key[static CONFIG_KEY_BYTES], struct err *e)
{
	if (config->scratch_no_limit_bytes <= config->scratch_max_bytes)
		return 0;
	str_copy(key, CONFIG_KEY_BYTES, "volumes.scratch.withoutLimit");
	if (raw->scratch && raw->scratch->without_limit)
		return err_rule(e, EINVAL, "%s: must not be more than volumes.scratch.max, not '%s'", key, raw->scratch->without_limit);
	config->scratch_no_limit_bytes = config->scratch_max_bytes;
	return 0;
}

int config_volumes_apply(const struct config_raw_volumes *raw, struct config_volumes *config, char ret_key[static CONFIG_KEY_BYTES], struct err *e)
{
	static const struct config_raw_volumes nothing;

	raw = raw ? raw : &nothing;
	if (rule_apply_all(rules, ARRAY_SIZE(rules), "", raw, config, ret_key, e) < 0 || bound_scratch(raw, config, ret_key, e) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (apply_list(&lists[i], raw, config, ret_key, e) < 0)
			return -EINVAL;
	for (uint32_t i = 0; i < config->inject_count; i++)
		if (!raw->injects[i].drivers) /* a driver writes the checkpoints, executors the scratch */
			config->injects[i].drivers = config->injects[i].checkpoint[0] != '\0';
	return check_injects(config, ret_key, e);
}

static bool namespaces_hold(const struct config_namespaces *namespaces)
{
	if (namespaces->count == 0 || namespaces->count > CONFIG_NAMESPACES_MAX)
		return false;
	for (uint32_t i = 0; i < namespaces->count; i++)
		if (!str_is_ended(namespaces->pattern[i], sizeof(namespaces->pattern[i])) || config_unit_namespaces(namespaces->pattern[i]))
			return false;
	return true;
}

static bool entry_holds(const struct list *list, const struct config_volumes *config, uint32_t index)
{
	const char *entry = entry_in(list, config, index);

	if (rule_find_broken(list->rules, list->rule_count, entry))
		return false;
	for (size_t i = 0; i < list->rule_count; i++)
		if (!list->rules[i].fallback && !entry[list->rules[i].offset])
			return false;
	if (list->is_named && find_twin(list, config, index) < index)
		return false;
	return list->namespaces == RULE_NO_GROUP || namespaces_hold((const void *)(entry + list->namespaces));
}

const char *config_volumes_find_broken(const struct config_volumes *config)
{
	const char *broken = rule_find_broken(rules, ARRAY_SIZE(rules), config), *name;

	for (size_t i = 0; !broken && i < ARRAY_SIZE(lists); i++) {
		uint32_t count = count_in(&lists[i], config);
		bool hold = count <= lists[i].most;
		for (uint32_t j = 0; hold && j < count; j++)
			hold = entry_holds(&lists[i], config, j);
		broken = hold ? NULL : lists[i].key;
	}
	for (uint32_t i = 0; !broken && i < config->inject_count; i++)
		broken = break_of_inject(config, i, &name) ? "volumes.inject" : NULL;
	if (!broken && config->scratch_no_limit_bytes > config->scratch_max_bytes)
		broken = "volumes.scratch.withoutLimit";
	return broken;
}
