/* account_table.h - what pods have written as a table for a person (libsmartcols). */
#pragma once

#include <stdio.h>

#include "health/account_view.h"

int account_table_print(FILE *out, const struct account_view *views, size_t count, bool wide, uint64_t now_wall_us, struct err *e);
