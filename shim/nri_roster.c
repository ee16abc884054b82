#include "shim/nri_roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/scoped.h"

void nri_roster_keep(struct nri_roster *r, struct text payload)
{
	if (r->part_count == ROSTER_PARTS_MAX || r->kept_bytes + payload.length > ROSTER_KEPT_MAX_BYTES ||
	    pages_reserve(&r->parts[r->part_count], payload.length) < 0) {
		r->cut = true;
		return;
	}
	if (payload.length > 0)
		memcpy(r->parts[r->part_count].bytes, payload.bytes, payload.length);
	r->lengths[r->part_count++] = payload.length;
	r->kept_bytes += payload.length;
}

void nri_roster_drop(struct nri_roster *r)
{
	for (unsigned i = 0; i < r->part_count; i++)
		pages_drop(&r->parts[i]);
	*r = (struct nri_roster){0};
}

/* --- pods by id --- */

struct pod_place {
	uint64_t hash;
	struct text id, bytes;
};

struct pod_index {
	struct pod_place *places;
	size_t count, capacity;
};

static struct text part_of(const struct nri_roster *r, struct text last, unsigned i)
{
	return i < r->part_count ? (struct text){(const char *)r->parts[i].bytes, (uint32_t)r->lengths[i]} : last;
}

static uint64_t hash_of(struct text id)
{
	return hash_fnv1a(HASH_START, id.bytes, id.length);
}

static int compare(const void *a, const void *b)
{
	const struct pod_place *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int index_pods(const struct nri_roster *r, struct text last, struct pod_index *index, struct err *e)
{
	struct nri_sync sync;
	struct text bytes;

	for (unsigned i = 0; i <= r->part_count; i++) {
		int outcome = nri_sync_open(&sync, part_of(r, last, i), e);
		if (outcome < 0)
			return outcome;
		index->capacity += sync.pod_count;
	}
	/* As many as were counted in the bytes that are there: a forged number costs nothing. */
	index->places = calloc(index->capacity + 1, sizeof(*index->places));
	if (!index->places)
		return err_set(e, ENOMEM, "%zu pods", index->capacity);
	for (unsigned i = 0; i <= r->part_count; i++) {
		nri_sync_open(&sync, part_of(r, last, i), NULL);
		for (enum nri_sync_kind kind; (kind = nri_sync_next(&sync, &bytes)) != NRI_SYNC_END;) {
			if (kind != NRI_SYNC_POD || index->count == index->capacity)
				continue;
			struct text id = nri_peek_id(bytes);
			index->places[index->count++] = (struct pod_place){hash_of(id), id, bytes};
		}
	}
	qsort(index->places, index->count, sizeof(*index->places), compare);
	return 0;
}

static const struct pod_place *find_pod(const struct pod_index *index, struct text id)
{
	const struct pod_place key = {.hash = hash_of(id)};
	const struct pod_place *found = bsearch(&key, index->places, index->count, sizeof(key), compare);

	if (!found)
		return NULL;
	while (found > index->places && found[-1].hash == key.hash)
		found--;
	for (; found < index->places + index->count && found->hash == key.hash; found++)
		if (found->id.length == id.length && memcmp(found->id.bytes, id.bytes, id.length) == 0)
			return found;
	return NULL;
}

/* --- containers --- */

static bool join(const struct pod_index *index, struct text container, struct nri_event *scratch)
{
	struct text pod_id = nri_peek_pod_id(container);
	const struct pod_place *pod = pod_id.length > 0 ? find_pod(index, pod_id) : NULL;

	scratch->kind = NRI_EVENT_NONE;
	scratch->state_change = false;
	scratch->has_pod = scratch->has_container = true;
	return pod && nri_decode_pod(pod->bytes, &scratch->pod, NULL) == 0 && nri_decode_container(container, &scratch->container, NULL) == 0;
}

static void drop_index(struct pod_index *index)
{
	free(index->places);
}

int nri_roster_each(const struct nri_roster *r, struct text last, struct nri_event *scratch, void (*each)(void *owner, const struct nri_event *one), void *owner,
		    unsigned *ret_skipped, struct err *e)
{
	scoped(drop_index) struct pod_index index = {0};
	struct nri_sync sync;
	struct text bytes;
	unsigned skipped = 0;

	int outcome = index_pods(r, last, &index, e);
	if (outcome < 0)
		return outcome;
	for (unsigned i = 0; i <= r->part_count; i++) {
		nri_sync_open(&sync, part_of(r, last, i), NULL);
		for (enum nri_sync_kind kind; (kind = nri_sync_next(&sync, &bytes)) != NRI_SYNC_END;) {
			if (kind != NRI_SYNC_CONTAINER)
				continue;
			if (join(&index, bytes, scratch))
				each(owner, scratch);
			else
				skipped++;
		}
	}
	*ret_skipped = skipped;
	return 0;
}
