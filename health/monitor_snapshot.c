#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "health/monitor.h"

void monitor_count_probe(const struct monitor *m, struct monitor_watch *w, const struct finding *f, enum verdict_event event)
{
	static const uint64_t bounds_us[HEALTH_BUCKETS] = {HEALTH_BUCKETS_US};
	struct health_probes *p = &w->probes;
	size_t i = 0;

	while (i < HEALTH_BUCKETS && f->duration_us > bounds_us[i])
		i++;
	p->within[i]++;
	p->total_us += f->duration_us;
	p->count++;
	if (event == VERDICT_GOOD)
		p->good++;
	else if (event == VERDICT_FAILED)
		p->failed++;
	else
		p->unclear++;
	/* A network's own ETIMEDOUT comes earlier. */
	w->abandoned = f->errnum == ETIMEDOUT && f->duration_us >= m->config.probe.deadline_us;
}

/* What turns up while the node is watched is not shown before it was probed: it says nothing yet about the node. */
static bool is_shown(const struct monitor *m, const struct monitor_watch *w)
{
	return w->verdict.answered || w->target.origin == TARGET_CONFIGURED || m->report.sequence == 0 || verdict_is_bad(&w->verdict) || w->read_only_bind;
}

/* May the node object be told? Nothing is published before every watched filesystem was probed, so that a restart in the
 * middle of a fault never says "all well" first; and see monitor->cautious. */
static bool is_ready(const struct monitor *m)
{
	/* That nothing is watched (any more) is said too: else what was said of it before, and a taint, would stand for ever. */
	bool ready = !(m->discovering && (m->report.sequence == 0 || m->watch_count == 0));

	for (uint32_t i = 0; i < m->watch_count; i++) {
		const struct monitor_watch *w = &m->watch[i];
		if (w->alias_of >= 0 || w->read_only_bind || !is_shown(m, w))
			continue;
		bool sure = !m->cautious || verdict_is_bad(&w->verdict) || w->verdict.good_in_a_row >= m->config.probe.recover_after;
		ready = ready && w->verdict.answered && sure;
	}
	return ready;
}

static void add_role(struct health_filesystem *f, const char *role)
{
	for (uint32_t i = 0; i < f->role_count; i++)
		if (strcmp(f->roles[i], role) == 0)
			return;
	if (f->role_count < HEALTH_ROLES_MAX)
		str_copy(f->roles[f->role_count++], sizeof(f->roles[0]), role);
}

static void snapshot_filesystem(const struct monitor *m, uint32_t index, struct health_filesystem *f)
{
	const struct monitor_watch *w = &m->watch[index];

	memset(f, 0, sizeof(*f));
	str_copy(f->path, sizeof(f->path), m->watch[index].target.path);
	str_copy(f->mount_point, sizeof(f->mount_point), f->path);
	if (w->described) { /* else they are those of what was mounted before */
		str_copy(f->mount_point, sizeof(f->mount_point), w->mount_point);
		str_copy(f->source, sizeof(f->source), w->source);
		str_copy(f->fs_type, sizeof(f->fs_type), w->fs_type);
	}
	if (w->last.mount_id)
		str_append(f->device, sizeof(f->device), "%u:%u", w->last.device_major, w->last.device_minor);
	f->state = w->verdict.state;
	f->mounted = w->mounted;
	str_copy(f->reason, sizeof(f->reason), w->verdict.reason);
	str_copy(f->message, sizeof(f->message), w->verdict.message);
	/* A forecast's numbers are of now: those of its beginning would soon be wrong. */
	struct verdict_input foreseen = verdict_judge_forecast(&w->forecast);
	if (strcmp(foreseen.reason, f->reason) == 0 && *f->reason)
		str_copy(f->message, sizeof(f->message), foreseen.message);
	if (*w->offender && monitor_is_short(w))
		str_append(f->message, sizeof(f->message), "; %s", w->offender);
	if (!w->verdict.answered && f->state == VERDICT_UNKNOWN) {
		str_copy(f->reason, sizeof(f->reason), "NotProbed");
		str_copy(f->message, sizeof(f->message), "not probed yet");
	}
	f->origin = w->target.origin;
	if (w->read_only_bind)
		health_ignore_bind(f);
	f->since_wall_us = w->since_wall_us;
	f->last_probe_wall_us = w->last.started_wall_us;
	f->last_probe_duration_us = w->last.duration_us;
	f->last_probe_errnum = w->last.errnum;
	f->probes = w->probes;
	f->kernel_errors = w->kernel_errors.count;
	f->kernel_errors_wall_us = w->kernel_errors.wall_us;
	f->size_bytes = w->space.total_bytes;
	f->available_bytes = w->space.available_bytes;
	f->inodes = w->space.total_inodes;
	f->available_inodes = w->space.available_inodes;
	f->space_full_low_s = w->forecast.outlook[SPACE_BYTES].low_s;
	f->space_full_high_s = w->forecast.outlook[SPACE_BYTES].high_s;
	f->inodes_full_low_s = w->forecast.outlook[SPACE_INODES].low_s;
	f->inodes_full_high_s = w->forecast.outlook[SPACE_INODES].high_s;
	add_role(f, m->watch[index].target.role);
	for (uint32_t i = 0; i < m->watch_count; i++)
		if (m->watch[i].alias_of == (int)index)
			add_role(f, m->watch[i].target.role);
}

/* Why the taint that is wanted is not (yet) on the node. */
static void snapshot_taint(const struct monitor *m, struct health *h)
{
	const char *why = NULL;

	if (!h->report.taint.wanted)
		return;
	if (m->reporter.off)
		why = "no cluster: nothing is written to a node object";
	else if (m->report.sequence && m->reporter.taint_sequence == m->report.sequence)
		why = NULL; /* it is there, whatever else is not well */
	else if (*m->reporter.taint_why)
		why = m->reporter.taint_why;
	else if (!m->reporter.connected)
		why = *m->reporter.detail ? m->reporter.detail : "stoker-reporter is not connected";
	else
		why = "on its way to the node object";
	h->taint_held = why != NULL;
	h->taint_holder = !why ? HOLDER_NOBODY : why == m->reporter.taint_why ? m->reporter.taint_holder : HOLDER_CLUSTER;
	str_copy(h->taint_why, sizeof(h->taint_why), why ? why : "");
}

void monitor_snapshot(const struct monitor *m, uint64_t now_wall_us, struct health *h)
{
	memset(h, 0, offsetof(struct health, filesystems));
	str_copy(h->node, sizeof(h->node), m->config.node);
	h->time_wall_us = now_wall_us;
	for (uint32_t i = 0; i < m->watch_count; i++)
		if (m->watch[i].alias_of < 0 && is_shown(m, &m->watch[i]))
			snapshot_filesystem(m, i, &h->filesystems[h->filesystem_count++]);
	h->agent = m->agent;
	h->executors = m->executors;
	h->nri = m->nri;
	h->volumes = m->volumes;
	h->storage = m->storage;
	h->checkpoint_count = m->checkpoint_count;
	memcpy(h->checkpoints, m->checkpoints, sizeof(h->checkpoints));
	for (uint32_t i = 0; i < m->watch_count; i++)
		h->agent.abandoned_probes += m->watch[i].abandoned;
	h->input_count = m->input_count;
	memcpy(h->inputs, m->inputs, sizeof(h->inputs));
	h->status = health_judge(h);
	if (m->discovering && m->report.sequence == 0 && h->status != HEALTH_UNHEALTHY)
		h->status = HEALTH_UNKNOWN; /* what else there is may be sick */
	health_report(h, &m->config, &h->report);
	str_copy(h->report.node, sizeof(h->report.node), m->config.node);
	h->report.sequence = m->report.sequence;
	h->report.condition.transition_wall_us = m->report.condition.transition_wall_us;
	for (unsigned i = 0; i < REPORT_MORE_MAX_; i++)
		if (*h->report.more[i].type)
			h->report.more[i].transition_wall_us = m->report.more[i].transition_wall_us;
	h->report_ready = is_ready(m);
	snapshot_taint(m, h);
}

/* A time that was not seen is none: of a status that is there from the beginning. */
static void note_transition(struct report_condition *now, const struct report_condition *before, uint64_t now_wall_us)
{
	if (*now->type && *before->type && now->status != before->status)
		now->transition_wall_us = now_wall_us;
}

bool monitor_publish(struct monitor *m, uint64_t now_wall_us, struct health *h)
{
	monitor_snapshot(m, now_wall_us, h);
	if (!h->report_ready)
		return false;

	/* Compared without what is kept here: sequence and transition time are those of m->report already. */
	if (m->report.sequence && memcmp(&h->report, &m->report, sizeof(h->report)) == 0)
		return false;
	bool first = m->report.sequence == 0;
	if (!first)
		note_transition(&h->report.condition, &m->report.condition, now_wall_us);
	for (unsigned i = 0; i < REPORT_MORE_MAX_; i++)
		note_transition(&h->report.more[i], &m->report.more[i], now_wall_us);
	h->report.sequence++;
	m->report = h->report;
	m->report_ready = true;
	m->cautious = false;
	return true;
}

void monitor_checkpoints(struct monitor *m, const struct health_checkpoint *checkpoints, uint32_t count)
{
	if (m->checkpoint_count == count && memcmp(m->checkpoints, checkpoints, count * sizeof(*checkpoints)) == 0)
		return;
	m->checkpoint_count = count;
	memset(m->checkpoints, 0, sizeof(m->checkpoints));
	memcpy(m->checkpoints, checkpoints, count * sizeof(*checkpoints));
	m->ops->changed(m);
}
