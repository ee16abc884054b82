/* The health of a node for people: the table, the line above it, the plugin's line. */
#include "tests/unit/health_make.h"

#include <locale.h>
#include <time.h>

#include "health/health_table.h"

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
	assert_string_equal(line, "Healthy: AllProbesPassed, 1 filesystem");
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
		cmocka_unit_test(test_the_table),
		cmocka_unit_test(test_the_table_without_utf8_is_ascii),
		cmocka_unit_test(test_the_headline_tells_the_age),
		cmocka_unit_test(test_the_plugins_line_is_short),
	};

	return cmocka_run_group_tests(tests, in_utc, NULL);
}
