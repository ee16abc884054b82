/* executor_table.h - executors and their deaths as tables for a person (libsmartcols). */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "health/death.h"
#include "health/executor_view.h"

int executor_table_print(FILE *out, const struct executor_view *views, size_t count, bool wide, uint64_t now_wall_us, struct err *e);

/* Newest first, as they are in the list. */
int death_table_print(FILE *out, const struct death *deaths, size_t count, bool wide, struct err *e);
