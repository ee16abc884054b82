/* What comes back from the sealed reader of the configuration is not believed. */
#include "tests/unit/config_text.h"

#include <errno.h>

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
		cmocka_unit_test(test_a_struct_that_lies_is_caught),
		cmocka_unit_test(test_a_struct_that_lies_about_volumes_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
