/* nri_reply.h - what we say to a runtime, as protobuf. Pure. Nothing is written that does not come from here or from a plan:
 * an NRI reply may inject mounts, hooks and devices. Of mounts a plan has two kinds, a bounded tmpfs and a checkpoint of the
 * configuration; of what was received only a path in the container gets into a reply, checked (SECURITY.md).
 *
 * Each writes the payload of a ttrpc message: between ttrpc_begin_… and ttrpc_end. Empty answers (RunPodSandbox, StopContainer,
 * StateChange …) need nothing in between. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/plan.h"
#include "shim/proto.h"

#define NRI_PLUGIN_NAME	 "stoker"
#define NRI_PLUGIN_INDEX "40"

/* Room for any reply made here: a full plan, every string at its longest. */
#define NRI_REPLY_BYTES 12288


void nri_write_register(struct proto_writer *writer, const char *name, const char *index); /* for the method "RegisterPlugin" */

/* `events` is clipped by nri_version_clip; 0 would subscribe to everything. keep_connected: a runtime of NRI ≥ 0.12.4 then does not
 * end the connection over one late answer; others do not know the field. */
void nri_write_configured(struct proto_writer *writer, uint32_t events, bool keep_connected);

/* `more` must be what the request said, or the runtime takes us for one that cannot be synchronised in parts. No updates. */
void nri_write_synchronized(struct proto_writer *writer, bool more);

/* The answer to CreateContainer. An empty plan is an empty answer: "no adjustment". A pair that is not UTF-8 is left out. */
void nri_write_created(struct proto_writer *writer, const struct plan *plan);
