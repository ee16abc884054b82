/* supervisor_web.c - stoker-web: what it gets when it is there, and answers to what it asks. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "health/supervisor.h"

#define WEB_MORE_MS 2

static int tell_health(struct supervisor *s, char **ret_text, struct err *e)
{
	supervisor_volumes_count(s);
	monitor_snapshot(&s->monitor, clock_wall_us(), &s->health);
	return health_to_json(&s->health, ret_text, e);
}

/* What stoker-web may ask for. */
static const struct subject {
	uint16_t type;
	int (*tell)(struct supervisor *supervisor, char **ret_text, struct err *e);
} subjects[] = {
	{WIRE_GET_HEALTH, tell_health},
	{WIRE_GET_EXECUTORS, supervisor_tell_executors},
	{WIRE_GET_DEATHS, supervisor_tell_deaths},
	{WIRE_GET_SWEEP, supervisor_tell_sweep},
	{WIRE_GET_VOLUMES, supervisor_tell_volumes},
};

/* As much as the socket takes: its buffer holds some twenty parts, and a list of executors has sixty. True when it is done. */
static bool send_parts(struct supervisor *s, struct web_answers *a)
{
	struct wire_part part = {.last = 0};

	while (!part.last) {
		const size_t left = a->length - a->sent;
		part.length = (uint32_t)(left < WIRE_PART_BYTES ? left : WIRE_PART_BYTES);
		part.last = left == part.length;
		memcpy(part.bytes, a->text + a->sent, part.length);
		if (!role_child_send(&s->web, WIRE_HEALTH_PART, a->id, &part, offsetof(struct wire_part, bytes) + part.length, -1))
			return false;
		a->sent += part.length;
	}
	return true;
}

/* What a list took goes back: the C library would keep it, and it was as much as all executors take. */
static void drop_answer(struct web_answers *a)
{
	free(a->text);
	if (a->length > 4 * WIRE_PART_BYTES)
		malloc_trim(0);
	*a = (struct web_answers){0};
}

static void send_answers(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	bool left = false;

	for (size_t i = 0; i < ARRAY_SIZE(s->web_answers); i++) {
		struct web_answers *a = &s->web_answers[i];
		if (!a->text)
			continue;
		if (!role_child_is_up(&s->web) || send_parts(s, a))
			drop_answer(a);
		left = left || a->text;
	}
	if (left)
		uv_timer_start(&s->web_more, send_answers, WEB_MORE_MS, 0);
}

static void web_record(struct role_child *web, const struct record *record)
{
	struct supervisor *s = web->owner;
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		struct web_answers *a = &s->web_answers[i];
		if (subjects[i].type != record->header.type)
			continue;
		drop_answer(a); /* stoker-web has given that one up */
		if (subjects[i].tell(s, &a->text, &e) < 0) {
			const struct wire_part failed = {.errnum = e.code, .last = 1};
			role_child_send(web, WIRE_HEALTH_PART, record->header.id, &failed, offsetof(struct wire_part, bytes), -1);
			continue;
		}
		a->id = record->header.id;
		a->length = strlen(a->text);
	}
	send_answers(&s->web_more);
}

static void web_up(struct role_child *web)
{
	struct supervisor *s = web->owner;

	for (int i = 0; i < 2; i++) {
		struct wire_listen listening = {.is_unix = i == 0};
		if (s->http_fds[i] >= 0)
			role_child_send(web, WIRE_LISTEN, 0, &listening, sizeof(listening), s->http_fds[i]);
	}
	monitor_input(&s->monitor, "web", "ok", "serving");
}

static void web_down(struct role_child *web, const char *why)
{
	struct supervisor *s = web->owner;

	monitor_input(&s->monitor, "web", "missing", why);
}

void supervisor_start_web(struct supervisor *s)
{
	static const struct role_child_ops ops = {.on_up = web_up, .on_record = web_record, .on_down = web_down};

	role_child_start(&s->web, s->loop, s->log, "stoker-web", s->paths.web, &ops, s);
}
