/* What the agent says about itself: metrics and readiness, made from a health. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "health/metrics.h"
#include "health/ready.h"

static struct health *new_health(void)
{
	struct health *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->status = HEALTH_UNHEALTHY;
	h->agent = (struct health_agent){1795680900 * US_PER_S + 5, "0.1.0", 1, 2, 3, 1795680901 * US_PER_S, 1};
	h->filesystem_count = 1;
	struct health_filesystem *f = h->filesystems;
	strcpy(f->path, "/a\n\"b\\\xff");
	strcpy(f->mount_point, "/a");
	strcpy(f->reason, "IOErrors");
	f->state = VERDICT_BAD;
	f->last_probe_wall_us = 1795680902 * US_PER_S;
	f->probes = (struct health_probes){3, 1, 2, 0, 2501000, {1, 0, 0, 0, 0, 1, 0, 1}};
	f->size_bytes = 100;
	f->space_full_low_s = 900;
	f->space_full_high_s = 1500;
	h->report.taint.wanted = h->taint_held = 1;
	h->taint_holder = HOLDER_BRAKE;
	return h;
}

static void add_input(struct health *h, const char *name, const char *state)
{
	struct health_input *input = &h->inputs[h->input_count++];

	strcpy(input->name, name);
	strcpy(input->state, state);
	strcpy(input->detail, "why\n");
	input->since_wall_us = 1795680900 * US_PER_S;
}

#define FS "{mountpoint=\"/a\",path=\"/a\\\\n\\\"b\\\\\\\\\\\\xff\""

static void test_metrics_are_exact_and_escaped(void **unused)
{
	static const char *const lines[] = {
		"stoker_build_info{version=\"0.1.0\"} 1\n", "stoker_start_time_seconds 1795680900.000005\n", "stoker_node_status{status=\"Unhealthy\"} 1\n",
		"stoker_node_status{status=\"Healthy\"} 0\n", "stoker_last_report_timestamp_seconds 1795680901\n", "stoker_reporter_writes_total 3\n",
		"stoker_input_up{input=\"kmsg\"} 0\n", "stoker_nri_info{runtime=\"containerd\",runtime_version=\"v2.3.4\",nri_version=\"0.12.0\"} 1\n",
		"stoker_nri_requests_total 1\n", "stoker_nri_late_total 2\n", "stoker_nri_refused_total 3\n", "stoker_nri_adjusted_total 4\n",
		"stoker_nri_unverified_total 6\n", "stoker_nri_reconnects_total 5\n",
		"stoker_kmsg_gaps_total 1\n", "stoker_kmsg_records_lost_total 2\n", "stoker_abandoned_probes 1\n",
		"stoker_filesystem_state" FS ",state=\"bad\"} 1\n", "stoker_filesystem_state" FS ",state=\"healthy\"} 0\n",
		"stoker_filesystem_reason" FS ",reason=\"IOErrors\"} 1\n", "stoker_filesystem_probes_total" FS ",result=\"failed\"} 2\n",
		"stoker_filesystem_probe_duration_seconds_bucket" FS ",le=\"0.001\"} 1\n", "stoker_filesystem_probe_duration_seconds_bucket" FS ",le=\"10\"} 2\n",
		"stoker_filesystem_probe_duration_seconds_bucket" FS ",le=\"+Inf\"} 3\n", "stoker_filesystem_probe_duration_seconds_sum" FS "} 2.501\n",
		"stoker_filesystem_probe_duration_seconds_count" FS "} 3\n", "stoker_filesystem_available_bytes" FS "} 0\n",
		"stoker_filesystem_full_seconds" FS ",resource=\"bytes\",bound=\"low\"} 900\n", "stoker_filesystem_full_seconds" FS ",resource=\"bytes\",bound=\"high\"} 1500\n",
		"stoker_node_taint_held{by=\"brake\"} 1\n", "stoker_node_taint_held{by=\"person\"} 0\n", "stoker_node_taint_held{by=\"cluster\"} 0\n",
	};
	scoped(scoped_free) struct health *h = new_health();
	scoped(scoped_free) char *text = NULL;
	size_t length = 0;

	(void)unused;
	h->nri = (struct health_nri){.present = 1, .live = 1, .exit_codes = 1, .oom_score_adj = 1, .runtime = "containerd", .runtime_version = "v2.3.4", .nri_version = "0.12.0", .requests = 1, .late = 2, .refused = 3, .adjusted = 4, .reconnects = 5, .unverified = 6};
	add_input(h, "kmsg", "missing");
	add_input(h, "fs-error", "off");
	assert_int_equal(metrics_text(h, &text, &length, NULL), 0);
	assert_int_equal(length, strlen(text));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("'%s' is not in: %s", lines[i], text);
	assert_null(strstr(text, "fs-error"));
	assert_null(strstr(text, "available_inodes{")); /* not counted there */
	assert_null(strstr(text, "resource=\"inodes\"")); /* and not filling up */
}

static void test_readiness_is_red_for_what_makes_blind_or_mute(void **unused)
{
	static const struct {
		const char *name, *state, *line;
		bool ready;
	} cases[] = {
		{"broker", "missing", "[-]broker missing since 2026-11-26T08:15:00Z: why\\n; nothing can be probed", false},
		{"mounts", "missing", "[-]mounts missing", false},
		{"reporter", "missing", "[-]reporter missing", false},
		{"reporter", "degraded", "[!]reporter degraded", true},
		{"reporter", "off", "[+]reporter off", true},
		{"config", "degraded", "[!]config degraded", true},
		{"kmsg", "missing", "[!]kmsg missing", true},
		{"kmsg", "ok", "[+]kmsg ok\n", true},
		{"something new", "missing", "[!]something new missing", true},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scoped(scoped_free) struct health *h = new_health();
		scoped(scoped_free) char *text = NULL;
		struct ready r;
		size_t length = 0;
		add_input(h, cases[i].name, cases[i].state);
		ready_judge(h, &r);
		assert_int_equal(r.ready, cases[i].ready);
		assert_int_equal(ready_text(&r, true, &text, &length, NULL), 0);
		if (!strstr(text, cases[i].line))
			fail_msg("'%s' is not in: %s", cases[i].line, text);
	}
}

static void test_what_was_never_probed_is_not_watched(void **unused)
{
	scoped(scoped_free) struct health *h = new_health();
	struct ready r;

	(void)unused;
	h->filesystems[0].last_probe_wall_us = 0;
	ready_judge(h, &r);
	assert_false(r.ready);
	h->filesystems[0].ignored = 1;
	ready_judge(h, &r);
	assert_true(r.ready);
	h->filesystem_count = 0;
	ready_judge(h, &r);
	assert_true(r.ready && r.lines[0].mark == READY_WARNING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics_are_exact_and_escaped),
		cmocka_unit_test(test_readiness_is_red_for_what_makes_blind_or_mute),
		cmocka_unit_test(test_what_was_never_probed_is_not_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
