#include "health/reporter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/str.h"
#include "health/kube_others.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

static void reporter_step(struct reporter *r);

uint32_t reporter_random(void)
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) < 0)
		n = (uint32_t)clock_mono_us();
	return n;
}

/* --- what stokerd is told --- */

static bool is_published(const struct reporter *r)
{
	return r->report.sequence && r->node.known && kube_node_has_conditions(&r->node, &r->report) && (r->taint_waits || kube_node_has_taint(&r->node, &r->goal));
}

static bool has_taint(const struct reporter *r)
{
	return r->node.known && r->report.taint.wanted && r->goal.wanted && !r->taint_waits && kube_node_has_taint(&r->node, &r->goal);
}

static bool is_the_brakes(enum kube_lane lane)
{
	return lane >= KUBE_LEASES && lane <= KUBE_HOLDER;
}

/* Lanes whose trouble is said, but costs neither condition nor taint. */
static bool may_wait(enum kube_lane lane)
{
	return (lane >= KUBE_EVENT_MAKE && lane <= KUBE_POD_EVENT) || lane == KUBE_ALIAS || (lane >= KUBE_POLICY && lane <= KUBE_PODS);
}

/* Behind "connected to …": what goes wrong beside condition and taint. */
static void tell_the_rest(struct reporter *r)
{
	for (unsigned lane = 0; lane < KUBE_LANE_MAX_; lane++)
		if (may_wait(lane) && *r->lanes[lane].words)
			str_append(r->state.detail, sizeof(r->state.detail), "; %s", r->lanes[lane].words);
	if (*r->aliases.words)
		str_append(r->state.detail, sizeof(r->state.detail), "; %s", r->aliases.words);
}

static void tell(struct reporter *r)
{
	struct report_state *s = &r->state;
	const char *trouble = NULL;

	for (unsigned lane = 0; lane < KUBE_LANE_MAX_ && !trouble; lane++)
		trouble = *r->lanes[lane].words && !may_wait(lane) && !is_the_brakes(lane) ? r->lanes[lane].words : NULL;
	s->off = !r->client_ready;
	s->connected = r->client_ready && r->node.known && !*r->lanes[KUBE_READ].words && !trouble;
	s->degraded = false;
	for (unsigned lane = KUBE_LEASES; lane <= KUBE_HOLDER && !trouble; lane++) {
		trouble = *r->lanes[lane].words ? r->lanes[lane].words : NULL;
		s->degraded = trouble != NULL;
	}
	s->has_condition = r->node.first.there;
	s->condition = r->node.first.condition;
	s->others_seen = r->node.others_seen & kube_others_mask(r->config.report.aliases);
	s->others_bad = r->node.others_bad & s->others_seen;
	s->policy = r->policy.found;
	s->pods = reporter_pods_found(r);
	s->node_known = r->node.known;
	if (is_published(r))
		s->sequence = r->report.sequence;
	s->taint_sequence = has_taint(r) ? r->report.sequence : 0;
	if (r->client_ready) {
		*s->detail = '\0';
		if (r->retired_said)
			str_append(s->detail, sizeof(s->detail), "retired: conditions, taint and slot of this node are gone, nothing more is written; ");
		str_append(s->detail, sizeof(s->detail), "%s%s", trouble ? "" : r->node.known ? "connected to " : "connecting to ", trouble ? trouble : r->client.config.server);
		if (!trouble)
			tell_the_rest(r);
	}
	if (memcmp(s, &r->state_sent, sizeof(*s)) == 0)
		return;
	if (link_send(&r->link, WIRE_REPORT_STATE, 0, s, sizeof(*s)))
		r->state_sent = *s;
}

const char *reporter_node(const struct reporter *r)
{
	return *r->report.node ? r->report.node : r->config.node;
}

static void plan_heartbeat(struct reporter *r)
{
	uint64_t now = clock_mono_us(), wall = clock_wall_us(), age = wall > r->node.first.heartbeat_wall_us ? wall - r->node.first.heartbeat_wall_us : 0;
	uint64_t pause = REPORTER_HEARTBEAT_US * 9 / 10 + reporter_random() % (REPORTER_HEARTBEAT_US / 5);

	r->heartbeat_due_us = now + (age < pause ? pause - age : 0);
}

static void on_answer(struct kube_client *client, enum kube_lane lane, const struct kube_answer *answer)
{
	static const int parts[KUBE_LANE_MAX_] = {
		[KUBE_READ] = KUBE_NODE_CONDITION | KUBE_NODE_TAINTS, [KUBE_CONDITION] = KUBE_NODE_CONDITION, [KUBE_TAINT] = KUBE_NODE_TAINTS};
	struct reporter *r = client->owner;
	enum kube_meaning meaning = kube_answer_judge(lane, answer->status, answer->retry_after_s);
	struct err e = {0};
	bool was_on = r->node.known && kube_node_carries(&r->node, r->goal.key, false);

	reporter_lanes_heard(r->lanes, meaning, clock_mono_us());
	if (is_the_brakes(lane))
		reporter_brake_answer(r, lane, answer);
	if (is_the_brakes(lane) || reporter_events_answer(r, lane, answer) || reporter_aliases_answer(r, lane, answer) ||
	    reporter_policy_answer(r, lane, answer) || reporter_pods_answer(r, lane, answer)) {
		reporter_step(r);
		return;
	}
	if (meaning == KUBE_DONE && kube_node_read(&r->node, answer->text, answer->length, STOKER_STORAGE_READY, parts[lane], &e) < 0)
		reporter_lane_fail(r, lane, KUBE_BROKEN, answer->status, 0, e.text);
	else if (meaning == KUBE_DONE)
		reporter_lane_succeed(r, lane);
	else
		reporter_lane_fail(r, lane, meaning, answer->status, answer->retry_after_s, answer->detail);
	if (meaning == KUBE_DONE && lane == KUBE_READ) {
		reporter_note_removal(r, was_on, clock_mono_us());
		r->read_us = clock_mono_us();
	}
	if (lane == KUBE_TAINT || (lane == KUBE_READ && meaning == KUBE_DONE))
		r->taint_doubt = lane == KUBE_TAINT && (meaning == KUBE_UNREACHABLE || meaning == KUBE_BROKEN || meaning == KUBE_BUSY);
	r->read_wanted = r->read_wanted || r->taint_doubt;
	if (meaning == KUBE_NO_NODE)
		r->node.known = false;
	if (meaning == KUBE_DONE && lane != KUBE_TAINT)
		plan_heartbeat(r);
	if (meaning == KUBE_DONE && lane != KUBE_READ) {
		r->state.writes++;
		r->state.last_write_wall_us = clock_wall_us();
		if (is_published(r) && r->state.sequence != r->report.sequence)
			log_info(r->log, "published", "sequence", log_number(r->report.sequence), "status", condition_status_name(r->report.condition.status), "reason",
				 r->report.condition.reason, "taint", r->taint_waits ? "waits" : r->goal.wanted ? r->goal.value : "none", "us",
				 log_number(clock_mono_us() - r->received_us));
	}
	reporter_step(r);
}

/* --- the decision: what is to be sent now --- */

static void due(uv_timer_t *timer)
{
	reporter_step(timer->data);
}

static void connect_to_cluster(struct reporter *r)
{
	struct kube_config found = {0};
	struct err e = {0};
	int rc = r->config.report.kubernetes == CONFIG_KUBERNETES_OFF ? err_rule(&e, ENOENT, "no cluster: report.kubernetes is off") :
		 *r->config.report.kubeconfig ? kube_config_load(r->config.report.kubeconfig, &found, &e) :
						kube_config_in_cluster(r->server_host, r->server_port, SERVICE_ACCOUNT_DIR, &found, &e);

	if (rc == 0 && kube_client_start(&r->client, r->loop, &found, &e) == 0) {
		r->client_ready = r->read_wanted = true;
		log_info(r->log, "cluster found", "server", r->client.config.server, "node", reporter_node(r));
		return;
	}
	kube_config_free(&found);
	if (strcmp(r->state.detail, e.text) != 0)
		log_emit(r->log, rc == -ENOENT ? LOG_INFO : LOG_ERROR, "nothing is reported", "why", e.text, (char *)0);
	str_copy(r->state.detail, sizeof(r->state.detail), e.text);
}

static void reporter_step(struct reporter *r)
{
	uint64_t now = clock_mono_us(), next = now + REPORTER_NO_CLUSTER_US;

	if (!r->client_ready)
		connect_to_cluster(r);
	reporter_pods_step(r, now, &next); /* without a cluster too: who asks is answered */
	if (r->client_ready) {
		bool retire = r->config.retire && r->node.known, have = r->node.known && (retire || r->report.sequence > 0);
		bool heartbeat = have && !retire && now >= r->heartbeat_due_us;
		bool condition = have && (retire ? kube_node_has_any_condition(&r->node) : heartbeat || !kube_node_has_conditions(&r->node, &r->report));
		if (have)
			reporter_brake(r, now, &next);
		bool taint = have && !r->taint_waits && !kube_node_has_taint(&r->node, &r->goal);
		reporter_lane_settle(r, KUBE_CONDITION, condition);
		reporter_lane_settle(r, KUBE_TAINT, taint);
		/* A read that failed is wanted still: only one that goes well settles what was in doubt. */
		if (reporter_lane_is_due(r, KUBE_READ, !r->node.known || r->read_wanted || r->lanes[KUBE_READ].failures > 0, now, &next)) {
			r->read_wanted = false;
			reporter_lane_send(r, KUBE_READ, reporter_node(r), NULL);
		}
		if (reporter_lane_is_due(r, KUBE_CONDITION, condition, now, &next))
			reporter_lane_send(r, KUBE_CONDITION, reporter_node(r), retire ? kube_node_conditions_removal(&r->node, STOKER_STORAGE_READY) :
				kube_node_conditions_patch(&r->node, &r->report, clock_wall_us()));
		/* not while the list is read anew: that answer decides */
		bool reading = r->read_wanted || kube_client_is_busy(&r->client, KUBE_READ);
		if (reporter_lane_is_due(r, KUBE_TAINT, taint && !reading, now, &next))
			reporter_lane_send(r, KUBE_TAINT, reporter_node(r), kube_node_taint_patch(&r->node, &r->goal));
		reporter_aliases_step(r, now, &next);
		reporter_events_step(r, now, &next);
		reporter_policy_step(r, now, &next);
		if (have && !retire && r->heartbeat_due_us < next)
			next = r->heartbeat_due_us > now ? r->heartbeat_due_us : now + US_PER_S;
	}
	tell(r);
	now = clock_mono_us();
	uv_timer_start(&r->due, due, next > now ? (next - now) / US_PER_MS + 1 : 1, 0);
}

/* --- stokerd --- */

/* True if it is an Event, well or broken. */
static bool take_event(struct reporter *r, const struct record *record)
{
	const struct event *event = record_payload(record, sizeof(*event));

	if (record->header.type != WIRE_EVENT)
		return false;
	if (event && event_is_sound(event)) {
		reporter_event(r, event);
		reporter_step(r);
		return true;
	}
	r->link.refused++;
	log_warn(r->log, "record not understood", "from", "stokerd", "type", log_number(record->header.type));
	return true;
}

static bool is_sound(const struct report_condition *c, const char *type)
{
	return c->status < CONDITION_STATUS_MAX_ && str_is_ended(c->type, sizeof(c->type)) && str_is_ended(c->reason, sizeof(c->reason)) &&
	       str_is_ended(c->message, sizeof(c->message)) && (!*c->type || strcmp(c->type, type) == 0);
}

static bool conditions_are_sound(const struct report *report)
{
	bool sound = is_sound(&report->condition, STOKER_STORAGE_READY);

	for (unsigned i = 0; i < REPORT_MORE_MAX_; i++)
		sound = sound && is_sound(&report->more[i], report_more_type(i));
	for (unsigned i = 0; i < REPORT_ALIASES; i++)
		sound = sound && is_sound(&report->aliases[i], alias_type(i));
	return sound;
}

/* The key before the last change: its taint is to go. A restart forgets it; kube_node.h knows the two usual ones. */
static void remember_key(struct reporter *r, const char *key)
{
	if (r->report.sequence && strcmp(r->report.taint.key, key) != 0)
		str_copy(r->former_key, sizeof(r->former_key), r->report.taint.key);
	if (strcmp(r->former_key, key) == 0)
		*r->former_key = '\0';
}

static void link_record(struct link *link, const struct record *record)
{
	struct reporter *r = link->owner;
	const struct report *report = record_payload(record, sizeof(*report));

	if (take_event(r, record))
		return;
	if (reporter_pods_record(r, record)) {
		reporter_step(r);
		return;
	}
	if (record->header.type != WIRE_REPORT || !report || !str_is_ended(report->node, sizeof(report->node)) || !str_is_ended(report->taint.key, sizeof(report->taint.key)) || !str_is_ended(report->taint.value, sizeof(report->taint.value)) ||
	    !str_is_ended(report->taint.effect, sizeof(report->taint.effect)) || !conditions_are_sound(report)) {
		link->refused++;
		log_warn(r->log, "record not understood", "from", "stokerd", "type", log_number(record->header.type));
		return;
	}
	remember_key(r, report->taint.key);
	struct report kept = *report;
	memcpy(kept.taint.former_key, r->former_key, sizeof(kept.taint.former_key));
	bool news = memcmp(&r->report, &kept, sizeof(kept)) != 0;
	if (strcmp(reporter_node(r), report->node) != 0) {
		kube_node_forget(&r->node);
		brake_start(&r->brake, report->node, clock_boot_us());
		r->read_wanted = true;
	}
	memcpy(&r->report, &kept, sizeof(kept));
	r->received_us = clock_mono_us();
	/* What is new need not wait out the pause of what is old, if that was not a moment ago. */
	for (unsigned lane = 0; news && lane < KUBE_LANE_MAX_; lane++)
		if (r->received_us > r->lanes[lane].failed_us + US_PER_S)
			r->lanes[lane].not_before_us = 0;
	reporter_step(r);
}

static void link_up(struct link *link)
{
	struct reporter *r = link->owner;

	r->state_sent = (struct report_state){0};
	log_info(r->log, "connected to stokerd");
	tell(r);
}

static void link_down(struct link *link, const struct err *why)
{
	struct reporter *r = link->owner;

	log_warn(r->log, "stokerd is gone, what was reported stands", "why", why ? why->text : NULL);
}

void reporter_configure(struct reporter *r, const struct config *config)
{
	str_copy(r->config.report.max_tainted, sizeof(r->config.report.max_tainted), config->report.max_tainted);
	r->config.report.taint_single_node = config->report.taint_single_node;
	r->config.report.taint = config->report.taint;
	r->config.report.pods = config->report.pods;
	r->config.report.aliases = config->report.aliases; /* what stands there under these names is ours, not another's */
	str_copy(r->config.report.taint_key, sizeof(r->config.report.taint_key), config->report.taint_key);
	r->config.redact = config->redact;
	r->config.retire = config->retire;
	r->retired_said = false;
	reporter_pods_configure(r);
	r->brake.not_before_us = 0;
	if (r->loop)
		reporter_step(r);
}

int reporter_start(struct reporter *r, uv_loop_t *loop, const struct log *log, const struct config *config, struct err *e)
{
	static const struct link_ops ops = {.on_up = link_up, .on_record = link_record, .on_down = link_down};
	char path[sizeof(config->runtime_dir) + 32];

	(void)e;
	r->loop = loop;
	r->log = log;
	r->config = *config;
	r->client.owner = r;
	r->client.on_answer = on_answer;
	str_copy(r->server_host, sizeof(r->server_host), getenv("KUBERNETES_SERVICE_HOST") ? getenv("KUBERNETES_SERVICE_HOST") : "");
	str_copy(r->server_port, sizeof(r->server_port), getenv("KUBERNETES_SERVICE_PORT") ? getenv("KUBERNETES_SERVICE_PORT") : "");
	brake_start(&r->brake, config->node, clock_boot_us());
	reporter_pods_configure(r);
	uv_timer_init(loop, &r->due);
	r->due.data = r;
	snprintf(path, sizeof(path), "%s/%s", config->runtime_dir, STOKER_REPORTER_SOCKET);
	connect_to_cluster(r); /* before stokerd is told anything: "off" would be taken for "there is no cluster", and it would not wait for the node object */
	link_start(&r->link, loop, path, &ops, r);
	reporter_step(r);
	return 0;
}
