#include "base/outbox.h"

#include <stdlib.h>
#include <string.h>

struct outbox_record {
	struct outbox_record *next;
	uint64_t id;
	size_t length;
	uint16_t type;
	unsigned char payload[];
};

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
	struct outbox_record *record = o->bytes + sizeof(*record) + length <= o->limit_bytes ? malloc(sizeof(*record) + length) : NULL;

	if (!record) {
		o->overflowed = true;
		o->dropped_total++;
		return;
	}
	*record = (struct outbox_record){.id = id, .length = length, .type = type};
	if (length > 0)
		memcpy(record->payload, payload, length);
	o->bytes += sizeof(*record) + length;
	*o->last = record;
	o->last = &record->next;
	link_await_writable(o->link);
}

void outbox_send(struct outbox *o, uint16_t type, uint64_t id, const void *payload, size_t length)
{
	if (!outbox_empty(o) || !link_send(o->link, type, id, payload, length))
		keep(o, type, id, payload, length);
}

static void drop_first(struct outbox *o)
{
	struct outbox_record *record = o->first;

	o->first = record->next;
	if (!o->first)
		o->last = &o->first;
	o->bytes -= sizeof(*record) + record->length;
	free(record);
}

void outbox_flush(struct outbox *o)
{
	while (o->first && link_send(o->link, o->first->type, o->first->id, o->first->payload, o->first->length))
		drop_first(o);
	if (o->first)
		link_await_writable(o->link);
}

void outbox_drop(struct outbox *o)
{
	while (o->first)
		drop_first(o);
	o->overflowed = false;
}
