/* The configuration: every key, its default and what it is read as. */
#include "tests/unit/config_text.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"

#define S  US_PER_S
#define MS US_PER_MS

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_said_is_the_defaults),
		cmocka_unit_test(test_node_defaults_to_the_host_in_lower_case),
		cmocka_unit_test(test_every_key_is_read),
		cmocka_unit_test(test_every_key_of_reports_and_executors_is_read),
		cmocka_unit_test(test_every_key_of_volumes_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
