/* The configuration: the ends of every range, the exact words for every way to get it wrong, and its bounds. */
#include "tests/unit/config_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/scoped.h"
#include "tests/unit/config_refusals.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
