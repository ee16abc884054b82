/* The node object, its two patches, the answers' meanings, kubeconfigs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/kube_answer.h"
#include "health/kube_config.h"
#include "health/kube_node.h"
#include "health/report.h"
#include "health/reporter_lane.h"
#include "health/reporter_policy.h"

#define TYPE "stoker.dev/StorageReady"
#define A    "{\"key\":\"a\",\"value\":\"1\",\"effect\":\"NoSchedule\",\"timeAdded\":\"2026-01-01T00:00:00Z\"}"
#define B    "{\"key\":\"b\",\"effect\":\"NoExecute\"}"
#define OURS "{\"key\":\"stoker.dev/unhealthy\",\"value\":\"IOErrors\",\"effect\":\"NoSchedule\"}"
#define OLD  "{\"key\":\"stoker.dev/unhealthy\",\"value\":\"SpaceExhausted\",\"effect\":\"PreferNoSchedule\"}"

static const struct report_taint wanted = {.wanted = 1, .key = "stoker.dev/unhealthy", .value = "IOErrors", .effect = "NoSchedule"};
static const struct report_taint unwanted = {.wanted = 0, .key = "stoker.dev/unhealthy"};

static struct kube_node node_with_taints(const char *taints)
{
	char text[2048];
	struct kube_node node = {0};
	struct err e = {0};

	snprintf(text, sizeof(text), "{\"kind\":\"Node\",\"spec\":{%s%s},\"status\":{\"conditions\":[]}}", *taints ? "\"taints\":" : "", taints);
	assert_int_equal(kube_node_read(&node, text, strlen(text), TYPE, KUBE_NODE_CONDITION | KUBE_NODE_TAINTS, &e), 0);
	return node;
}

static void check_json(char *got, const char *want)
{
	cJSON *a = cJSON_Parse(got), *b = cJSON_Parse(want);

	assert_non_null(b);
	if (!cJSON_Compare(a, b, 1))
		fail_msg("got %s, not %s", got, want);
	cJSON_Delete(a);
	cJSON_Delete(b);
	free(got);
}

static void test_the_taints_patch_keeps_everybody_elses(void **unused)
{
	static const struct {
		const char *before;
		const struct report_taint *taint;
		bool is_there;
		const char *test, *after;
	} row[] = {
		{"", &wanted, false, "null", "[" OURS "]"},
		{"", &unwanted, true, "null", "[]"},
		{"[]", &wanted, false, "[]", "[" OURS "]"},
		{"[" A "]", &wanted, false, "[" A "]", "[" A "," OURS "]"},
		{"[" A "," B "]", &wanted, false, "[" A "," B "]", "[" A "," B "," OURS "]"},
		{"[" OLD "," A "]", &wanted, false, "[" OLD "," A "]", "[" OURS "," A "]"},
		{"[" A "," OLD "," B "]", &wanted, false, "[" A "," OLD "," B "]", "[" A "," OURS "," B "]"},
		{"[" A "," OURS "]", &wanted, true, "[" A "," OURS "]", "[" A "," OURS "]"},
		{"[" OURS "," A "," OLD "]", &wanted, false, "[" OURS "," A "," OLD "]", "[" OURS "," A "]"}, /* two of ours: two effects */
		{"[" A "," OURS "," B "]", &unwanted, false, "[" A "," OURS "," B "]", "[" A "," B "]"},
		{"[" OURS "]", &unwanted, false, "[" OURS "]", "[]"},
		{"[" A "]", &unwanted, true, "[" A "]", "[" A "]"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char want[2048];
		struct kube_node node = node_with_taints(row[i].before);
		assert_int_equal(kube_node_has_taint(&node, row[i].taint), row[i].is_there);
		snprintf(want, sizeof(want), "[{\"op\":\"test\",\"path\":\"/spec/taints\",\"value\":%s},{\"op\":\"add\",\"path\":\"/spec/taints\",\"value\":%s}]",
			 row[i].test, row[i].after);
		check_json(kube_node_taint_patch(&node, row[i].taint), want);
		kube_node_forget(&node);
	}
}

static void test_the_taint_of_a_former_key_goes(void **unused)
{
#define FORMER "{\"key\":\"example.com/old\",\"value\":\"IOErrors\",\"effect\":\"NoSchedule\"}"
#define USUAL  "{\"key\":\"status-taint.cluster-autoscaler.kubernetes.io/stoker-unhealthy\",\"value\":\"IOErrors\",\"effect\":\"NoSchedule\"}"
	struct report_taint after = wanted, none = unwanted, elsewhere = wanted;
	static const struct {
		const char *before, *after;
		unsigned taint;
		bool is_there;
	} row[] = {
		{"[" A "," FORMER "]", "[" A "," OURS "]", 0, false},
		{"[" FORMER "," OURS "," B "]", "[" OURS "," B "]", 0, false},
		{"[" USUAL "," OURS "]", "[" OURS "]", 0, false},
		{"[" USUAL "," FORMER "," A "]", "[" A "]", 1, false},
		{"[" A "," OURS "]", "[" A "]", 2, false}, /* ours is the usual one, another is configured; that is not wanted */
		{"[" A "," FORMER "]", "[" A "," FORMER "]", 2, true}, /* no key of ours that we know of */
	};
	const struct report_taint *taints[] = {&after, &none, &elsewhere};

	(void)unused;
	strcpy(after.former_key, "example.com/old");
	strcpy(none.former_key, "example.com/old");
	elsewhere.wanted = 0;
	strcpy(elsewhere.key, "example.com/new");
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char want[2048];
		struct kube_node node = node_with_taints(row[i].before);
		assert_int_equal(kube_node_has_taint(&node, taints[row[i].taint]), row[i].is_there);
		snprintf(want, sizeof(want), "[{\"op\":\"test\",\"path\":\"/spec/taints\",\"value\":%s},{\"op\":\"add\",\"path\":\"/spec/taints\",\"value\":%s}]",
			 row[i].before, row[i].after);
		check_json(kube_node_taint_patch(&node, taints[row[i].taint]), want);
		kube_node_forget(&node);
	}
}

static void test_the_conditions_patch_and_its_times(void **unused)
{
	static const char *const text = "{\"kind\":\"Node\",\"spec\":{},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"},"
					"{\"type\":\"" TYPE "\",\"status\":\"False\",\"reason\":\"IOErrors\",\"message\":\"m\","
					"\"lastHeartbeatTime\":\"2026-11-26T08:00:00Z\",\"lastTransitionTime\":\"2026-11-26T07:00:00Z\"}]}}";
	struct report_condition c = {.type = TYPE, .status = CONDITION_FALSE, .reason = "IOErrors", .message = "m", .transition_wall_us = 1764147600000000};
	struct report wanted_report = {0};
	struct kube_node node = {0};
	struct err e = {0};

	(void)unused;
	assert_int_equal(kube_node_read(&node, text, strlen(text), TYPE, KUBE_NODE_CONDITION | KUBE_NODE_TAINTS, &e), 0);
	assert_true(node.known && node.first.there);
	wanted_report.condition = c;
	assert_true(kube_node_has_conditions(&node, &wanted_report));
	strcpy(c.message, "other");
	wanted_report.condition = c;
	assert_false(kube_node_has_conditions(&node, &wanted_report));
	/* the same status: the server's own transition time stands */
	check_json(kube_node_condition_patch(&node.first, &c, 1764154800000000),
		   "{\"status\":{\"conditions\":[{\"type\":\"" TYPE "\",\"status\":\"False\",\"reason\":\"IOErrors\",\"message\":\"other\","
		   "\"lastHeartbeatTime\":\"2025-11-26T11:00:00Z\",\"lastTransitionTime\":\"2026-11-26T07:00:00Z\"}]}}");
	c.status = CONDITION_TRUE;
	check_json(kube_node_condition_patch(&node.first, &c, 1764154800000000),
		   "{\"status\":{\"conditions\":[{\"type\":\"" TYPE "\",\"status\":\"True\",\"reason\":\"IOErrors\",\"message\":\"other\","
		   "\"lastHeartbeatTime\":\"2025-11-26T11:00:00Z\",\"lastTransitionTime\":\"2025-11-26T09:00:00Z\"}]}}");
	kube_node_forget(&node);
}

/* Both conditions go in one patch; what is not wanted any more is taken off, and what was never there is not named. */
static void test_a_second_condition_comes_and_goes(void **unused)
{
	static const char *const text = "{\"kind\":\"Node\",\"spec\":{},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"},"
					"{\"type\":\"stoker.dev/CheckpointReady\",\"status\":\"False\",\"reason\":\"CheckpointStale\",\"message\":\"m\","
					"\"lastHeartbeatTime\":\"2026-11-26T08:00:00Z\",\"lastTransitionTime\":\"2026-11-26T07:00:00Z\"}]}}";
	static const char *const ours = "{\"type\":\"" TYPE "\",\"status\":\"True\",\"reason\":\"AllProbesPassed\",\"message\":\"m\","
					"\"lastHeartbeatTime\":\"2025-11-26T11:00:00Z\",\"lastTransitionTime\":\"2025-11-26T11:00:00Z\"}";
	static const struct report_condition stale = {.type = "stoker.dev/CheckpointReady", .status = CONDITION_FALSE, .reason = "CheckpointStale", .message = "m"};
	struct report report = {.condition = {.type = TYPE, .status = CONDITION_TRUE, .reason = "AllProbesPassed", .message = "m"}};
	struct kube_node node = {0};
	struct err e = {0};
	char want[1024];

	(void)unused;
	assert_int_equal(kube_node_read(&node, text, strlen(text), TYPE, KUBE_NODE_CONDITION | KUBE_NODE_TAINTS, &e), 0);
	assert_true(kube_node_has_any_condition(&node) && !node.first.there && node.more[REPORT_CHECKPOINT].there);
	assert_false(kube_node_has_conditions(&node, &report)); /* there, and not wanted */
	snprintf(want, sizeof(want), "{\"status\":{\"conditions\":[%s,{\"$patch\":\"delete\",\"type\":\"stoker.dev/CheckpointReady\"}]}}", ours);
	check_json(kube_node_conditions_patch(&node, &report, 1764154800000000), want);
	check_json(kube_node_conditions_removal(&node, TYPE), "{\"status\":{\"conditions\":[{\"$patch\":\"delete\",\"type\":\"stoker.dev/CheckpointReady\"}]}}");
	report.more[REPORT_CHECKPOINT] = stale;
	snprintf(want, sizeof(want), "{\"status\":{\"conditions\":[%s,{\"type\":\"stoker.dev/CheckpointReady\",\"status\":\"False\",\"reason\":\"CheckpointStale\","
		 "\"message\":\"m\",\"lastHeartbeatTime\":\"2025-11-26T11:00:00Z\",\"lastTransitionTime\":\"2026-11-26T07:00:00Z\"}]}}", ours);
	check_json(kube_node_conditions_patch(&node, &report, 1764154800000000), want);
	assert_false(kube_node_has_conditions(&node, &report)); /* the first is not there yet */
	node.first = (struct kube_condition){.there = true, .condition = report.condition};
	assert_true(kube_node_has_conditions(&node, &report));
	kube_node_forget(&node);
}

static void test_answers_that_are_no_node(void **unused)
{
	static const char *const bad[] = {"", "{", "[]", "null", "{}", "{\"kind\":\"Status\"}", "{\"kind\":5}", "\"Node\"", "{\"kind\":\"Node\""};
	static const char *const odd[] = {
		"{\"kind\":\"Node\"}", "{\"kind\":\"Node\",\"spec\":5,\"status\":[]}", "{\"kind\":\"Node\",\"spec\":{\"taints\":{}},\"status\":{\"conditions\":5}}",
		"{\"kind\":\"Node\",\"spec\":{\"taints\":[5,null,{}]},\"status\":{\"conditions\":[5,{\"type\":5}]}}",
	};
	struct err e = {0};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kube_node node = {0};
		assert_int_equal(kube_node_read(&node, bad[i], strlen(bad[i]), TYPE, KUBE_NODE_CONDITION | KUBE_NODE_TAINTS, &e), -EBADMSG);
		assert_false(node.known);
	}
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct kube_node node = {0};
		assert_int_equal(kube_node_read(&node, odd[i], strlen(odd[i]), TYPE, KUBE_NODE_CONDITION | KUBE_NODE_TAINTS, &e), 0);
		assert_false(kube_node_has_any_condition(&node));
		free(kube_node_taint_patch(&node, &wanted));
		kube_node_forget(&node);
	}
}

static void test_every_answer_means_something(void **unused)
{
	static const struct {
		enum kube_lane lane;
		long status;
		uint64_t retry_after;
		enum kube_meaning want;
	} row[] = {
		{KUBE_READ, 200, 0, KUBE_DONE},		    {KUBE_TAINT, 201, 0, KUBE_DONE},	     {KUBE_READ, 0, 0, KUBE_UNREACHABLE},
		{KUBE_READ, 401, 0, KUBE_UNAUTHORIZED},	    {KUBE_TAINT, 403, 0, KUBE_FORBIDDEN},    {KUBE_READ, 404, 0, KUBE_NO_NODE},
		{KUBE_CONDITION, 409, 0, KUBE_CONFLICT},    {KUBE_TAINT, 422, 0, KUBE_CONFLICT},     {KUBE_CONDITION, 422, 0, KUBE_REFUSED},
		{KUBE_READ, 429, 5, KUBE_BUSY},		    {KUBE_READ, 503, 5, KUBE_BUSY},	     {KUBE_READ, 503, 0, KUBE_BROKEN},
		{KUBE_READ, 500, 0, KUBE_BROKEN},	    {KUBE_READ, 504, 0, KUBE_BROKEN},	     {KUBE_READ, 302, 0, KUBE_REFUSED},
		{KUBE_CONDITION, 415, 0, KUBE_REFUSED},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char words[256];
		enum kube_meaning m = kube_answer_judge(row[i].lane, row[i].status, row[i].retry_after);
		assert_int_equal(m, row[i].want);
		kube_answer_words(row[i].lane, m, row[i].status, "detail", words, sizeof(words));
		assert_non_null(strstr(words, "(detail)"));
		/* never sooner than asked for, never longer than a minute of our own, whatever the random number */
		for (unsigned failures = 1; failures < 200 && m != KUBE_DONE; failures++) {
			for (uint32_t random = 0; random < 5; random++) {
				uint64_t pause = kube_answer_pause_us(m, failures, row[i].retry_after, random * 1000000007U);
				assert_true(pause <= (row[i].retry_after ? row[i].retry_after + 1 : 60) * 1000000ULL);
				assert_true(pause >= row[i].retry_after * 1000000ULL);
			}
		}
	}
	assert_int_equal(kube_answer_retry_after("7"), 7);
	assert_int_equal(kube_answer_retry_after("99999"), 300);
	assert_int_equal(kube_answer_retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), 1);
}

static void test_an_outage_is_over_for_all_lanes_at_once(void **unused)
{
	const uint64_t s = 1000000, begin = 1000 * s;
	struct reporter_lane lanes[KUBE_LANE_MAX_] = {0};
	uint64_t now = begin;

	(void)unused;
	/* an hour without an answer, the longest pauses that the dice give */
	while (now < begin + 3600 * s) {
		assert_true(reporter_lane_note(&lanes[KUBE_TAINT], KUBE_UNREACHABLE, 0, now, UINT32_MAX));
		assert_true(lanes[KUBE_TAINT].not_before_us <= now + 15 * s);
		now = lanes[KUBE_TAINT].not_before_us > now ? lanes[KUBE_TAINT].not_before_us : now + 1;
	}
	reporter_lane_note(&lanes[KUBE_TAINT], KUBE_UNREACHABLE, 0, now, 29);
	reporter_lane_note(&lanes[KUBE_LEASES], KUBE_BROKEN, 0, now, 29);
	reporter_lane_note(&lanes[KUBE_EVENT], KUBE_FORBIDDEN, 0, now, UINT32_MAX);
	lanes[KUBE_TAINT].not_before_us = lanes[KUBE_LEASES].not_before_us = now + 10 * s;
	const uint64_t forbidden = lanes[KUBE_EVENT].not_before_us;

	/* not by silence elsewhere, not by a server that asks to wait, not right after a try */
	reporter_lanes_heard(lanes, KUBE_UNREACHABLE, now + 2 * s);
	reporter_lanes_heard(lanes, KUBE_BROKEN, now + 2 * s);
	reporter_lanes_heard(lanes, KUBE_BUSY, now + 2 * s);
	reporter_lanes_heard(lanes, KUBE_DONE, now + s / 2);
	assert_int_equal(lanes[KUBE_LEASES].not_before_us, now + 10 * s);
	reporter_lanes_heard(lanes, KUBE_FORBIDDEN, now + 2 * s);
	assert_int_equal(lanes[KUBE_TAINT].not_before_us, now + 2 * s);
	assert_int_equal(lanes[KUBE_LEASES].not_before_us, now + 2 * s);
	assert_int_equal(lanes[KUBE_EVENT].not_before_us, forbidden);

	/* a right that is missing for a moment while the server starts does not inherit the outage's count */
	reporter_lane_note(&lanes[KUBE_TAINT], KUBE_FORBIDDEN, 0, now, UINT32_MAX);
	assert_int_equal(lanes[KUBE_TAINT].failures, 1);
	assert_true(lanes[KUBE_TAINT].not_before_us <= now + 5 * s);
	/* and a conflict after it is tried at once; the sixth is not */
	lanes[KUBE_TAINT] = (struct reporter_lane){.failures = 9, .meaning = KUBE_UNREACHABLE};
	for (unsigned i = 1; i <= REPORTER_CONFLICTS_AT_ONCE; i++)
		assert_false(reporter_lane_note(&lanes[KUBE_TAINT], KUBE_CONFLICT, 0, now, 7));
	assert_true(reporter_lane_note(&lanes[KUBE_TAINT], KUBE_CONFLICT, 0, now, 7));
}

static void test_only_a_policy_says_that_there_is_a_policy(void **unused)
{
	static const struct {
		long status;
		const char *text;
		enum report_policy want;
	} row[] = {
		{200, "{\"kind\":\"Node\"}", REPORT_POLICY_MISSING},
		{403, "{\"message\":\"nodes \\\"n\\\" is forbidden: ValidatingAdmissionPolicy 'stoker-nodes' with binding 'x' denied request: metadata\"}", REPORT_POLICY_THERE},
		{422, "{\"message\":\"ValidatingAdmissionPolicy 'stoker-nodes' denied request\"}", REPORT_POLICY_THERE},
		{403, "{\"message\":\"User cannot patch resource nodes/status\"}", REPORT_POLICY_UNKNOWN},
		{403, "{\"message\":\"admission webhook denied the request\"}", REPORT_POLICY_UNKNOWN},
		{500, "ValidatingAdmissionPolicy", REPORT_POLICY_UNKNOWN},
		{429, "", REPORT_POLICY_UNKNOWN},
		{404, "", REPORT_POLICY_UNKNOWN},
		{0, "", REPORT_POLICY_UNKNOWN},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(reporter_policy_judge(row[i].status, row[i].text), row[i].want);
}

static void test_base64_is_strict(void **unused)
{
	static const struct {
		const char *text, *want; /* NULL = refused */
	} row[] = {{"", ""}, {"aGk=", "hi"}, {"aGVs\nbG8=", "hello"}, {"YWJj", "abc"}, {"aGk", NULL}, {"a===", NULL}, {"aG=k", NULL}, {"aG*=", NULL}, {"YWJjZGVmZ2hpams=", NULL}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char buffer[8];
		long n = base64_decode(row[i].text, buffer, sizeof(buffer));
		assert_int_equal(n, row[i].want ? (long)strlen(row[i].want) : -EBADMSG);
		if (row[i].want)
			assert_string_equal(buffer, row[i].want);
	}
}

#define KUBECONFIG(cluster, user)                                                                                                              \
	"apiVersion: v1\nkind: Config\ncurrent-context: c\npreferences: {}\nclusters: [{name: k, cluster: {" cluster "}}]\n"                    \
	"contexts: [{name: c, context: {cluster: k, user: u, namespace: x}}]\nusers: [{name: u, user: {" user "}}]\n"
#define SERVER "server: \"https://127.0.0.1:6443/\""

static void test_kubeconfigs(void **unused)
{
	static const struct {
		const char *text, *refused; /* a part of the error; NULL = accepted */
	} row[] = {
		{KUBECONFIG(SERVER, "token: s3cret"), NULL},
		{KUBECONFIG(SERVER ", certificate-authority: /ca.crt", "tokenFile: /token"), NULL},
		{KUBECONFIG(SERVER ", certificate-authority-data: aGk=", "client-certificate-data: aGk=, client-key-data: aGk="), NULL},
		{KUBECONFIG(SERVER ", insecure-skip-tls-verify: false", "token: s3cret, unknown: {a: [b]}"), NULL},
		{"{\"current-context\":\"c\",\"clusters\":[{\"name\":\"k\",\"cluster\":{" "\"server\":\"https://a\"}}],\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"t\"}}],"
		 "\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"k\",\"user\":\"u\"}}]}", NULL},
		{"", "no kubeconfig"},
		{"5", "no kubeconfig"},
		{"a: [", "no kubeconfig"},
		{"kind: Config\n", "current-context"},
		{"current-context: x\n", "no such context"},
		{"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n", "cluster is not in clusters"},
		{"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {" SERVER "}}]\n", "user is not in users"},
		{KUBECONFIG("server: \"http://a\"", "token: s3cret"), "https://"},
		{KUBECONFIG("certificate-authority: /x", "token: s3cret"), "https://"},
		{KUBECONFIG(SERVER ", insecure-skip-tls-verify: true", "token: s3cret"), "insecure-skip-tls-verify"},
		{KUBECONFIG(SERVER ", certificate-authority: ca.crt", "token: s3cret"), "absolute path"},
		{KUBECONFIG(SERVER ", certificate-authority-data: '***'", "token: s3cret"), "base64"},
		{KUBECONFIG(SERVER, "exec: {command: s3cret}"), "exec"},
		{KUBECONFIG(SERVER, "username: s3cret, password: s3cret"), "passwords"},
		{KUBECONFIG(SERVER, "client-certificate: /a"), "one without the other"},
		{KUBECONFIG(SERVER, "tokenFile: token"), "absolute path"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct kube_config c = {0};
		struct err e = {0};
		int r = kube_config_parse(row[i].text, strlen(row[i].text), &c, &e);
		if ((r == 0) != !row[i].refused)
			fail_msg("%s: %s", row[i].text, e.text);
		if (row[i].refused && !strstr(e.text, row[i].refused))
			fail_msg("'%s' says nothing of '%s'", e.text, row[i].refused);
		assert_null(strstr(e.text, "s3cret"));
		if (r == 0)
			assert_int_not_equal(c.server[strlen(c.server) - 1], '/');
		kube_config_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_taints_patch_keeps_everybody_elses),
		cmocka_unit_test(test_the_taint_of_a_former_key_goes),
		cmocka_unit_test(test_the_conditions_patch_and_its_times),
		cmocka_unit_test(test_a_second_condition_comes_and_goes),
		cmocka_unit_test(test_answers_that_are_no_node),
		cmocka_unit_test(test_every_answer_means_something),
		cmocka_unit_test(test_an_outage_is_over_for_all_lanes_at_once),
		cmocka_unit_test(test_only_a_policy_says_that_there_is_a_policy),
		cmocka_unit_test(test_base64_is_strict),
		cmocka_unit_test(test_kubeconfigs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
