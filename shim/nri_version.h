/* nri_version.h - which NRI a runtime speaks, and what it can be told. Pure.
 *
 * From NRI 0.12 on the runtime says it itself; before, it follows from the runtime's name and version. Not known (0.0.0, a new
 * runtime, a fork) counts as the oldest: it is told less, never something that makes it refuse us.
 * Source: go.mod of containerd v1.7.0 to v2.4.0-beta.0 and CRI-O v1.26 to v1.36 (NRI keeps such a table too: pkg/api/version.go). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/view.h"

struct nri_version {
	uint16_t major, minor, patch; /* all 0 = not known */
};

/* What we say that we speak: the newest whose calls are all understood here. */
#define NRI_VERSION_OURS "v0.12.5"

/* "v0.12.1", "0.12.1-rc.1+x", "1.7.23~ds1": the first three numbers. Anything else is not known. */
struct nri_version nri_version_parse(struct text text);

/* `said` is ConfigureRequest.NRI_version, may be empty. */
struct nri_version nri_version_of(struct text said, struct text runtime_name, struct text runtime_version);

bool nri_version_at_least(struct nri_version version, uint16_t major, uint16_t minor, uint16_t patch);

/* Bits that a runtime does not know make it refuse the plugin. Never returns 0 for a mask that is not 0 and holds one old event;
 * 0 would mean "everything". */
uint32_t nri_version_clip(struct nri_version version, uint32_t events);

/* What this NRI applies or does; each is also false when the version is not known. */
bool nri_version_has_oom_score_adj(struct nri_version version);	     /* 0.7 */
bool nri_version_has_split_synchronize(struct nri_version version);  /* 0.8 */
bool nri_version_has_dedicated_calls(struct nri_version version);    /* 0.12: instead of StateChange */
bool nri_version_has_safe_updates(struct nri_version version);	     /* 0.12.1: unsolicited updates cannot lock it up (containerd#13733) */
