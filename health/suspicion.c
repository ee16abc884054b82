#include "health/suspicion.h"

#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "health/death.h"

#define PART	    4 /* of its scratch: so much must have moved */
#define LEAST_BYTES (VOLUMES_LEAST_BYTES / PART)

bool suspicion_is_due(const struct suspicion *earlier, uint64_t now_us)
{
	if (!earlier)
		return true;
	return (!earlier->asked_us || now_us - earlier->asked_us >= SUSPICION_AGAIN_US) && (!earlier->told_us || now_us - earlier->told_us >= SUSPICION_TOLD_US);
}

static bool has_moved(const struct suspicion *earlier, const struct sample *last, uint64_t step)
{
	const uint64_t seen_bytes = earlier ? earlier->seen_bytes : 0, seen_peak_bytes = earlier ? earlier->seen_peak_bytes : 0;

	return last->current_bytes > seen_bytes + step || last->current_bytes + step < seen_bytes || last->peak_bytes > seen_peak_bytes + step;
}

static void add(struct suspect *suspect, const char *name, uint64_t bytes)
{
	str_append(suspect->scratch, sizeof(suspect->scratch), "%s%s", *suspect->scratch ? " or " : "", name);
	suspect->scratch_bytes += bytes;
}

static void find_scratch(const struct volumes *volumes, const struct executor *x, struct suspect *ret)
{
	for (unsigned i = 0; i < volumes->count; i++) {
		const struct volumes_entry *entry = volumes->entries[i];
		if (volumes_is_scratch(entry) && entry->made && strcmp(entry->volume.at.pod_uid, x->pod_uid) == 0)
			add(ret, entry->volume.at.name, entry->volume.size_bytes);
	}
	if (x->injected_bytes)
		add(ret, VOLUMES_INJECTED, x->injected_bytes);
}

bool suspicion_find(const struct suspicion *earlier, const struct volumes *volumes, const struct executor *x, const struct sample *last,
		    const struct local_disk *disk, struct suspect *ret)
{
	*ret = (struct suspect){0};
	if (x->sidecar)
		return false;
	if (disk->bad)
		return true;
	if (!has_moved(earlier, last, LEAST_BYTES)) /* the cheap question first: there are hundreds of executors */
		return false;
	find_scratch(volumes, x, ret);
	return ret->scratch_bytes > 0 && has_moved(earlier, last, ret->scratch_bytes / PART);
}

void suspicion_asked(struct suspicion *s, const struct suspect *of, const struct sample *last, uint64_t id, uint64_t now_us)
{
	s->of = *of;
	s->asked_us = now_us;
	s->id = id;
	if (id == 0 || !*of->scratch)
		return;
	s->seen_bytes = last->current_bytes;
	s->seen_peak_bytes = last->peak_bytes;
}

static uint64_t line_hash(const char *line)
{
	return hash_fnv1a(HASH_START, line, strlen(line));
}

/* The same words again are no news: a log may stand still for long. */
bool suspicion_is_news(const struct suspicion *s, uint32_t log_bits, const char *line)
{
	return log_bits & (*s->of.scratch ? DEATH_LOG_NO_SPACE : DEATH_LOG_DISK) && line_hash(line) != s->told_line;
}

void suspicion_told(struct suspicion *s, const char *line, uint64_t now_us)
{
	s->told_us = now_us;
	s->told_line = line_hash(line);
}
