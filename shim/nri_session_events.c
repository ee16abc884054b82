/* nri_session_events.c - what a session does about a container: answers, remembers, tells. */
#include "base/hash.h"
#include "base/str.h"
#include "shim/nri_session_parts.h"
#include "shim/recognise.h"

static struct wire_container name_container(const struct nri_event *event)
{
	struct wire_container who = {.pid = event->container.pid};

	nri_session_copy_text(who.container_id, sizeof(who.container_id), event->container.id);
	nri_session_copy_text(who.pod_uid, sizeof(who.pod_uid), event->pod.uid);
	return who;
}

static void complain(struct nri_session *s, const struct nri_event *event)
{
	struct wire_complaint complaint = {.who = name_container(event), .is_mount = s->decision.is_mount_complaint};

	if (!*s->decision.complaint)
		return;
	nri_session_copy_text(complaint.name_space, sizeof(complaint.name_space), event->pod.name_space);
	nri_session_copy_text(complaint.pod, sizeof(complaint.pod), event->pod.name);
	str_copy(complaint.text, sizeof(complaint.text), s->decision.complaint);
	nri_session_emit(s, WIRE_COMPLAINT, &complaint, sizeof(complaint));
}

/* --- whose creation was told --- */

static uint64_t hash_of(struct text id)
{
	return hash_fnv1a(HASH_START, id.bytes, id.length);
}

static void remember(struct nri_session *s, struct text id)
{
	s->named[s->named_next++ % NRI_SESSION_NAMED] = hash_of(id);
}

static bool was_named(const struct nri_session *s, struct text id)
{
	const uint64_t hash = hash_of(id);
	bool named = false;

	for (unsigned i = 0; i < NRI_SESSION_NAMED; i++)
		named = named || s->named[i] == hash;
	return named;
}

/* Of who was created while a runtime synchronised no creation is told, but a start is (containerd#13698). */
static void name_late(struct nri_session *s, const struct nri_event *event)
{
	if (!event->has_pod || was_named(s, event->container.id))
		return;
	remember(s, event->container.id);
	s->ops->decide(s->owner, event, &s->decision);
	if (s->decision.executor.role != EXECUTOR_ROLE_NONE)
		nri_session_emit(s, WIRE_EXECUTOR, &s->decision.executor, sizeof(s->decision.executor));
}

/* Containers that have ended already are left out: nobody saw how. */
void nri_session_found(void *owner, const struct nri_event *event)
{
	struct nri_session *s = owner;

	if (event->container.state == CONTAINER_STOPPED)
		return;
	if (event->container.state == CONTAINER_RUNNING)
		adjusted_started(&s->adjusted, event->container.id);
	s->ops->decide(s->owner, event, &s->decision);
	if (s->decision.executor.role == EXECUTOR_ROLE_NONE)
		return;
	nri_session_emit(s, WIRE_EXECUTOR, &s->decision.executor, sizeof(s->decision.executor));
	if (event->container.state != CONTAINER_RUNNING && event->container.state != CONTAINER_PAUSED) {
		remember(s, event->container.id);
		return;
	}
	struct wire_container who = name_container(event);
	nri_session_emit(s, WIRE_CONTAINER_STARTED, &who, sizeof(who));
}

/* Another plugin claims what we set, or runc refuses it: said once, as the connection's only fault while it is live. */
static void tell_given_up(struct nri_session *s)
{
	if (*s->told.why || !adjusted_given_up(&s->adjusted))
		return;
	str_copy(s->told.why, sizeof(s->told.why), "creations that were adjusted failed again and again: nothing is adjusted any more (does another NRI plugin set the same?)");
	nri_session_emit(s, WIRE_NRI_STATE, &s->told, sizeof(s->told));
}

static void tell_adjusted(struct nri_session *s, const struct nri_event *event)
{
	const struct plan *plan = &s->decision.plan;
	struct wire_adjusted adjusted = {.who = name_container(event), .has_oom_score_adj = plan->set_oom_score_adj, .oom_score_adj = (int32_t)plan->oom_score_adj};

	adjusted.has_oom_group = plan_oom_group(plan, &adjusted.oom_group);
	if (adjusted.has_oom_group || adjusted.has_oom_score_adj)
		nri_session_emit(s, WIRE_ADJUSTED, &adjusted, sizeof(adjusted));
}

static int create(struct nri_session *s, uint32_t stream, const struct nri_event *event, struct err *e)
{
	struct proto_writer w = nri_session_writer(s);
	const bool may = adjusted_may(&s->adjusted, event->pod.id, event->container.name);

	remember(s, event->container.id);
	s->ops->decide(s->owner, event, &s->decision);
	const bool late = s->ops->now_us(s->owner) - s->begun_us > NRI_SESSION_BUDGET_US;
	s->told.late_total += late;
#ifdef STOKER_SABOTAGE_LATE_ALLOWED
	if (!may)
#else
	if (!may || late)
#endif
		s->decision.plan = (struct plan){0};
	recognise_given(&event->container, &s->decision.plan, &s->decision.executor);

	size_t mark = ttrpc_begin_reply(&w, stream);
	nri_write_created(&w, &s->decision.plan);
	if (nri_session_send(s, MUX_PLUGIN, &w, mark, e) < 0)
		return -e->code;
	if (!plan_is_empty(&s->decision.plan)) {
		s->told.adjusted_total++;
		adjusted_note(&s->adjusted, event->pod.id, event->container.id, event->container.name);
	}
	if (s->decision.executor.role != EXECUTOR_ROLE_NONE)
		nri_session_emit(s, WIRE_EXECUTOR, &s->decision.executor, sizeof(s->decision.executor));
	tell_adjusted(s, event);
	complain(s, event);
	tell_given_up(s);
	return 0;
}

static void tell_container(struct nri_session *s, const struct nri_event *event, enum wire_type what)
{
	struct wire_container who = name_container(event);

	if (what != WIRE_CONTAINER_STARTED && event->container.finished_at_ns > 0) {
		who.has_exit = true;
		who.exit_code = event->container.exit_code;
		who.finished_wall_us = (uint64_t)event->container.finished_at_ns / 1000;
	}
	nri_session_emit(s, what, &who, sizeof(who));
}

static void tell_pod_stopping(struct nri_session *s, const struct nri_event *event)
{
	struct wire_container who = {0};

	nri_session_copy_text(who.pod_uid, sizeof(who.pod_uid), event->pod.uid);
	if (*who.pod_uid)
		nri_session_emit(s, WIRE_POD_STOPPING, &who, sizeof(who));
}

/* After the reply. What is not asked for may come all the same, and means nothing. */
static void tell(struct nri_session *s, const struct nri_event *event)
{
	const bool has_container = event->has_container && event->container.id.length > 0;

	if (event->kind == NRI_STOP_POD)
		tell_pod_stopping(s, event);
	else if (event->kind == NRI_REMOVE_POD)
		adjusted_pod_gone(&s->adjusted, event->pod.id);
	if (!has_container)
		return;
	if (event->kind == NRI_POST_START_CONTAINER) {
		adjusted_started(&s->adjusted, event->container.id);
		name_late(s, event);
		tell_container(s, event, WIRE_CONTAINER_STARTED);
	} else if (event->kind == NRI_STOP_CONTAINER) {
		adjusted_gone(&s->adjusted, event->container.id);
		tell_container(s, event, WIRE_CONTAINER_STOPPED);
	} else if (event->kind == NRI_REMOVE_CONTAINER) {
		adjusted_gone(&s->adjusted, event->container.id);
		tell_container(s, event, WIRE_CONTAINER_REMOVED);
	}
	tell_given_up(s);
}

int nri_session_take_event(struct nri_session *s, const struct ttrpc_request *request, enum nri_event_kind kind, struct err *e)
{
	struct nri_event *event = &s->event;

	if (nri_decode_event(kind, request->payload, event, NULL) < 0) {
		s->told.refused_total++;
		return nri_session_reply_empty(s, request->stream, e);
	}
	if (event->kind == NRI_CREATE_CONTAINER && !event->state_change && event->has_pod && event->has_container)
		return create(s, request->stream, event, e);
	int r = nri_session_reply_empty(s, request->stream, e);
	if (r == 0)
		tell(s, event);
	return r;
}
