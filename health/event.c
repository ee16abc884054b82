#include "health/event.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/hash.h"
#include "base/str.h"

/* --- what has happened --- */

uint64_t event_subject(const char *path)
{
	uint64_t hash = hash_fnv1a(HASH_START, path, strlen(path));

	return hash ? hash : 1;
}

/* RFC 1123: letters, digits and '-', in parts between dots; the first and the last of each part no '-'. */
static bool is_dns_name(const char *text, size_t most, bool dots)
{
	size_t length = strlen(text), part = 0;

	if (length == 0 || length > most)
		return false;
	for (const char *p = text; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9'), end = p[1] == '\0' || p[1] == '.';
		if (*p == '.' ? !dots || part == 0 : !plain && (*p != '-' || part == 0 || end))
			return false;
		part = *p == '.' ? 0 : part + 1;
	}
	return part > 0;
}

bool event_pod_is_sound(const struct event_pod *pod)
{
	if (!str_is_ended(pod->name_space, sizeof(pod->name_space)) || !str_is_ended(pod->name, sizeof(pod->name)) || !str_is_ended(pod->uid, sizeof(pod->uid)))
		return false;
	return is_dns_name(pod->name_space, 63, false) && is_dns_name(pod->name, 253, true) && *pod->uid &&
	       strspn(pod->uid, "0123456789abcdef-") == strlen(pod->uid);
}

bool event_is_sound(const struct event *event)
{
	if (*event->pod.name && !event_pod_is_sound(&event->pod))
		return false;
	return str_is_ended(event->reason, sizeof(event->reason)) && str_is_ended(event->action, sizeof(event->action)) &&
	       str_is_ended(event->note, sizeof(event->note)) && *event->reason && *event->action;
}

static struct event_sight *sight_of(struct event_watcher *watcher, uint64_t subject)
{
	struct event_sight *free_one = NULL;

	for (unsigned i = 0; i < CONFIG_WATCH_MAX; i++) {
		if (watcher->sights[i].subject == subject)
			return &watcher->sights[i];
		if (watcher->sights[i].subject == 0 && !free_one)
			free_one = &watcher->sights[i];
	}
	return free_one;
}

/* A filesystem that is not watched any more: one that comes back later is seen for the first time. */
static void forget_absent(struct event_watcher *watcher, const struct health *health)
{
	for (unsigned i = 0; i < CONFIG_WATCH_MAX; i++) {
		bool there = false;
		for (uint32_t k = 0; k < health->filesystem_count && !there; k++)
			there = event_subject(health->filesystems[k].path) == watcher->sights[i].subject;
		if (!there)
			watcher->sights[i] = (struct event_sight){0};
	}
}

static bool is_trouble(uint32_t state)
{
	return state == VERDICT_BAD || state == VERDICT_RECOVERING;
}

/* Does the step from one state to the other deserve an Event? Recovering is silent: it ends as recovered or as bad again. */
static bool is_news(const struct event_sight *before, const struct health_filesystem *f)
{
	bool same_reason = strcmp(before->reason, f->reason) == 0;

	switch (f->state) {
	case VERDICT_BAD:
		return before->state != VERDICT_BAD || !same_reason;
	case VERDICT_WARNING:
		return before->state != VERDICT_WARNING || !same_reason;
	case VERDICT_UNKNOWN: /* not before it was known */
		return before->subject && strcmp(f->reason, "NotProbed") != 0 && (before->state != VERDICT_UNKNOWN || !same_reason);
	case VERDICT_HEALTHY:
		return is_trouble(before->state);
	case VERDICT_RECOVERING:
	case VERDICT_STATE_MAX_:
		break;
	}
	return false;
}

/* A warning and the verdict "bad" of the same reason are two series: the note of an Event cannot change, so what became bad would be
 * hidden for minutes behind "errno 0" (the kernel's word comes before the first failed write; seen on API server 1.31). */
static uint64_t subject_of(const struct health_filesystem *f)
{
	uint64_t subject = event_subject(f->path);

	return f->state == VERDICT_WARNING ? hash_fnv1a(subject, "warning", sizeof("warning")) : subject;
}

static void describe(const struct health *health, const struct health_filesystem *f, const struct event_sight *before, struct event *event)
{
	char path[4 * NAME_PATH_BYTES], since[CLOCK_TEXT_BYTES];
	bool well = f->state == VERDICT_HEALTHY;
	unsigned bad = 0;

	memset(event, 0, sizeof(*event));
	for (uint32_t i = 0; i < health->filesystem_count; i++)
		bad += is_trouble(health->filesystems[i].state);
	event->warning = !well;
	event->subject = subject_of(f);
	event->wall_us = health->time_wall_us;
	str_copy(event->reason, sizeof(event->reason), well ? EVENT_STORAGE_RECOVERED : f->reason);
	str_copy(event->action, sizeof(event->action), "Probe");
	str_escape(path, 256, *f->mount_point ? f->mount_point : f->path);
	str_append(event->note, sizeof(event->note), "%s", path);
	if (*f->fs_type || *f->source) {
		str_escape(path, 128, f->source);
		str_append(event->note, sizeof(event->note), " (%s%s%s)", f->fs_type, *f->fs_type && *path ? " " : "", path);
	}
	if (well)
		str_append(event->note, sizeof(event->note), ": can be written again, after %s", before->reason);
	else
		str_append(event->note, sizeof(event->note), ": %s", *f->message ? f->message : f->reason);
	if (f->last_probe_wall_us)
		str_append(event->note, sizeof(event->note), "; the last probe took %" PRIu64 " us, errno %" PRId32, f->last_probe_duration_us,
			   f->last_probe_errnum);
	if (f->since_wall_us && !well) {
		clock_format(f->since_wall_us, 0, since);
		str_append(event->note, sizeof(event->note), "; since %s", since);
	}
	str_append(event->note, sizeof(event->note), "; %u of %" PRIu32 " filesystems are bad", bad, health->filesystem_count);
}

void event_watch(struct event_watcher *watcher, const struct health *health, void (*tell)(void *owner, const struct event *event), void *owner)
{
	forget_absent(watcher, health);
	for (uint32_t i = 0; i < health->filesystem_count; i++) {
		const struct health_filesystem *f = &health->filesystems[i];
		struct event_sight *sight = sight_of(watcher, event_subject(f->path));
		struct event event;
		if (!sight)
			continue;
		if (tell && is_news(sight, f)) {
			describe(health, f, sight, &event);
			tell(owner, &event);
		}
		sight->subject = event_subject(f->path);
		/* The reason of the trouble is kept until it is over. */
		if (f->state != VERDICT_RECOVERING)
			str_copy(sight->reason, sizeof(sight->reason), f->reason);
		sight->state = f->state;
	}
}

/* --- what is to be sent --- */

static bool is_pending(const struct event_entry *entry)
{
	return entry->used && entry->told < entry->count;
}

static bool is_sending(const struct event_book *book, const struct event_entry *entry)
{
	return book->sending && entry == &book->entries[book->sending - 1];
}

static bool is_same(const struct event_entry *entry, const struct event *event, uint64_t now_us)
{
#ifdef STOKER_SABOTAGE_EVENTS_REPEAT
	if (entry->told)
		return false;
#endif
	return entry->used && entry->event.subject == event->subject && strcmp(entry->event.reason, event->reason) == 0 &&
	       (now_us < entry->last_us + EVENT_SERIES_US || entry->told == 0);
}

/* A free place, else that of the Event that was last heard of longest ago: one that is told before one that waits. */
static struct event_entry *place_for(struct event_book *book)
{
	struct event_entry *victim = NULL;

	for (unsigned i = 0; i < EVENT_PLACES; i++) {
		struct event_entry *e = &book->entries[i];
		if (!e->used)
			return e;
		if (is_sending(book, e))
			continue;
		if (!victim || is_pending(e) < is_pending(victim) || (is_pending(e) == is_pending(victim) && e->last_us < victim->last_us))
			victim = e;
	}
	return victim;
}

bool event_book_add(struct event_book *book, const struct event *event, uint64_t now_us)
{
	for (unsigned i = 0; i < EVENT_PLACES; i++) {
		struct event_entry *e = &book->entries[i];
		if (!is_same(e, event, now_us))
			continue;
		e->count += e->count < UINT32_MAX;
		e->last_us = now_us;
		e->last_wall_us = event->wall_us;
		return true;
	}
	struct event_entry *place = place_for(book);
	bool lost = is_pending(place);
	book->lost += lost;
	*place = (struct event_entry){.event = *event, .used = 1, .count = 1, .first_us = now_us, .last_us = now_us, .last_wall_us = event->wall_us};
	return !lost;
}

static uint32_t burst_of(const struct event_book *book)
{
	return book->burst ? book->burst : EVENT_BURST;
}

static void refill(struct event_book *book, uint64_t now_us)
{
	uint64_t token_us = book->token_us ? book->token_us : EVENT_TOKEN_US, fresh = (now_us - book->refilled_us) / token_us;

	if (book->spent == 0 || fresh >= book->spent) {
		book->spent = 0;
		book->refilled_us = now_us;
	} else {
		book->spent -= (uint32_t)fresh;
		book->refilled_us += fresh * token_us;
	}
}

/* When this entry may be sent. A first repeat is told at once: the reader sees that it goes on. */
static uint64_t due_at(const struct event_book *book, const struct event_entry *e, uint64_t now_us)
{
	if (e->told == 0)
		return book->spent < burst_of(book) ? now_us : book->refilled_us + (book->token_us ? book->token_us : EVENT_TOKEN_US);
	return e->told == 1 ? now_us : e->told_us + EVENT_UPDATE_US;
}

struct event_entry *event_book_next(struct event_book *book, uint64_t now_us, uint64_t *ret_next_us)
{
	struct event_entry *found = NULL;

	if (book->sending)
		return NULL;
	refill(book, now_us);
	for (unsigned i = 0; i < EVENT_PLACES; i++) {
		struct event_entry *e = &book->entries[i];
		if (!is_pending(e))
			continue;
		uint64_t due = due_at(book, e, now_us);
		if (due > now_us)
			*ret_next_us = due < *ret_next_us ? due : *ret_next_us;
		else if (!found || e->last_us < found->last_us) /* in the order in which it happened */
			found = e;
	}
	return found;
}

void event_book_send(struct event_book *book, struct event_entry *entry)
{
	book->sending = (int)(entry - book->entries) + 1;
	book->sending_count = entry->count;
	book->spent += entry->told == 0 && book->spent < burst_of(book);
}

void event_book_settle(struct event_book *book, enum event_fate fate, uint64_t now_us)
{
	if (!book->sending)
		return;
	struct event_entry *e = &book->entries[book->sending - 1];
	bool made = e->told == 0;
	book->sending = 0;
	switch (fate) {
	case EVENT_TOLD: /* a new object says 1, whatever has been counted meanwhile */
		e->told = made ? 1 : book->sending_count;
		e->told_us = now_us;
		break;
	case EVENT_GONE:
		e->told = 0;
		*e->name = '\0';
		break;
	case EVENT_NOT_NOW:
		book->spent -= made && book->spent > 0;
		break;
	case EVENT_REFUSED:
		*e = (struct event_entry){0};
		break;
	}
}
