#include "base/config_rule.h"

#include <errno.h>
#include <string.h>

#include "base/config_amount.h"
#include "base/config_units.h"
#include "base/str.h"

const char *rule_raw_value(const struct rule *rule, const void *raw)
{
	const char *base = raw;
	char *value;

	if (rule->group != RULE_NO_GROUP) {
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
	return rule->kind == RULE_AMOUNT_BYTES || rule->kind == RULE_AMOUNT_COUNT;
}

static bool is_none(const struct rule *rule, const char *text)
{
	return (rule->kind == RULE_DURATION_OR_OFF && strcmp(text, "off") == 0) || (rule->kind == RULE_BYTES_OR_NONE && !text[0]);
}

static const char *store_amount(const struct rule *rule, const char *text, void *field)
{
	struct config_amount amount = {0};
	const char *broken = config_amount_parse(text, rule->kind == RULE_AMOUNT_BYTES ? CONFIG_AMOUNT_BYTES : CONFIG_AMOUNT_COUNT, &amount);

	if (!broken)
		memcpy(field, &amount, sizeof(amount));
	return broken;
}

static const char *read_number(enum rule_kind kind, const char *text, uint64_t *ret)
{
	if (kind == RULE_COUNT)
		return config_unit_count(text, ret);
	return kind == RULE_BYTES || kind == RULE_BYTES_OR_NONE ? config_unit_bytes(text, ret) : config_unit_duration(text, ret);
}

/* NULL or the broken rule. A text that is too long has been refused by the caller: nothing is ever cut. */
static const char *store(const struct rule *rule, const char *text, void *field)
{
	uint64_t number = 0;
	const char *broken;

	if (is_amount(rule))
		return store_amount(rule, text, field);
	if (rule->kind == RULE_WORD)
		return store_word(rule, text, field);
	if (rule->kind == RULE_TEXT) {
		broken = rule->check(text);
		if (!broken)
			str_copy(field, rule->size, text);
		return broken;
	}
	if (is_none(rule, text)) {
		memcpy(field, &number, sizeof(number));
		return NULL;
	}
	broken = read_number(rule->kind, text, &number);
	return broken ? broken : store_number(rule, number, field);
}

int rule_apply(const struct rule *rule, const char *text, const char *key, void *typed, struct err *e)
{
	char shown[CONFIG_SHOWN_VALUE_BYTES];

	if (!text)
		return err_rule(e, EINVAL, "%s: is missing", key);
	if (!text[0] && rule->fallback && rule->fallback[0])
		return err_rule(e, EINVAL, "%s: must not be empty (default %s)", key, rule->fallback);
	if (!text[0] && !rule->fallback)
		return err_rule(e, EINVAL, "%s: must not be empty", key);
	if (rule->kind == RULE_TEXT && strlen(text) >= rule->size)
		return err_rule(e, EINVAL, "%s: must be at most %zu bytes, not %zu", key, rule->size - 1, strlen(text));
	const char *broken = store(rule, text, (char *)typed + rule->offset);
	if (!broken)
		return 0;
	str_escape(shown, sizeof(shown), text);
	return err_rule(e, EINVAL, "%s: %s, not '%s'", key, broken, shown);
}

int rule_apply_all(const struct rule *rules, size_t count, const char *prefix, const void *raw, void *typed,
		   char ret_key[static CONFIG_KEY_BYTES], struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		const char *text = rule_raw_value(&rules[i], raw);
		ret_key[0] = '\0';
		str_append(ret_key, CONFIG_KEY_BYTES, "%s%s%s", prefix, prefix[0] ? "." : "", rules[i].key);
		if (rule_apply(&rules[i], text ? text : rules[i].fallback, ret_key, typed, e) < 0)
			return -EINVAL;
	}
	return 0;
}

static bool holds(const struct rule *rule, const void *typed)
{
	const char *field = (const char *)typed + rule->offset;
	uint64_t number;
	uint32_t narrow;

	if (rule->kind == RULE_TEXT) /* an empty text: a host whose name cannot be a node's */
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
	bool may_be_none = rule->kind == RULE_DURATION_OR_OFF || rule->kind == RULE_BYTES_OR_NONE;
	return (number >= rule->min && number <= rule->max) || (may_be_none && number == 0);
}

const char *rule_find_broken(const struct rule *rules, size_t count, const void *typed)
{
	for (size_t i = 0; i < count; i++)
		if (!holds(&rules[i], typed))
			return rules[i].key;
	return NULL;
}
