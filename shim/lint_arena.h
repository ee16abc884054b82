/* lint_arena.h - memory of one run of lint: taken piece by piece, given back at once. Bounded: NULL when there is no more. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define LINT_ARENA_BYTES (256UL << 20)

struct lint_arena_block;

struct lint_arena {
	struct lint_arena_block *last;
	size_t used; /* of the last block */
	size_t total;
};

/* Zeroed, aligned for any struct. */
void *lint_arena_take(struct lint_arena *arena, size_t size);

/* A string of these bytes, ended with NUL. */
char *lint_arena_copy(struct lint_arena *arena, const char *bytes, size_t length);

/* printf-style. */
char *lint_arena_print(struct lint_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *lint_arena_vprint(struct lint_arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

void lint_arena_drop(struct lint_arena *arena);
