#include "shim/lint_document.h"

#include <string.h>

static const struct lint_node *get(const struct lint_node *node, const char *key, size_t length)
{
	const struct lint_node *found = NULL;

	if (!node || node->kind != LINT_MAPPING)
		return NULL;
	for (const struct lint_node *child = node->first; child; child = child->next)
		if (strncmp(child->key, key, length) == 0 && child->key[length] == '\0')
			found = child;
	return found;
}

const struct lint_node *lint_get(const struct lint_node *node, const char *key)
{
	return get(node, key, strlen(key));
}

const struct lint_node *lint_at(const struct lint_node *node, const char *path)
{
	while (node && *path) {
		const size_t length = strcspn(path, "/");
		node = get(node, path, length);
		path += length + (path[length] == '/');
	}
	return node;
}

const char *lint_text(const struct lint_node *node, const char *path)
{
	node = lint_at(node, path);
	if (!node || node->kind != LINT_SCALAR)
		return "";
	return node->is_plain && (strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0) ? "" : node->text;
}

bool lint_is_true(const struct lint_node *node, const char *path)
{
	return strcmp(lint_text(node, path), "true") == 0;
}
