/* supervisor_deaths.c - a death is logged, counted, kept, and told as Events: on the pod that died, and on its driver's, where people look. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"
#include "health/death_event.h"
#include "health/supervisor.h"

static void say_about(struct supervisor *s, const struct death *death, const struct executor *whose)
{
	struct event_pod pod = death_pod(whose);
	struct event event;

	if (!event_pod_is_sound(&pod)) /* names from the runtime; without Kubernetes there are none */
		return;
	death_event(death, &pod, &event);
	supervisor_tell_event(s, &event);
}

static void say_events(struct supervisor *s, const struct death *death)
{
	if (!death_is_said(death))
		return;
	bool is_here = false;

	say_about(s, death, &death->executor);
	for (unsigned i = 0; i < s->executors.count && !is_here; i++) {
		const struct executor *other = &s->executors.entries[i]->executor;
		is_here = death_is_driver(&death->executor, other);
		if (is_here)
			say_about(s, death, other);
	}
	if (!is_here)
		supervisor_say_to_driver(s, death);
	supervisor_send_events(s);
}

/* One line on stdout, which is what a cluster's log collector keeps when everything here is gone. */
static void print_line(const struct log *log, const char *json)
{
	char *line = NULL;
	struct err e = {0};

	if (asprintf(&line, "%s\n", json) < 0)
		return;
	if (fd_write_all(STDOUT_FILENO, line, strlen(line), &e) < 0)
		log_warn(log, "a death could not be written to stdout", "error", e.text);
	free(line);
}

static void keep(struct supervisor *s, const struct death *death)
{
	scoped(scoped_free) char *json = NULL;
	struct err e = {0};

	if (death_to_json(death, &json, &e) < 0) {
		log_error(s->log, "a death cannot be written down", "error", e.text);
		return;
	}
	print_line(s->log, json);
	if (death_ring_add(&s->deaths, json, &e) < 0)
		log_error(s->log, "a death is not kept", "error", e.text);
}

void supervisor_death(struct executors *x, const struct death *found)
{
	struct supervisor *s = x->owner;
	struct death death = *found;
	char who[320];

	death.number = s->deaths.last_number + 1;
	supervisor_volumes_of_death(s, &death);
	executor_say(&death.executor, who, sizeof(who));
	log_emit(s->log, death_is_good(death.cause) ? LOG_INFO : LOG_WARN, death.lives ? "an executor is hurt and goes on" : "executor ended", "who", who,
		 "namespace", death.executor.name_space, "pod", death.executor.pod, "cause", death_cause_name(death.cause), "summary", death.summary,
		 "explained_after_us", log_number(death.explained_after_us), (char *)0);
	if (death_is_counted(&death))
		executor_counts_add(&s->monitor.executors, death_cause_name(death.cause), death.executor.name_space);
	keep(s, &death);
	say_events(s, &death);
	if (!death.lives)
		supervisor_scratch_ended(s, &death.executor);
}

int supervisor_tell_deaths(struct supervisor *s, char **ret_text, struct err *e)
{
	return death_ring_list(&s->deaths, ret_text, e);
}

void supervisor_deaths_start(struct supervisor *s)
{
	struct err e = {0};

	if (death_ring_open(&s->deaths, s->monitor.config.runtime_dir, s->monitor.config.deaths.keep_records, s->monitor.config.deaths.keep_bytes, &e) < 0)
		log_error(s->log, "deaths of an earlier life are not there", "error", e.text);
	else if (s->deaths.bad_total > 0)
		log_warn(s->log, "lines of an earlier life are no deaths, left out", "lines", log_number(s->deaths.bad_total));
}
