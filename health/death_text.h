/* death_text.h - a death in words for a person at a terminal: `stoker why`, `stoker run`. What it says is death.c's. */
#pragma once

#include <stdio.h>

#include "health/death.h"

/* A headline (bold if so wanted) and the lines beneath it: what to change, memory, evidence; long text is folded at the terminal's width. */
void death_print(const struct death *death, FILE *out, bool bold);
