/* supervisor_events.c - what has happened to the filesystems, as Events for the reporter; a few are kept while it is away. */
#include <string.h>

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
