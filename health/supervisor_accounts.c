/* supervisor_accounts.c - what pods have written: asks the broker for a round now and then, often while a filesystem is short of room. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "health/supervisor.h"

void supervisor_accounts_tick(struct supervisor *s)
{
	const bool short_of_room = monitor_any_is_short(&s->monitor);
	const struct wire_account ask = {.config_hash = s->monitor.config.hash, .entries = short_of_room ? ACCOUNTS_OFTEN_ENTRIES : ACCOUNTS_RARE_ENTRIES};

	if (!link_is_up(&s->broker) || s->monitor.config.volumes.account == CONFIG_ACCOUNT_OFF) {
		s->account_asked = 0; /* a broker that was started again has forgotten the question */
		return;
	}
	if (s->account_asked || !accounts_is_due(&s->accounts, short_of_room, clock_mono_us()))
		return;
	if (link_send(&s->broker, WIRE_ACCOUNT, ++s->asked, &ask, sizeof(ask)))
		s->account_asked = s->asked;
}

/* Where the directories of logs do not tell: of Spark's pods the runtime did. */
static void name_place(const struct supervisor *s, struct account_place *place)
{
	for (unsigned i = 0; !*place->pod && *place->pod_uid && i < s->executors.count; i++) {
		const struct executor *x = &s->executors.entries[i]->executor;
		if (strcmp(x->pod_uid, place->pod_uid) != 0)
			continue;
		str_copy(place->name_space, sizeof(place->name_space), x->name_space);
		str_copy(place->pod, sizeof(place->pod), x->pod);
	}
}

/* The file belongs to a child that has ended: nobody writes to it any more. */
static int take_all(struct supervisor *s, int fd, uint32_t count, struct err *e)
{
	const uint64_t now_us = clock_mono_us();
	struct account_place place;

	if (fd < 0 || count > ACCOUNT_PLACES_MAX)
		return err_rule(e, EPROTO, "the broker's accounts have %u entries, or none", count);
	accounts_begin(&s->accounts, monitor_any_is_short(&s->monitor), now_us);
	for (uint32_t i = 0; i < count; i++) {
		ssize_t n = pread(fd, &place, sizeof(place), (off_t)(i * sizeof(place)));
		if (n != (ssize_t)sizeof(place))
			return err_set(e, n < 0 ? errno : EPROTO, "cannot read the broker's accounts");
		if (!account_place_is_well_formed(&place))
			continue;
		name_place(s, &place);
		accounts_take(&s->accounts, &place, now_us);
	}
	accounts_end(&s->accounts);
	return 0;
}

static void say_trouble(struct supervisor *s, const char *state, const char *why)
{
	s->account_trouble = true;
	s->accounts.round_us = clock_mono_us(); /* tried again when the next round is due */
	monitor_input(&s->monitor, "accounts", state, why);
}

bool supervisor_accounts_answer(struct supervisor *s, const struct record *record)
{
	const struct wire_accounted *told = record_payload(record, sizeof(*told));
	struct err e = {0};

	if (record->header.type != WIRE_ACCOUNTED || !told)
		return false;
	scoped(fd_drop) int fd = link_take_fd(&s->broker);
	if (record->header.id != s->account_asked)
		return true;
	s->account_asked = 0;
	int r = told->errnum ? err_set(&e, told->errnum, "what pods have written cannot be counted") : take_all(s, fd, told->count, &e);
	if (r < 0) {
		say_trouble(s, "degraded", e.text);
		return true;
	}
	log_debug(s->log, "accounts", "places", log_number(told->count), "entries", log_number((int64_t)told->entries), "us", log_number((int64_t)told->duration_us));
	if (s->account_trouble)
		monitor_input(&s->monitor, "accounts", "ok", "counted again");
	s->account_trouble = false;
	s->monitor.storage.present = 1;
	memcpy(s->monitor.storage.bytes, s->accounts.kind_bytes, sizeof(s->monitor.storage.bytes));
	if (monitor_blame(&s->monitor, &s->accounts))
		supervisor_publish(s);
	return true;
}

void supervisor_accounts_refused(struct supervisor *s, const struct wire_refused *refused, const char *why)
{
	s->account_asked = 0;
	/* ESTALE: it has another configuration for a moment. */
	if (refused->errnum != ESTALE)
		say_trouble(s, refused->errnum == EPERM ? "off" : "degraded", why);
}
