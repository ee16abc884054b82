/* lint_launch.h - between lint_launch.c, which makes launches, and lint_launch_of.c, which knows how operators and servers write theirs. */
#pragma once

#include "shim/lint_model.h"

/* NULL without memory. */
struct lint_launch *lint_launch_add(struct lint *lint, const struct lint_part *part, enum lint_style style);
int lint_launch_put_defaults(struct lint *lint, struct lint_launch *launch);
int lint_launch_end(struct lint *lint, struct lint_launch *launch); /* when all that the part says is in it */

/* The launches of a part; most have none. */
int lint_launch_of(struct lint *lint, struct lint_part *part);
