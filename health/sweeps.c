#include "health/sweeps.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

bool sweeps_configure(struct sweeps *s, const struct config_volumes *config)
{
	const bool wanted = config->sweep != CONFIG_SWEEP_OFF && config->sweep_root_count > 0;

	memset(s->roots, 0, sizeof(s->roots));
	s->count = 0;
	if (!wanted) {
		free(s->directories);
		s->directories = NULL;
	} else if (!s->directories) {
		s->directories = calloc(SWEEPS_MAX, sizeof(*s->directories));
	}
	return !wanted || s->directories;
}

void sweeps_clock(struct sweeps *s, uint64_t wall_us, uint64_t boot_us)
{
	const int64_t offset = (int64_t)(wall_us - boot_us);

	if (!s->clock_seen || offset < s->clock_lowest_us)
		s->clock_lowest_us = offset;
	if (!s->clock_seen || offset > s->clock_highest_us)
		s->clock_highest_us = offset;
	s->clock_seen = true;
}

/* --- what to ask --- */

static bool is_due(const struct sweeps_directory *d, uint64_t grace_us, uint64_t now_us)
{
	return d->ownerless_us != 0 && now_us - d->ownerless_us >= grace_us;
}

/* Of one root: a child opens no more than one. */
static void collect_due(const struct sweeps *s, const struct config_volumes *config, uint64_t now_us, struct wire_sweep *ask)
{
	for (uint32_t i = 0; i < s->count && ask->remove_count < WIRE_SWEEP_REMOVE_MAX; i++) {
		const struct sweeps_directory *d = &s->directories[i];
		if (!is_due(d, config->sweep_grace_us, now_us) || (ask->remove_count > 0 && d->root != ask->root))
			continue;
		ask->root = d->root;
		ask->remove[ask->remove_count++] = (struct wire_sweep_one){d->found.ino, d->found.born_wall_us, d->found.changed_wall_us};
	}
}

static bool next_page(const struct sweeps *s, const struct config_volumes *config, uint64_t now_us, struct wire_sweep *ask)
{
	for (uint32_t i = 0; i < config->sweep_root_count; i++) {
		const struct sweeps_root *r = &s->roots[i];
		if (r->looked_us && now_us - r->looked_us < SWEEPS_LOOK_US)
			continue;
		ask->root = i;
		ask->after_ino = r->after_ino;
		return true;
	}
	return false;
}

bool sweeps_next(const struct sweeps *s, const struct config *config, uint64_t now_us, struct wire_sweep *ret)
{
	struct wire_sweep ask = {.config_hash = config->hash, .slack_us = SWEEP_SLACK_US + (uint64_t)(s->clock_highest_us - s->clock_lowest_us)};

	if (!s->directories || s->outstanding)
		return false;
	/* Looks go first: what cannot be removed must not keep them away. */
	const bool looks = next_page(s, &config->volumes, now_us, &ask);
	if (!looks && config->volumes.sweep == CONFIG_SWEEP_ON)
		collect_due(s, &config->volumes, now_us, &ask);
	*ret = ask;
	return looks || ask.remove_count > 0;
}

/* --- what came of it --- */

bool sweeps_is_well_formed(const struct wire_swept *swept)
{
	bool good = swept->root < CONFIG_SWEEP_MAX && swept->count <= SWEEP_PAGE && str_is_ended(swept->text, sizeof(swept->text));

	for (uint32_t i = 0; good && i < swept->count; i++)
		good = str_is_ended(swept->of[i].name, sizeof(swept->of[i].name)) && sweep_is_name(swept->of[i].name) &&
		       swept->of[i].reason < SWEEP_REASON_MAX_;
	return good;
}

static struct sweeps_directory *find_or_add(struct sweeps *s, uint32_t root, const struct wire_swept_one *one)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct sweeps_directory *d = &s->directories[i];
		if (d->root == root && d->found.ino == one->ino && d->found.born_wall_us == one->born_wall_us)
			return d;
	}
	if (s->count == SWEEPS_MAX) {
		s->beyond_total++;
		return NULL;
	}
	s->directories[s->count] = (struct sweeps_directory){.root = root};
	return &s->directories[s->count++];
}

static void drop(struct sweeps *s, struct sweeps_directory *d)
{
	*d = s->directories[--s->count];
}

/* Who wrote to it meanwhile is no owner that was seen, but somebody. What we removed of it ourselves is in the answer's time. */
static void take_one(struct sweeps *s, const struct wire_swept *swept, const struct wire_swept_one *one, uint64_t now_us,
		     void (*gone)(void *, const struct sweeps_directory *), void *owner)
{
	struct sweeps_directory *d = find_or_add(s, swept->root, one);
	const bool removed = one->removed_entries > 0;

	s->entries_total += one->removed_entries;
	s->bytes_total += one->removed_bytes;
	if (!d)
		return;
	const bool same = d->ownerless_us && (d->found.changed_wall_us == one->changed_wall_us || removed);
	if (one->reason != SWEEP_OWNERLESS)
		d->ownerless_us = 0;
	else if (!same)
		d->ownerless_us = now_us;
	/* What cannot be removed is tried again after the grace, not every ten seconds. */
	if (one->left > 0 && !removed && d->ownerless_us)
		d->ownerless_us = now_us;
	d->found = *one;
	d->pass = s->roots[swept->root].pass;
	d->entries += one->removed_entries;
	d->bytes += one->removed_bytes;
	if (!one->gone)
		return;
	s->directories_total++;
	if (gone)
		gone(owner, d);
	drop(s, d);
}

/* After the last page: what was not on any is gone. */
static void end_pass(struct sweeps *s, uint32_t root, uint64_t now_us)
{
	struct sweeps_root *r = &s->roots[root];

	for (uint32_t i = s->count; i > 0; i--)
		if (s->directories[i - 1].root == root && s->directories[i - 1].pass != r->pass)
			drop(s, &s->directories[i - 1]);
	r->pass++;
	r->after_ino = 0;
	r->looked_us = now_us;
}

void sweeps_take(struct sweeps *s, const struct wire_swept *swept, uint64_t now_us, void (*gone)(void *, const struct sweeps_directory *), void *owner)
{
	struct sweeps_root *r = &s->roots[swept->root];

	s->outstanding = false;
	if (!s->directories)
		return;
	str_copy(r->trouble, sizeof(r->trouble), swept->text);
	for (uint32_t i = 0; i < swept->count; i++)
		take_one(s, swept, &swept->of[i], now_us, gone, owner);
	if (swept->removing)
		return;
	if (swept->errnum || !swept->more || swept->count == 0)
		end_pass(s, swept->root, now_us);
	else
		r->after_ino = swept->of[swept->count - 1].ino;
}
