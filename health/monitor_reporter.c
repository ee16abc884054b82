#include "base/scoped.h"
#include "health/kube_others.h"
#include "health/monitor.h"

static void say_policy(struct monitor *m, uint32_t policy)
{
	if (policy == REPORT_POLICY_THERE)
		monitor_input(m, "policy", "ok", "the API server refuses what is not for this agent: a dry run of a label was refused");
	else if (policy == REPORT_POLICY_MISSING)
		monitor_input(m, "policy", "degraded", "no admission policy limits this agent's token: the API server would have let it change a label (a dry run, nothing was changed)");
}

/* Not by our own configuration: the reporter may have read the new one before we did, and does not say it twice. */
static void say_pods(struct monitor *m, const struct report_state *state)
{
	static const char *const missing[] = {
		[REPORT_PODS_MISSING] = "report.pods is on, and the right to get and list pods is missing",
		[REPORT_PODS_GET_ONLY] = "report.pods is on, and the right to list pods is missing: a driver on another node is found only if it owns its executors",
		[REPORT_PODS_LIST_ONLY] = "report.pods is on, and the right to get pods is missing: who wanted an executor to go is not asked",
	};
	const uint32_t pods = state->pods;

	if (pods == REPORT_PODS_THERE)
		monitor_input(m, "pods", "ok", "the API server is asked how executors came to their end, and for drivers on other nodes");
	else if (pods < ARRAY_SIZE(missing) && missing[pods])
		monitor_input(m, "pods", "degraded", missing[pods]);
	else if (pods == REPORT_PODS_OFF && (state->connected || state->off) && m->pods_said)
		monitor_input(m, "pods", "off", "report.pods is off");
	m->pods_said = m->pods_said || (pods != REPORT_PODS_OFF && pods != REPORT_PODS_UNKNOWN);
}

/* The probes are quicker than the API server: what they have made ready while nobody has heard of it is judged anew. */
static void be_cautious(struct monitor *m)
{
	m->cautious = true;
	for (uint32_t i = 0; i < m->watch_count; i++)
		m->cautious = m->cautious && !verdict_is_bad(&m->watch[i].verdict);
	if (m->cautious)
		m->report.sequence = 0;
}

void monitor_reporter(struct monitor *m, const struct report_state *state)
{
	bool first = !m->reporter.node_known && !m->reporter.off;

	/* Another reporter counts from nothing; ours goes on. */
	m->agent.report_writes += state->writes >= m->reporter.writes ? state->writes - m->reporter.writes : state->writes;
	if (state->last_write_wall_us)
		m->agent.last_write_wall_us = state->last_write_wall_us;
	m->reporter = *state;
	if (first && state->has_condition && state->condition.status == CONDITION_FALSE && !m->told)
		be_cautious(m);
	monitor_input(m, "reporter", state->off ? "off" : state->connected && !state->degraded ? "ok" : "degraded", state->detail);
	if (state->others_seen || m->others_said) {
		char words[256];
		bool against = kube_others_judge(state->others_seen, state->others_bad, m->report.condition.status, words, sizeof(words));
		m->others_said = true;
		monitor_input(m, "others", against ? "degraded" : "ok", words);
	}
	say_policy(m, state->policy);
	say_pods(m, state);
	m->ops->changed(m);
}
