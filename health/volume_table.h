/* volume_table.h - the volumes of a node as a table for a person. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "health/volume_view.h"

int volume_table_print(FILE *out, const struct volume_view *views, size_t count, bool wide, uint64_t now_wall_us, struct err *e);
