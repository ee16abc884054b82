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

bool executors_suspect(struct executors_entry *entry, const char *volume, uint64_t volume_bytes, struct moment now)
{
	struct executors *x = entry->table;

	if (entry->ended.us || entry->killed_us || !x->ops->tail || (entry->suspected_us && now.us - entry->suspected_us < EXECUTORS_SUSPECT_US) ||
	    (entry->failing_us && now.us - entry->failing_us < EXECUTORS_FAILING_US))
		return false;
	str_copy(entry->scratch_name, sizeof(entry->scratch_name), volume);
	entry->scratch_total_bytes = volume_bytes;
	entry->suspected_us = now.us;
	entry->suspect_id = x->ops->tail(x, entry);
	return entry->suspect_id != 0;
}

void executors_tail(struct executors *x, uint64_t id, const struct wire_log *log, struct moment now)
{
	struct executors_entry *entry = executors_find(x, log->who.container_id);

	if (!entry)
		return;
	if (entry->suspect_id && entry->suspect_id == id) { /* of its life; its end has words of its own */
		entry->suspect_id = 0;
		executors_tell_failing(entry, log, now);
		return;
	}
	entry->tail_is_there = true;
	if (log->errnum == 0) {
		struct executors_words *words = words_of(entry);
		entry->tail_was_read = true;
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
	entry->status_awaited = false;
	/* One that still runs, for the runtime, is asked again. */
	entry->status_is_known = status->errnum != 0 || status->who.has_exit;
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
		if (!entry->api_awaited || entry->api_id != id)
			continue;
		entry->api_awaited = false;
		entry->api_is_known = is_all(told);
		entry->api_is_behind = told->errnum == 0 && !told->end.knows;
		if (told->errnum == 0 && words_of(entry))
			entry->words->api = told->end;
	}
	executors_changed(x);
}

void executors_refused(struct executors *x, uint64_t id)
{
	for (unsigned i = 0; i < x->count; i++) {
		struct executors_entry *entry = x->entries[i];
		entry->tail_is_there = entry->tail_is_there || entry->tail_id == id; /* it will not come */
		entry->status_is_known = entry->status_is_known || entry->status_id == id;
		entry->status_awaited = entry->status_awaited && entry->status_id != id;
	}
	executors_changed(x);
}
