/* executors_told.c - what the broker tells of containers, and the API server of their pods: answers to executors_ops. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "health/executors_inside.h"

static struct executors_words *words_of(struct executors_entry *entry)
{
	if (!entry->words)
		entry->words = calloc(1, sizeof(*entry->words));
	return entry->words;
}

/* `all`: there is nothing more to come. */
static void answered(struct executors_entry *entry, enum settle_whom whom, bool all)
{
	entry->questions[whom].awaited = false;
	entry->questions[whom].is_known = all;
}

void executors_processes(struct executors *x, const struct wire_processes *p, struct moment now)
{
	struct executors_entry *entry = executors_find(x, p->who.container_id);

	if (entry && !p->errnum)
		executors_verify_processes(entry, p);
	/* After a kill those are missing that it is about. */
	if (!entry || p->errnum || entry->killed_us || entry->ended.us)
		return;
	entry->processes = (struct death_processes){.time_us = now.us,
						    .jvm_bytes = p->jvm_bytes,
						    .python_bytes = p->python_bytes,
						    .r_bytes = p->r_bytes,
						    .other_bytes = p->other_bytes,
						    .jvm_count = p->jvm_count,
						    .python_count = p->python_count,
						    .r_count = p->r_count,
						    .other_count = p->other_count};
}

void executors_suspect(struct executors_entry *entry, const struct suspect *of, struct moment now)
{
	struct executors *x = entry->table;

	if (entry->ended.us || entry->killed_us || !suspicion_is_due(entry->suspicion, now.us))
		return;
	if (!entry->suspicion)
		entry->suspicion = calloc(1, sizeof(*entry->suspicion));
	if (entry->suspicion)
		suspicion_asked(entry->suspicion, of, &entry->last, x->ops->ask(x, entry, SETTLE_LOG), now.us);
}

/* Of its life; its end has words of its own. */
static void take_of_life(struct executors_entry *entry, const struct wire_log *log, struct moment now)
{
	struct suspicion *s = entry->suspicion;

	s->id = 0;
	if (log->errnum || entry->ended.us || entry->killed_us || !suspicion_is_news(s, log->bits, log->line))
		return;
	suspicion_told(s, log->line, now.us);
	executors_tell_failing(entry, log, now);
}

void executors_tail(struct executors *x, uint64_t id, const struct wire_log *log, struct moment now)
{
	struct executors_entry *entry = executors_find(x, log->who.container_id);

	if (!entry)
		return;
	if (entry->suspicion && entry->suspicion->id && entry->suspicion->id == id) {
		take_of_life(entry, log, now);
		return;
	}
	answered(entry, SETTLE_LOG, true);
	if (log->errnum == 0) {
		struct executors_words *words = words_of(entry);
		entry->log_was_read = true;
		entry->log_bits |= log->bits;
		if (words)
			str_copy(words->log_line, sizeof(words->log_line), log->line);
	}
	executors_changed(x);
}

void executors_status(struct executors *x, const struct wire_status *status, struct moment now)
{
	struct executors_entry *entry = executors_find(x, status->who.container_id);

	if (!entry)
		return;
	answered(entry, SETTLE_RUNTIME, status->errnum != 0 || status->who.has_exit); /* of one that still runs, for the runtime, it is asked again */
	if (status->errnum == 0 && status->who.has_exit && !entry->has_code) {
		struct executors_words *words = words_of(entry);
		entry->code_is_runtimes = true;
		if (words) {
			str_copy(words->runtime_reason, sizeof(words->runtime_reason), status->reason);
			str_copy(words->runtime_message, sizeof(words->runtime_message), status->message);
		}
		entry->log_bits |= death_read_log(status->message, strlen(status->message), NULL, NULL, 0); /* "exec format error" */
		executors_stopped(x, &status->who, now);
	}
	executors_changed(x);
}

/* It has nothing more to say once the pod is gone or over, or somebody wanted it to go. */
static bool is_all(const struct wire_pod_told *told)
{
	return told->errnum != 0 || told->end.over || *told->end.reason || *told->end.disruption || told->end.kill_wall_us;
}

void executors_api(struct executors *x, uint64_t id, const struct wire_pod_told *told)
{
	for (unsigned i = 0; i < x->count; i++) {
		struct executors_entry *entry = x->entries[i];
		if (!entry->questions[SETTLE_API].awaited || entry->questions[SETTLE_API].id != id)
			continue;
		answered(entry, SETTLE_API, is_all(told));
		entry->questions[SETTLE_API].is_behind = told->errnum == 0 && !told->end.knows;
		if (told->errnum == 0 && words_of(entry))
			entry->words->api = told->end;
	}
	executors_changed(x);
}

void executors_refused(struct executors *x, uint64_t id)
{
	for (unsigned i = 0; i < x->count; i++)
		for (unsigned whom = 0; whom < SETTLE_WHOM_MAX_; whom++)
			if (id && x->entries[i]->questions[whom].id == id)
				answered(x->entries[i], (enum settle_whom)whom, true); /* it will not come */
	executors_changed(x);
}
