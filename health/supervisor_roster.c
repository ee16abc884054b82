/* supervisor_roster.c - executors where no runtime tells of them: every ten seconds the broker looks who lives here. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "health/supervisor.h"

#define FIRST_MS 2000 /* a runtime that has NRI has answered by then */
#define EVERY_MS 10000

static const char observe_only[] = "observe only: executors are found by cgroups and command lines every 10 s; nothing is set, exit codes are asked of the runtime (input cri)";

static bool is_wanted(const struct supervisor *s)
{
	return !s->executors.nri && s->monitor.config.executors.watch == CONFIG_RECOGNITION_AUTO;
}

static void look(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	if (is_wanted(s))
		link_send(&s->broker, WIRE_SCAN, ++s->asked, NULL, 0);
	else
		monitor_input(&s->monitor, "roster", "off", s->executors.nri ? "the container runtime tells who lives here" : "executors.watch is off");
}

static void forget_unnamed(struct supervisor *s, struct moment now)
{
	for (unsigned i = 0; i < s->executors.count; i++) {
		struct executors_entry *entry = s->executors.entries[i];
		struct wire_container who = {0};
		if (entry->executor.source == EXECUTOR_FROM_CGROUPFS && !entry->named && !entry->removed) {
			str_copy(who.container_id, sizeof(who.container_id), entry->executor.container_id);
			executors_removed(&s->executors, &who, now);
		}
		entry->named = false;
	}
}

/* When those started that were there before us, nobody knows. */
static void take(struct supervisor *s, const struct executor *executor, struct moment now)
{
	bool is_new = !executors_find(&s->executors, executor->container_id);
	struct wire_container who = {.pid = executor->pid};

	if (!supervisor_executors_found(s, executor) || !is_new || !s->roster_complete)
		return;
	str_copy(who.container_id, sizeof(who.container_id), executor->container_id);
	str_copy(who.pod_uid, sizeof(who.pod_uid), executor->pod_uid);
	executors_started(&s->executors, &who, now);
}

/* The file belongs to a child that has ended: nobody writes to it any more. */
static int take_all(struct supervisor *s, int fd, uint32_t count, struct err *e)
{
	const struct moment now = {clock_mono_us(), clock_wall_us()};
	struct executor executor;

	if (fd < 0 || count > EXECUTORS_MAX)
		return err_rule(e, EPROTO, "the broker's roster has %u entries, or none", count);
	for (uint32_t i = 0; i < count; i++) {
		ssize_t n = pread(fd, &executor, sizeof(executor), (off_t)(i * sizeof(executor)));
		if (n != (ssize_t)sizeof(executor))
			return err_set(e, n < 0 ? errno : EPROTO, "cannot read the broker's roster");
		executor.source = EXECUTOR_FROM_CGROUPFS;
		take(s, &executor, now);
	}
	forget_unnamed(s, now);
	s->roster_complete = true;
	return 0;
}

bool supervisor_roster_answer(struct supervisor *s, const struct record *record)
{
	const struct wire_scanned *scanned = record_payload(record, sizeof(*scanned));
	struct err e = {0};

	if (record->header.type != WIRE_SCANNED || !scanned)
		return false;
	scoped(fd_drop) int fd = link_take_fd(&s->broker);
	if (!is_wanted(s)) { /* the runtime was quicker, or it is compared with what that has named */
		if (!scanned->errnum)
			supervisor_missed_scanned(s, fd, scanned->count);
		return true;
	}
	int r = scanned->errnum ? err_set(&e, scanned->errnum, "cgroups and processes cannot be read") : take_all(s, fd, scanned->count, &e);
	if (r < 0)
		monitor_input(&s->monitor, "roster", "missing", e.text);
	else if (scanned->cut)
		monitor_input(&s->monitor, "roster", "degraded", "there are more cgroups or executors than are looked at");
	else
		monitor_input(&s->monitor, "roster", "ok", observe_only);
	return true;
}

void supervisor_roster_refused(struct supervisor *s, const char *why)
{
	if (!is_wanted(s))
		return;
	monitor_input(&s->monitor, "roster", "missing", why);
}

void supervisor_roster_start(struct supervisor *s)
{
	uv_timer_init(s->loop, &s->roster_due);
	s->roster_due.data = s;
	uv_timer_start(&s->roster_due, look, FIRST_MS, EVERY_MS);
}
