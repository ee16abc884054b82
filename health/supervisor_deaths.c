/* supervisor_deaths.c - a death as Events: on the pod that died, and on its driver's, where people look. */
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

void supervisor_say_death(struct supervisor *s, const struct death *death)
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
