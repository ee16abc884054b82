/* The configuration read again in a sealed child: on change, on a ConfigMap's swap, on SIGHUP; a bad one changes nothing. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/config_source.h"
#include "base/fd.h"
#include "base/scoped.h"

#define DEADLINE_MS 30000 /* of a wait that takes 60 ms */

struct stage {
	uv_loop_t loop;
	uv_timer_t late;
	bool is_late;
	struct config_source source;
	unsigned configs, errors;
	struct err last;
	char directory[64], path[128];
};

static void got_config(struct config_source *source, const struct config *config)
{
	struct stage *s = source->owner;

	assert_ptr_equal(config, &source->current);
	s->configs++;
	uv_stop(&s->loop);
}

static void got_error(struct config_source *source, const struct err *why)
{
	struct stage *s = source->owner;

	s->errors++;
	s->last = *why;
	uv_stop(&s->loop);
}

static void too_late(uv_timer_t *timer)
{
	struct stage *s = timer->data;

	s->is_late = true;
	uv_stop(&s->loop);
}

static void put(const char *path, const char *text)
{
	struct err e = {0};

	if (fd_replace_file(path, text, strlen(text), 0600, &e) < 0)
		fail_msg("%s", e.text);
}

static void wait_for(struct stage *s, unsigned configs, unsigned errors)
{
	uv_timer_start(&s->late, too_late, DEADLINE_MS, 0);
	while (!s->is_late && (s->configs < configs || s->errors < errors) && s->errors <= errors)
		uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&s->late);
	if (s->is_late || s->configs != configs || s->errors != errors)
		fail_msg("%u configurations and %u errors instead of %u and %u; the last: %s", s->configs, s->errors, configs, errors, s->last.text);
}

static int stage_open(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	unsetenv("NODE_NAME");
	strcpy(s->directory, "/tmp/test_config_source_XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->path, sizeof(s->path), "%s/stoker.yaml", s->directory);
	assert_int_equal(uv_loop_init(&s->loop), 0);
	uv_timer_init(&s->loop, &s->late);
	s->late.data = s;
	s->source.owner = s;
	s->source.on_config = got_config;
	s->source.on_error = got_error;
	*state = s;
	return 0;
}

static void start(struct stage *s)
{
	struct err e = {0};

	if (config_source_start(&s->source, &s->loop, s->path, &e) < 0)
		fail_msg("%s", e.text);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static int stage_close(void **state)
{
	struct stage *s = *state;
	char command[200];

	uv_walk(&s->loop, close_handle, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->directory);
	int r = system(command);
	free(s);
	return r;
}

static void test_start_takes_the_file_or_says_why_not(void **state)
{
	struct stage *s = *state;
	struct err e = {0};
	char want[256];

	put(s->path, "log:\n  level: loud\n");
	assert_int_equal(config_source_start(&s->source, &s->loop, s->path, &e), -EINVAL);
	snprintf(want, sizeof(want), "%s: line 2: log.level: must be debug, info, warn or error, not 'loud'", s->path);
	assert_string_equal(e.text, want);
	put(s->path, "node: n1\n");
	start(s);
	assert_string_equal(s->source.current.node, "n1");
	assert_int_equal(s->configs + s->errors, 0);
}

static void test_a_change_comes_and_a_bad_one_does_not(void **state)
{
	struct stage *s = *state;
	char want[256];

	put(s->path, "node: n1\nwatch:\n- path: /a\n");
	start(s);
	put(s->path, "node: n1\nwatch:\n- path: /a\n- path: /b\n  role: kubelet\n");
	wait_for(s, 1, 0);
	assert_int_equal(s->source.current.watch_count, 2);
	assert_string_equal(s->source.current.watch[1].role, "kubelet");
	assert_string_equal(s->source.current.node, "n1");

	put(s->path, "node: n1\nwatch:\n- path: b\n");
	wait_for(s, 1, 1);
	snprintf(want, sizeof(want), "%s: line 3: watch[0].path: must be absolute, not 'b'", s->path);
	assert_string_equal(s->last.text, want);
	assert_int_equal(s->source.current.watch_count, 2);

	unlink(s->path);
	wait_for(s, 1, 2);
	snprintf(want, sizeof(want), "cannot open '%s': No such file or directory", s->path);
	assert_string_equal(s->last.text, want);

	put(s->path, "node: n2\n");
	wait_for(s, 2, 2);
	assert_string_equal(s->source.current.node, "n2");
	assert_int_equal(s->source.current.watch_count, 0);
}

/* As kubelet does it: stoker.yaml -> ..data/stoker.yaml, ..data -> ..one, and a rename of ..data. */
static void test_a_config_map_is_swapped(void **state)
{
	struct stage *s = *state;
	char file[256], next[256], data[256];

	snprintf(data, sizeof(data), "%s/..data", s->directory);
	snprintf(next, sizeof(next), "%s/..data_tmp", s->directory);
	for (int i = 1; i <= 2; i++) {
		snprintf(file, sizeof(file), "%s/..%d", s->directory, i);
		assert_int_equal(mkdir(file, 0700), 0);
		snprintf(file, sizeof(file), "%s/..%d/stoker.yaml", s->directory, i);
		put(file, i == 1 ? "node: n1\n" : "node: n2\n");
	}
	assert_int_equal(symlink("..1", data), 0);
	assert_int_equal(symlink("..data/stoker.yaml", s->path), 0);
	start(s);
	assert_string_equal(s->source.current.node, "n1");
	assert_int_equal(symlink("..2", next), 0);
	assert_int_equal(rename(next, data), 0);
	wait_for(s, 1, 0);
	assert_string_equal(s->source.current.node, "n2");
}

static void test_hangup_reads_again_and_what_is_the_same_is_not_news(void **state)
{
	struct stage *s = *state;

	put(s->path, "node: n1\n");
	start(s);
	/* Behind the watch's back. */
	uv_fs_event_stop(&s->source.change);
	config_source_reload(&s->source);
	put(s->path, "node: n2\n");
	assert_true(s->source.reading);
	raise(SIGHUP);
	/* The first child may have read either; the one for SIGHUP came later and is queued, and what is the same is silent. */
	wait_for(s, 1, 0);
	assert_string_equal(s->source.current.node, "n2");
	uv_timer_start(&s->late, too_late, DEADLINE_MS, 0);
	config_source_reload(&s->source);
	while (s->source.reading && !s->is_late)
		uv_run(&s->loop, UV_RUN_ONCE);
	assert_false(s->is_late);
	assert_int_equal(s->configs, 1);
	assert_int_equal(s->errors, 0);
}

static void test_node_name_holds_over_reloads(void **state)
{
	struct stage *s = *state;

	setenv("NODE_NAME", "from-env", 1);
	put(s->path, "node: n1\n");
	start(s);
	unsetenv("NODE_NAME");
	assert_string_equal(s->source.current.node, "from-env");
	put(s->path, "node: n2\nlog:\n  level: debug\n");
	wait_for(s, 1, 0);
	assert_string_equal(s->source.current.node, "from-env");
	assert_int_equal(s->source.current.log_level, LOG_DEBUG);
}

static void test_the_runtime_directory_stays_where_it_is(void **state)
{
	struct stage *s = *state;

	put(s->path, "node: n1\nruntimeDir: /run/one\n");
	start(s);
	put(s->path, "node: n2\nruntimeDir: /run/another\n");
	wait_for(s, 1, 0);
	assert_string_equal(s->source.current.node, "n2");
	assert_string_equal(s->source.current.runtime_dir, "/run/one");
}

static void test_a_full_configuration_passes_the_channel(void **state)
{
	struct stage *s = *state;
	static char text[96 * 1024] = "";

	put(s->path, "node: n1\n");
	start(s);
	size_t n = (size_t)sprintf(text, "watch:\n");
	for (int i = 0; i < CONFIG_WATCH_MAX; i++) {
		n += (size_t)sprintf(text + n, "- path: /%02d", i);
		memset(text + n, 'x', 1000);
		n += 1000;
		n += (size_t)sprintf(text + n, "\n  role: r%d\n", i);
	}
	put(s->path, text);
	wait_for(s, 1, 0);
	assert_int_equal(s->source.current.watch_count, CONFIG_WATCH_MAX);
	assert_int_equal(strlen(s->source.current.watch[63].path), 1003);
	assert_string_equal(s->source.current.watch[63].role, "r63");
}

static void test_a_reader_that_dies_is_an_error(void **state)
{
	struct stage *s = *state;
	char want[256];

	put(s->path, "node: n1\n");
	start(s);
	config_source_reload(&s->source);
	child_signal(&s->source.child, SIGKILL);
	uv_timer_start(&s->late, too_late, DEADLINE_MS, 0);
	while (s->source.reading && !s->is_late)
		uv_run(&s->loop, UV_RUN_ONCE);
	assert_false(s->is_late);
	/* It may have been quick enough to send everything first. */
	snprintf(want, sizeof(want), "%s: its reader ended with status 137", s->path);
	if (s->errors > 0)
		assert_string_equal(s->last.text, want);
	assert_string_equal(s->source.current.node, "n1");
}

int main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_open, stage_close)
	const struct CMUnitTest tests[] = {
		STAGED(test_start_takes_the_file_or_says_why_not),
		STAGED(test_a_change_comes_and_a_bad_one_does_not),
		STAGED(test_a_config_map_is_swapped),
		STAGED(test_hangup_reads_again_and_what_is_the_same_is_not_news),
		STAGED(test_node_name_holds_over_reloads),
		STAGED(test_the_runtime_directory_stays_where_it_is),
		STAGED(test_a_full_configuration_passes_the_channel),
		STAGED(test_a_reader_that_dies_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
