#include "shim/lint_arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64UL << 10)

struct lint_arena_block {
	struct lint_arena_block *before;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

void *lint_arena_take(struct lint_arena *arena, size_t size)
{
	if (size > LINT_ARENA_BYTES)
		return NULL;
	size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	if (!arena->last || arena->last->size - arena->used < size) {
		const size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
		if (room > LINT_ARENA_BYTES - arena->total)
			return NULL;
		struct lint_arena_block *block = malloc(sizeof(*block) + room);
		if (!block)
			return NULL;
		block->before = arena->last;
		block->size = room;
		arena->last = block;
		arena->used = 0;
		arena->total += room;
	}
	void *piece = arena->last->bytes + arena->used;
	arena->used += size;
	return memset(piece, 0, size);
}

char *lint_arena_copy(struct lint_arena *arena, const char *bytes, size_t length)
{
	char *copy = lint_arena_take(arena, length + 1);

	return copy && length ? memcpy(copy, bytes, length) : copy;
}

char *lint_arena_vprint(struct lint_arena *arena, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	const int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *text = length < 0 ? NULL : lint_arena_take(arena, (size_t)length + 1);
	if (text)
		vsnprintf(text, (size_t)length + 1, format, args);
	return text;
}

char *lint_arena_print(struct lint_arena *arena, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = lint_arena_vprint(arena, format, args);
	va_end(args);
	return text;
}

void lint_arena_drop(struct lint_arena *arena)
{
	while (arena->last) {
		struct lint_arena_block *before = arena->last->before;
		free(arena->last);
		arena->last = before;
	}
	*arena = (struct lint_arena){0};
}
