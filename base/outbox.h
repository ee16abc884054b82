/* outbox.h - records on their way to a peer that may be slow: sent at once if it reads, kept in order and bounded if not.
 *
 * For records that must not be dropped silently one by one (a link alone drops and counts). When the bound is reached what
 * comes is dropped and `overflowed` says so until outbox_empty: the owner then tells everything anew. Not for descriptors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/link.h"

struct outbox_record;

struct outbox {
	struct link *link;
	size_t limit_bytes, bytes;
	struct outbox_record *first, **last;
	bool overflowed;
	uint64_t dropped_total;
};

void outbox_open(struct outbox *outbox, struct link *link, size_t limit_bytes);
void outbox_send(struct outbox *outbox, uint16_t type, uint64_t id, const void *payload, size_t length);
void outbox_flush(struct outbox *outbox); /* in on_writable of the link */
bool outbox_empty(const struct outbox *outbox);
void outbox_drop(struct outbox *outbox); /* what waits is forgotten */
