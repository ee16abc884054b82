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

/* Open addressing, at most half full. Not qsort and bsearch: glibc's qsort asks for the machine's memory (sysinfo(2)), which no role
 * that reads foreign bytes may. */
struct pod_place {
	uint64_t hash;
	struct text id, bytes; /* bytes.bytes NULL = free */
};

struct pod_index {
	struct pod_place *places;
	size_t mask;
};

static struct text part_of(const struct nri_roster *r, struct text last, unsigned i)
{
	return i < r->part_count ? (struct text){(const char *)r->parts[i].bytes, (uint32_t)r->lengths[i]} : last;
}

static struct pod_place *place_of(const struct pod_index *index, struct text id)
{
	const uint64_t hash = hash_fnv1a(HASH_START, id.bytes, id.length);
	size_t i = hash & index->mask;

	for (;; i = (i + 1) & index->mask) {
		struct pod_place *place = &index->places[i];
		if (!place->bytes.bytes) {
			place->hash = hash;
			return place;
		}
		if (place->hash == hash && place->id.length == id.length && memcmp(place->id.bytes, id.bytes, id.length) == 0)
			return place;
	}
}

static int make_index(size_t pods, struct pod_index *index, struct err *e)
{
	size_t size = 16;

	while (size < 2 * pods)
		size *= 2;
	index->mask = size - 1;
	index->places = calloc(size, sizeof(*index->places));
	return index->places ? 0 : err_set(e, ENOMEM, "%zu pods", pods);
}

static int index_pods(const struct nri_roster *r, struct text last, struct pod_index *index, struct err *e)
{
	struct nri_sync sync;
	struct text bytes;
	size_t pods = 0;

	/* As many as were counted in the bytes that are there: a forged number costs nothing. */
	for (unsigned i = 0; i <= r->part_count; i++) {
		int outcome = nri_sync_open(&sync, part_of(r, last, i), e);
		if (outcome < 0)
			return outcome;
		pods += sync.pod_count;
	}
	int made = make_index(pods, index, e);
	if (made < 0)
		return made;
	for (unsigned i = 0; i <= r->part_count; i++) {
		nri_sync_open(&sync, part_of(r, last, i), NULL);
		for (enum nri_sync_kind kind; (kind = nri_sync_next(&sync, &bytes)) != NRI_SYNC_END;) {
			struct text id = nri_peek_id(bytes);
			if (kind != NRI_SYNC_POD || id.length == 0)
				continue;
			struct pod_place *place = place_of(index, id);
			place->id = id;
			place->bytes = bytes;
		}
	}
	return 0;
}

/* --- containers --- */

static bool join(const struct pod_index *index, struct text container, struct nri_event *scratch)
{
	struct text pod_id = nri_peek_pod_id(container);
	const struct pod_place *pod = pod_id.length > 0 ? place_of(index, pod_id) : NULL;

	scratch->kind = NRI_EVENT_NONE;
	scratch->state_change = false;
	scratch->has_pod = scratch->has_container = true;
	return pod && pod->bytes.bytes && nri_decode_pod(pod->bytes, &scratch->pod, NULL) == 0 && nri_decode_container(container, &scratch->container, NULL) == 0;
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
