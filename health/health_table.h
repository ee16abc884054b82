/* health_table.h - the node's health for people: a headline, a table (libsmartcols), what is missing, the taint.
 *
 * "Now" is the time in the health itself, so the same health gives the same text; times of day are local. Foreign bytes
 * are escaped, so nothing in a mount point moves the cursor. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "health/health.h"

struct health_table_options {
	bool wide; /* AVAIL, INODES, FULL IN, DEVICE, ROLES, ERRNO and MESSAGE too */
	bool color;
};

#define HEALTH_LINE_BYTES 1024

/* "node-1: Unhealthy: ReadOnlyFilesystem on /data since 08:15:00 (2 min)" */
void health_headline(const struct health *health, char line[static HEALTH_LINE_BYTES]);

/* One line for node-problem-detector, at most 79 bytes: with its newline it fits max_output_length 80. */
#define HEALTH_PLUGIN_BYTES 80
void health_plugin_line(const struct health *health, char line[static HEALTH_PLUGIN_BYTES]);

/* Everything. -ENOMEM or what writing said. */
int health_table_print(FILE *out, const struct health *health, const struct health_table_options *options, struct err *e);
