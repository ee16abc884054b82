/* supervisor_volumes.c - volumes: what stoker-csi asks is judged and put to the broker, and what becomes of it.
 *
 * stokerd touches no volume: it asks the broker, remembers for whom (struct volume_question), and passes the answer on. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/supervisor.h"

/* --- questions to the broker --- */

static struct volume_question *question_of(struct supervisor *s, uint64_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->csi.questions); i++)
		if (s->csi.questions[i].id == id)
			return &s->csi.questions[i];
	return NULL;
}

static int ask(struct supervisor *s, uint32_t what, const struct volume *volume, uint64_t csi_id, uint32_t answer, struct err *e)
{
	const struct wire_volume record = {.config_hash = s->monitor.config.hash, .volume = *volume};
	struct volume_question *q = question_of(s, 0);

	if (!q)
		return err_rule(e, EAGAIN, "too many requests about volumes are under way");
	if (!link_send(&s->broker, (uint16_t)what, ++s->asked, &record, sizeof(record)))
		return err_rule(e, EAGAIN, "stoker-broker, which mounts, is not there");
	*q = (struct volume_question){.id = s->asked, .csi_id = csi_id, .what = what, .answer = answer, .at = volume->at};
	return 0;
}

bool supervisor_volumes_wish(struct supervisor *s, uint32_t what, const struct volume *volume)
{
	struct err e = {0};

	const bool asked = ask(s, what, volume, 0, 0, &e) == 0;
	if (!asked)
		log_info(s->log, "volume left as it is", "pod_uid", volume->at.pod_uid, "volume", volume->at.name, "why", e.text);
	return asked;
}

/* --- what stoker-nri is told: an injected scratch shares the pod's memory with these --- */

static void tell_pod(struct supervisor *s, const char *pod_uid)
{
	const struct config_volumes *rules = &s->monitor.config.volumes;
	struct wire_nri_scratch told = {.volumes = volumes_scratch_of(&s->volumes, rules, pod_uid)};

	if (rules->inject_count == 0 && !rules->annotations)
		return;
	str_copy(told.pod_uid, sizeof(told.pod_uid), pod_uid);
	role_child_send(&s->nri.role, WIRE_NRI_SCRATCH, 0, &told, sizeof(told), -1);
}

void supervisor_volumes_tell_nri(struct supervisor *s)
{
	for (unsigned i = 0; i < s->volumes.count; i++)
		if (volumes_is_first_scratch(&s->volumes, i))
			tell_pod(s, s->volumes.entries[i]->volume.at.pod_uid);
}

/* --- what stoker-csi asks --- */

static void refuse(struct supervisor *s, const struct volume *volume, uint64_t csi_id, const struct err *why)
{
	struct volume_result result = {.at = volume->at, .errnum = why->code, .step = VOLUME_RESOLVE};

	s->volumes.refused_total++;
	str_copy(result.text, sizeof(result.text), why->text);
	log_warn(s->log, "volume refused", "namespace", volume->name_space, "pod", volume->pod, "volume", volume->at.name, "why", why->text);
	supervisor_csi_result(s, csi_id, &result);
}

static void publish(struct supervisor *s, const struct volume *asked, uint64_t csi_id)
{
	struct volume volume = *asked;
	struct volumes_entry *entry;
	struct err e = {0};

	if (volumes_admit(&s->monitor.config.volumes, &volume, &e) < 0 || ask(s, WIRE_VOLUME_MAKE, &volume, csi_id, WIRE_CSI_RESULT, &e) < 0) {
		refuse(s, &volume, csi_id, &e);
		return;
	}
	if (volume.type == VOLUME_CHECKPOINT)
		supervisor_checkpoint_want(s, volume.source);
	entry = volumes_put(&s->volumes, &volume);
	if (entry && !entry->made)
		entry->sized = asked->size_bytes != 0;
	tell_pod(s, volume.at.pod_uid); /* before the kubelet knows that it is there */
}

static void unpublish(struct supervisor *s, const struct volume *volume, uint64_t csi_id)
{
	struct err e = {0};

	if (ask(s, WIRE_VOLUME_REMOVE, volume, csi_id, WIRE_CSI_RESULT, &e) < 0)
		refuse(s, volume, csi_id, &e);
}

static void get_stats(struct supervisor *s, const struct volume *volume, uint64_t csi_id)
{
	const struct volumes_entry *entry = volumes_find(&s->volumes, &volume->at);
	struct err e = {0};

	if (entry && (entry->measured_us || entry->volume.type == VOLUME_CHECKPOINT)) {
		supervisor_volumes_tell_stats(s, csi_id, &volume->at, entry);
		supervisor_volumes_measure(s, entry);
	} else if (ask(s, WIRE_VOLUME_STAT, volume, csi_id, WIRE_CSI_STATS, &e) < 0) {
		refuse(s, volume, csi_id, &e);
	}
}

static bool is_well_formed(const struct volume *v)
{
	return str_is_ended(v->at.pod_uid, sizeof(v->at.pod_uid)) && str_is_ended(v->at.name, sizeof(v->at.name)) &&
	       str_is_ended(v->source_name, sizeof(v->source_name)) && str_is_ended(v->sub_path, sizeof(v->sub_path)) &&
	       str_is_ended(v->name_space, sizeof(v->name_space)) && str_is_ended(v->pod, sizeof(v->pod)) && v->at.place == VOLUME_AT_CSI;
}

bool supervisor_volumes_record(struct supervisor *s, const struct record *record)
{
	const struct wire_volume *asked = record_payload(record, sizeof(*asked));

	if (!asked || !is_well_formed(&asked->volume))
		return false;
	switch (record->header.type) {
	case WIRE_CSI_PUBLISH: publish(s, &asked->volume, record->header.id); return true;
	case WIRE_CSI_UNPUBLISH: unpublish(s, &asked->volume, record->header.id); return true;
	case WIRE_CSI_GET_STATS: get_stats(s, &asked->volume, record->header.id); return true;
	case WIRE_CSI_ASKED: supervisor_volumes_asked(s, &asked->volume.at); return true;
	default: return false;
	}
}

/* --- what becomes of it --- */

static void take_result(struct supervisor *s, const struct volume_question *q, const struct volume_result *result)
{
	struct volumes_entry *entry = volumes_find(&s->volumes, &q->at);

	if (q->what == WIRE_VOLUME_EMPTY)
		supervisor_scratch_emptied(s, entry, result);
	else if (entry)
		volumes_result(entry, result, clock_mono_us());
	if (q->what == WIRE_VOLUME_BOUND && entry)
		supervisor_scratch_bounded(s, entry, result);
	if ((q->what == WIRE_VOLUME_REMOVE && result->errnum == 0) || (q->what == WIRE_VOLUME_MAKE && result->errnum != 0 && entry && !entry->made)) {
		volumes_remove(&s->volumes, &q->at);
		tell_pod(s, q->at.pod_uid);
	}
	if (q->answer == WIRE_CSI_STATS && result->errnum == 0) {
		struct volumes_entry measured = {.volume.at = q->at};
		volumes_result(&measured, result, clock_mono_us());
		supervisor_volumes_tell_stats(s, q->csi_id, &q->at, &measured);
	} else if (q->answer == WIRE_CSI_STATS) {
		supervisor_volumes_tell_stats(s, q->csi_id, &q->at, NULL);
	} else if (q->answer == WIRE_CSI_RESULT) {
		supervisor_csi_result(s, q->csi_id, result);
	}
	entry = volumes_find(&s->volumes, &q->at); /* it may have gone */
	if (entry && result->errnum == 0 && q->what != WIRE_VOLUME_EMPTY)
		supervisor_volumes_tell_figures(s, &q->at, entry);
}

static void find_owner(struct supervisor *s, const char *pod_uid)
{
	for (unsigned i = 0; i < s->executors.count; i++)
		if (strcmp(s->executors.entries[i]->executor.pod_uid, pod_uid) == 0)
			supervisor_scratch_executor(s, &s->executors.entries[i]->executor);
}

static void settle(struct supervisor *s, struct volume_question *q, const struct volume_result *result)
{
	const struct volume_question was = *q;

	*q = (struct volume_question){0};
	take_result(s, &was, result);
	/* A volume that has just been made may be one whose executor is here already: a restarted container's, or a late answer. */
	if (was.what == WIRE_VOLUME_MAKE && result->errnum == 0)
		find_owner(s, was.at.pod_uid);
}

bool supervisor_volumes_answer(struct supervisor *s, const struct record *record)
{
	const struct volume_result *result = record_payload(record, sizeof(*result));
	struct volume_question *q = record->header.id ? question_of(s, record->header.id) : NULL;

	if (record->header.type != WIRE_VOLUME_RESULT || !q || !result || !str_is_ended(result->text, sizeof(result->text)))
		return false;
	settle(s, q, result);
	return true;
}

/* It never came to the volume: the broker ended, or cannot now. */
static void settle_unheard(struct supervisor *s, struct volume_question *q, int errnum, const char *why)
{
	struct volume_result result = {.at = q->at, .errnum = errnum, .step = VOLUME_RESOLVE};
	struct volumes_entry *entry = volumes_find(&s->volumes, &q->at);

	const bool again = errnum == EAGAIN || errnum == EBUSY || errnum == ESTALE;
	if (entry && q->what == WIRE_VOLUME_BOUND)
		entry->bound_again = again;
	if (entry && q->what == WIRE_VOLUME_EMPTY)
		entry->empty_again = again;
	str_copy(result.text, sizeof(result.text), why);
	settle(s, q, &result);
}

bool supervisor_volumes_refused(struct supervisor *s, uint64_t id, const struct wire_refused *refused, const char *why)
{
	struct volume_question *q = id ? question_of(s, id) : NULL;

	if (!q)
		return false;
	settle_unheard(s, q, refused->errnum, why);
	return true;
}

void supervisor_volumes_broker_down(struct supervisor *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->csi.questions); i++)
		if (s->csi.questions[i].id)
			settle_unheard(s, &s->csi.questions[i], EAGAIN, "stoker-broker ended; try again");
}

/* What it asked goes on; its answers have nobody who waits for them. */
void supervisor_volumes_csi_down(struct supervisor *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->csi.questions); i++)
		s->csi.questions[i].answer = 0;
}

/* --- what was found in the mount table --- */

/* A pod with all its volumes that are new. */
static void take_back(struct supervisor *s, const char *pod_uid)
{
	for (unsigned i = 0; i < s->volumes.count; i++)
		if (strcmp(s->volumes.entries[i]->volume.at.pod_uid, pod_uid) == 0)
			s->volumes.entries[i]->fresh = false;
	find_owner(s, pod_uid);
	tell_pod(s, pod_uid);
}

/* Whose executor came first: the kubelet's own, and all of them after a restart of ours. The rest is told with the executor. */
void supervisor_volumes_mounts(struct supervisor *s, const struct mount_table *table)
{
	volumes_mounts(&s->volumes, &s->monitor.config, table);
	for (unsigned i = 0; i < s->volumes.count; i++)
		if (s->volumes.entries[i]->fresh)
			take_back(s, s->volumes.entries[i]->volume.at.pod_uid);
}

/* --- counted --- */

void supervisor_volumes_count(struct supervisor *s)
{
	const struct volumes *v = &s->volumes;
	const struct wire_csi_counts *c = &s->csi.counts;
	struct health_volumes *h = &s->monitor.volumes;

	*h = (struct health_volumes){
		.present = *s->csi.root || v->count > 0,
		.registered = s->csi.registered,
		.count = v->count,
		.bounded = v->bounded_total,
		.emptied = v->emptied_total,
		.refused = v->refused_total,
		.publish = c->calls_total[WIRE_CSI_CALL_PUBLISH],
		.unpublish = c->calls_total[WIRE_CSI_CALL_UNPUBLISH],
		.stats = c->calls_total[WIRE_CSI_CALL_STATS],
	};
	for (size_t i = 0; i < WIRE_CSI_CALL_MAX_; i++)
		h->failed += c->failed_total[i];
	for (unsigned i = 0; i < v->count; i++) {
		const struct volumes_entry *entry = v->entries[i];
		h->size_bytes += entry->volume.size_bytes;
		h->used_bytes += volumes_used_bytes(entry);
	}
}
