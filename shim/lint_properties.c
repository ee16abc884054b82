#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "shim/lint_document.h"

struct reader {
	const char *at, *end;
	uint32_t line;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
}

static void skip_line_end(struct reader *r)
{
	if (r->at == r->end)
		return;
	if (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n')
		r->at++;
	r->at++;
	r->line++;
}

/* Blank lines and comments: true while there is a line with something on it. */
static bool find_line(struct reader *r)
{
	for (;;) {
		skip_blanks(r);
		if (r->at == r->end)
			return false;
		if (*r->at == '#' || *r->at == '!')
			while (r->at < r->end && !is_line_end(*r->at))
				r->at++;
		else if (!is_line_end(*r->at))
			return true;
		skip_line_end(r);
	}
}

static char unescape(char c)
{
	switch (c) {
	case 't': return '\t';
	case 'n': return '\n';
	case 'r': return '\r';
	case 'f': return '\f';
	default: return c;
	}
}

/* Up to the end of the logical line, or of the key: a backslash keeps what follows, and joins the next line. \uXXXX stays as it is. */
static size_t take_word(struct reader *r, bool is_key, char *out)
{
	size_t length = 0;

	while (r->at < r->end && !is_line_end(*r->at)) {
		if (is_key && (is_blank(*r->at) || *r->at == '=' || *r->at == ':'))
			break;
		if (*r->at != '\\') {
			out[length++] = *r->at++;
			continue;
		}
		if (++r->at == r->end)
			break;
		if (is_line_end(*r->at)) {
			skip_line_end(r);
			skip_blanks(r);
		} else if (*r->at == 'u') {
			out[length++] = '\\';
			out[length++] = *r->at++;
		} else {
			out[length++] = unescape(*r->at++);
		}
	}
	return length;
}

static struct lint_node *read_pair(struct lint_arena *arena, struct reader *r, char *buffer, const char *line_start)
{
	struct lint_node *node = lint_arena_take(arena, sizeof(*node));

	if (!node)
		return NULL;
	node->line = r->line;
	node->column = (uint32_t)(r->at - line_start) + 1;
	size_t length = take_word(r, true, buffer);
	node->key = lint_arena_copy(arena, buffer, length);
	skip_blanks(r);
	if (r->at < r->end && (*r->at == '=' || *r->at == ':')) {
		r->at++;
		skip_blanks(r);
	}
	node->text_line = r->line;
	length = take_word(r, false, buffer);
	/* Spark trims what it reads. */
	while (length > 0 && isspace((unsigned char)buffer[length - 1]))
		length--;
	node->text = lint_arena_copy(arena, buffer, length);
	return node->key && node->text ? node : NULL;
}

int lint_read_properties(struct lint_arena *arena, const char *text, size_t length, uint32_t first_line, struct lint_node **ret, struct err *e)
{
	struct reader r = {.at = text, .end = text + length, .line = first_line};
	struct lint_node *top = lint_arena_take(arena, sizeof(*top));
	char *buffer = length > LINT_TEXT_BYTES ? NULL : lint_arena_take(arena, length + 1);

	if (length > LINT_TEXT_BYTES)
		return err_rule(e, EFBIG, "must not be larger than 1 MiB");
	if (!top || !buffer)
		return err_set(e, ENOMEM, "cannot read");
	if (memchr(text, '\0', length))
		return err_rule(e, EBADMSG, "must be without NUL bytes");
	*top = (struct lint_node){.kind = LINT_MAPPING, .key = "", .text = "", .line = first_line, .column = 1};
	for (unsigned count = 0; find_line(&r); count++) {
		const char *line_start = r.at;
		while (line_start > text && !is_line_end(line_start[-1]))
			line_start--;
		if (count == LINT_NODES_MAX)
			return err_rule(e, EBADMSG, "line %u: must not have so many values", r.line);
		struct lint_node *node = read_pair(arena, &r, buffer, line_start);
		if (!node)
			return err_set(e, ENOMEM, "cannot read");
		node->parent = top;
		if (top->last)
			top->last->next = node;
		else
			top->first = node;
		top->last = node;
	}
	*ret = top;
	return 0;
}
