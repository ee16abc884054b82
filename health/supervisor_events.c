/* supervisor_events.c - what has happened to the filesystems, as Events for the reporter; a few are kept while it is away. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/death_event.h"
#include "health/supervisor.h"

void supervisor_tell_event(struct supervisor *s, const struct event *event)
{
	if (s->events_waiting == SUPERVISOR_EVENTS_KEPT) { /* the newest are kept */
		memmove(&s->events_kept[0], &s->events_kept[1], sizeof(s->events_kept[0]) * (SUPERVISOR_EVENTS_KEPT - 1));
		s->events_waiting--;
		log_warn(s->log, "an Event given up: the reporter is away");
	}
	s->events_kept[s->events_waiting++] = *event;
}

static void tell_event(void *owner, const struct event *event)
{
	supervisor_tell_event(owner, event);
}

void supervisor_send_events(struct supervisor *s)
{
	unsigned sent = 0;

	while (s->reporter_used && sent < s->events_waiting && link_send(&s->reporter, WIRE_EVENT, 0, &s->events_kept[sent], sizeof(s->events_kept[0])))
		sent++;
	s->events_waiting -= sent;
	memmove(&s->events_kept[0], &s->events_kept[sent], sizeof(s->events_kept[0]) * s->events_waiting);
}

void supervisor_watch_events(struct supervisor *s)
{
	event_watch(&s->event_watcher, &s->health, tell_event, s);
	supervisor_send_events(s);
}

static void warn_about_pod(struct supervisor *s, const struct event_pod *pod, const char *reason, const char *text)
{
	struct event event = {.warning = 1, .wall_us = clock_wall_us(), .subject = event_subject(pod->uid), .pod = *pod};

	str_copy(event.reason, sizeof(event.reason), reason);
	str_copy(event.action, sizeof(event.action), "Adjust");
	str_escape(event.note, sizeof(event.note), text);
	if (!event_pod_is_sound(&event.pod)) /* names from the runtime; without Kubernetes there are none */
		return;
	supervisor_tell_event(s, &event);
	supervisor_send_events(s);
}

void supervisor_complaint(void *owner, const struct wire_complaint *complaint)
{
	struct supervisor *s = owner;
	struct event_pod pod = {0};

	log_warn(s->log, complaint->is_mount ? "mount not injected" : "annotation not used", "namespace", complaint->name_space, "pod", complaint->pod, "why", complaint->text);
	str_copy(pod.name_space, sizeof(pod.name_space), complaint->name_space);
	str_copy(pod.name, sizeof(pod.name), complaint->pod);
	str_copy(pod.uid, sizeof(pod.uid), complaint->who.pod_uid);
	warn_about_pod(s, &pod, complaint->is_mount ? EVENT_MOUNT_NOT_INJECTED : EVENT_ANNOTATION_NOT_USED, complaint->text);
}

void supervisor_not_in_force(struct supervisor *s, const struct executor *executor, const char *what)
{
	const struct event_pod pod = death_pod(executor);

	log_warn(s->log, "what was set at a creation is not in force", "namespace", executor->name_space, "pod", executor->pod, "container", executor->container, "what", what);
	warn_about_pod(s, &pod, EVENT_ADJUSTMENT_NOT_IN_FORCE, what);
}
