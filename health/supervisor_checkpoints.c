#include "health/supervisor_checkpoints.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/supervisor.h"
#include "volumes/nfs_mount.h"
#include "volumes/nfs_wait.h"

#define FIRST_MS     50
#define RETRY_MIN_US US_PER_S

static void step(struct checkpoint_watch *w, uint64_t now_us);
static void tick(uv_timer_t *timer);

static uint32_t index_of(const struct checkpoint_watch *w)
{
	return (uint32_t)(w - w->supervisor->checkpoints.watch);
}

/* --- what is heard --- */

static void tell_event(struct checkpoint_watch *w, bool was_usable)
{
	const bool usable = checkpoint_is_usable(&w->health);
	struct event event = {.warning = !usable, .wall_us = clock_wall_us(), .subject = event_subject(w->config.name)};
	char source[NFS_SOURCE_BYTES];

	if (was_usable == usable)
		return;
	nfs_source(&w->config, source);
	str_copy(event.reason, sizeof(event.reason), checkpoint_state_reason(w->health.state));
	str_copy(event.action, sizeof(event.action), "Probe");
	str_append(event.note, sizeof(event.note), "checkpoint %s (%s) is %s%s%s", w->config.name, source, checkpoint_state_name(w->health.state),
		   *w->health.words ? ": " : "", w->health.words);
	supervisor_tell_event(w->supervisor, &event);
	supervisor_send_events(w->supervisor);
}

static void heard(struct checkpoint_watch *w, enum checkpoint_event event, const char *words)
{
	const enum checkpoint_state before = w->health.state;
	const bool was_usable = checkpoint_is_usable(&w->health);

	w->health = checkpoint_step(w->health, event, words, clock_mono_us());
	if (w->health.state == before)
		return;
	if (!was_usable && checkpoint_is_usable(&w->health)) { /* what has failed meanwhile is tried at once */
		w->failures = 0;
		w->again_us = 0;
	}
	w->since_wall_us = clock_wall_us();
	log_emit(w->supervisor->log, checkpoint_is_usable(&w->health) ? LOG_INFO : LOG_WARN, "checkpoint", "name", w->config.name, "state",
		 checkpoint_state_name(w->health.state), "before", checkpoint_state_name(before), "why", *w->health.words ? w->health.words : NULL, (char *)0);
	tell_event(w, was_usable);
}

/* --- asking --- */

static void ask_broker(struct checkpoint_watch *w, uint32_t what)
{
	struct supervisor *s = w->supervisor;
	struct wire_volume ask = {
		.config_hash = s->monitor.config.hash,
		.volume = {.at.place = VOLUME_AT_NODE, .type = VOLUME_CHECKPOINT, .source = index_of(w), .uid = UINT32_MAX, .gid = UINT32_MAX},
	};

	str_copy(ask.volume.at.name, sizeof(ask.volume.at.name), w->config.name);
	str_copy(ask.volume.source_name, sizeof(ask.volume.source_name), w->config.name);
	if (!link_send(&s->broker, (uint16_t)what, ++s->asked, &ask, sizeof(ask)))
		return;
	w->asked = s->asked;
	w->asked_what = what;
}

static uint32_t wanted_of_broker(const struct checkpoint_watch *w, uint64_t now_us)
{
	const uint64_t pause_us = w->supervisor->monitor.config.probe.period_us * (w->health.state == CHECKPOINT_HEALTHY ? CHECKPOINTS_LOOK_TICKS : 1);

	if (!w->looked)
		return WIRE_CHECKPOINT_LOOK;
	if (w->mounted && w->health.state == CHECKPOINT_STALE && now_us >= w->again_us)
		return WIRE_VOLUME_REMOVE;
	if (((w->wanted && !w->mounted) || (w->mounted && !*w->address)) && now_us >= w->again_us)
		return WIRE_VOLUME_MAKE;
	return w->mounted && now_us - w->looked_us >= pause_us ? WIRE_CHECKPOINT_LOOK : 0;
}

static void step(struct checkpoint_watch *w, uint64_t now_us)
{
	uint32_t what = w->asked || !link_is_up(&w->supervisor->broker) ? 0 : wanted_of_broker(w, now_us);

	if (what != 0)
		ask_broker(w, what);
}

static bool is_eager(const struct checkpoint_watch *w)
{
	return w->health.state == CHECKPOINT_UNREACHABLE && *w->address;
}

static uint64_t ping_period_us(const struct supervisor *s, bool eager)
{
	const uint64_t period_us = s->monitor.config.probe.period_us;

	return eager && period_us > CHECKPOINTS_EAGER_US ? CHECKPOINTS_EAGER_US : period_us;
}

/* As often as the most urgent one needs it. */
static void set_pace(struct supervisor *s)
{
	bool eager = false;

	for (uint32_t i = 0; i < s->checkpoints.count; i++)
		eager |= is_eager(&s->checkpoints.watch[i]);
	const uint64_t pause_ms = ping_period_us(s, eager) / US_PER_MS;
	if (s->checkpoints.count > 0 && uv_timer_get_repeat(&s->checkpoints.tick) != pause_ms)
		uv_timer_start(&s->checkpoints.tick, tick, pause_ms, pause_ms);
}

static void ping_answered(struct nfs_pinger *p, uint64_t duration_us, const char *why)
{
	struct checkpoint_watch *w = p->owner;
	char words[160] = "";

	if (*why)
		str_append(words, sizeof(words), "%s: %s", w->address, why);
	else if (duration_us > CHECKPOINT_SLOW_US)
		str_append(words, sizeof(words), "it answers after more than a second");
	heard(w, *why ? CHECKPOINT_SILENT : duration_us > CHECKPOINT_SLOW_US ? CHECKPOINT_LATE : CHECKPOINT_ANSWERED, words);
	step(w, clock_mono_us());
	set_pace(w->supervisor);
	supervisor_checkpoints_tell(w->supervisor);
}

/* The timer may be a little early: it counts in whole milliseconds. */
static bool is_due(const struct checkpoint_watch *w, uint64_t now_us)
{
	const uint64_t period_us = ping_period_us(w->supervisor, is_eager(w));

	return w->pinged_us == 0 || now_us - w->pinged_us >= period_us - period_us / 16;
}

static void tick(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	const uint64_t now_us = clock_mono_us();

	for (uint32_t i = 0; i < s->checkpoints.count; i++) {
		struct checkpoint_watch *w = &s->checkpoints.watch[i];
		if (*w->address && is_due(w, now_us) && nfs_pinger_ask(&w->pinger, w->address, w->config.port, w->config.version, is_eager(w)))
			w->pinged_us = now_us;
		step(w, now_us);
	}
	set_pace(s);
	supervisor_checkpoints_tell(s);
}

/* --- answers of the broker --- */

static void retry_later(struct checkpoint_watch *w)
{
	uint64_t pause_us = RETRY_MIN_US << (w->failures < 6 ? w->failures : 6);

	w->failures++;
	w->again_us = clock_mono_us() + (pause_us < CHECKPOINTS_RETRY_MAX_US ? pause_us : CHECKPOINTS_RETRY_MAX_US);
}

static void made(struct checkpoint_watch *w, const struct volume_result *r)
{
	if (r->errnum != 0) {
		heard(w, CHECKPOINT_SILENT, r->text);
		/* It has waited for the server all the time: the next one goes on waiting. */
		if (r->errnum == ETIMEDOUT)
			w->failures = 0;
		retry_later(w);
		return;
	}
	w->failures = 0;
	w->looked_us = clock_mono_us();
	str_copy(w->address, sizeof(w->address), r->text); /* of a node's mount: the server's address */
	if (!w->mounted)
		heard(w, CHECKPOINT_MOUNTED, NULL);
	w->mounted = true;
}

/* A server whose disk is slow answers pings and statfs at once: the calls of the pods tell. 0 = they are quick, or there were none. */
static uint64_t slow_calls_ms(struct checkpoint_watch *w, const struct volume_result *r)
{
	const bool anew = r->calls < w->calls || r->wait_ms < w->wait_ms; /* another mount */
	const uint64_t calls = r->calls - (anew ? 0 : w->calls), wait_ms = r->wait_ms - (anew ? 0 : w->wait_ms);

	w->calls = r->calls;
	w->wait_ms = r->wait_ms;
	return calls > 0 && wait_ms / calls > CHECKPOINT_SLOW_US / US_PER_MS ? wait_ms / calls : 0;
}

static void heard_look(struct checkpoint_watch *w, const struct volume_result *r)
{
	const uint64_t slow_ms = slow_calls_ms(w, r);
	char words[160] = "statfs takes more than a second";

	if (slow_ms > 0)
		log_debug(w->supervisor->log, "reads and writes are slow", "name", w->config.name, "ms", log_number((int64_t)slow_ms));
	if (slow_ms > 0)
		snprintf(words, sizeof(words), "reads and writes take %" PRIu64 " ms each", slow_ms);
	heard(w, slow_ms > 0 || r->duration_us > CHECKPOINT_SLOW_US ? CHECKPOINT_LATE : CHECKPOINT_ANSWERED, words);
}

static void looked(struct checkpoint_watch *w, const struct volume_result *r)
{
	w->looked = true;
	w->looked_us = clock_mono_us();
	w->mounted = r->errnum != ENOENT;
	if (r->errnum == 0)
		heard_look(w, r);
	else if (r->errnum == ESTALE)
		heard(w, CHECKPOINT_LOST, "what is mounted is not on the server any more (stale file handle)");
	else if (r->errnum != ENOENT)
		heard(w, CHECKPOINT_SILENT, r->text);
	w->wanted |= w->mounted;
}

static void removed(struct checkpoint_watch *w, const struct volume_result *r)
{
	if (r->errnum != 0) {
		log_warn(w->supervisor->log, "stale checkpoint not taken away", "name", w->config.name, "error", r->text);
		retry_later(w);
		return;
	}
	w->mounted = false;
	w->again_us = 0;
}

static struct checkpoint_watch *asked_by(struct supervisor *s, uint64_t id)
{
	for (uint32_t i = 0; i < CONFIG_CHECKPOINTS_MAX; i++)
		if (id != 0 && s->checkpoints.watch[i].asked == id)
			return &s->checkpoints.watch[i];
	return NULL;
}

bool supervisor_checkpoints_answer(struct supervisor *s, const struct record *record)
{
	const struct volume_result *result = record_payload(record, sizeof(*result));
	struct checkpoint_watch *w = asked_by(s, record->header.id);

	if (record->header.type != WIRE_VOLUME_RESULT || !result || !w || !str_is_ended(result->text, sizeof(result->text)))
		return false;
	w->asked = 0;
	if (w->asked_what == WIRE_VOLUME_MAKE)
		made(w, result);
	else if (w->asked_what == WIRE_CHECKPOINT_LOOK)
		looked(w, result);
	else
		removed(w, result);
	step(w, clock_mono_us());
	supervisor_checkpoints_tell(s);
	return true;
}

/* The child was killed at its deadline: the server hangs. Everything else is the broker's own trouble, and says nothing of the server. */
bool supervisor_checkpoints_refused(struct supervisor *s, uint64_t id, const struct wire_refused *refused, const char *why)
{
	struct checkpoint_watch *w = asked_by(s, id);

	if (!w)
		return false;
	w->asked = 0;
	if (refused->errnum == ETIMEDOUT) {
		heard(w, CHECKPOINT_SILENT, w->asked_what == WIRE_VOLUME_MAKE ? "mounting it does not end" : "statfs does not return");
		w->mounted |= w->asked_what == WIRE_CHECKPOINT_LOOK && !w->looked; /* what is not mounted does not hang */
		w->looked = true;
		w->looked_us = clock_mono_us();
	} else {
		log_debug(s->log, "checkpoint: request refused", "name", w->config.name, "why", why);
	}
	retry_later(w);
	supervisor_checkpoints_tell(s);
	return true;
}

/* --- hints, wishes --- */

void supervisor_checkpoints_kmsg(struct supervisor *s, const struct kmsg_nfs *line)
{
	for (uint32_t i = 0; i < s->checkpoints.count; i++) {
		struct checkpoint_watch *w = &s->checkpoints.watch[i];
		if (line->state == KMSG_NFS_OK || strcmp(w->config.server, line->server) != 0)
			continue;
		heard(w, CHECKPOINT_HINT, "the kernel says that the server does not respond");
		w->looked_us = 0;
		step(w, clock_mono_us());
	}
	supervisor_checkpoints_tell(s);
}

void supervisor_checkpoint_want(struct supervisor *s, uint32_t index)
{
	if (index >= s->checkpoints.count || s->checkpoints.watch[index].wanted)
		return;
	s->checkpoints.watch[index].wanted = true;
	step(&s->checkpoints.watch[index], clock_mono_us());
}

bool supervisor_checkpoint_usable(const struct supervisor *s, uint32_t index, char *why, size_t size)
{
	const struct checkpoint_watch *w = &s->checkpoints.watch[index];

	*why = '\0';
	if (index >= s->checkpoints.count || checkpoint_is_usable(&w->health))
		return true;
	str_append(why, size, "checkpoint %s is %s: %s", w->config.name, checkpoint_state_name(w->health.state), w->health.words);
	return false;
}

void supervisor_checkpoints_broker(struct supervisor *s, bool up)
{
	for (uint32_t i = 0; i < CONFIG_CHECKPOINTS_MAX; i++) {
		s->checkpoints.watch[i].asked = 0;
		if (up && i < s->checkpoints.count)
			step(&s->checkpoints.watch[i], clock_mono_us());
	}
}

/* --- configuration --- */

static bool is_injected(const struct config_volumes *volumes, const char *name)
{
	for (uint32_t i = 0; i < volumes->inject_count; i++)
		if (strcmp(volumes->injects[i].checkpoint, name) == 0)
			return true;
	return false;
}

static void configure(struct checkpoint_watch *w, const struct config_volumes *volumes)
{
	const struct config_checkpoint *c = &volumes->checkpoints[index_of(w)];

	if (memcmp(&w->config, c, sizeof(*c)) != 0) {
		nfs_pinger_stop(&w->pinger);
		w->config = *c;
		w->health = (struct checkpoint){0};
		w->since_wall_us = 0;
		w->looked = w->mounted = w->wanted = false;
		w->failures = 0;
		w->asked = w->again_us = w->looked_us = w->pinged_us = w->calls = w->wait_ms = 0;
		str_copy(w->address, sizeof(w->address), nfs_is_address(c->server) ? c->server : "");
	}
	/* A container's creation does not wait for a mount: what a pod may ask for by annotation is there before. */
	w->wanted |= volumes->annotations || is_injected(volumes, c->name);
}

void supervisor_checkpoints_configure(struct supervisor *s)
{
	const struct config *config = &s->monitor.config;
	const uint64_t period_ms = config->probe.period_us / US_PER_MS;

	s->checkpoints.count = config->volumes.checkpoint_count;
	for (uint32_t i = 0; i < s->checkpoints.count; i++)
		configure(&s->checkpoints.watch[i], &config->volumes);
	for (uint32_t i = s->checkpoints.count; i < CONFIG_CHECKPOINTS_MAX; i++) {
		nfs_pinger_stop(&s->checkpoints.watch[i].pinger);
		s->checkpoints.watch[i].config = (struct config_checkpoint){0};
		s->checkpoints.watch[i].asked = 0;
	}
	if (s->checkpoints.count > 0)
		uv_timer_start(&s->checkpoints.tick, tick, FIRST_MS, period_ms);
	else
		uv_timer_stop(&s->checkpoints.tick);
	supervisor_checkpoints_tell_monitor(s);
	supervisor_checkpoints_tell_nri(s, true);
}

void supervisor_checkpoints_start(struct supervisor *s)
{
	for (uint32_t i = 0; i < CONFIG_CHECKPOINTS_MAX; i++) {
		s->checkpoints.watch[i].supervisor = s;
		nfs_pinger_init(&s->checkpoints.watch[i].pinger, s->loop, ping_answered, &s->checkpoints.watch[i]);
	}
	uv_timer_init(s->loop, &s->checkpoints.tick);
	s->checkpoints.tick.data = s;
}
