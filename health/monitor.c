#include "health/monitor.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

void monitor_init(struct monitor *m, const struct monitor_ops *ops, const struct log *log, void *owner)
{
	m->ops = ops;
	m->log = log;
	m->owner = owner;
	m->sys_root = "/sys";
}

static struct verdict_rules rules_of(const struct monitor *m)
{
	return (struct verdict_rules){
		.recover_after = m->config.probe.recover_after,
		.minimum_bad_us = m->config.probe.minimum_bad_us,
		.warning_dwell_us = MONITOR_WARNING_DWELL_US,
	};
}

/* --- asking for probes --- */

/* What was found and lies on the filesystem of another is looked at by discovery, never written to. */
static bool is_only_looked_at(const struct monitor_watch *w)
{
	return w->alias_of >= 0 && w->target.origin == TARGET_FOUND;
}

void monitor_ask(struct monitor *m, uint32_t index)
{
	struct monitor_watch *w = &m->watch[index];

	if (is_only_looked_at(w))
		return;
	if (w->outstanding)
		w->again = true;
	else
		w->outstanding = m->ops->probe(m, index, w->mounted);
}

void monitor_probe_all(struct monitor *m, const char *why)
{
	log_debug(m->log, "probing everything", "why", why);
	for (uint32_t i = 0; i < m->watch_count; i++)
		monitor_ask(m, i);
}

/* NULL: watched no more. */
static struct monitor_watch *find_serial(struct monitor *m, uint32_t serial)
{
	for (uint32_t i = 0; i < m->watch_count; i++)
		if (m->watch[i].serial == serial)
			return &m->watch[i];
	return NULL;
}

void monitor_unanswered(struct monitor *m, uint32_t serial)
{
	struct monitor_watch *w = find_serial(m, serial);

	if (w)
		w->outstanding = w->again = false;
}

void monitor_child_ended(struct monitor *m, uint32_t serial)
{
	struct monitor_watch *w = find_serial(m, serial);

	monitor_unanswered(m, serial);
	if (w)
		w->abandoned = false;
	monitor_probe_all(m, "an abandoned probe has ended");
}

void monitor_broker(struct monitor *m, bool up)
{
	for (uint32_t i = 0; i < m->watch_count; i++)
		m->watch[i].outstanding = m->watch[i].again = m->watch[i].abandoned = false; /* who counts what was abandoned is gone */
	if (up)
		monitor_probe_all(m, "broker is there");
}

/* A filesystem may complain of every write, the probe's too: without a limit each complaint would be answered by a probe and
 * each probe by a complaint. */
static bool may_probe_for_hint(struct monitor_watch *w, uint64_t now_us)
{
	const uint64_t full_us = MONITOR_HINT_BURST * MONITOR_HINT_PAUSE_US;
	uint64_t saved_us = now_us - w->hints_paid_us;

	if (saved_us > full_us)
		w->hints_paid_us = now_us - full_us;
	else if (saved_us < MONITOR_HINT_PAUSE_US)
		return false;
	w->hints_paid_us += MONITOR_HINT_PAUSE_US;
	return true;
}

bool monitor_follow_up(struct monitor *m, uint64_t now_us)
{
	bool left = false;

	for (uint32_t i = 0; i < m->watch_count; i++) {
		struct monitor_watch *w = &m->watch[i];
		if (!w->follow_up)
			continue;
		w->follow_up = !may_probe_for_hint(w, now_us);
		left = left || w->follow_up;
		if (!w->follow_up)
			monitor_ask(m, i);
	}
	return left;
}

/* --- taking steps --- */

static void step(struct monitor *m, uint32_t index, const struct verdict_input *input, uint64_t now_us, uint64_t now_wall_us)
{
	struct monitor_watch *w = &m->watch[index];
	struct verdict before = w->verdict;
	const struct verdict_rules rules = rules_of(m);

	w->verdict = verdict_step(w->verdict, input, &rules, now_us);
	bool moved = before.state != w->verdict.state;
	/* For people, and for the node object, a fault lasts until it is over: recovering and relapsing are of it. */
	bool same_fault = verdict_is_bad(&before) && verdict_is_bad(&w->verdict);
	if ((moved && !same_fault) || w->since_wall_us == 0)
		w->since_wall_us = now_wall_us;
	if (moved || before.answered != w->verdict.answered || strcmp(before.reason, w->verdict.reason) != 0) {
		if (moved)
			log_emit(m->log, verdict_is_bad(&w->verdict) ? LOG_WARN : LOG_INFO, "verdict", "path", m->watch[index].target.path,
				 "from", verdict_state_name(before.state), "to", verdict_state_name(w->verdict.state), "reason",
				 w->verdict.reason, "detail", w->verdict.message, (char *)0);
		m->ops->changed(m);
	}
}

/* Silence for so long means that nothing is known any more: three periods and a deadline. */
static bool is_stale(const struct monitor *m, const struct monitor_watch *w, uint64_t now_us)
{
	return now_us > w->heard_us + 3 * m->config.probe.period_us + m->config.probe.deadline_us;
}

void monitor_tick(struct monitor *m, uint64_t now_us, uint64_t now_wall_us)
{
	static const struct verdict_input stale = {VERDICT_STALE, "NotProbed", "no probe has ended for too long: is stoker-broker running?"};

	m->ticks++;
	monitor_say_awaited(m);
	for (uint32_t i = 0; i < m->watch_count; i++) {
		struct monitor_watch *w = &m->watch[i];
		if (is_only_looked_at(w) || ((w->alias_of >= 0 || w->read_only_bind) && m->ticks % MONITOR_ALIAS_TICKS != 0))
			continue;
		if (is_stale(m, w, now_us))
			step(m, i, &stale, now_us, now_wall_us);
		if (!w->outstanding)
			monitor_ask(m, i);
		else if (w->waiting_us == 0)
			w->waiting_us = now_us;
		else if (now_us > w->waiting_us + m->config.probe.deadline_us + m->config.probe.period_us)
			/* An answer can be lost, with a broker that found our socket full: it is not waited for for ever. */
			w->outstanding = false, w->waiting_us = 0, monitor_ask(m, i);
	}
}

static void describe(const struct monitor *m, struct monitor_watch *w, const struct mount_table *table)
{
	const struct mount *mount = mount_table_find(table, w->last.mount_id, w->last.device_major, w->last.device_minor);

	if (!mount)
		return;
	w->described = true;
	w->read_only_bind = mount_is_read_only_bind(mount);
	if (w->read_only_bind) /* nothing is known of the disk through it */
		w->verdict = (struct verdict){.since_us = w->verdict.since_us, .answered = w->verdict.answered};
	/* The filesystem's own number: a subvolume has another one. */
	w->device_major = mount->device_major;
	w->device_minor = mount->device_minor;
	str_copy(w->mount_point, sizeof(w->mount_point), mount->mount_point);
	str_copy(w->source, sizeof(w->source), mount->source);
	str_copy(w->fs_type, sizeof(w->fs_type), mount->type);
	if (w->names.count == 0)
		block_names_of_source(m->sys_root, mount->source, &w->names);
}

/* "Read-only" says something about the disk only if it is not the mount's own flag. What the mount says is not known while
 * its table has not been read: the judgement waits for it. */
static bool must_wait_for_mounts(const struct monitor *m, const struct monitor_watch *w, const struct finding *f)
{
	return f->errnum == EROFS && m->mounts_expected && (!w->described || m->mounts_stale) && !verdict_is_bad(&w->verdict) && w->alias_of < 0;
}

static void release(struct monitor *m, uint32_t index, uint64_t now_us, uint64_t now_wall_us)
{
	struct monitor_watch *w = &m->watch[index];
	const struct verdict_input input = verdict_judge(&w->last);

	w->held = false;
	if (w->alias_of < 0 && !w->read_only_bind)
		step(m, index, &input, now_us, now_wall_us);
}

void monitor_mounts(struct monitor *m, const struct mount_table *table, uint64_t now_us, uint64_t now_wall_us)
{
	for (uint32_t i = 0; i < m->watch_count; i++)
		if (m->watch[i].last.mount_id)
			describe(m, &m->watch[i], table);
	m->mounts_stale = m->mounts_urgent = false;
	m->mounts_expected = true; /* one that could not be read once comes all the same */
	monitor_find_aliases(m);
	for (uint32_t i = 0; i < m->watch_count; i++)
		if (m->watch[i].held)
			release(m, i, now_us, now_wall_us);
	m->ops->changed(m);
}

void monitor_no_mounts(struct monitor *m, uint64_t now_us, uint64_t now_wall_us)
{
	m->mounts_expected = m->discovering = false;
	for (uint32_t i = 0; i < m->watch_count; i++)
		if (m->watch[i].held)
			release(m, i, now_us, now_wall_us);
}

/* The names by which the kernel speaks of the filesystem's device: what a hint is matched with. */
static void find_names(struct monitor *m, struct monitor_watch *w)
{
	struct err e = {0};

	if (block_names_read(m->sys_root, w->last.device_major, w->last.device_minor, &w->names, &e) < 0) {
		w->names.count = 0;
		log_debug(m->log, "no kernel name for a device", "error", e.text);
	}
}

static bool same_filesystem(const struct finding *a, const struct finding *b)
{
	return a->mount_id && b->mount_id && a->device_major == b->device_major && a->device_minor == b->device_minor;
}

/* The path lies on another filesystem than before. What was bad stays bad until it is written to (a disk may come back
 * under another number after its repair); what was not starts anew. */
static void note_place(struct monitor *m, uint32_t index, const struct finding *f, uint64_t now_us)
{
	struct monitor_watch *w = &m->watch[index];
	bool moved = !same_filesystem(&w->last, f), other_mount = w->last.mount_id != f->mount_id;

	if (moved && w->last.mount_id)
		monitor_forget_space(w);
	w->last = *f;
	w->mounted = w->mounted || f->mount_root;
	if (other_mount || !w->placed) {
		w->moved = w->placed && moved;
		w->placed = true;
		w->read_only_bind = false; /* until the mount table says so */
		w->device_major = f->device_major;
		w->device_minor = f->device_minor;
	}
	if (moved && w->verdict.answered && !verdict_is_bad(&w->verdict) && f->mount_id)
		w->verdict = (struct verdict){.since_us = now_us, .answered = true};
	if (moved)
		find_names(m, w);
	if (moved || other_mount)
		w->described = false;
	if (!w->described)
		m->ops->describe(m);
	if (moved || other_mount)
		monitor_find_aliases(m);
}

void monitor_finding(struct monitor *m, const struct finding *f, uint64_t now_us, uint64_t now_wall_us)
{
	struct monitor_watch *w = find_serial(m, f->watch);
	struct verdict_input input = verdict_judge(f);

	if (!w)
		return;
	uint32_t index = (uint32_t)(w - m->watch);

	if (f->errnum == ETIMEDOUT && m->hung_us && now_us - m->hung_us < MONITOR_WARNING_DWELL_US)
		str_append(input.message, sizeof(input.message), "; kernel: %s", m->hung_line);
	if (f->errnum == ENODEV && f->step == PROBE_RESOLVE)
		w->verdict.last_hint_us = 0; /* complaints end with the mount */
	w->outstanding = false;
	w->waiting_us = 0;
	w->heard_us = now_us;
	/* A hung or vanished path tells no place: keep what is known of it. */
	if (f->mount_id && f->step > PROBE_RESOLVE)
		note_place(m, index, f, now_us);
	else
		w->last.started_wall_us = f->started_wall_us, w->last.errnum = f->errnum, w->last.duration_us = f->duration_us,
		w->last.step = f->step;
	monitor_count_probe(m, w, f, input.event);
	monitor_judge_space(m, w, f, &input, now_us);
	log_emit(m->log, finding_is_good(f) ? LOG_DEBUG : LOG_INFO, "probe finished", "path", w->target.path,
		 "step", probe_step_name(f->step), "errno", log_number(f->errnum), "us", log_number(f->duration_us), "reason",
		 input.reason, (char *)0);
	w->held = must_wait_for_mounts(m, w, f);
	/* Not where it was found: discovery is to look again. Without a place the filesystem itself says so, an NFS mount that is stale. */
	if (f->step == PROBE_RESOLVE && f->errnum == ESTALE && f->mount_id)
		m->look_again = true;
	else if (!w->held && w->alias_of < 0 && !w->read_only_bind)
		step(m, index, &input, now_us, now_wall_us);
	if (w->held) {
		m->mounts_urgent = true;
		m->ops->describe(m);
	}
	if (m->cautious) /* one more good probe changes no verdict, and may be the last that was wanted */
		m->ops->changed(m);
	if (w->again) {
		w->again = false;
		monitor_ask(m, index);
	}
}

bool monitor_hint_at(struct monitor *m, uint32_t index, const char *source, const struct kmsg_hint *hint, uint64_t now_us, uint64_t now_wall_us)
{
	struct verdict_input input = {.event = VERDICT_HINT};
	struct monitor_watch *w = index < m->watch_count ? &m->watch[index] : NULL;

	if (!w || w->alias_of >= 0)
		return false;
	str_copy(input.reason, sizeof(input.reason), hint->reason);
	str_copy(input.message, sizeof(input.message), hint->message);
	log_info(m->log, "hint", "source", source, "path", m->watch[index].target.path, "device", hint->device, "reason", hint->reason, "kernel", hint->message);
	/* An error of what is bad already is no news, and may well be the probe's own doing. */
	bool news = !hint->is_error || w->verdict.state != VERDICT_BAD;
	if (news && may_probe_for_hint(w, now_us))
		monitor_ask(m, index);
	if (hint->is_error)
		step(m, index, &input, now_us, now_wall_us);
	/* The kernel may speak before the filesystem refuses: a good probe now is looked at once more. */
	w->follow_up = w->follow_up || news;
	return news;
}

bool monitor_hint(struct monitor *m, const struct kmsg_hint *hint, uint64_t now_us, uint64_t now_wall_us)
{
	bool follow_up = false;

	if (!*hint->device) {
		m->hung_us = now_us;
		str_copy(m->hung_line, sizeof(m->hung_line), hint->message);
	}
	for (uint32_t i = 0; i < m->watch_count; i++) {
		struct monitor_watch *w = &m->watch[i];
		if (w->alias_of >= 0 || (*hint->device && !block_names_has(&w->names, hint->device)))
			continue;
#ifdef STOKER_SABOTAGE_REMOUNTED_RECOVERS
		if (strstr(hint->message, "re-mounted"))
			w->verdict.state = VERDICT_HEALTHY;
#endif
		/* What was complained of is not mounted any more: what is mounted there next starts without a blemish. */
		if (*hint->device && (strcmp(hint->reason, "Unmounted") == 0 || strcmp(hint->reason, "Mounted") == 0))
			w->verdict.last_hint_us = 0;
		struct kmsg_hint one = *hint;
		one.is_error = hint->is_error && *hint->device; /* of a device that is not named nobody is accused */
		follow_up = monitor_hint_at(m, i, "kmsg", &one, now_us, now_wall_us) || follow_up;
	}
	return follow_up;
}
