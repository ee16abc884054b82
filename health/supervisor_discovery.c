/* supervisor_discovery.c - what there is to watch beside the paths that the configuration names: the known paths are looked at
 * by the broker's children, the mount table says the rest (volumes/discover.h decides). */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "health/supervisor.h"

#define INPUT	   "discovery"
#define LOOK_TICKS 12 /* a directory can become a link, or come to be, without a mount */

struct wire_probe supervisor_name_probe(const struct supervisor *s, uint32_t index)
{
	const struct monitor_watch *w = &s->monitor.watch[index];

	return (struct wire_probe){
		.config_hash = s->monitor.config.hash,
		.watch = w->serial,
		.place = w->target.place,
		.path_hash = w->target.path_hash,
		.mount_id = w->target.mount_id,
		.must_be_mounted = w->mounted,
	};
}

/* --- looking --- */

static bool is_waiting(const struct discovery *d)
{
	for (uint32_t i = 0; i < DISCOVER_KNOWN_MAX; i++)
		if (d->outstanding[i])
			return true;
	return false;
}

static void look(struct supervisor *s)
{
	struct discovery *d = &s->discovery;
	struct place place;

	d->look_wanted = false;
	for (uint32_t i = 0; i < DISCOVER_KNOWN_MAX; i++) {
		struct wire_look ask = {.config_hash = s->monitor.config.hash, .place = CONFIG_WATCH_MAX + i};
		if (!place_get(&s->monitor.config, ask.place, &place)) {
			d->looks[i] = (struct place_look){0};
			continue;
		}
		if (!d->outstanding[i] && link_send(&s->broker, WIRE_LOOK, ++s->asked, &ask, sizeof(ask)))
			d->outstanding[i] = true;
		d->look_wanted = d->look_wanted || !d->outstanding[i];
	}
	if (!d->look_wanted && !is_waiting(d)) { /* there is nothing to look at */
		d->complete = true;
		supervisor_read_mounts(s);
	}
}

/* The answer to one look has come: when it was the last one, the list is made. */
static void finish(struct supervisor *s, uint32_t index)
{
	struct discovery *d = &s->discovery;

	d->outstanding[index] = false;
	if (is_waiting(d) || d->look_wanted)
		return;
	d->complete = true;
	supervisor_read_mounts(s);
}

void supervisor_looked(struct supervisor *s, const struct finding *f)
{
	uint32_t index = f->watch - CONFIG_WATCH_MAX;

	if (index >= DISCOVER_KNOWN_MAX)
		return;
	bool missing = f->errnum == ENOENT || f->errnum == ENOTDIR;
	/* What hangs or cannot be looked at is there: whether it is well, a probe will tell. */
	s->discovery.looks[index] = (struct place_look){.exists = !missing, .mount_root = f->mount_root != 0, .mount_id = f->errnum ? 0 : f->mount_id};
	finish(s, index);
}

void supervisor_look_refused(struct supervisor *s, uint32_t place, const char *why)
{
	uint32_t index = place - CONFIG_WATCH_MAX;

	if (index >= DISCOVER_KNOWN_MAX)
		return;
	log_warn(s->log, "look refused", "place", log_number(place), "why", why);
	s->discovery.outstanding[index] = false;
	supervisor_ask_again(s);
	s->discovery.look_wanted = true; /* the broker has another configuration for a moment, or no process to spare */
}

void supervisor_discovery_reset(struct supervisor *s)
{
	struct discovery *d = &s->discovery;

	memset(d->outstanding, 0, sizeof(d->outstanding));
	d->complete = false;
	if (!discover_is_needed(&s->monitor.config)) {
		monitor_input(&s->monitor, INPUT, "off", "only the paths that the configuration names are watched");
		return;
	}
	d->look_wanted = true;
	if (link_is_up(&s->broker))
		look(s);
	else
		monitor_input(&s->monitor, INPUT, "missing", "stoker-broker is not there yet");
}

void supervisor_discovery_again(struct supervisor *s)
{
	if (s->discovery.look_wanted && link_is_up(&s->broker))
		look(s);
}

void supervisor_discovery_tick(struct supervisor *s)
{
	struct discovery *d = &s->discovery;

	if (!discover_is_needed(&s->monitor.config) || !link_is_up(&s->broker))
		return;
	if (d->look_wanted || s->monitor.look_again || ++d->ticks % LOOK_TICKS == 0)
		look(s);
	s->monitor.look_again = false;
}

/* --- deciding --- */

void supervisor_discover(struct supervisor *s, const struct mount_table *table)
{
	struct discovery *d = &s->discovery;

	if (!discover_is_needed(&s->monitor.config))
		return;
	uint64_t digest = discover_digest(&s->monitor.config, table);
	bool changed = digest != d->digest;
	d->digest = digest;
	if (!d->complete)
		return;
	uint32_t serial = s->monitor.next_serial, count = s->monitor.watch_count;
	discover(&s->monitor.config, table, d->looks, &d->list);
	monitor_set_targets(&s->monitor, &d->list, clock_mono_us());
	monitor_input(&s->monitor, INPUT, "ok", d->list.note);
	if (serial != s->monitor.next_serial || count != s->monitor.watch_count) {
		supervisor_hints_reset(s);
		monitor_mounts(&s->monitor, table, clock_mono_us(), clock_wall_us()); /* what is new has its names at once */
	}
	if (changed)
		look(s);
}

void supervisor_discovery_impossible(struct supervisor *s, const char *why)
{
	monitor_no_mounts(&s->monitor, clock_mono_us(), clock_wall_us());
	if (discover_is_needed(&s->monitor.config))
		monitor_input(&s->monitor, INPUT, "missing", why);
}
