/* stoker_direct.h - `stoker health --direct`: one write probe of each watched path from here, without a daemon. */
#pragma once

#include "base/config.h"
#include "base/err.h"
#include "health/health.h"

/* Probes every watch of `config`, all at the same time, each in a child that is given up at probe.deadline. Blocks for as
 * long. What the probes find is in `ret`; an error means that none could be started. Call it once in a process: a child
 * that hangs stays behind. */
int probe_directly(const struct config *config, struct health *ret, struct err *e);
