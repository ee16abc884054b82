/* What lint reads against any bytes: as YAML and as properties. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "shim/lint_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t lines_of(const uint8_t *data, size_t size)
{
	uint32_t lines = 1;

	for (size_t i = 0; i < size; i++) /* YAML ends a line at a CR, too; and at NEL, LS and PS, of which these are the last bytes */
		lines += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] == 0xa8 || data[i] == 0xa9;
	return lines + 1; /* an empty document at the very end: libyaml ends the last line for it */
}

/* Every node lies within the text and within its parent. */
static void check(const struct lint_node *node, const struct lint_node *parent, uint32_t lines, unsigned depth)
{
	if (depth > LINT_DEPTH_MAX + 1)
		abort();
	for (; node; node = node->next) {
		if (node->parent != parent || node->line < 1 || node->line > lines || !node->key || !node->text || (node->kind == LINT_SCALAR && node->first))
			abort();
		check(node->first, node, lines, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int (*const readers[])(struct lint_arena *, const char *, size_t, uint32_t, struct lint_node **, struct err *) = {lint_read_yaml, lint_read_properties};

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		scoped(lint_arena_drop) struct lint_arena arena = {0};
		struct lint_node *root = NULL;
		struct err e = {0};
		if (readers[i](&arena, (const char *)data, size, 1, &root, &e) < 0) {
			if (root || e.code <= 0 || !e.text[0])
				abort();
			continue;
		}
		check(root, NULL, lines_of(data, size), 0);
	}
	return 0;
}
