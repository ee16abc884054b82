/* supervisor_missed.c - after each synchronisation: did the runtime leave an executor out?
 *
 * A runtime lists its containers, and begins to tell of events a moment later. Of one that is created and started in between it tells nothing at all. So
 * cgroups are looked at twice afterwards (a container that has just been started runs Spark a moment later). Whom nobody named may be another node's on this
 * machine: the runtime's own status of it (CRI) decides, and where it has it, it is dialled again and tells everything anew. Unsure (nobody
 * answers): left alone. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/str.h"
#include "health/supervisor.h"

#define FIRST_MS    3000
#define SECOND_MS   20000
#define LOOKS	    2
#define ASKED_MOST  8 /* in one look: a fork each */
#define MORE_MS	    1000 /* then the next ones */
#define MORE_MOST   64	 /* such looks after one synchronisation */
#define REDIALS_MAX 3 /* in a row */

static bool is_live(const struct supervisor *s)
{
	return s->executors.nri && s->monitor.config.executors.watch == CONFIG_RECOGNITION_AUTO;
}

static void look(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	if (!is_live(s) || s->missed.looks == 0)
		return;
	s->missed.looks--;
	link_send(&s->broker, WIRE_SCAN, ++s->asked, NULL, 0);
	if (s->missed.looks > 0)
		uv_timer_start(&s->missed.due, look, SECOND_MS, 0);
}

void supervisor_missed_start(struct supervisor *s)
{
	uv_timer_init(s->loop, &s->missed.due);
	s->missed.due.data = s;
}

void supervisor_missed_synchronized(struct supervisor *s)
{
	struct missed *m = &s->missed;

	if (!m->redialled)
		m->redials = 0;
	m->redialled = false;
	m->looks = LOOKS;
	m->more = 0;
	uv_timer_start(&m->due, look, FIRST_MS, 0);
}

static uint64_t id_of(const char *container_id)
{
	return hash_fnv1a(HASH_START, container_id, strlen(container_id));
}

static bool is_strangers(const struct missed *m, uint64_t id)
{
	bool is = false;

	for (unsigned i = 0; i < MISSED_STRANGERS; i++)
		is = is || m->strangers[i] == id;
	return is;
}

void supervisor_missed_scanned(struct supervisor *s, int fd, uint32_t count)
{
	struct missed *m = &s->missed;
	struct executor executor;
	unsigned asked = 0;

	if (!is_live(s) || fd < 0 || count > EXECUTORS_MAX || s->executors.count == EXECUTORS_MAX || m->redials == REDIALS_MAX)
		return;
	for (uint32_t i = 0; i < count && asked < ASKED_MOST; i++) {
		struct wire_container_ask ask = {0};
		if (pread(fd, &executor, sizeof(executor), (off_t)(i * sizeof(executor))) != (ssize_t)sizeof(executor) ||
		    !str_is_ended(executor.container_id, sizeof(executor.container_id)))
			return;
		if (executors_knows(&s->executors, executor.container_id) || is_strangers(m, id_of(executor.container_id)))
			continue;
		str_copy(ask.who.container_id, sizeof(ask.who.container_id), executor.container_id);
		asked += link_send(&s->broker, WIRE_STATUS, ++s->asked, &ask, sizeof(ask));
	}
	if (asked < ASKED_MOST || m->more == MORE_MOST)
		return;
	m->more++;
	m->looks++;
	uv_timer_start(&m->due, look, MORE_MS, 0);
}

bool supervisor_missed_status(struct supervisor *s, const struct wire_status *status)
{
	struct missed *m = &s->missed;

	if (executors_knows(&s->executors, status->who.container_id))
		return false;
	if (status->errnum == ENOENT) /* there is nobody to be asked */
		m->more = MORE_MOST;
	if (status->errnum == ESRCH)
		m->strangers[m->next_stranger++ % MISSED_STRANGERS] = id_of(status->who.container_id);
	if (status->errnum != 0 || status->who.has_exit || !is_live(s) || m->redialled || m->redials == REDIALS_MAX)
		return true;
	log_warn(s->log, "the runtime did not name an executor that it has; it is asked for all of them again", "container", status->who.container_id);
	m->redials++;
	m->redialled = true;
	m->looks = 0;
	supervisor_nri_again(&s->nri);
	return true;
}
