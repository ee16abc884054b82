/* supervisor_sweep.c - what Spark left on hostPaths: asks the broker to look, and to remove what is ownerless. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/supervisor.h"

#define FIRST_MS 2000

static void ask(struct supervisor *s)
{
	struct wire_sweep next;

	if (!sweeps_next(&s->sweeps, &s->monitor.config, clock_mono_us(), &next) || !link_send(&s->broker, WIRE_SWEEP, ++s->asked, &next, sizeof(next)))
		return;
	s->sweep_asked = s->asked;
	s->sweeps.outstanding = true;
}

static void due(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	sweeps_clock(&s->sweeps, clock_wall_us(), clock_boot_us());
	/* The broker answers within its deadline; one that was started again has forgotten the question. */
	if (!link_is_up(&s->broker))
		s->sweeps.outstanding = false;
	else
		ask(s);
}

static void say_gone(void *owner, const struct sweeps_directory *d)
{
	const struct supervisor *s = owner;
	char path[CONFIG_VOLUME_PATH_BYTES + SWEEP_NAME_BYTES + 2] = "";

	str_append(path, sizeof(path), "%s/%s", s->monitor.config.volumes.sweep_roots[d->root].path, d->found.name);
	log_info(s->log, "swept", "path", path, "entries", log_number(d->entries), "bytes", log_number(d->bytes), "uid", log_number(d->found.uid));
}

static void say_state(struct supervisor *s)
{
	const struct config_volumes *volumes = &s->monitor.config.volumes;

	for (uint32_t i = 0; i < volumes->sweep_root_count; i++) {
		if (*s->sweeps.roots[i].trouble) {
			monitor_input(&s->monitor, "sweep", "degraded", s->sweeps.roots[i].trouble);
			return;
		}
	}
	monitor_input(&s->monitor, "sweep", "ok", volumes->sweep == CONFIG_SWEEP_ON ? "what has no owner is removed" : "dry run: nothing is removed");
}

bool supervisor_sweep_answer(struct supervisor *s, const struct record *record)
{
	const struct wire_swept *swept = record_payload(record, sizeof(*swept));

	if (record->header.type != WIRE_SWEPT || !swept || !sweeps_is_well_formed(swept))
		return false;
	/* Of an earlier configuration: its roots have other numbers. */
	if (record->header.id != s->sweep_asked || swept->root >= s->monitor.config.volumes.sweep_root_count)
		return true;
	sweeps_take(&s->sweeps, swept, clock_mono_us(), say_gone, s);
	say_state(s);
	if (!swept->removing) /* the next page; removals wait for the timer */
		ask(s);
	return true;
}

void supervisor_sweep_refused(struct supervisor *s, const char *why)
{
	s->sweeps.outstanding = false;
	monitor_input(&s->monitor, "sweep", "degraded", why);
}

int supervisor_tell_sweep(struct supervisor *s, char **ret_text, struct err *e)
{
	return sweeps_to_json(&s->sweeps, &s->monitor.config, clock_mono_us(), clock_wall_us(), ret_text, e);
}

void supervisor_sweep_configure(struct supervisor *s)
{
	const bool was_on = s->sweeps.directories != NULL;

	s->sweeps.outstanding = false;
	s->sweep_asked = 0;
	if (!sweeps_configure(&s->sweeps, &s->monitor.config.volumes)) {
		monitor_input(&s->monitor, "sweep", "degraded", "no memory");
		return;
	}
	if (s->sweeps.directories) {
		uv_timer_start(&s->sweep_due, due, FIRST_MS, SWEEPS_STEP_US / US_PER_MS);
		monitor_input(&s->monitor, "sweep", "ok", "not looked yet");
	} else if (was_on) {
		uv_timer_stop(&s->sweep_due);
		monitor_input(&s->monitor, "sweep", "off", "volumes.sweep.mode is off");
	}
}

void supervisor_sweep_start(struct supervisor *s)
{
	uv_timer_init(s->loop, &s->sweep_due);
	s->sweep_due.data = s;
}
