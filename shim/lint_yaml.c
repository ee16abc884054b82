#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/lint_document.h"

struct walk {
	yaml_parser_t parser;
	struct lint_arena *arena;
	uint32_t first_line, count;
	unsigned depth;
	struct lint_node *top;	  /* the container that is open; NULL = between documents */
	const char *key;	  /* of the value that comes next; NULL = a key comes */
	uint32_t key_line, key_column;
	struct lint_node *documents, *last;
};

static uint32_t line_of(const struct walk *w, size_t line)
{
	return w->first_line + (uint32_t)line;
}

static int refuse(const struct walk *w, const yaml_event_t *event, const char *rule, struct err *e)
{
	return err_rule(e, EBADMSG, "line %u: %s", line_of(w, event->start_mark.line), rule);
}

static struct lint_node *make_node(struct walk *w, const yaml_event_t *event)
{
	struct lint_node *node = ++w->count > LINT_NODES_MAX ? NULL : lint_arena_take(w->arena, sizeof(*node));

	if (!node)
		return NULL;
	node->key = w->key ? w->key : "";
	node->text = "";
	node->line = w->key ? w->key_line : line_of(w, event->start_mark.line);
	node->column = w->key ? w->key_column : (uint32_t)event->start_mark.column + 1;
	node->text_line = line_of(w, event->start_mark.line);
	node->parent = w->top;
	return node;
}

/* Joins the node to what is open. */
static void join(struct walk *w, struct lint_node *node)
{
	struct lint_node **first = w->top ? &w->top->first : &w->documents, **last = w->top ? &w->top->last : &w->last;

	if (*last)
		(*last)->next = node;
	else
		*first = node;
	*last = node;
	w->key = NULL;
}

static int take_scalar(struct walk *w, const yaml_event_t *event, struct err *e)
{
	const char *bytes = (const char *)event->data.scalar.value;
	const size_t length = event->data.scalar.length;

	if (memchr(bytes, '\0', length))
		return refuse(w, event, "must be without NUL bytes", e);
	char *text = lint_arena_copy(w->arena, bytes, length);
	if (!text)
		return err_set(e, ENOMEM, "cannot read");
	if (w->top && w->top->kind == LINT_MAPPING && !w->key) {
		w->key = text;
		w->key_line = line_of(w, event->start_mark.line);
		w->key_column = (uint32_t)event->start_mark.column + 1;
		return 0;
	}
	struct lint_node *node = make_node(w, event);
	if (!node)
		return refuse(w, event, "must not have so many values", e);
	node->text = text;
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->is_block = event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE;
	join(w, node);
	return 0;
}

static int open_container(struct walk *w, const yaml_event_t *event, struct err *e)
{
	if (w->top && w->top->kind == LINT_MAPPING && !w->key)
		return refuse(w, event, "keys must be words", e);
	if (++w->depth > LINT_DEPTH_MAX)
		return refuse(w, event, "must not be nested so deep", e);
	struct lint_node *node = make_node(w, event);
	if (!node)
		return refuse(w, event, "must not have so many values", e);
	node->kind = event->type == YAML_MAPPING_START_EVENT ? LINT_MAPPING : LINT_SEQUENCE;
	join(w, node);
	w->top = node;
	return 0;
}

/* 1 = the stream has ended. */
static int take_event(struct walk *w, const yaml_event_t *event, struct err *e)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT: return take_scalar(w, event, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT: return open_container(w, event, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		w->top = w->top->parent;
		w->depth--;
		return 0;
	case YAML_ALIAS_EVENT: return refuse(w, event, "must be without aliases (*name): write the value out", e);
	case YAML_STREAM_END_EVENT: return 1;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT: return 0;
	}
	return 0;
}

/* libyaml gives a place in bytes for unreadable characters, and lines for everything else. */
static int syntax_error(const struct walk *w, const char *text, size_t length, struct err *e)
{
	const yaml_parser_t *parser = &w->parser;
	size_t line = parser->problem_mark.line;

	if (parser->error == YAML_MEMORY_ERROR)
		return err_set(e, ENOMEM, "cannot read");
	if (parser->error == YAML_READER_ERROR) {
		line = 0;
		for (size_t i = 0; i < length && i < parser->problem_offset; i++)
			line += text[i] == '\n';
	}
	return err_rule(e, EBADMSG, "line %u: must be YAML: %s", line_of(w, line), parser->problem ? parser->problem : "malformed");
}

int lint_read_yaml(struct lint_arena *arena, const char *text, size_t length, uint32_t first_line, struct lint_node **ret, struct err *e)
{
	struct walk w = {.arena = arena, .first_line = first_line};
	int r = 0;

	if (length > LINT_TEXT_BYTES)
		return err_rule(e, EFBIG, "must not be larger than 1 MiB");
	if (!yaml_parser_initialize(&w.parser))
		return err_set(e, ENOMEM, "cannot read");
	yaml_parser_set_encoding(&w.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&w.parser, (const unsigned char *)text, length);
	while (r == 0) {
		scoped(yaml_event_delete) yaml_event_t event = {0};
		r = yaml_parser_parse(&w.parser, &event) ? take_event(&w, &event, e) : syntax_error(&w, text, length, e);
	}
	yaml_parser_delete(&w.parser);
	if (r < 0)
		return r;
	*ret = w.documents;
	return 0;
}
