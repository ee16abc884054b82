#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

#define WORD_BYTES 1024

const char *lint_role_name(enum lint_role role)
{
	return role == LINT_DRIVER ? "driver" : "executor";
}

const struct lint_setting *lint_setting_find(const struct lint_launch *launch, const char *key)
{
	for (const struct lint_setting *s = launch->settings; s; s = s->next)
		if (strcmp(s->key, key) == 0)
			return s;
	return NULL;
}

const struct lint_setting *lint_setting_any(const struct lint_launch *launch, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct lint_setting *s = lint_setting_find(launch, keys[i]);
		if (s && s->value[0])
			return s;
	}
	return NULL;
}

const char *lint_setting_value(const struct lint_launch *launch, const char *key)
{
	const struct lint_setting *s = lint_setting_find(launch, key);

	return s ? s->value : "";
}

int lint_setting_put(struct lint *lint, struct lint_launch *launch, const char *key, const char *value, struct lint_place place)
{
	struct lint_setting *s = launch->settings;

	while (s && strcmp(s->key, key) != 0)
		s = s->next;
	if (s) {
		s->value = value;
		s->place = place;
		return 0;
	}
	if (launch->setting_count == LINT_SETTINGS_MAX) {
		lint->cut = "an application has more than 4096 settings: the rest is not judged";
		return 0;
	}
	s = lint_arena_take(&lint->arena, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct lint_setting){.key = key, .value = value, .place = place};
	if (launch->last_setting)
		launch->last_setting->next = s;
	else
		launch->settings = s;
	launch->last_setting = s;
	launch->setting_count++;
	return 0;
}

/* `prefix` is put before each key: "spark.hadoop." of hadoopConf. Zeppelin's have their value a level deeper. */
int lint_setting_put_all(struct lint *lint, struct lint_launch *launch, const struct lint_file *file, const struct lint_node *mapping, const char *prefix)
{
	int r = 0;

	for (const struct lint_node *pair = mapping ? mapping->first : NULL; pair && r == 0; pair = pair->next) {
		const struct lint_node *value = pair->kind == LINT_SCALAR ? pair : lint_get(pair, "value");
		const char *key = *prefix ? lint_arena_print(&lint->arena, "%s%s", prefix, pair->key) : pair->key;
		if (!key)
			return -ENOMEM;
		if (value && value->kind == LINT_SCALAR && str_starts(key, "spark."))
			r = lint_setting_put(lint, launch, key, value->text, lint_place_of(file, pair));
	}
	return r;
}

struct words {
	const char *at;
	uint32_t line;
	bool has_lines;
};

/* The next word as a shell has it, or Zeppelin ('|' between them). False at the end. */
static bool next_word(struct words *w, char word[static WORD_BYTES])
{
	size_t length = 0;
	char quote = '\0';

	while (*w->at && (isspace((unsigned char)*w->at) || *w->at == '|' || (*w->at == '\\' && w->at[1] == '\n')))
		w->line += *w->at++ == '\n' && w->has_lines;
	if (!*w->at)
		return false;
	for (; *w->at && (quote || (!isspace((unsigned char)*w->at) && *w->at != '|')); w->at++) {
		w->line += *w->at == '\n' && w->has_lines;
		if (*w->at == quote || (!quote && (*w->at == '"' || *w->at == '\'')))
			quote = quote ? '\0' : *w->at;
		else if (length < WORD_BYTES - 1)
			word[length++] = *w->at;
	}
	word[length] = '\0';
	return true;
}

static int put_word(struct lint *lint, struct lint_launch *launch, const char *word, struct lint_place place)
{
	const char *equals = strchr(word, '=');

	if (!equals || !str_starts(word, "spark."))
		return 0;
	const char *key = lint_arena_copy(&lint->arena, word, (size_t)(equals - word)), *value = lint_arena_copy(&lint->arena, equals + 1, strlen(equals + 1));
	return key && value ? lint_setting_put(lint, launch, key, value, place) : -ENOMEM;
}

/* What the options of spark-submit say without --conf. */
static const struct {
	const char *option, *key;
} option_settings[] = {
	{"--conf", ""},
	{"-c", ""},
	{"--deploy-mode", "spark.submit.deployMode"},
	{"--executor-memory", "spark.executor.memory"},
	{"--driver-memory", "spark.driver.memory"},
	{"--py-files", "spark.submit.pyFiles"},
};

/* The key of the option that takes the next word, "" of --conf; NULL = none. "--conf=K=V": `*ret_value` is behind the '='. */
static const char *option_of(const char *word, const char **ret_value)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_settings); i++) {
		const size_t n = strlen(option_settings[i].option);
		if (strncmp(word, option_settings[i].option, n) != 0 || (word[n] && word[n] != '='))
			continue;
		*ret_value = word[n] ? word + n + 1 : NULL;
		return option_settings[i].key;
	}
	return NULL;
}

static int put_option(struct lint *lint, struct lint_launch *launch, const char *key, const char *value, struct lint_place place)
{
	if (!*key)
		return put_word(lint, launch, value, place);
	value = lint_arena_copy(&lint->arena, value, strlen(value));
	return value ? lint_setting_put(lint, launch, key, value, place) : -ENOMEM;
}

/* An option and its value may be two items of a list, or stand within one. */
int lint_setting_put_words(struct lint *lint, struct lint_launch *launch, const struct lint_file *file, const struct lint_node *words)
{
	const char *pending = NULL, *value = NULL;
	char word[WORD_BYTES];
	int r = 0;

	const struct lint_node *item = !words || words->kind == LINT_SCALAR ? words : words->first;
	for (; item && r == 0; item = words->kind == LINT_SCALAR ? NULL : item->next) {
		struct words w = {.at = item->text, .line = item->text_line + item->is_block, .has_lines = item->is_block};
		while (r == 0 && next_word(&w, word)) {
			const struct lint_place place = {.file = file, .line = w.line};
			if (pending) {
				r = put_option(lint, launch, pending, word, place);
				pending = NULL;
				continue;
			}
			pending = option_of(word, &value);
			if (pending && value) {
				r = put_option(lint, launch, pending, value, place);
				pending = NULL;
			}
		}
	}
	return r;
}
