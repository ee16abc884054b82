#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"
#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_model.h"

#define SHOWN_BYTES 512

const char *lint_shown(struct lint *lint, const char *key, const char *value)
{
	char line[SHOWN_BYTES], cut[SHOWN_BYTES / 4], shown[SHOWN_BYTES];

	if (redact_is_secret(lint->redactor, key, strlen(key)))
		return REDACT_SHOWN;
	redact_line(lint->redactor, value, strlen(value), line, sizeof(line)); /* a password in a URL; whole: one that is cut looks like a host */
	str_copy(cut, sizeof(cut), line);
	str_escape(shown, sizeof(shown), cut);
	const char *copy = lint_arena_copy(&lint->arena, shown, strlen(shown));
	return copy ? copy : "";
}

const char *lint_where(struct lint *lint, struct lint_place place)
{
	const char *text = lint_arena_print(&lint->arena, "%s:%u", place.file->name, place.line);

	return text ? text : "";
}

const char *lint_write_setting(struct lint *lint, enum lint_style style, const char *key, const char *value)
{
	const char *text = NULL;

	switch (style) {
	case LINT_STYLE_PROPERTIES: text = lint_arena_print(&lint->arena, "%s %s", key, value); break;
	case LINT_STYLE_YAML: text = lint_arena_print(&lint->arena, "\"%s\": \"%s\"", key, value); break;
	case LINT_STYLE_ZEPPELIN: text = lint_arena_print(&lint->arena, "\"%s\": {\"name\": \"%s\", \"value\": \"%s\", \"type\": \"string\"}", key, key, value); break;
	case LINT_STYLE_ARGUMENT: text = lint_arena_print(&lint->arena, "--conf %s=%s", key, value); break;
	}
	return text ? text : "";
}

static bool is_told(const struct lint *lint, const struct lint_finding *f)
{
	for (uint32_t i = 0; i < lint->finding_count; i++) {
		const struct lint_finding *other = &lint->findings[i];
		if (other->rule == f->rule && other->place.file == f->place.file && other->place.line == f->place.line && strcmp(other->text, f->text) == 0)
			return true;
	}
	return false;
}

void lint_report(struct lint *lint, enum lint_rule rule, struct lint_place place, const char *instead, const char *format, ...)
{
	struct lint_finding f = {.rule = rule, .place = place};
	va_list args;

	if (lint->ignored & 1U << rule)
		return;
	if (lint->finding_count == LINT_FINDINGS_MAX) {
		lint->cut = "1000 findings are shown, not what is beyond";
		return;
	}
	va_start(args, format);
	f.text = lint_arena_vprint(&lint->arena, format, args);
	va_end(args);
	f.instead = lint_arena_copy(&lint->arena, instead, strlen(instead));
	if (f.text && f.instead && !is_told(lint, &f))
		lint->findings[lint->finding_count++] = f;
}
