/* The health of a node as JSON: the contract, back as it was, and whatever is wrong with it. */
#include "tests/unit/health_make.h"

static void test_json_has_the_fields_of_the_contract_in_their_order(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	scoped(scoped_free) char *text = NULL;

	(void)unused;
	fill_ugly(h);
	health_report(h, c, &h->report);
	h->report.condition.transition_wall_us = AT(1);
	strcpy(h->report.condition.message, "words");
	assert_int_equal(health_to_json(h, &text, NULL), 0);
	assert_string_equal(
		text,
		"{\"apiVersion\":\"stoker.dev/v1alpha1\",\"kind\":\"NodeHealth\",\"node\":\"node-1\",\"time\":\"2026-11-26T08:17:00.000005Z\","
		"\"status\":\"Unhealthy\",\"conditions\":[{\"type\":\"stoker.dev/StorageReady\",\"status\":\"False\",\"reason\":\"ReadOnlyFilesystem\","
		"\"message\":\"words\",\"lastTransitionTime\":\"2026-11-26T08:15:01Z\"}],"
		"\"taint\":{\"key\":\"stoker.dev/unhealthy\",\"value\":\"ReadOnlyFilesystem\",\"effect\":\"NoSchedule\",\"held\":true,\"why\":\"no cluster\",\"heldBy\":\"person\"},"
		"\"agent\":{\"startTime\":\"2026-11-26T08:15:00.000000Z\",\"version\":\"0.1.0\",\"kernelLogGaps\":1,\"kernelLogRecordsLost\":2,\"reportWrites\":3,"
		"\"lastReportTime\":\"2026-11-26T08:15:04.000000Z\",\"abandonedProbes\":1,\"bootId\":\"b0071d\"},"
		"\"nri\":{\"live\":true,\"runtime\":\"containerd\",\"runtimeVersion\":\"v2.3.4\",\"nriVersion\":\"0.12.0\",\"exitCodes\":true,\"oomScoreAdj\":true,"
		"\"unified\":false,\"requests\":1,\"late\":2,\"refused\":3,\"adjusted\":4,\"unverified\":6,\"reconnects\":5},"
		"\"volumes\":{\"registered\":true,\"count\":1,\"sizeBytes\":2,\"usedBytes\":3,\"bounded\":4,\"emptied\":5,\"refused\":6,"
		"\"publishCalls\":7,\"unpublishCalls\":8,\"statsCalls\":9,\"failedCalls\":10},"
		"\"executors\":{\"running\":{\"executor\":2,\"driver\":0,\"client-driver\":0,\"connect-server\":0,\"standalone-master\":0,\"standalone-worker\":0},"
		"\"deaths\":[{\"cause\":\"heap\",\"namespace\":\"team-a\",\"count\":2}]},"
		"\"podStorage\":null,\"filesystems\":[{\"mountPoint\":\"/data\",\"source\":\"/dev/loop0\",\"fsType\":\"ext4\",\"device\":\"7:0\","
		"\"roles\":[\"scratch\",\"kubelet\"],\"state\":\"bad\",\"reason\":\"ReadOnlyFilesystem\","
		"\"message\":\"read-only: making a file failed with EROFS\",\"since\":\"2026-11-26T08:15:00.000000Z\","
		"\"lastProbe\":{\"time\":\"2026-11-26T08:16:59.000000Z\",\"durationMicros\":1340,\"errno\":30},\"sizeBytes\":64000000,\"availableBytes\":16000000,\"inodes\":2000,\"availableInodes\":3,\"spaceFullInSeconds\":{\"low\":600,\"high\":930},\"inodesFullInSeconds\":null,\"probes\":{\"count\":3,\"good\":1,\"failed\":2,\"unclear\":0,\"totalMicros\":5000,\"durations\":[1,0,0,0,2,0,0,0]},\"kernelErrors\":{\"count\":2,\"time\":\"2026-11-26T08:16:59.000000Z\"},\"path\":\"/data\",\"mounted\":true,\"origin\":\"configured\",\"ignored\":false},"
		"{\"mountPoint\":\"/a b\\\\n\\\\tc\\\\\\\\n\\\\xff\xc3\xa9\\\\x1b[31m\",\"source\":\"/dev/loop1\",\"fsType\":\"ext4\",\"device\":\"7:1\","
		"\"roles\":[\"scratch\"],\"state\":\"unknown\",\"reason\":\"WatchPathMissing\",\"message\":\"the path does not exist (yet)\","
		"\"since\":\"2026-11-26T08:15:00.123456Z\",\"lastProbe\":null,\"sizeBytes\":0,\"availableBytes\":0,\"inodes\":0,\"availableInodes\":0,\"spaceFullInSeconds\":null,\"inodesFullInSeconds\":null,\"probes\":null,\"kernelErrors\":null,\"path\":\"/a b\\\\n\\\\tc\\\\\\\\n\\\\xff\xc3\xa9\\\\x1b[31m\",\"mounted\":false,\"origin\":\"pattern\",\"ignored\":true}],"
		"\"inputs\":{\"kmsg\":{\"state\":\"missing\",\"detail\":\"no \\\"broker\\\"\\\\x0a\",\"since\":\"2026-11-26T08:15:03.000000Z\"}}}");
}

static void test_json_comes_back_as_it_was(void **unused)
{
	scoped(scoped_free) struct health *h = new_health(), *back = calloc(1, sizeof(*back));
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	scoped(scoped_free) char *text = NULL;
	struct err e = {0};

	(void)unused;
	assert_non_null(back);
	fill_ugly(h);
	h->checkpoint_count = 2;
	strcpy(h->checkpoints[0].name, "team"); /* one by one: what lies between the members is compared, too */
	strcpy(h->checkpoints[0].source, "nas:/a\tb");
	strcpy(h->checkpoints[0].message, "gone");
	h->checkpoints[0].state = CHECKPOINT_STALE;
	h->checkpoints[0].mounted = 1;
	h->checkpoints[0].since_wall_us = AT(1);
	strcpy(h->checkpoints[1].name, "other");
	health_report(h, c, &h->report);
	h->report.condition.transition_wall_us = AT(1);
	assert_string_equal(h->report.more[REPORT_CHECKPOINT].reason, "CheckpointStale");
	assert_int_equal(health_to_json(h, &text, &e), 0);
	memset(back, 0xa5, sizeof(*back));
	assert_int_equal(health_from_json(text, strlen(text), back, &e), 0);
	assert_memory_equal(h, back, sizeof(*h));

	/* The largest there can be is read back too, and within the bound. */
	for (h->filesystem_count = 0; h->filesystem_count < CONFIG_WATCH_MAX;) {
		struct health_filesystem *f = add(h, "/", VERDICT_BAD, "ReadOnlyFilesystem", "");
		memset(f->mount_point, 0xff, sizeof(f->mount_point) - 1);
		memset(f->path, '\\', sizeof(f->path) - 1);
		memset(f->message, '"', sizeof(f->message) - 1);
	}
	free(text);
	text = NULL;
	assert_int_equal(health_to_json(h, &text, &e), 0);
	assert_true(strlen(text) <= HEALTH_JSON_MAX_BYTES);
	assert_int_equal(health_from_json(text, strlen(text), back, &e), 0);
	assert_memory_equal(h, back, sizeof(*h));
}

static void test_json_that_is_wrong_is_refused_by_name(void **unused)
{
#define HEAD "{\"apiVersion\":\"stoker.dev/v1alpha1\",\"kind\":\"NodeHealth\""
	static const struct {
		const char *text, *words;
	} row[] = {
		{"", "no JSON"},
		{"{", "no JSON"},
		{"[]", "must be a JSON object"},
		{"null", "must be a JSON object"},
		{HEAD "} x", "more follows"},
		{"{}", "apiVersion: must be 'stoker.dev/v1alpha1'"},
		{"{\"apiVersion\":\"stoker.dev/v2\",\"kind\":\"NodeHealth\"}", "apiVersion: must be"},
		{"{\"apiVersion\":\"stoker.dev/v1alpha1\",\"kind\":\"Pod\"}", "kind: must be 'NodeHealth'"},
		{HEAD ",\"node\":7}", "node: must be a string"},
		{HEAD ",\"time\":\"yesterday\"}", "time: must be a time"},
		{HEAD ",\"time\":17}", "time: must be a time"},
		{HEAD ",\"executors\":[]}", "executors: must be an object or null"},
		{HEAD ",\"executors\":{\"running\":{\"driver\":-1}}}", "executors: driver: must be a number from 0"},
		{HEAD ",\"executors\":{\"deaths\":[{\"cause\":7}]}}", "executors.deaths[]: cause: must be a short string"},
		{HEAD ",\"executors\":{\"deaths\":{}}}", "executors.deaths: must be an array"},
		{HEAD ",\"status\":\"Fine\"}", "status: not a known word"},
		{HEAD ",\"status\":1}", "status: must be a string"},
		{HEAD ",\"conditions\":{}}", "conditions: must be an array"},
		{HEAD ",\"conditions\":[1]}", "conditions: must be an array of objects"},
		{HEAD ",\"conditions\":[{\"status\":\"Maybe\"}]}", "conditions[].status: not a known word"},
		{HEAD ",\"taint\":[]}", "taint: must be an object or null"},
		{HEAD ",\"taint\":{\"held\":1}}", "taint.held: must be true or false"},
		{HEAD ",\"filesystems\":{}}", "filesystems: must be an array"},
		{HEAD ",\"filesystems\":[[]]}", "filesystems: must be an array of objects"},
		{HEAD ",\"filesystems\":[{},{\"state\":\"sick\"}]}", "filesystems[1].state: not a known word"},
		{HEAD ",\"filesystems\":[{\"lastProbe\":7}]}", "filesystems[0].lastProbe: must be an object or null"},
		{HEAD ",\"filesystems\":[{\"lastProbe\":{\"durationMicros\":-1}}]}", "filesystems[0].lastProbe.durationMicros: must be a whole number"},
		{HEAD ",\"filesystems\":[{\"lastProbe\":{\"durationMicros\":1e300}}]}", "durationMicros: must be a whole number"},
		{HEAD ",\"filesystems\":[{\"lastProbe\":{\"durationMicros\":1e999}}]}", "durationMicros: must be a whole number"},
		{HEAD ",\"filesystems\":[{\"lastProbe\":{\"errno\":1.5}}]}", "errno: must be a whole number"},
		{HEAD ",\"filesystems\":[{\"lastProbe\":{\"errno\":\"EIO\"}}]}", "errno: must be a number"},
		{HEAD ",\"filesystems\":[{\"roles\":\"a\"}]}", "filesystems[0].roles: must be an array"},
		{HEAD ",\"filesystems\":[{\"roles\":[1]}]}", "filesystems[0].roles: must be a string"},
		{HEAD ",\"filesystems\":[{\"roles\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}]}", "roles: too many"},
		{HEAD ",\"filesystems\":[{\"device\":\"123456789012345678901234\"}]}", "filesystems[0].device: longer than 23 bytes"},
		{HEAD ",\"filesystems\":[{\"mounted\":\"yes\"}]}", "mounted: must be true or false"},
		{HEAD ",\"inputs\":[]}", "inputs: must be an object"},
		{HEAD ",\"inputs\":{\"kmsg\":1}}", "inputs.kmsg: must be an object"},
		{HEAD ",\"inputs\":{\"kmsg\":{\"state\":1}}}", "inputs.kmsg.state: must be a string"},
		{HEAD ",\"inputs\":{\"123456789012345678901234\":{}}}", "inputs: a name is too long"},
		{HEAD ",\"inputs\":{\"1\":{},\"2\":{},\"3\":{},\"4\":{},\"5\":{},\"6\":{},\"7\":{},\"8\":{},\"9\":{},\"a\":{},\"b\":{},\"c\":{},\"d\":{},\"e\":{},\"f\":{},\"g\":{},\"h\":{},\"i\":{},\"j\":{},\"k\":{},\"l\":{},\"m\":{},\"n\":{},\"o\":{},\"p\":{}}}", "inputs: too many"},
	};
	scoped(scoped_free) struct health *h = calloc(1, sizeof(*h));

	(void)unused;
	assert_non_null(h);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct err e = {0};
		if (health_from_json(row[i].text, strlen(row[i].text), h, &e) != -EBADMSG || !strstr(e.text, row[i].words))
			fail_msg("row %zu: '%s', not '%s'", i, e.text, row[i].words);
		assert_string_equal(h->node, "");
	}
}

static void test_json_that_is_too_much_is_refused(void **unused)
{
	scoped(scoped_free) struct health *h = calloc(1, sizeof(*h));
	scoped(scoped_free) char *long_text = malloc(HEALTH_JSON_MAX_BYTES + 1);
	struct err e = {0};

	(void)unused;
	assert_true(h && long_text);
	memset(long_text, ' ', HEALTH_JSON_MAX_BYTES + 1);
	assert_int_equal(health_from_json(long_text, HEALTH_JSON_MAX_BYTES + 1, h, &e), -EMSGSIZE);
	memset(long_text, '[', HEALTH_JSON_MAX_BYTES);
	assert_int_equal(health_from_json(long_text, HEALTH_JSON_MAX_BYTES, h, &e), -EBADMSG);
}

/* What is missing is nothing, what is unknown is passed over, twins: the first. */
static void test_json_of_another_version_is_read(void **unused)
{
	static const char good[] = HEAD ",\"new\":[{}],\"node\":\"n\",\"node\":7,\"taint\":null,\"filesystems\":[{\"mountPoint\":\"\\\\q\\\\x00\\\\x4\"}],"
					"\"conditions\":[{\"type\":\"stoker.dev/Other\",\"status\":\"False\"}]} \n";
	scoped(scoped_free) struct health *h = calloc(1, sizeof(*h));
	struct err e = {0};

	(void)unused;
	assert_non_null(h);
	assert_int_equal(health_from_json(good, sizeof(good) - 1, h, &e), 0);
	assert_string_equal(h->node, "n");
	assert_string_equal(h->filesystems[0].mount_point, "\\q\\x00\\x4");
	assert_int_equal(h->report.condition.status, CONDITION_UNKNOWN);
	assert_string_equal(h->report.condition.type, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_has_the_fields_of_the_contract_in_their_order),
		cmocka_unit_test(test_json_comes_back_as_it_was),
		cmocka_unit_test(test_json_that_is_wrong_is_refused_by_name),
		cmocka_unit_test(test_json_that_is_too_much_is_refused),
		cmocka_unit_test(test_json_of_another_version_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
