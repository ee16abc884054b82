/* metrics.h - the node's health for Prometheus (text format 0.0.4). docs/monitoring.md says what each metric is for.
 *
 * Pure: the same health gives the same text. Filesystems are told apart by `path`, the watched path, which is unique;
 * `mountpoint` is for people. Both escaped as in the JSON, so that they are UTF-8. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "health/health.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* malloc'ed, the caller frees it. -ENOMEM. */
int metrics_text(const struct health *health, char **ret_text, size_t *ret_length, struct err *e);
