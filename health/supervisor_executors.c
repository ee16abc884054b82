/* supervisor_executors.c - the containers of Spark pods: records of stoker-nri in, questions out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/executor_view.h"
#include "health/supervisor.h"

#define DESCRIPTORS_WANTED (10 * EXECUTORS_MAX)

static struct moment moment_now(void)
{
	return (struct moment){clock_mono_us(), clock_wall_us()};
}

/* --- the timer: one, at the next thing that is due --- */

static void arm(struct supervisor *s, uint64_t now_us);

static void count_running(struct supervisor *s)
{
	struct executor_counts *c = &s->monitor.executors;

	memset(c->running, 0, sizeof(c->running));
	for (unsigned i = 0; i < s->executors.count; i++) {
		const struct executor *x = &s->executors.entries[i]->executor;
		if (!x->sidecar && x->role < EXECUTOR_ROLE_MAX_)
			c->running[x->role]++;
	}
}

/* How they are watched is said when it changes. */
static void say_cgroups(struct supervisor *s)
{
	const struct cgroup_watcher *w = &s->executors.watcher;
	char text[256];

	if (!s->executors.has_cgroups || w->polled_count == s->cgroups_polled)
		return;
	s->cgroups_polled = w->polled_count;
	cgroup_watcher_say(w, text, sizeof(text));
	monitor_input(&s->monitor, "cgroups", w->polled_count ? "degraded" : "ok", w->polled_count ? text : cgroup_mode_name(s->executors.layout.mode));
}

static void step(struct supervisor *s)
{
	const struct moment now = moment_now();
	const unsigned count = s->executors.count;

	executors_run(&s->executors, now);
	supervisor_suspicion_look(s, now.us);
	if (s->executors.count != count)
		count_running(s);
	say_cgroups(s);
	arm(s, now.us);
}

static void due(uv_timer_t *timer)
{
	step(timer->data);
}

static void more(uv_idle_t *idle)
{
	uv_idle_stop(idle);
	step(idle->data);
}

/* What is due now has its turn after whatever else there is to be read. Not by a timer: libuv (1.44) runs one that is due at once again before it polls. */
static void arm(struct supervisor *s, uint64_t now_us)
{
	const uint64_t due_us = executors_due(&s->executors, now_us);

	uv_timer_stop(&s->executors_due);
	if (due_us <= now_us)
		uv_idle_start(&s->executors_more, more);
	else if (due_us != UINT64_MAX) /* rounded up: a moment too early is a wake-up for nothing */
		uv_timer_start(&s->executors_due, due, (due_us - now_us + US_PER_MS - 1) / US_PER_MS, 0);
}

/* Not at once: it may be called from within a step of the table. */
static void changed(struct executors *x)
{
	struct supervisor *s = x->owner;

	uv_update_time(s->loop);
	uv_timer_start(&s->executors_due, due, 0, 0);
}

/* --- questions to the broker --- */

static struct wire_container_ask ask_for(const struct executors_entry *entry)
{
	const struct executor *x = &entry->executor;
	struct wire_container_ask ask = {.who.pid = x->pid};

	str_copy(ask.who.container_id, sizeof(ask.who.container_id), x->container_id);
	str_copy(ask.who.pod_uid, sizeof(ask.who.pod_uid), x->pod_uid);
	str_copy(ask.name_space, sizeof(ask.name_space), x->name_space);
	str_copy(ask.pod, sizeof(ask.pod), x->pod);
	str_copy(ask.container, sizeof(ask.container), x->container);
	return ask;
}

static bool ask_processes(struct executors *x, const struct executors_entry *entry)
{
	struct supervisor *s = x->owner;
	struct wire_container_ask ask = ask_for(entry);

	return cgroup_path_of(&entry->executor, ask.cgroup, sizeof(ask.cgroup), NULL) == 0 &&
	       link_send(&s->broker, WIRE_PROCESSES, ++s->asked, &ask, sizeof(ask));
}

static uint64_t ask_broker(struct supervisor *s, uint16_t request, const struct wire_container_ask *about)
{
	return link_send(&s->broker, request, ++s->asked, about, sizeof(*about)) ? s->asked : 0;
}

static uint64_t ask(struct executors *x, const struct executors_entry *entry, enum settle_whom whom)
{
	struct supervisor *s = x->owner;
	const struct wire_container_ask about = ask_for(entry);

	if (whom == SETTLE_API)
		return supervisor_ask_pod(s, &entry->executor);
	if (whom == SETTLE_RUNTIME)
		return ask_broker(s, WIRE_STATUS, &about);
	supervisor_volumes_measure_pod(s, entry->executor.pod_uid); /* what it leaves behind is told with its death */
	/* Without a pod there is no log of it. */
	return *about.pod && *about.name_space && *about.container ? ask_broker(s, WIRE_LOG_TAIL, &about) : 0;
}

static void local_disk(struct executors *x, const struct executor *executor, struct local_disk *ret)
{
	const struct supervisor *s = x->owner;

	monitor_local_disk(&s->monitor, executor, ret);
}

static void unverified(struct executors *x, const struct executors_entry *entry, const char *what)
{
	struct supervisor *s = x->owner;

	s->monitor.nri.unverified++;
	supervisor_not_in_force(s, &entry->executor, what);
}

/* --- records of stoker-nri --- */

#define TEXT(member) offsetof(struct executor, member), sizeof(((struct executor *)0)->member)
static const struct {
	size_t offset, size;
} executor_texts[] = {
	{TEXT(container_id)}, {TEXT(pod_uid)},	      {TEXT(name_space)}, {TEXT(pod)},		 {TEXT(container)},   {TEXT(app_id)},	     {TEXT(app_name)},
	{TEXT(executor_id)},  {TEXT(spark_version)}, {TEXT(queue)},	  {TEXT(connect_name)}, {TEXT(driver_url)}, {TEXT(cgroup_parent)}, {TEXT(cgroups_path)},
};

/* It comes from the role that reads foreign bytes: nothing of it is believed that can be checked. */
static bool is_well_formed(const struct executor *x)
{
	bool good = x->role > EXECUTOR_ROLE_NONE && x->role < EXECUTOR_ROLE_MAX_ && *x->container_id;

	for (size_t i = 0; i < ARRAY_SIZE(executor_texts); i++)
		good = good && str_is_ended((const char *)x + executor_texts[i].offset, executor_texts[i].size);
	return good;
}

typedef void take_container(struct executors *executors, const struct wire_container *who, struct moment now);

static void stopped(struct executors *x, const struct wire_container *who, struct moment now)
{
	const struct executors_entry *entry = executors_find(x, who->container_id);

	if (entry) /* not only when the end is explained: the kubelet may start the next one within a second */
		supervisor_scratch_ended(x->owner, &entry->executor);
	executors_stopped(x, who, now);
}

static take_container *taker_of(uint16_t type)
{
	switch (type) {
	case WIRE_CONTAINER_STARTED: return executors_started;
	case WIRE_CONTAINER_STOPPED: return stopped;
	case WIRE_CONTAINER_REMOVED: return executors_removed;
	case WIRE_POD_STOPPING: return executors_pod_stopping;
	default: return NULL;
	}
}

bool supervisor_executors_record(struct supervisor *s, const struct record *record)
{
	const struct executor *executor = record_payload(record, sizeof(*executor));
	const struct wire_container *who = record_payload(record, sizeof(*who));
	const struct wire_adjusted *adjusted = record_payload(record, sizeof(*adjusted));
	take_container *take = taker_of(record->header.type);
	const struct moment now = moment_now();

	if (record->header.type == WIRE_EXECUTOR && executor && is_well_formed(executor)) {
		executors_add(&s->executors, executor, now);
		supervisor_scratch_executor(s, executor);
	} else if (record->header.type == WIRE_ADJUSTED && adjusted && str_is_ended(adjusted->who.container_id, sizeof(adjusted->who.container_id)))
		executors_adjusted(&s->executors, adjusted, now);
	else if (take && who && str_is_ended(who->container_id, sizeof(who->container_id)) && str_is_ended(who->pod_uid, sizeof(who->pod_uid)))
		take(&s->executors, who, now);
	else if (record->header.type == WIRE_SYNCHRONIZED && record->header.length == 0)
		executors_synchronized(&s->executors, now), supervisor_missed_synchronized(s);
	else
		return false;
	count_running(s);
	return true;
}

bool supervisor_executors_found(struct supervisor *s, const struct executor *executor)
{
	if (!is_well_formed(executor))
		return false;
	executors_add(&s->executors, executor, moment_now());
	supervisor_scratch_executor(s, executor);
	count_running(s);
	return true;
}

void supervisor_executors_nri(struct supervisor *s, const struct wire_nri_state *state)
{
	const bool live = state->state == WIRE_NRI_LIVE;
	struct health_nri *n = &s->monitor.nri;

	*n = (struct health_nri){
		.present = state->state != WIRE_NRI_OFF,
		.live = live,
		.exit_codes = live && state->exit_codes,
		.oom_score_adj = live && state->oom_score_adj,
		.unified = live && state->unified,
		.requests = state->requests_total,
		.late = state->late_total,
		.refused = state->refused_total,
		.adjusted = state->adjusted_total,
		.reconnects = state->reconnects_total,
		.unverified = n->unverified,
	};
	str_copy(n->runtime, sizeof(n->runtime), state->runtime);
	str_copy(n->runtime_version, sizeof(n->runtime_version), state->runtime_version);
	str_copy(n->nri_version, sizeof(n->nri_version), state->nri_version);
	executors_nri(&s->executors, live, state->exit_codes != 0);
}

/* --- answers of the broker, the kernel's log --- */

/* Which runtime tells how containers ended, or why none does. */
static void say_runtime(struct supervisor *s, const struct wire_status *status)
{
	char text[256] = "";

	if (status->errnum == ENOENT)
		str_append(text, sizeof(text), "no container runtime's socket is known here (executors.criSocket): how containers end is not known");
	else if (status->errnum == 0 || status->errnum == ESRCH)
		str_append(text, sizeof(text), "'%s' is asked how containers ended", status->socket);
	else
		str_append(text, sizeof(text), "'%s' does not tell how containers ended: %s", status->socket, status->message);
	monitor_input(&s->monitor, "cri", status->errnum == 0 || status->errnum == ESRCH ? "ok" : "missing", text);
}

static bool take_status(struct supervisor *s, const struct wire_status *status)
{
	if (!status || !str_is_ended(status->who.container_id, sizeof(status->who.container_id)) || !str_is_ended(status->reason, sizeof(status->reason)) ||
	    !str_is_ended(status->message, sizeof(status->message)) || !str_is_ended(status->socket, sizeof(status->socket)))
		return false;
	log_debug(s->log, "the runtime was asked", "container", status->who.container_id, "errno", log_number(status->errnum), "exit",
		  status->who.has_exit ? log_number(status->who.exit_code) : NULL, "reason", status->reason, "message", status->message);
	if (supervisor_missed_status(s, status))
		return true;
	say_runtime(s, status);
	executors_status(&s->executors, status, moment_now());
	return true;
}

bool supervisor_executors_answer(struct supervisor *s, const struct record *record)
{
	const struct wire_processes *processes = record_payload(record, sizeof(*processes));
	const struct wire_log *tail = record_payload(record, sizeof(*tail));

	if (record->header.type == WIRE_PROCESSES_READ && processes && str_is_ended(processes->who.container_id, sizeof(processes->who.container_id)))
		executors_processes(&s->executors, processes, moment_now());
	else if (record->header.type == WIRE_LOG_READ && tail && str_is_ended(tail->who.container_id, sizeof(tail->who.container_id)) &&
		 str_is_ended(tail->line, sizeof(tail->line)))
		executors_tail(&s->executors, record->header.id, tail, moment_now());
	else
		return record->header.type == WIRE_STATUS_READ && take_status(s, record_payload(record, sizeof(struct wire_status)));
	return true;
}

void supervisor_executors_refused(struct supervisor *s, uint64_t id, uint32_t request, const char *why)
{
	if (request == WIRE_SCAN) {
		supervisor_roster_refused(s, why);
		return;
	}
	log_info(s->log, "the broker did not look into a container", "request",
		 request == WIRE_LOG_TAIL ? "log-tail" : request == WIRE_STATUS ? "status" : "processes", "why", why);
	executors_refused(&s->executors, id);
}

void supervisor_executors_oom(struct supervisor *s, const struct oom_kill *kill)
{
	executors_oom(&s->executors, kill, moment_now());
}

/* --- JSON --- */

int supervisor_tell_executors(struct supervisor *s, char **ret_text, struct err *e)
{
	scoped(scoped_free) struct executor_view *views = calloc(s->executors.count + 1, sizeof(*views));

	if (!views)
		return err_set(e, ENOMEM, "cannot tell the executors");
	for (unsigned i = 0; i < s->executors.count; i++)
		executors_view(s->executors.entries[i], &views[i]);
	return executor_views_to_json(views, s->executors.count, s->monitor.config.node, clock_wall_us(), ret_text, e);
}

/* --- start --- */

/* A container and its pod hold a directory for each hierarchy: 1,000 descriptors for 250 of them on v1, which is what processes
 * may have by default. */
static void raise_descriptors(const struct log *log)
{
	struct rlimit files = {0};

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= DESCRIPTORS_WANTED)
		return;
	files.rlim_cur = files.rlim_max < DESCRIPTORS_WANTED ? files.rlim_max : DESCRIPTORS_WANTED;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur < DESCRIPTORS_WANTED)
		log_warn(log, "few descriptors may be open: of many executors some will not be watched", "limit", log_number(files.rlim_cur));
}

void supervisor_executors_start(struct supervisor *s)
{
	static const struct executors_ops ops = {
		.processes = ask_processes, .ask = ask, .unverified = unverified, .storage = local_disk, .death = supervisor_death, .changed = changed};
	struct err e = {0};

	uv_timer_init(s->loop, &s->executors_due);
	uv_idle_init(s->loop, &s->executors_more);
	s->executors_due.data = s->executors_more.data = s;
	s->monitor.executors.present = 1;
	raise_descriptors(s->log);
	supervisor_deaths_start(s);
	if (executors_start(&s->executors, s->loop, s->log, &ops, s, &e) < 0) {
		log_warn(s->log, "no cgroups: executors are not watched", "error", e.text);
		monitor_input(&s->monitor, "cgroups", "missing", e.text);
	} else {
		monitor_input(&s->monitor, "cgroups", "ok", cgroup_mode_name(s->executors.layout.mode));
	}
	supervisor_missed_start(s);
	supervisor_roster_start(s);
}
