/* What the node says, made from its filesystems: status, condition, taint, JSON both ways, the table, the plugin's line. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/health.h"
#include "health/health_table.h"

/* 2026-11-26T08:15:00Z */
#define NOON 1795680900ULL
#define AT(seconds) ((NOON + (seconds)) * US_PER_S)

static struct health *new_health(void)
{
	struct health *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	strcpy(h->node, "node-1");
	h->time_wall_us = AT(120) + 5;
	return h;
}

static struct health_filesystem *add(struct health *h, const char *path, enum verdict_state state, const char *reason, const char *message)
{
	struct health_filesystem *f = &h->filesystems[h->filesystem_count++];

	str_copy(f->path, sizeof(f->path), path);
	str_copy(f->mount_point, sizeof(f->mount_point), path);
	strcpy(f->fs_type, "ext4");
	snprintf(f->source, sizeof(f->source), "/dev/loop%u", h->filesystem_count - 1);
	snprintf(f->device, sizeof(f->device), "7:%u", h->filesystem_count - 1);
	strcpy(f->roles[f->role_count++], "scratch");
	f->state = state;
	str_copy(f->reason, sizeof(f->reason), reason);
	str_copy(f->message, sizeof(f->message), message);
	f->since_wall_us = AT(0);
	f->last_probe_wall_us = AT(119);
	f->last_probe_duration_us = 1340;
	f->last_probe_errnum = state == VERDICT_BAD ? EROFS : 0;
	f->mounted = 1;
	return f;
}

static struct config *new_config(enum config_taint taint)
{
	struct config *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	strcpy(c->report.taint_key, STOKER_TAINT_KEY);
	c->report.taint_for = CONFIG_TAINT_FOR_STORAGE;
	c->report.taint = taint;
	return c;
}

/* --- status, condition, taint --- */

static void test_the_worst_filesystem_speaks_for_the_node(void **unused)
{
	/* One letter a filesystem: u h w b r. */
	static const struct {
		const char *states;
		enum health_status status;
		enum condition_status condition;
		const char *reason;
		int taints, exit_code;
	} row[] = {
		{"", HEALTH_UNKNOWN, CONDITION_UNKNOWN, "NothingWatched", 0, 2},
		{"h", HEALTH_HEALTHY, CONDITION_TRUE, "AllProbesPassed", 0, 0},
		{"hhh", HEALTH_HEALTHY, CONDITION_TRUE, "AllProbesPassed", 0, 0},
		{"hw", HEALTH_WARNING, CONDITION_TRUE, "R1", 1, 0},
		{"wu", HEALTH_UNKNOWN, CONDITION_UNKNOWN, "R1", 0, 2},
		{"huu", HEALTH_UNKNOWN, CONDITION_UNKNOWN, "R1", 0, 2},
		{"hub", HEALTH_UNHEALTHY, CONDITION_FALSE, "R2", 1, 1},
		{"wur", HEALTH_UNHEALTHY, CONDITION_FALSE, "R2", 1, 1},
		{"hrb", HEALTH_UNHEALTHY, CONDITION_FALSE, "R1", 1, 1},
	};
	static const char *const effects[][2] = {/* unhealthy, warning; in the order of enum config_taint */
		{"NoSchedule", "PreferNoSchedule"}, {"PreferNoSchedule", "PreferNoSchedule"}, {"", ""}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		scoped(scoped_free) struct health *h = new_health();
		for (const char *s = row[i].states; *s; s++) {
			char reason[8];
			snprintf(reason, sizeof(reason), "R%u", h->filesystem_count);
			add(h, "/data", (enum verdict_state)(strchr("uhwbr", *s) - "uhwbr"), *s == 'h' ? "" : reason, "words");
		}
		h->status = health_judge(h);
		assert_int_equal(h->status, row[i].status);
		assert_int_equal(health_exit_code(h->status), row[i].exit_code);
		for (int taint = CONFIG_TAINT_NO_SCHEDULE; taint <= CONFIG_TAINT_OFF; taint++) {
			scoped(scoped_free) struct config *c = new_config((enum config_taint)taint);
			struct report r;
			memset(&r, 0x5a, sizeof(r)); /* nothing of before may shine through */
			r.sequence = 7;
			r.condition.transition_wall_us = 8;
			health_report(h, c, &r);
			assert_int_equal(r.sequence, 7);
			assert_int_equal(r.condition.transition_wall_us, 8);
			assert_string_equal(r.node, "node-1");
			assert_string_equal(r.condition.type, "stoker.dev/StorageReady");
			assert_int_equal(r.condition.status, row[i].condition);
			assert_string_equal(r.condition.reason, row[i].reason);
			assert_string_equal(r.taint.key, STOKER_TAINT_KEY);
			assert_int_equal(r.taint.wanted, row[i].taints && taint != CONFIG_TAINT_OFF);
			assert_string_equal(r.taint.effect, row[i].taints ? effects[taint][row[i].status == HEALTH_WARNING] : "");
			assert_string_equal(r.taint.value, r.taint.wanted ? row[i].reason : "");
		}
	}
}

static void test_a_forecast_is_said_and_never_taints(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	struct report r = {0};
	char line[HEALTH_LINE_BYTES];

	(void)unused;
	struct health_filesystem *f = add(h, "/data", VERDICT_WARNING, "InodesFillingUp", "inodes are filling up: full in 18 to 25 min, if it goes on");
	add(h, "/other", VERDICT_HEALTHY, "", "");
	h->status = health_judge(h);
	assert_int_equal(h->status, HEALTH_WARNING);
	health_report(h, c, &r);
	assert_int_equal(r.condition.status, CONDITION_TRUE);
	assert_string_equal(r.condition.reason, "InodesFillingUp");
	assert_non_null(strstr(r.condition.message, "/data (ext4 /dev/loop0): its inodes are being used up and will be full soon if it goes on since "));
	assert_false(r.taint.wanted);
	/* other minutes are no other message: nothing is written again */
	struct report_condition before = r.condition;
	strcpy(f->message, "inodes are filling up: full in 17 to 24 min, if it goes on");
	health_report(h, c, &r);
	assert_memory_equal(&before, &r.condition, sizeof(before));
	/* what is comes before what may come, wherever it stands */
	strcpy(h->filesystems[1].reason, "SpaceLow");
	strcpy(h->filesystems[1].message, "space is low: 1 of 2");
	h->filesystems[1].state = VERDICT_WARNING;
	h->filesystems[1].ignored = 1; /* but what is ignored is no part of it */
	health_report(h, c, &r);
	assert_string_equal(r.condition.reason, "InodesFillingUp");
	h->filesystems[1].ignored = 0;
	health_report(h, c, &r);
	assert_string_equal(r.condition.reason, "SpaceLow");
	assert_non_null(strstr(r.condition.message, "/other (ext4 /dev/loop1): space is low: 1 of 2 since "));
	assert_string_equal(r.taint.value, "SpaceLow");
	assert_string_equal(r.taint.effect, "PreferNoSchedule");
	memcpy(&h->report, &r, sizeof(r));
	health_headline(h, line);
	assert_non_null(strstr(line, "Warning: SpaceLow on /other since"));
}

static void test_the_message_names_mount_reason_time_and_command(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	struct report r = {0};

	(void)unused;
	add(h, "/data", VERDICT_BAD, "ReadOnlyFilesystem", "read-only: making a file failed with EROFS");
	add(h, "/other", VERDICT_HEALTHY, "", "");
	health_report(h, c, &r);
	assert_string_equal(r.condition.message, "/data (ext4 /dev/loop0): read-only: making a file failed with EROFS since 2026-11-26T08:15:00Z; "
						 "1 of 2 filesystems; more: kubectl exec -n stoker-system ds/stoker -c agent -- stoker health, "
						 "or on the node: stoker health");
	h->filesystems[0].state = VERDICT_HEALTHY;
	health_report(h, c, &r);
	assert_string_equal(r.condition.message, "2 of 2 filesystems can be written: /data, /other");
	strcpy(h->filesystems[1].mount_point, "/");
	h->filesystems[1].state = VERDICT_UNKNOWN;
	strcpy(h->filesystems[1].reason, "WatchPathMissing");
	strcpy(h->filesystems[1].message, "the path does not exist (yet)");
	health_report(h, c, &r);
	assert_non_null(strstr(r.condition.message, "/ (ext4 /dev/loop1; watched as /other): the path does not exist (yet) since "));
}

static void test_the_message_stands_still_while_nothing_changes(void **unused)
{
	static const enum verdict_state states[] = {VERDICT_HEALTHY, VERDICT_WARNING, VERDICT_BAD, VERDICT_RECOVERING, VERDICT_UNKNOWN};
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		scoped(scoped_free) struct health *h = new_health();
		struct report one = {0}, two = {0};
		struct health_filesystem *f = add(h, "/data", states[i], "IOErrors", states[i] == VERDICT_WARNING ? "inode #12" : "gives I/O errors");
		health_report(h, c, &one);
		/* An hour and many probes later; another inode in the kernel's line. */
		h->time_wall_us += 3600 * US_PER_S;
		f->last_probe_wall_us += 3600 * US_PER_S;
		f->last_probe_duration_us *= 7;
		if (states[i] == VERDICT_WARNING)
			strcpy(f->message, "inode #4711");
		health_report(h, c, &two);
		assert_memory_equal(&one, &two, sizeof(one));
	}
}

static void test_the_message_is_bounded_and_escaped(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	struct report r = {0};

	(void)unused;
	for (int i = 0; i < CONFIG_WATCH_MAX; i++) {
		struct health_filesystem *f = add(h, "/", VERDICT_BAD, "ReadOnlyFilesystem", "");
		memset(f->mount_point, '\n', sizeof(f->mount_point) - 1);
		memset(f->path, 0xff, sizeof(f->path) - 1);
		memset(f->source, '\\', sizeof(f->source) - 1);
		memset(f->fs_type, 'x', sizeof(f->fs_type) - 1);
		memset(f->message, 'm', sizeof(f->message) - 1);
	}
	for (int state = VERDICT_UNKNOWN; state < VERDICT_STATE_MAX_; state++) {
		for (int i = 0; i < CONFIG_WATCH_MAX; i++)
			h->filesystems[i].state = (enum verdict_state)state;
		health_report(h, c, &r);
		for (const char *p = r.condition.message; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
		if (state == VERDICT_HEALTHY)
			assert_non_null(strstr(r.condition.message, " more"));
		else
			assert_non_null(strstr(r.condition.message, "or on the node: stoker health"));
	}
}

/* --- JSON --- */

static void fill_ugly(struct health *h)
{
	struct health_filesystem *f = add(h, "/data", VERDICT_BAD, "ReadOnlyFilesystem", "read-only: making a file failed with EROFS");
	struct health_input input = {"kmsg", "missing", "no \"broker\"\\x0a", AT(3)};

	strcpy(f->roles[f->role_count++], "kubelet");
	f->size_bytes = 64000000;
	f->available_bytes = 16000000;
	f->inodes = 2000;
	f->available_inodes = 3;
	f->space_full_low_s = 600;
	f->space_full_high_s = 930;
	f = add(h, "/a b\n\tc\\n\xff\xc3\xa9\x1b[31m", VERDICT_UNKNOWN, "WatchPathMissing", "the path does not exist (yet)");
	f->last_probe_wall_us = f->last_probe_duration_us = 0;
	f->mounted = 0;
	f->origin = TARGET_PATTERN;
	f->ignored = 1;
	f->since_wall_us += 123456;
	h->inputs[h->input_count++] = input;
	h->agent = (struct health_agent){AT(0), "0.1.0", 1, 2, 3, AT(4), 1, "b0071d"};
	h->filesystems[0].probes = (struct health_probes){3, 1, 2, 0, 5000, {1, 0, 0, 0, 2}};
	h->status = health_judge(h);
	h->taint_held = 1;
	h->taint_holder = HOLDER_PERSON;
	strcpy(h->taint_why, "no cluster");
	h->nri = (struct health_nri){.present = 1, .live = 1, .exit_codes = 1, .oom_score_adj = 1, .runtime = "containerd", .runtime_version = "v2.3.4", .nri_version = "0.12.0", .requests = 1, .late = 2, .refused = 3, .adjusted = 4, .reconnects = 5, .unverified = 6};
	h->volumes = (struct health_volumes){.present = 1, .registered = 1, .count = 1, .size_bytes = 2, .used_bytes = 3, .bounded = 4, .emptied = 5, .refused = 6,
					     .publish = 7, .unpublish = 8, .stats = 9, .failed = 10};
	h->executors.present = 1;
	h->executors.running[EXECUTOR_ROLE_EXECUTOR] = 2;
	executor_counts_add(&h->executors, "heap", "team-a");
	executor_counts_add(&h->executors, "heap", "team-a");
}

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
		"\"lastProbe\":{\"time\":\"2026-11-26T08:16:59.000000Z\",\"durationMicros\":1340,\"errno\":30},\"sizeBytes\":64000000,\"availableBytes\":16000000,\"inodes\":2000,\"availableInodes\":3,\"spaceFullInSeconds\":{\"low\":600,\"high\":930},\"inodesFullInSeconds\":null,\"probes\":{\"count\":3,\"good\":1,\"failed\":2,\"unclear\":0,\"totalMicros\":5000,\"durations\":[1,0,0,0,2,0,0,0]},\"path\":\"/data\",\"mounted\":true,\"origin\":\"configured\",\"ignored\":false},"
		"{\"mountPoint\":\"/a b\\\\n\\\\tc\\\\\\\\n\\\\xff\xc3\xa9\\\\x1b[31m\",\"source\":\"/dev/loop1\",\"fsType\":\"ext4\",\"device\":\"7:1\","
		"\"roles\":[\"scratch\"],\"state\":\"unknown\",\"reason\":\"WatchPathMissing\",\"message\":\"the path does not exist (yet)\","
		"\"since\":\"2026-11-26T08:15:00.123456Z\",\"lastProbe\":null,\"sizeBytes\":0,\"availableBytes\":0,\"inodes\":0,\"availableInodes\":0,\"spaceFullInSeconds\":null,\"inodesFullInSeconds\":null,\"probes\":null,\"path\":\"/a b\\\\n\\\\tc\\\\\\\\n\\\\xff\xc3\xa9\\\\x1b[31m\",\"mounted\":false,\"origin\":\"pattern\",\"ignored\":true}],"
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

/* --- for people --- */

static void print_table(const struct health *h, bool wide, bool color, char *text, size_t size)
{
	const struct health_table_options options = {.wide = wide, .color = color};
	FILE *out = fmemopen(text, size, "w");

	assert_non_null(out);
	assert_int_equal(health_table_print(out, h, &options, NULL), 0);
	fclose(out);
}

static void test_the_table(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) struct config *c = new_config(CONFIG_TAINT_NO_SCHEDULE);
	char text[8192];

	(void)unused;
	fill_ugly(h);
	h->filesystems[1].since_wall_us = AT(0) - 40ULL * 3600 * US_PER_S;
	health_report(h, c, &h->report);
	print_table(h, false, false, text, sizeof(text));
	assert_string_equal(text, "node-1: Unhealthy: ReadOnlyFilesystem on /data since 08:15:00 (2 min)\n"
				  "\n"
				  "MOUNT                     TYPE SOURCE     STATE   REASON             SINCE               PROBE (ms)\n"
				  "/data                     ext4 /dev/loop0 bad     ReadOnlyFilesystem 08:15:00                   1.3\n"
				  "/a b\\n\\tc\\\\n\\xff\xc3\xa9\\x1b[31m ext4 /dev/loop1 unknown WatchPathMissing   2026-11-24 16:15:00      never\n"
				  "\n"
				  "kmsg: missing: no \"broker\"\\\\x0a\n"
				  "taint: stoker.dev/unhealthy=ReadOnlyFilesystem:NoSchedule is not on the node: no cluster\n");

	h->filesystem_count = 1;
	h->input_count = 0;
	h->taint_held = 0;
	strcpy(h->filesystems[0].mount_point, "/");
	print_table(h, true, false, text, sizeof(text));
	assert_string_equal(text, "node-1: Unhealthy: ReadOnlyFilesystem on / since 08:15:00 (2 min)\n"
				  "\n"
				  "MOUNT           TYPE SOURCE     STATE REASON             SINCE    PROBE (ms)          AVAIL INODES   FULL IN DEVICE ROLES           ERRNO MESSAGE\n"
				  "/ (watch /data) ext4 /dev/loop0 bad   ReadOnlyFilesystem 08:15:00        1.3 15.3 MiB (25%) 3 (0%) 10-16 min 7:0    scratch,kubelet EROFS "
				  "read-only: making a file failed with EROFS\n"
				  "\n"
				  "taint: stoker.dev/unhealthy=ReadOnlyFilesystem:NoSchedule is on the node\n");

	assert_null(strchr(text, '\033'));
	print_table(h, false, true, text, sizeof(text));
	assert_non_null(strstr(text, "\033[31mnode-1: Unhealthy"));

	h->filesystem_count = 0;
	h->status = health_judge(h);
	health_report(h, c, &h->report);
	print_table(h, false, false, text, sizeof(text));
	assert_string_equal(text, "node-1: Unknown: NothingWatched\n\ntaint: none\n");
}

static void test_the_table_without_utf8_is_ascii(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	char text[8192];

	(void)unused;
	add(h, "/caf\xc3\xa9", VERDICT_HEALTHY, "", "");
	setlocale(LC_CTYPE, "C");
	print_table(h, false, false, text, sizeof(text));
	setlocale(LC_CTYPE, "C.UTF-8");
	assert_non_null(strstr(text, "\n/caf\\xc3\\xa9 ext4 "));
}

static void test_the_headline_tells_the_age(void **unused)
{
	static const struct {
		uint64_t age;
		enum verdict_state state;
		const char *words;
	} row[] = {
		{0, VERDICT_BAD, "R on /d since 08:17:00 (0 s)"},
		{59, VERDICT_BAD, "R on /d since 08:16:01 (59 s)"},
		{119, VERDICT_BAD, "R on /d since 08:15:01 (1 min)"},
		{7200, VERDICT_RECOVERING, "R on /d, recovering since 06:17:00 (2 h)"},
		{50 * 3600, VERDICT_BAD, "R on /d since 2026-11-24 06:17:00 (2 d)"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		scoped(scoped_free) struct health *h = new_health();
		char line[HEALTH_LINE_BYTES];
		add(h, "/d", row[i].state, "R", "")->since_wall_us = AT(120 - row[i].age);
		h->status = health_judge(h);
		strcpy(h->report.condition.reason, "R");
		health_headline(h, line);
		assert_non_null(strstr(line, row[i].words));
	}
	/* The future (a clock that was set back) is no huge age. */
	scoped(scoped_free) struct health *h = new_health();
	char line[HEALTH_LINE_BYTES];
	add(h, "/d", VERDICT_BAD, "R", "")->since_wall_us = AT(500);
	h->status = health_judge(h);
	health_headline(h, line);
	assert_non_null(strstr(line, "(0 s)"));
}

static void test_the_plugins_line_is_short(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	char line[HEALTH_PLUGIN_BYTES];

	(void)unused;
	struct health_filesystem *f = add(h, "/data", VERDICT_BAD, "ReadOnlyFilesystem", "");
	h->status = health_judge(h);
	strcpy(h->report.condition.reason, "ReadOnlyFilesystem");
	health_plugin_line(h, line);
	assert_string_equal(line, "Unhealthy: ReadOnlyFilesystem on /data");
	/* UTF-8 is not cut in two, and there is one line whatever the name. */
	for (size_t shift = 0; shift < 4; shift++) {
		memset(f->mount_point, 0, sizeof(f->mount_point));
		memset(f->mount_point, '/', shift + 1);
		for (size_t i = shift + 1; i + 3 < sizeof(f->mount_point); i += 3)
			memcpy(f->mount_point + i, "\xe2\x82\xac", 3);
		health_plugin_line(h, line);
		assert_in_range(strlen(line), 76, 79);
		for (const char *p = line; *p; p += str_utf8_length(p))
			assert_true(str_utf8_length(p) > 0);
	}
	strcpy(f->mount_point, "/a\nb");
	health_plugin_line(h, line);
	assert_string_equal(line, "Unhealthy: ReadOnlyFilesystem on /a\\nb");
	f->state = VERDICT_HEALTHY;
	h->status = health_judge(h);
	strcpy(h->report.condition.reason, "AllProbesPassed");
	health_plugin_line(h, line);
	assert_string_equal(line, "Healthy: AllProbesPassed, 1 filesystems");
}

static int in_utc(void **unused)
{
	(void)unused;
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC0", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_worst_filesystem_speaks_for_the_node),
		cmocka_unit_test(test_a_forecast_is_said_and_never_taints),
		cmocka_unit_test(test_the_message_names_mount_reason_time_and_command),
		cmocka_unit_test(test_the_message_stands_still_while_nothing_changes),
		cmocka_unit_test(test_the_message_is_bounded_and_escaped),
		cmocka_unit_test(test_json_has_the_fields_of_the_contract_in_their_order),
		cmocka_unit_test(test_json_comes_back_as_it_was),
		cmocka_unit_test(test_json_that_is_wrong_is_refused_by_name),
		cmocka_unit_test(test_json_that_is_too_much_is_refused),
		cmocka_unit_test(test_json_of_another_version_is_read),
		cmocka_unit_test(test_the_table),
		cmocka_unit_test(test_the_table_without_utf8_is_ascii),
		cmocka_unit_test(test_the_headline_tells_the_age),
		cmocka_unit_test(test_the_plugins_line_is_short),
	};

	return cmocka_run_group_tests(tests, in_utc, NULL);
}
