#include "base/outbox.h"

#include <stdlib.h>
#include <string.h>

/* A record is mostly strings that are shorter than their arrays, so runs of zeros are stored as their length: an executor of 3 KiB
 * takes a fifth. Repeated: zeros u16, bytes u16, those bytes. */
struct outbox_record {
	struct outbox_record *next;
	uint64_t id;
	uint16_t type;
	uint16_t length; /* of the payload */
	size_t packed_length;
	unsigned char packed[];
};

#define RUN_BYTES 4 /* a shorter run of zeros is not worth its two numbers */

static size_t zeros_at(const unsigned char *p, size_t left)
{
	size_t n = 0;

	while (n < left && p[n] == 0)
		n++;
	return n;
}

static size_t bytes_at(const unsigned char *p, size_t left)
{
	size_t n = 0;

	while (n < left && (p[n] != 0 || zeros_at(p + n, left - n < RUN_BYTES ? left - n : RUN_BYTES) < RUN_BYTES))
		n++;
	return n;
}

/* `packed` has room for the worst case: nothing to pack. */
static size_t pack(const unsigned char *payload, size_t length, unsigned char *packed)
{
	size_t at = 0;

	for (size_t i = 0; i < length;) {
		uint16_t run[2] = {(uint16_t)zeros_at(payload + i, length - i), 0};
		i += run[0];
		run[1] = (uint16_t)bytes_at(payload + i, length - i);
		memcpy(packed + at, run, sizeof(run));
		memcpy(packed + at + sizeof(run), payload + i, run[1]);
		at += sizeof(run) + run[1];
		i += run[1];
	}
	return at;
}

static void unpack(const struct outbox_record *record, unsigned char *payload)
{
	memset(payload, 0, record->length);
	for (size_t at = 0; at < record->packed_length;) {
		uint16_t run[2];
		memcpy(run, record->packed + at, sizeof(run));
		payload += run[0];
		memcpy(payload, record->packed + at + sizeof(run), run[1]);
		payload += run[1];
		at += sizeof(run) + run[1];
	}
}

void outbox_open(struct outbox *o, struct link *link, size_t limit_bytes)
{
	*o = (struct outbox){.link = link, .limit_bytes = limit_bytes};
	o->last = &o->first;
}

bool outbox_empty(const struct outbox *o)
{
	return !o->first;
}

static void keep(struct outbox *o, uint16_t type, uint64_t id, const void *payload, size_t length)
{
	unsigned char packed[RECORD_PAYLOAD_BYTES + RECORD_PAYLOAD_BYTES / RUN_BYTES + 8];
	const size_t packed_length = length <= RECORD_PAYLOAD_BYTES ? pack(payload, length, packed) : 0;
	struct outbox_record *record = NULL;

	if (length <= RECORD_PAYLOAD_BYTES && o->bytes + sizeof(*record) + packed_length <= o->limit_bytes)
		record = malloc(sizeof(*record) + packed_length);
	if (!record) {
		o->overflowed = true;
		o->dropped_total++;
		return;
	}
	*record = (struct outbox_record){.id = id, .type = type, .length = (uint16_t)length, .packed_length = packed_length};
	memcpy(record->packed, packed, packed_length);
	o->bytes += sizeof(*record) + packed_length;
	*o->last = record;
	o->last = &record->next;
	link_await_writable(o->link);
}

static void drop_first(struct outbox *o)
{
	struct outbox_record *record = o->first;

	o->first = record->next;
	if (!o->first)
		o->last = &o->first;
	o->bytes -= sizeof(*record) + record->packed_length;
	free(record);
}

void outbox_flush(struct outbox *o)
{
	unsigned char payload[RECORD_PAYLOAD_BYTES];

	while (o->first) {
		unpack(o->first, payload);
		if (!link_send(o->link, o->first->type, o->first->id, payload, o->first->length))
			break;
		drop_first(o);
	}
	if (o->first)
		link_await_writable(o->link);
}

void outbox_send(struct outbox *o, uint16_t type, uint64_t id, const void *payload, size_t length)
{
	if (!outbox_empty(o))
		outbox_flush(o);
	if (!outbox_empty(o) || !link_send(o->link, type, id, payload, length))
		keep(o, type, id, payload, length);
}

void outbox_drop(struct outbox *o)
{
	while (o->first)
		drop_first(o);
	o->overflowed = false;
}
