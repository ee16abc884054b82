/* metrics_text.h - the text format of metrics.h: what its files share. */
#pragma once

#include <stdio.h>

#include "health/health.h"

void metrics_head(FILE *out, const char *name, const char *type, const char *help);
void metrics_label(FILE *out, const char *name, const char *value); /* NAME="VALUE", escaped */

void metrics_put_nri(FILE *out, const struct health *health); /* of the container runtime's NRI; nothing while executors are not watched */
void metrics_put_volumes(FILE *out, const struct health *health); /* nothing while there are none and nobody asks for any */
