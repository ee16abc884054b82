/* What the API server says of pods: how one came to its end, and which one is a driver. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/driver_clue.h"
#include "health/kube_pod.h"

#define UID	 "5ab0f1c2-1111-2222-3333-444455556666"
#define DRIVER	 "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
#define MAIN	 "spark-kubernetes-executor"
#define NOON_US	 1795694400000000ULL /* 2026-11-26T12:00:00Z */
#define POD(meta, status) "{\"kind\":\"Pod\",\"metadata\":{\"uid\":\"" UID "\"" meta "},\"status\":{" status "}}"
#define ENDED(time)	  "\"containerStatuses\":[{\"name\":\"" MAIN "\",\"state\":{\"terminated\":{\"exitCode\":137,\"finishedAt\":\"" time "\"}}}]"
#define RUNNING		  "\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"" MAIN "\",\"state\":{\"running\":{}}}]"
#define DELETED		  ",\"deletionTimestamp\":\"2026-11-26T12:00:30Z\",\"deletionGracePeriodSeconds\":30"
#define TARGET(status, why) "\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"No\"},{\"type\":\"DisruptionTarget\",\"status\":\"" status "\",\"reason\":\"" why "\",\"message\":\"m\"}]"

static struct redactor *redactor;

static int read_end(const char *text, size_t length, struct pod_end *end)
{
	struct err e = {0};

	return kube_pod_end_read(text, length, UID, MAIN, redactor, end, &e);
}

static void test_how_a_pod_came_to_its_end(void **unused)
{
	static const struct {
		const char *text;
		int rc;
		struct pod_end want;
	} row[] = {
		{POD("", RUNNING), 0, {0}},
		{POD("", "\"phase\":\"Failed\"," ENDED("2026-11-26T12:00:05Z")), 0, {.knows = 1, .over = 1}},
		{POD("", "\"phase\":\"Succeeded\""), 0, {.over = 1}},
		{POD("", "\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"Usage of EmptyDir volume \\\"d\\\" exceeds the limit \\\"1Gi\\\". \"," TARGET("True", "TerminationByKubelet")), 0,
		 {.over = 1, .reason = "Evicted", .disruption = "TerminationByKubelet", .message = "Usage of EmptyDir volume \"d\" exceeds the limit \"1Gi\". "}},
		{POD(DELETED, RUNNING "," TARGET("True", "PreemptionByScheduler")), 0,
		 {.kill_wall_us = NOON_US + 30000000, .deleted_first = 1, .disruption = "PreemptionByScheduler", .message = "m"}},
		{POD("", RUNNING "," TARGET("False", "PreemptionByScheduler")), 0, {0}}, /* it was to go, and then it was not */
		/* asked for at 12:00:00: before an end at 12:00:01, not surely before one in the same second, after one before */
		{POD(DELETED, ENDED("2026-11-26T12:00:01Z")), 0, {.knows = 1, .kill_wall_us = NOON_US + 30000000, .deleted_first = 1}},
		{POD(DELETED, ENDED("2026-11-26T12:00:00Z")), 0, {.knows = 1, .kill_wall_us = NOON_US + 30000000}},
		{POD(DELETED, ENDED("2026-11-26T11:59:58Z")), 0, {.knows = 1, .kill_wall_us = NOON_US + 30000000}},
		{POD(DELETED, ENDED("never")), 0, {.knows = 1, .kill_wall_us = NOON_US + 30000000}},
		{POD(DELETED, "\"phase\":\"Failed\""), 0, {.over = 1, .kill_wall_us = NOON_US + 30000000}},
		/* started again since: its end before is what is asked for */
		{POD(DELETED, "\"containerStatuses\":[{\"name\":\"" MAIN "\",\"state\":{\"running\":{}},\"lastState\":{\"terminated\":{\"finishedAt\":\"2026-11-26T11:00:00Z\"}}}]"), 0,
		 {.knows = 1, .kill_wall_us = NOON_US + 30000000}},
		{POD(DELETED, "\"containerStatuses\":[{\"name\":\"other\",\"state\":{\"terminated\":{\"finishedAt\":\"2026-11-26T11:00:00Z\"}}}]"), 0,
		 {.kill_wall_us = NOON_US + 30000000, .deleted_first = 1}},
		/* what is no word of Kubernetes is none, what is secret is none of ours, and a terminal is not written to */
		{POD("", "\"reason\":\"Evicted; DROP\",\"message\":\"\\u001b[2Jpassword=hunter2 \\u202e\""), 0, {.message = "\\x1b[2Jpassword=*********(redacted) \xe2\x80\xae"}},
		{POD("", "\"reason\":\"EvictedEvictedEvictedEvictedEvicted\""), 0, {0}},
		{POD("", "\"reason\":[1],\"message\":{},\"conditions\":7,\"containerStatuses\":\"x\",\"phase\":null"), 0, {0}},
		{POD(",\"deletionTimestamp\":\"yesterday\",\"deletionGracePeriodSeconds\":-1e300", ""), 0, {0}},
		{POD(",\"deletionTimestamp\":\"1970-01-01T00:00:01Z\",\"deletionGracePeriodSeconds\":1e300", ENDED("2026-11-26T12:00:05Z")), 0, {.knows = 1, .kill_wall_us = 1000000, .deleted_first = 1}},
		{POD(",\"deletionTimestamp\":\"1970-01-01T00:00:01Z\",\"deletionGracePeriodSeconds\":2000000", ENDED("2026-11-26T12:00:05Z")), 0, {.knows = 1, .kill_wall_us = 1000000, .deleted_first = 1}},
		{"{\"kind\":\"Pod\",\"metadata\":{\"uid\":\"" DRIVER "\"}}", -ESRCH, {0}},
		{"{\"kind\":\"Pod\"}", -ESRCH, {0}},
		{"{\"kind\":\"Status\"}", -EBADMSG, {0}},
		{"", -EBADMSG, {0}},
		{"[[[[", -EBADMSG, {0}},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct pod_end end = {0};
		int rc = read_end(row[i].text, strlen(row[i].text), &end);
		if (rc != row[i].rc || end.knows != row[i].want.knows || end.over != row[i].want.over || end.deleted_first != row[i].want.deleted_first || end.kill_wall_us != row[i].want.kill_wall_us ||
		    strcmp(end.reason, row[i].want.reason) != 0 || strcmp(end.disruption, row[i].want.disruption) != 0 || strcmp(end.message, row[i].want.message) != 0)
			fail_msg("row %zu: %d knows %u over %u first %u kill %llu '%s' '%s' '%s'", i, rc, end.knows, end.over, end.deleted_first, (unsigned long long)end.kill_wall_us, end.reason,
				 end.disruption, end.message);
	}
}

/* Cut anywhere, or with any byte another, it is read within its bounds, or not at all. */
static void test_broken_pods(void **unused)
{
	static const char whole[] = POD(DELETED, "\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"m\"," TARGET("True", "TerminationByKubelet") "," ENDED("2026-11-26T12:00:05Z"));
	struct pod_end end;

	(void)unused;
	for (size_t n = 0; n < sizeof(whole); n++) {
		scoped(scoped_free) char *copy = malloc(n ? n : 1);
		memcpy(copy, whole, n);
		(void)read_end(copy, n, &end);
		for (unsigned byte = 0; n > 0 && byte < 256; byte += 51) {
			copy[n - 1] = (char)byte;
			if (read_end(copy, n, &end) == 0)
				assert_true(str_is_ended(end.reason, sizeof(end.reason)) && str_is_ended(end.message, sizeof(end.message)));
		}
	}
}

/* --- drivers --- */

static struct driver_clue clue_of(const char *url, const char *app, const char *connect)
{
	struct executor x = {.role = EXECUTOR_ROLE_EXECUTOR, .created_wall_us = NOON_US};
	struct driver_clue clue;

	strcpy(x.name_space, "team-a");
	strcpy(x.pod, "etl-exec-3");
	strcpy(x.pod_uid, UID);
	str_copy(x.driver_url, sizeof(x.driver_url), url);
	str_copy(x.app_id, sizeof(x.app_id), app);
	str_copy(x.connect_name, sizeof(x.connect_name), connect);
	assert_true(driver_clue_of(&x, 0, &clue));
	return clue;
}

#define SPARK "spark://CoarseGrainedScheduler@"
#define LISTED "&limit=3"
#define BY_IP(ip) "team-a/pods?fieldSelector=status.podIP%3D" ip "%2Cstatus.phase%3DRunning%2Cspec.hostNetwork%3Dfalse" LISTED

static void test_how_a_driver_is_asked_for(void **unused)
{
	static const struct {
		const char *url, *app, *connect, *address, *label, *name;
	} row[] = {
		{SPARK "10.1.2.3:33475", "spark-application-1", "", BY_IP("10.1.2.3"), "", ""},
		{SPARK "[fd00:0:0:0:0:0:0:7]:7078", "spark-1", "", BY_IP("fd00::7"), "", ""},
		{SPARK "[fd00::7]:7078", "spark-1", "", BY_IP("fd00::7"), "", ""},
		{SPARK "127.0.0.1:7078", "spark-1", "", "", "", ""},
		{SPARK "[0:0:0:0:0:0:0:1]:7078", "spark-1", "", "", "", ""},
		{SPARK "0.0.0.0:7078", "spark-1", "", "", "", ""},
		{SPARK "pi-driver-svc.team-a.svc:7078", "spark-1", "", "", "team-a/pods?labelSelector=spark-app-selector%3Dspark-1%2Cspark-role%3Ddriver" LISTED, ""},
		{SPARK "pi-driver-svc.team-a.svc:7078", "", "", "", "", ""},
		{SPARK "lake-server.team-a.svc:7078", "spark-1", "lake", "", "team-a/pods?labelSelector=sparkoperator.k8s.io%2Fconnect-name%3Dlake%2Cspark-role%3Dconnect-server" LISTED, ""},
		{SPARK "connect-0.connect.team-a.svc.cluster.local:7078", "spark-1", "", "", "team-a/pods?labelSelector=spark-app-selector%3Dspark-1%2Cspark-role%3Ddriver" LISTED,
		 "team-a/pods?fieldSelector=metadata.name%3Dconnect-0" LISTED},
		{SPARK "connect-0.connect.team-b.svc:7078", "", "", "", "", ""}, /* another namespace's */
		{SPARK "a.b:1", "", "", "", "", ""},
		{SPARK "a..team-a.svc:1", "", "", "", "", "team-a/pods?fieldSelector=metadata.name%3Da" LISTED},
		{SPARK "..team-a.svc:1", "", "", "", "", ""},
		{SPARK "10.1.2.3&limit=0:7078", "", "", "", "", ""}, /* nothing of a URL's own goes into one */
		{SPARK "10.1.2.3%2C:7078", "", "", "", "", ""},
		{SPARK "UPPER.team-a.svc:7078", "", "", "", "", ""},
		{SPARK "[]:1", "", "", "", "", ""},
		{SPARK "[:1", "", "", "", "", ""},
		{SPARK ":1", "", "", "", "", ""},
		{"spark", "", "", "", "", ""},
		{"", "", "", "", "", ""},
	};
	char target[1024], small[16];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		const struct driver_clue clue = clue_of(row[i].url, row[i].app, row[i].connect);
		const char *const want[DRIVER_WAY_MAX_] = {"team-a/pods/etl-exec-3", row[i].address, row[i].label, row[i].name};
		for (unsigned way = 0; way < DRIVER_WAY_MAX_; way++) {
			bool has = driver_clue_target(&clue, (enum driver_way)way, target, sizeof(target));
			if (has != (*want[way] != '\0') || (has && strcmp(target, want[way]) != 0))
				fail_msg("row %zu, way %u: '%s', wanted '%s'", i, way, has ? target : "", want[way]);
			assert_false(driver_clue_target(&clue, (enum driver_way)way, small, sizeof(small)));
		}
	}
}

static void test_a_clue_that_lies_is_seen(void **unused)
{
	const struct driver_clue sound = clue_of(SPARK "10.1.2.3:33475", "spark-1", "lake");
	struct driver_clue c;

	(void)unused;
	assert_true(driver_clue_is_sound(&sound));
#define LIE(change) do { c = sound; change; assert_false(driver_clue_is_sound(&c)); } while (0)
	LIE(strcpy(c.executor.name_space, "../kube-system"));
	LIE(strcpy(c.executor.name, "a/b"));
	LIE(strcpy(c.host, "10.1.2.3&x"));
	LIE(strcpy(c.app_id, "a%2Cb"));
	LIE(strcpy(c.connect_name, "a,b"));
	LIE(memset(c.host, 'a', sizeof(c.host)));
	LIE(memset(c.app_id, 'a', sizeof(c.app_id)));
	/* the same driver for each of its executors, another one for another application */
	c = sound;
	strcpy(c.executor.name, "etl-exec-4");
	assert_true(driver_clue_key(&c) == driver_clue_key(&sound));
	strcpy(c.app_id, "spark-2");
	assert_false(driver_clue_key(&c) == driver_clue_key(&sound));
}

#define META(more)	"{\"metadata\":{\"name\":\"jupyter-0\",\"uid\":\"" DRIVER "\",\"creationTimestamp\":\"2026-11-26T11:00:00Z\"" more "}}"
#define LIST(items)	"{\"kind\":\"PartialObjectMetadataList\",\"metadata\":{},\"items\":[" items "]}"
#define ITSELF		"{\"metadata\":{\"name\":\"etl-exec-3\",\"uid\":\"" UID "\",\"creationTimestamp\":\"2026-11-26T11:00:00Z\"}}"
#define SIBLING		"{\"metadata\":{\"name\":\"etl-exec-4\",\"uid\":\"1234\",\"creationTimestamp\":\"2026-11-26T11:00:00Z\",\"labels\":{\"spark-role\":\"executor\"}}}"
#define LATER		"{\"metadata\":{\"name\":\"other\",\"uid\":\"1234\",\"creationTimestamp\":\"2026-11-26T12:00:01Z\"}}"
#define OWNED(kind, name) "{\"kind\":\"PartialObjectMetadata\",\"metadata\":{\"uid\":\"" UID "\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"" kind "\",\"name\":\"" name "\",\"uid\":\"" DRIVER "\"}]}}"

static void test_a_driver_is_found_or_not(void **unused)
{
	static const struct {
		enum driver_way way;
		const char *text;
		int want; /* 1 found, 0 none, -1 no answer */
	} row[] = {
		{DRIVER_BY_OWNER, OWNED("Pod", "jupyter-0"), 1},
		{DRIVER_BY_OWNER, OWNED("StatefulSet", "jupyter-0"), 0},
		{DRIVER_BY_OWNER, OWNED("Pod", "../x"), 0},
		{DRIVER_BY_OWNER, OWNED("Pod", ""), 0},
		{DRIVER_BY_OWNER, "{\"kind\":\"PartialObjectMetadata\",\"metadata\":{\"uid\":\"other\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"x\",\"uid\":\"1\"}]}}", 0},
		{DRIVER_BY_OWNER, LIST(META("")), -1},
		{DRIVER_BY_ADDRESS, LIST(META("")), 1},
		{DRIVER_BY_ADDRESS, LIST(ITSELF "," META("") "," SIBLING), 1},
		{DRIVER_BY_ADDRESS, LIST(META("") "," META("")), 0},
		{DRIVER_BY_ADDRESS, LIST(LATER), 0}, /* it got the address of a driver that is gone */
		{DRIVER_BY_ADDRESS, LIST(META("") "," LATER), 1},
		{DRIVER_BY_ADDRESS, LIST("{\"metadata\":{\"name\":\"a\",\"uid\":\"1\"}}"), 0},
		{DRIVER_BY_ADDRESS, LIST(ITSELF), 0},
		{DRIVER_BY_ADDRESS, LIST(""), 0},
		{DRIVER_BY_ADDRESS, "{\"kind\":\"PartialObjectMetadataList\",\"metadata\":{\"continue\":\"x\"},\"items\":[" META("") "]}", 0},
		{DRIVER_BY_ADDRESS, "{\"kind\":\"PodList\",\"items\":[" META("") "]}", -1},
		{DRIVER_BY_ADDRESS, "{\"kind\":\"PartialObjectMetadataList\",\"items\":7}", 0},
		{DRIVER_BY_ADDRESS, LIST("7,null,[],\"x\",{\"metadata\":3}"), 0},
		{DRIVER_BY_ADDRESS, "", -1},
		{DRIVER_BY_LABEL, LIST(META(",\"labels\":{\"spark-role\":\"driver\"}")), 1},
		{DRIVER_BY_LABEL, LIST(SIBLING), 0},
		{DRIVER_BY_NAME, LIST(META(",\"labels\":{\"statefulset.kubernetes.io/pod-name\":\"jupyter-0\"}")), 1},
		{DRIVER_BY_NAME, LIST(META("")), 0},
	};
	const struct driver_clue clue = clue_of(SPARK "10.1.2.3:33475", "spark-1", "");

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct event_pod pod = {0};
		struct err e = {0};
		int got = driver_clue_read(&clue, row[i].way, row[i].text, strlen(row[i].text), &pod, &e);
		if ((got < 0 ? -1 : got) != row[i].want)
			fail_msg("row %zu: %d %s", i, got, e.text);
		if (got > 0)
			assert_true(strcmp(pod.name, "jupyter-0") == 0 && strcmp(pod.uid, DRIVER) == 0 && strcmp(pod.name_space, "team-a") == 0);
		else
			assert_true(!*pod.name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_a_pod_came_to_its_end), cmocka_unit_test(test_broken_pods),		 cmocka_unit_test(test_how_a_driver_is_asked_for),
		cmocka_unit_test(test_a_clue_that_lies_is_seen),  cmocka_unit_test(test_a_driver_is_found_or_not),
	};
	struct err e = {0};

	redactor = redactor_new(REDACT_REGEX, &e);
	int failed = redactor ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	redactor = redactor_free(redactor);
	return failed;
}
