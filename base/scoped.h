/* scoped.h - what every file may use: cleanup attributes and a few macros without a noun of their own. */
#pragma once

#include <stddef.h>

/* A variable so marked is handed by address to `drop` when its scope ends. It must be initialised. */
#define scoped(drop) __attribute__((cleanup(drop)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that holds `member`, given the member's address. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

void scoped_free(void *pointer_to_pointer); /* free() for scoped(): `scoped(scoped_free) char *p = NULL;` */
