#include "base/config_yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/scoped.h"
#include "base/str.h"

struct frame {
	bool is_mapping;
	bool key_is_next;
	unsigned index;
	size_t path_length; /* of the container's own path */
};

struct walk {
	yaml_parser_t parser;
	struct frame stack[CONFIG_YAML_DEPTH];
	unsigned depth;
	unsigned documents;
	char path[CONFIG_YAML_PATH_BYTES];
	const char *wanted; /* NULL: only check */
	unsigned found_line;
};

void config_yaml_append_key(char path[static CONFIG_YAML_PATH_BYTES], const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	char cut[CONFIG_YAML_PIECE_BYTES], piece[CONFIG_YAML_PIECE_BYTES];

	str_copy(cut, sizeof(cut), key);
	str_escape(piece, sizeof(piece), cut);
	const char *quote = piece[0] && piece[strspn(piece, plain)] == '\0' ? "" : "\"";
	str_append(path, CONFIG_YAML_PATH_BYTES, "%s%s%s%s", path[0] ? "." : "", quote, piece, quote);
}

static unsigned line_at(const char *text, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static int check_bytes(const char *text, size_t length, struct err *e)
{
	for (size_t at = 0; at < length;) {
		/* A window that ends with NUL: the text itself need not. */
		char window[5] = {0};
		memcpy(window, text + at, length - at < 4 ? length - at : 4);
		size_t n = str_utf8_length(window);
		if (n == 0)
			return err_rule(e, EBADMSG, "line %u: %s", line_at(text, at), window[0] ? "must be UTF-8" : "must be without NUL bytes");
		at += n;
	}
	return 0;
}

static void visit(struct walk *w, const yaml_event_t *event)
{
	if (w->wanted && strcmp(w->wanted, w->path) == 0)
		w->found_line = (unsigned)event->start_mark.line + 1;
}

static int refuse(const struct walk *w, const yaml_event_t *event, const char *rule, struct err *e)
{
	return err_rule(e, EBADMSG, "line %zu: %s%s%s", event->start_mark.line + 1, w->path, w->path[0] ? ": " : "", rule);
}

/* Keeps the path up to date. 1 = the node was a key. */
static int enter_node(struct walk *w, const yaml_event_t *event, struct err *e)
{
	struct frame *top = w->depth > 0 ? &w->stack[w->depth - 1] : NULL;

	if (!top) {
		visit(w, event);
		return 0;
	}
	if (top->is_mapping && !top->key_is_next) {
		top->key_is_next = true;
		return 0;
	}
	w->path[top->path_length] = '\0';
	if (!top->is_mapping) {
		str_append(w->path, sizeof(w->path), "[%u]", top->index++);
		visit(w, event);
		return 0;
	}
	if (event->type != YAML_SCALAR_EVENT)
		return refuse(w, event, "keys must be words", e);
	config_yaml_append_key(w->path, (const char *)event->data.scalar.value);
	visit(w, event);
	top->key_is_next = false;
	return 1;
}

static int take_scalar(struct walk *w, const yaml_event_t *event, struct err *e)
{
	int r = enter_node(w, event, e);

	/* "\0" in double quotes: everything behind it would silently be cut off. */
	if (r >= 0 && memchr(event->data.scalar.value, '\0', event->data.scalar.length))
		return refuse(w, event, "must be without NUL bytes", e);
	return r < 0 ? r : 0;
}

static int take_container(struct walk *w, const yaml_event_t *event, struct err *e)
{
	int r = enter_node(w, event, e);

	if (r < 0)
		return r;
	if (w->depth == CONFIG_YAML_DEPTH)
		return refuse(w, event, "must not be nested so deep", e);
	bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
	w->stack[w->depth++] = (struct frame){.is_mapping = is_mapping, .key_is_next = is_mapping, .path_length = strlen(w->path)};
	return 0;
}

/* 1 = the stream has ended. */
static int take_event(struct walk *w, const yaml_event_t *event, struct err *e)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(w, event, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return take_container(w, event, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		w->depth--;
		w->path[w->stack[w->depth].path_length] = '\0';
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(w, event, "must be without aliases (*name)", e);
	case YAML_DOCUMENT_START_EVENT:
		w->path[0] = '\0';
		return w->documents++ == 0 ? 0 : refuse(w, event, "must be one document, here begins a second", e);
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

/* libyaml gives a place in bytes for unreadable characters, and lines for everything else. */
static int syntax_error(const yaml_parser_t *parser, const char *text, size_t length, struct err *e)
{
	size_t line = parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		return err_set(e, ENOMEM, "cannot parse");
	if (parser->error == YAML_READER_ERROR)
		line = line_at(text, parser->problem_offset < length ? parser->problem_offset : length);
	return err_rule(e, EBADMSG, "line %zu: must be YAML: %s", line, parser->problem ? parser->problem : "malformed");
}

static int walk_events(struct walk *w, const char *text, size_t length, struct err *e)
{
	for (int r = 0; r == 0;) {
		scoped(yaml_event_delete) yaml_event_t event = {0};
		if (!yaml_parser_parse(&w->parser, &event))
			return syntax_error(&w->parser, text, length, e);
		r = take_event(w, &event, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_text(struct walk *w, const char *text, size_t length, struct err *e)
{
	if (!yaml_parser_initialize(&w->parser))
		return err_set(e, ENOMEM, "cannot parse");
	yaml_parser_set_encoding(&w->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&w->parser, (const unsigned char *)text, length);
	int r = walk_events(w, text, length, e);
	yaml_parser_delete(&w->parser);
	return r;
}

int config_yaml_check(const char *text, size_t length, struct err *e)
{
	struct walk w = {0};
	int r = check_bytes(text, length, e);

	return r < 0 ? r : walk_text(&w, text, length, e);
}

unsigned config_yaml_line(const char *text, size_t length, const char *path)
{
	struct walk w = {.wanted = path};

	walk_text(&w, text, length, NULL);
	return w.found_line;
}
