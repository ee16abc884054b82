/* nri_roster.h - what a runtime tells at Synchronize: every pod and container of the node, in one message or in parts, joined.
 *
 * A container's pod may be in an earlier or a later part, so parts are kept as they came until the last is there, and given back
 * to the kernel then. Bounded: what is beyond ROSTER_KEPT_MAX_BYTES is not kept, and `cut` says that the roster is not whole. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "shim/nri_message.h"
#include "shim/pages.h"

#define ROSTER_PARTS_MAX      32
#define ROSTER_KEPT_MAX_BYTES (24U << 20)

struct nri_roster {
	struct pages parts[ROSTER_PARTS_MAX];
	size_t lengths[ROSTER_PARTS_MAX];
	unsigned part_count;
	size_t kept_bytes;
	bool cut;
};

/* A part that others follow: copied. */
void nri_roster_keep(struct nri_roster *roster, struct text payload);

/* The last part is there: `each` gets every container with its pod (its kind is NRI_EVENT_NONE). `scratch` is the caller's, for the
 * views. Containers without a pod in the message, and what cannot be decoded, are left out and counted in *ret_skipped. */
int nri_roster_each(const struct nri_roster *roster, struct text last, struct nri_event *scratch, void (*each)(void *owner, const struct nri_event *one), void *owner,
		    unsigned *ret_skipped, struct err *e);
void nri_roster_drop(struct nri_roster *roster);
