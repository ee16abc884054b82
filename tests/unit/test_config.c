/* The configuration: every key's default and range, and the exact words for every way to get it wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/config_rules.h"
#include "base/scoped.h"
#include "tests/unit/config_refusals.h"

#define S  US_PER_S
#define MS US_PER_MS

static void parse_good(const char *text, size_t length, struct config *config)
{
	struct err e = {0};

	memset(config, 0x5a, sizeof(*config));
	if (config_parse(text, length, config, &e) < 0)
		fail_msg("%.*s: refused: %s", (int)length, text, e.text);
	if (config_rules_check(config, &e) < 0)
		fail_msg("%.*s: taken, but %s", (int)length, text, e.text);
}

static void expect_refusal(const char *text, size_t length, const char *words)
{
	static struct config config, untouched;
	struct err e = {0};

	memset(&config, 0x5a, sizeof(config));
	memset(&untouched, 0x5a, sizeof(untouched));
	int r = config_parse(text, length, &config, &e);
	if (r >= 0)
		fail_msg("%.*s: taken, wanted: %s", (int)length, text, words);
	assert_int_equal(r, -e.code);
	assert_string_equal(e.text, words);
	assert_memory_equal(&config, &untouched, sizeof(config));
}

static void expect_amount(const struct config_amount *amount, uint64_t share, uint64_t most)
{
	assert_int_equal(amount->share, share);
	assert_int_equal(amount->most, most);
}

static void expect_defaults(const struct config *c)
{
	assert_int_equal(c->watch_count, 0);
	assert_int_equal(c->discover, CONFIG_DISCOVER_AUTO);
	assert_string_equal(c->kubelet_root, "");
	assert_string_equal(c->runtime_dir, "/run/stoker");
	assert_int_equal(c->probe.period_us, 5 * S);
	assert_int_equal(c->probe.deadline_us, 10 * S);
	assert_int_equal(c->probe.recover_after, 3);
	assert_int_equal(c->probe.minimum_bad_us, 10 * S);
	assert_string_equal(c->probe.directory, ".stoker");
	assert_int_equal(c->probe.uid, 65534);
	expect_amount(&c->space.warn, 500, 20ULL << 30);
	expect_amount(&c->space.bad, 100, 2ULL << 30);
	expect_amount(&c->inodes.warn, 500, 100000);
	expect_amount(&c->inodes.bad, 100, 10000);
	assert_int_equal(c->forecast.horizon_us, 1800 * S);
	assert_string_equal(c->web.listen, "127.0.0.1:9469");
	assert_int_equal(c->report.kubernetes, CONFIG_KUBERNETES_AUTO);
	assert_string_equal(c->report.kubeconfig, "");
	assert_int_equal(c->report.taint, CONFIG_TAINT_NO_SCHEDULE);
	assert_string_equal(c->report.taint_key, "stoker.dev/unhealthy");
	assert_int_equal(c->report.taint_for, CONFIG_TAINT_FOR_STORAGE);
	assert_int_equal(c->report.aliases, 0);
	assert_string_equal(c->report.max_tainted, "10%");
	assert_int_equal(c->report.taint_single_node, 0);
	assert_int_equal(c->report.pods, 0);
	assert_int_equal(c->executors.watch, CONFIG_RECOGNITION_AUTO);
	assert_string_equal(c->executors.nri_socket, "/var/run/nri/nri.sock");
	assert_string_equal(c->executors.cri_socket, "");
	assert_int_equal(c->executors.dry_run, 0);
	assert_int_equal(c->executors.annotations, 0);
	assert_int_equal(c->executors.python_oom_group, CONFIG_OOM_GROUP_LEAVE);
	assert_int_equal(c->executors.oom_score_adj, CONFIG_OOM_SCORE_LEAVE);
	assert_int_equal(c->deaths.keep_records, 256);
	assert_int_equal(c->deaths.keep_bytes, 1 << 20);
	assert_string_equal(c->redact.regex, "(?i)secret|password|token|access[.]?key");
	assert_int_equal(c->retire, 0);
	assert_int_equal(c->log_level, LOG_INFO);
	const struct config_volumes *v = &c->volumes;
	assert_int_equal(v->csi, CONFIG_CSI_AUTO);
	assert_int_equal(v->annotations + v->cap_tmpfs + v->empty_dead_scratch, 0);
	assert_int_equal(v->scratch_max_bytes, 8ULL << 30);
	assert_int_equal(v->scratch_no_limit_bytes, 1ULL << 30);
	assert_int_equal(v->scratch_reserve_bytes, 384ULL << 20);
	assert_int_equal(v->scratch_inodes, 100000);
	assert_int_equal(v->checkpoint_count + v->disk_count + v->inject_count + v->sweep_root_count, 0);
	assert_int_equal(v->checkpoint_deadline_us, 20 * S);
	assert_int_equal(v->sweep, CONFIG_SWEEP_OFF);
	assert_int_equal(v->sweep_grace_us, 600 * S);
	assert_int_equal(v->account, CONFIG_ACCOUNT_AUTO);
}

static void test_nothing_said_is_the_defaults(void **unused)
{
	static const char *const nothing[] = {"",	  "\n",		"# only words\n", "---\n",	   "--- ~\n", "null\n", "{}\n", "\n\n",
					      "\xef\xbb\xbf", "probe:\n", "watch:\n",	  "watch: []\n", "watch: ~\n",
					      "probe:\n  # period: 5s\nweb: {}\nreport:\nlog:\nwatch:\n"};
	static struct config config, defaults;
	(void)unused;

	config_defaults(&defaults);
	expect_defaults(&defaults);
	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
		parse_good(nothing[i], strlen(nothing[i]), &config);
		expect_defaults(&config);
		config.hash = defaults.hash;
		assert_memory_equal(&config, &defaults, sizeof(config));
	}
}

static void test_node_defaults_to_the_host_in_lower_case(void **unused)
{
	static const struct {
		const char *host, *node;
	} rows[] = {{"IP-10-0-0-7.ec2.internal", "ip-10-0-0-7.ec2.internal"}, {"my_host", ""}, {"", ""}};
	static struct config config, defaults;
	char host[256] = "";
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(config_parse_on(rows[i].host, "", 0, &config, NULL), 0);
		assert_string_equal(config.node, rows[i].node);
		assert_int_equal(config_parse_on(rows[i].host, "node: n1", 8, &config, NULL), 0);
		assert_string_equal(config.node, "n1");
	}
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	assert_int_equal(config_parse_on(host, "", 0, &config, NULL), 0);
	config_defaults(&defaults);
	assert_memory_equal(&config, &defaults, sizeof(config));
}

static const char every_key[] =
	"node: node-7.example\n"
	"runtimeDir: /var/run/st\n"
	"discover: off\n"
	"kubeletRoot: /data/kubelet\n"
	"watch:\n"
	"- path: /\n"
	"- {path: /mnt/with space, role: kubelet}\n"
	"- path: \"/mnt/new\\nline\"\n"
	"  role: spark-2\n"
	"- path: /mnt/\xc3\xa4\n"
	"- path: /mnt/..hidden/...\n"
	"- {path: '/mnt/disks/*', ignore: true}\n"
	"probe:\n"
	"  period: 2m\n"
	"  deadline: 250ms\n"
	"  recoverAfter: 100\n"
	"  minimumBad: 1h\n"
	"  directory: probe here\n"
	"  uid: 4294967294\n"
	"space:\n  warn: 10.25%\n  bad: 5Gi\n"
	"inodes:\n  warn: off\n  bad: 0.5%, at most 7\n"
	"forecast: {horizon: 1h}\n"
	"web:\n  listen: '[::1]:80'\n"
	"report:\n"
	"  kubernetes: off\n"
	"  kubeconfig: /etc/kube/config\n"
	"  taint: PreferNoSchedule\n"
	"  taintKey: Unhealthy_1\n"
	"  taintFor: []\n"
	"  aliases: [StorageReady]\n"
	"  maxTainted: 100%\n"
	"  taintSingleNode: true\n"
	"  pods: true\n"
	"executors:\n"
	"  watch: off\n"
	"  nriSocket: /run/nri/other.sock\n"
	"  criSocket: /run/other/cri.sock\n"
	"  dryRun: true\n"
	"  annotations: true\n"
	"  pythonOomGroup: single\n"
	"  oomScoreAdj: driversLast\n"
	"deaths: {keepRecords: 7, keepBytes: 64Ki}\n"
	"redact: {regex: '(?i)pass|pin[.]code'}\n"
	"retire: true\n"
	"log: {level: debug}\n";

static void test_every_key_is_read(void **unused)
{
	static struct config c;
	(void)unused;

	parse_good(every_key, sizeof(every_key) - 1, &c);
	assert_string_equal(c.node, "node-7.example");
	assert_string_equal(c.runtime_dir, "/var/run/st");
	assert_int_equal(c.discover, CONFIG_DISCOVER_OFF);
	assert_string_equal(c.kubelet_root, "/data/kubelet");
	assert_int_equal(c.watch_count, 6);
	assert_string_equal(c.watch[0].path, "/");
	assert_string_equal(c.watch[0].role, "scratch");
	assert_string_equal(c.watch[1].path, "/mnt/with space");
	assert_string_equal(c.watch[1].role, "kubelet");
	assert_string_equal(c.watch[2].path, "/mnt/new\nline");
	assert_string_equal(c.watch[2].role, "spark-2");
	assert_string_equal(c.watch[3].path, "/mnt/\xc3\xa4");
	assert_string_equal(c.watch[4].path, "/mnt/..hidden/...");
	assert_false(c.watch[4].ignore);
	assert_string_equal(c.watch[5].path, "/mnt/disks/*");
	assert_true(c.watch[5].ignore);
	assert_int_equal(c.probe.period_us, 120 * S);
	assert_int_equal(c.probe.deadline_us, 250 * MS);
	assert_int_equal(c.probe.recover_after, 100);
	assert_int_equal(c.probe.minimum_bad_us, 3600 * S);
	assert_string_equal(c.probe.directory, "probe here");
	assert_int_equal(c.probe.uid, 4294967294);
	expect_amount(&c.space.warn, 1025, 0);
	expect_amount(&c.space.bad, 0, 5ULL << 30);
	expect_amount(&c.inodes.warn, 0, 0);
	expect_amount(&c.inodes.bad, 50, 7);
	assert_int_equal(c.forecast.horizon_us, 3600 * S);
}

static void test_every_key_of_reports_and_executors_is_read(void **unused)
{
	static struct config c;
	(void)unused;

	parse_good(every_key, sizeof(every_key) - 1, &c);
	assert_string_equal(c.web.listen, "[::1]:80");
	assert_int_equal(c.report.kubernetes, CONFIG_KUBERNETES_OFF);
	assert_string_equal(c.report.kubeconfig, "/etc/kube/config");
	assert_int_equal(c.report.taint, CONFIG_TAINT_PREFER_NO_SCHEDULE);
	assert_string_equal(c.report.taint_key, "Unhealthy_1");
	assert_int_equal(c.report.taint_for, 0);
	assert_int_equal(c.report.aliases, 2);
	assert_string_equal(c.report.max_tainted, "100%");
	assert_int_equal(c.report.taint_single_node, 1);
	assert_int_equal(c.report.pods, 1);
	assert_int_equal(c.executors.watch, CONFIG_RECOGNITION_OFF);
	assert_string_equal(c.executors.nri_socket, "/run/nri/other.sock");
	assert_string_equal(c.executors.cri_socket, "/run/other/cri.sock");
	assert_int_equal(c.executors.dry_run, 1);
	assert_int_equal(c.executors.annotations, 1);
	assert_int_equal(c.executors.python_oom_group, CONFIG_OOM_GROUP_SINGLE);
	assert_int_equal(c.executors.oom_score_adj, CONFIG_OOM_SCORE_DRIVERS_LAST);
	assert_int_equal(c.deaths.keep_records, 7);
	assert_int_equal(c.deaths.keep_bytes, 64 << 10);
	assert_string_equal(c.redact.regex, "(?i)pass|pin[.]code");
	assert_int_equal(c.retire, 1);
	assert_int_equal(c.log_level, LOG_DEBUG);
}

static void test_every_key_of_volumes_is_read(void **unused)
{
	static const char text[] = "volumes:\n"
				   "  csi: off\n  annotations: true\n  capTmpfs: true\n  emptyDeadScratch: true\n"
				   "  scratch: {max: 2Gi, withoutLimit: 512Mi, reserve: 1Mi, inodes: 100}\n"
				   "  checkpointDeadline: 110s\n"
				   "  checkpoints:\n"
				   "  - {name: etl, server: nfs.example, export: /srv/etl, namespaces: [etl, 'etl-*']}\n"
				   "  - name: old\n    server: fd00::1\n    export: /\n    version: 3\n    port: 20490\n    soft: true\n    readOnly: true\n"
				   "    namespaces: ['*']\n"
				   "  disks:\n  - {name: nvme, path: /mnt/nvme, namespaces: ['team-?']}\n"
				   "  inject:\n"
				   "  - {namespaces: [etl], path: /checkpoints, checkpoint: etl}\n"
				   "  - {namespaces: [etl], path: /scratch, size: 2Gi, drivers: true}\n"
				   "  - {namespaces: [x], path: /scratch}\n"
				   "  sweep:\n    mode: dryRun\n    grace: 168h\n    roots: [/scratch, /mnt/nvme]\n"
				   "  account: off\n";
	static struct config config;
	const struct config_volumes *v = &config.volumes;
	(void)unused;

	parse_good(text, sizeof(text) - 1, &config);
	assert_int_equal(v->csi, CONFIG_CSI_OFF);
	assert_int_equal(v->annotations + v->cap_tmpfs + v->empty_dead_scratch, 3);
	assert_int_equal(v->scratch_max_bytes, 2ULL << 30);
	assert_int_equal(v->scratch_no_limit_bytes, 512ULL << 20);
	assert_int_equal(v->scratch_reserve_bytes, 1 << 20);
	assert_int_equal(v->scratch_inodes, 100);
	assert_int_equal(v->checkpoint_deadline_us, 110 * S);
	assert_int_equal(v->checkpoint_count, 2);
	assert_string_equal(v->checkpoints[0].name, "etl");
	assert_string_equal(v->checkpoints[0].server, "nfs.example");
	assert_string_equal(v->checkpoints[0].export_path, "/srv/etl");
	assert_int_equal(v->checkpoints[0].version, 4);
	assert_int_equal(v->checkpoints[0].port + v->checkpoints[0].soft + v->checkpoints[0].read_only, 0);
	assert_int_equal(v->checkpoints[0].namespaces.count, 2);
	assert_string_equal(v->checkpoints[0].namespaces.pattern[1], "etl-*");
	assert_string_equal(v->checkpoints[1].server, "fd00::1");
	assert_int_equal(v->checkpoints[1].version, 3);
	assert_int_equal(v->checkpoints[1].port, 20490);
	assert_int_equal(v->checkpoints[1].soft + v->checkpoints[1].read_only, 2);
	assert_int_equal(v->disk_count, 1);
	assert_string_equal(v->disks[0].path, "/mnt/nvme");
	assert_int_equal(v->inject_count, 3);
	assert_true(v->injects[0].drivers); /* a driver writes checkpoints */
	assert_int_equal(v->injects[1].size_bytes, 2ULL << 30);
	assert_true(v->injects[1].drivers);
	assert_false(v->injects[2].drivers);
	assert_int_equal(v->injects[2].size_bytes, 0);
	assert_int_equal(v->sweep, CONFIG_SWEEP_DRY_RUN);
	assert_int_equal(v->sweep_grace_us, 168 * 3600 * S);
	assert_int_equal(v->sweep_root_count, 2);
	assert_string_equal(v->sweep_roots[1].path, "/mnt/nvme");
	assert_int_equal(v->account, CONFIG_ACCOUNT_OFF);
	/* A smaller maximum alone makes the default without a limit smaller. */
	parse_good("volumes: {scratch: {max: 1Mi}}", 30, &config);
	assert_int_equal(v->scratch_no_limit_bytes, 1 << 20);
}

static void test_namespaces_that_may(void **unused)
{
	static const struct config_namespaces some = {.count = 2, .pattern = {"etl", "team-*"}}, none = {0}, all = {.count = 1, .pattern = {"*"}};
	(void)unused;

	assert_true(config_namespaces_allow(&some, "etl"));
	assert_true(config_namespaces_allow(&some, "team-"));
	assert_true(config_namespaces_allow(&some, "team-7"));
	assert_false(config_namespaces_allow(&some, "etl2"));
	assert_false(config_namespaces_allow(&some, "a-team-7"));
	assert_false(config_namespaces_allow(&none, "etl"));
	assert_true(config_namespaces_allow(&all, "anything"));
	assert_false(config_namespaces_allow(&all, "")); /* who is nowhere is not in every namespace */
}

static void test_both_ends_of_every_range_and_the_words(void **unused)
{
	static const char *const good[] = {
		"probe: {period: 1s, deadline: 100ms, recoverAfter: 1, minimumBad: 0s, uid: 1}\n",
		"probe: {period: 10m, deadline: 5m, recoverAfter: 100, minimumBad: 60m, uid: 4294967294}\n",
		"probe: {period: 1000ms, deadline: 0000000007s}\n", /* a deadline beyond the period is meant: probes never overlap */
		"probe: {period: '5s', recoverAfter: \"3\"}\n",
		"probe: {minimumBad: 0h}\n",
		"space: {warn: 99%, bad: 0.01%}\n",
		"space: {warn: 1024Ti, bad: 1Ki}\n",
		"space: {warn: '1%, at most 1Mi', bad: 1%}\n",
		"space: {warn: 5Gi, bad: 50%}\n", /* which is less is known when the size is */
		"space: {warn: off}\ninodes: {bad: off}\n",
		"space: {bad: off}\ninodes: {warn: 1, bad: 1}\n",
		"inodes:\n  warn: 20%\n  bad: 3%, at most 5000\n",
		"forecast: {horizon: off}\n",
		"forecast: {horizon: 15m}\n",
		"forecast: {horizon: 24h}\n",
		"web: {listen: off}\n",
		"web: {listen: \"off\"}\n",
		"web: {listen: 0.0.0.0:1}\n",
		"web: {listen: '[::]:65535'}\n",
		"report: {taint: off, kubernetes: auto, kubeconfig: ''}\n",
		"report:\n  kubeconfig:\n",
		"log: {level: error}\n",
		"report: {maxTainted: 1, taintSingleNode: false}\n",
		"report: {maxTainted: 100}\n",
		"report: {maxTainted: 1%}\n",
		"report: {maxTainted: \"20%\"}\n",
		"log: {level: warn}\n",
		"report: {taintKey: status-taint.cluster-autoscaler.kubernetes.io/stoker-unhealthy}\n",
		"discover: auto\nkubeletRoot:\n",
		"discover: \"off\"\nkubeletRoot: /\n",
		"executors: {watch: auto, pythonOomGroup: group}\n",
		"executors: {pythonOomGroup: leave, oomScoreAdj: leave, dryRun: false, annotations: false}\n",
		"deaths: {keepRecords: 1, keepBytes: 64Mi}\n",
		"deaths:\n  keepRecords: 10000\n",
		"redact: {regex: 'pin\\.code|\\bkey$'}\n",
		"volumes:\n",
		"volumes: {scratch: , checkpoints: , disks: [], inject: , sweep: {roots: }}\n",
		"volumes: {scratch: {max: 1Ti, withoutLimit: 1Ti, reserve: 1Ti, inodes: 100000000}}\n",
		"volumes: {scratch: {max: 1Mi}, checkpointDeadline: 1s, sweep: {mode: on, grace: 1m}}\n",
		"volumes: {inject: [{path: /a, namespaces: [x]}, {path: /a, namespaces: [y]}, {path: /b, namespaces: [x], size: 8Gi}]}\n",
		"volumes: {inject: [{path: /device, namespaces: [x]}]}\n", /* beside /dev, not in it */
		"volumes: {disks: [{name: a, path: /m, namespaces: [x]}, {name: b, path: /m, namespaces: [y]}]}\n",
		"node: &anchor n\n",
		"node: !!str n\n",
		"? node\n: n\n",
		"%YAML 1.1\n---\nnode: n\n...\n# the end\n",
		"node: n\r\nlog:\r\n  level: warn\r\n",
		"node: n", /* no newline at the end */
	};
	static struct config config;
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		parse_good(good[i], strlen(good[i]), &config);
}

static void test_every_refusal_names_line_key_and_rule(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		/* In a buffer of just its size: nothing may look for a NUL behind it. */
		size_t length = strlen(bad[i].text);
		scoped(scoped_free) char *exact = malloc(length);
		assert_non_null(exact);
		memcpy(exact, bad[i].text, length);
		expect_refusal(exact, length, bad[i].words);
	}
}

static void test_an_amount_of_a_whole(void **unused)
{
	static const struct {
		struct config_amount amount;
		uint64_t total, want;
	} row[] = {
		{{0, 0}, 1000, 0},
		{{100, 0}, 1000, 10},
		{{100, 0}, 64, 1}, /* rounded up: a share of few is one */
		{{1, 0}, 1, 1},
		{{100, 0}, 0, 0},
		{{0, 7}, 1000, 7},
		{{100, 7}, 1000, 7},
		{{100, 20}, 1000, 10},
		{{9900, 0}, UINT64_MAX, UINT64_MAX / 10000 * 9900 + 1599}, /* nothing overflows */
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(config_amount_of(&row[i].amount, row[i].total), row[i].want);
}

static void test_a_nul_byte_is_refused(void **unused)
{
	(void)unused;
	expect_refusal("node: a\n\0log:\n", 14, "line 2: must be without NUL bytes");
}

/* "prefix" and `count` times 'a' and "\n". */
static size_t long_text(char *text, const char *prefix, size_t count)
{
	size_t n = strlen(prefix);

	memcpy(text, prefix, n);
	memset(text + n, 'a', count);
	text[n + count] = '\n';
	return n + count + 1;
}

static void test_nothing_is_cut(void **unused)
{
	static const struct {
		const char *prefix;
		size_t most; /* 'a's that still fit */
		const char *words;
	} rows[] = {
		{"node: ", 253, "line 1: node: must be at most 253 bytes, not 254"},
		{"runtimeDir: /", 78, "line 1: runtimeDir: must be at most 79 bytes, not 80"},
		{"watch:\n- path: /", 1022, "line 2: watch[0].path: must be at most 1023 bytes, not 1024"},
		{"probe:\n  directory: ", 63, "line 2: probe.directory: must be at most 63 bytes, not 64"},
		{"report:\n  kubeconfig: /", 1022, "line 2: report.kubeconfig: must be at most 1023 bytes, not 1024"},
		{"executors:\n  nriSocket: /", 106, "line 2: executors.nriSocket: must be at most 107 bytes, not 108"},
		{"volumes:\n  sweep:\n    roots:\n    - /", 158, "line 4: volumes.sweep.roots[0].path: must be at most 159 bytes, not 160"},
		{"redact:\n  regex: ", 255, "line 2: redact.regex: must be at most 255 bytes, not 256"},
	};
	static struct config config;
	char text[2048];
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		parse_good(text, long_text(text, rows[i].prefix, rows[i].most), &config);
		expect_refusal(text, long_text(text, rows[i].prefix, rows[i].most + 1), rows[i].words);
	}
	/* A name of 63 and a prefix of 253 are the longest that Kubernetes has. */
	size_t n = long_text(text, "report:\n  taintKey: ", 253) - 1;
	n += long_text(text + n, "/", 63);
	parse_good(text, n, &config);
	assert_int_equal(strlen(config.report.taint_key), NAME_TAINT_BYTES - 1);
	n = long_text(text, "report:\n  taintKey: ", 64);
	text[n] = '\0';
	struct err e = {0};
	assert_int_equal(config_parse(text, n, &config, &e), -EINVAL);
	assert_non_null(strstr(e.text, "line 2: report.taintKey: must be a qualified name"));
}

static void test_at_most_64_are_watched(void **unused)
{
	static struct config config;
	char text[4096] = "watch:\n";
	(void)unused;

	for (int i = 0; i < CONFIG_WATCH_MAX; i++)
		sprintf(text + strlen(text), "- path: /disk%d\n", i);
	parse_good(text, strlen(text), &config);
	assert_int_equal(config.watch_count, CONFIG_WATCH_MAX);
	assert_string_equal(config.watch[63].path, "/disk63");
	strcat(text, "- path: /one-more\n");
	expect_refusal(text, strlen(text), "line 1: watch: must have at most 64 entries");
}

static void test_size_and_width_are_bounded(void **unused)
{
	static char text[CONFIG_FILE_MAX_BYTES + 1];
	static struct config config;
	(void)unused;

	memset(text, '#', sizeof(text));
	parse_good(text, CONFIG_FILE_MAX_BYTES, &config);
	expect_refusal(text, CONFIG_FILE_MAX_BYTES + 1, "must be at most 262144 bytes, not 262145");
	/* A key as long as the file is shown cut: 63 of its bytes. */
	memset(text, 'k', 1000);
	memcpy(text + 1000, ": 1\n", 4);
	expect_refusal(text, 1004, "line 1: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: is not a known key");
}

static void test_hash_is_fnv_1a_of_the_bytes(void **unused)
{
	static struct config config;
	(void)unused;

	parse_good("", 0, &config);
	assert_true(config.hash == 0xcbf29ce484222325ULL);
	parse_good("#foobar", 7, &config);
	uint64_t commented = config.hash;
	parse_good("#foobas", 7, &config);
	assert_true(config.hash != commented);
	/* The reference vector of FNV-1a 64 for "a" is of a text that is no configuration; for "#" it follows by hand. */
	parse_good("#", 1, &config);
	assert_true(config.hash == (0xcbf29ce484222325ULL ^ '#') * 0x100000001b3ULL);
}

static void test_node_name_of_the_environment_wins(void **unused)
{
	static struct config config;
	struct err e = {0};
	(void)unused;

	parse_good("node: from-file\n", 16, &config);
	assert_int_equal(config_override_node(&config, NULL, &e), 0);
	assert_int_equal(config_override_node(&config, "", &e), 0);
	assert_string_equal(config.node, "from-file");
	assert_int_equal(config_override_node(&config, "Not\nA Node", &e), -EINVAL);
	assert_string_equal(e.text, "NODE_NAME: must be a node's name (a-z, 0-9, '-' and '.', at most 253 bytes), not 'Not\\nA Node'");
	assert_string_equal(config.node, "from-file");
	assert_int_equal(config_override_node(&config, "n1", &e), 0);
	assert_string_equal(config.node, "n1");
	/* The same bytes as if it had stood in the file: a change is told by memcmp. */
	static struct config written;
	parse_good("node: n1\n", 9, &written);
	written.hash = config.hash;
	assert_memory_equal(&config, &written, sizeof(config));
	memset(config.node, 0, sizeof(config.node));
	assert_int_equal(config_override_node(&config, NULL, &e), -EINVAL);
	assert_string_equal(e.text, "node: is not set, nor is NODE_NAME, and this host's name cannot be a node's");
}

static void test_a_file_is_named_in_its_errors(void **unused)
{
	static struct config config;
	struct err e = {0};
	char path[] = "/tmp/test_config_XXXXXX";
	(void)unused;

	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "probe:\n  period: 0s\n", 20), 20);
	close(fd);
	int r = config_load(path, &config, &e);
	unlink(path);
	assert_int_equal(r, -EINVAL);
	char want[200];
	snprintf(want, sizeof(want), "%s: line 2: probe.period: must be from 1s to 10m, not '0s'", path);
	assert_string_equal(e.text, want);
	assert_int_equal(config_load(path, &config, &e), -ENOENT);
	snprintf(want, sizeof(want), "cannot open '%s': No such file or directory", path);
	assert_string_equal(e.text, want);
	assert_true(config_load("/", &config, &e) < 0);
}

/* What comes back from the sealed reader is not believed. */
#define LIE(...)                                                         \
	do {                                                             \
		memcpy(&c, &good, sizeof(c));                            \
		__VA_ARGS__;                                             \
		assert_int_equal(config_rules_check(&c, NULL), -EPROTO); \
	} while (0)
static void parse_truth(struct config *ret)
{
	static const char text[] = "node: n\nwatch:\n- path: /a\nvolumes:\n"
				   "  checkpoints: [{name: c, server: s, export: /e, namespaces: ['*']}]\n"
				   "  disks: [{name: d, path: /d, namespaces: [n]}, {name: f, path: /f, namespaces: [n]}]\n"
				   "  inject: [{path: /c, checkpoint: c, namespaces: [n]}, {path: /s, namespaces: [n]}]\n  sweep: {roots: [/r]}\n";

	parse_good(text, sizeof(text) - 1, ret);
	assert_int_equal(config_rules_check(ret, NULL), 0);
}

static void test_a_struct_that_lies_is_caught(void **unused)
{
	static struct config good, c;
	(void)unused;

	parse_truth(&good);
	LIE(c.watch_count = CONFIG_WATCH_MAX + 1);
	LIE(c.watch_count = 2);
	LIE(memset(c.node, 'a', sizeof(c.node)));
	LIE(memset(c.watch[0].path, '/', sizeof(c.watch[0].path)));
	LIE(strcpy(c.watch[0].path, "/a/../etc"));
	LIE(strcpy(c.watch[0].role, "No Role"));
	LIE(c.watch[0].ignore = 2);
	LIE(c.discover = (enum config_discover)2);
	LIE(strcpy(c.kubelet_root, "/x/*"));
	LIE(c.probe.period_us = 1);
	LIE(c.probe.recover_after = 0);
	LIE(c.probe.uid = 0);
	LIE(c.forecast.horizon_us = 1);
	LIE(c.space.warn.share = 9901);
	LIE(c.inodes.bad.most = UINT64_MAX);
	LIE(strcpy(c.probe.directory, "../x"));
	LIE(c.report.taint = (enum config_taint)7);
	LIE(c.log_level = (enum log_level)9);
	LIE(strcpy(c.report.max_tainted, "0%"));
	LIE(c.report.taint_single_node = 2);
	LIE(c.report.pods = 2);
	LIE(c.retire = 7);
	LIE(c.executors.watch = (enum config_recognition)2);
	LIE(c.executors.python_oom_group = (enum config_oom_group)3);
	LIE(strcpy(c.executors.nri_socket, "nri.sock"));
	LIE(c.deaths.keep_bytes = 65535);
	LIE(c.deaths.keep_records = 0);
	LIE(strcpy(c.redact.regex, "a|(b"));
	LIE(strcpy(c.runtime_dir, ""));
}

static void test_a_struct_that_lies_about_volumes_is_caught(void **unused)
{
	static struct config good, c;
	(void)unused;

	parse_truth(&good);
	LIE(c.volumes.csi = (enum config_csi)2);
	LIE(c.volumes.cap_tmpfs = 2);
	LIE(c.volumes.scratch_max_bytes = 0);
	LIE(c.volumes.scratch_no_limit_bytes = c.volumes.scratch_max_bytes + 1);
	LIE(c.volumes.checkpoint_deadline_us = 0);
	LIE(c.volumes.sweep = (enum config_sweep)3);
	LIE(c.volumes.checkpoint_count = CONFIG_CHECKPOINTS_MAX + 1);
	LIE(c.volumes.checkpoint_count = 2);
	LIE(strcpy(c.volumes.checkpoints[0].name, "../x"));
	LIE(strcpy(c.volumes.checkpoints[0].server, ""));
	LIE(strcpy(c.volumes.checkpoints[0].server, "a b"));
	LIE(strcpy(c.volumes.checkpoints[0].export_path, "e"));
	LIE(c.volumes.checkpoints[0].version = 2);
	LIE(c.volumes.checkpoints[0].port = 65536);
	LIE(c.volumes.checkpoints[0].namespaces.count = 0);
	LIE(c.volumes.checkpoints[0].namespaces.count = CONFIG_NAMESPACES_MAX + 1);
	LIE(memset(c.volumes.checkpoints[0].namespaces.pattern[0], 'a', 64));
	LIE(strcpy(c.volumes.disks[1].name, "d"));
	LIE(strcpy(c.volumes.disks[0].path, "/"));
	LIE(strcpy(c.volumes.disks[0].path, ""));
	LIE(strcpy(c.volumes.injects[0].checkpoint, "other"));
	LIE(strcpy(c.volumes.injects[1].path, "/c"));
	LIE(strcpy(c.volumes.injects[1].path, "/proc/x"));
	LIE(c.volumes.injects[0].size_bytes = 1 << 20);
	LIE(c.volumes.injects[1].size_bytes = 1);
	LIE(strcpy(c.volumes.sweep_roots[0].path, "/r/*"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_said_is_the_defaults),
		cmocka_unit_test(test_node_defaults_to_the_host_in_lower_case),
		cmocka_unit_test(test_every_key_is_read),
		cmocka_unit_test(test_every_key_of_reports_and_executors_is_read),
		cmocka_unit_test(test_every_key_of_volumes_is_read),
		cmocka_unit_test(test_namespaces_that_may),
		cmocka_unit_test(test_both_ends_of_every_range_and_the_words),
		cmocka_unit_test(test_every_refusal_names_line_key_and_rule),
		cmocka_unit_test(test_an_amount_of_a_whole),
		cmocka_unit_test(test_a_nul_byte_is_refused),
		cmocka_unit_test(test_nothing_is_cut),
		cmocka_unit_test(test_at_most_64_are_watched),
		cmocka_unit_test(test_size_and_width_are_bounded),
		cmocka_unit_test(test_hash_is_fnv_1a_of_the_bytes),
		cmocka_unit_test(test_node_name_of_the_environment_wins),
		cmocka_unit_test(test_a_file_is_named_in_its_errors),
		cmocka_unit_test(test_a_struct_that_lies_is_caught),
		cmocka_unit_test(test_a_struct_that_lies_about_volumes_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
