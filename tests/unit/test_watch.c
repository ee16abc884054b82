/* The watcher on plain files that look like cgroup v2: what is told, in which order, and what a callback may do. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "cgroups/watch.h"
#include "cgroups/watch_inotify.h"
#include "tests/unit/cgroup_stage.h"

#define GROUPS 3

struct fixture;

struct group {
	struct fixture *fixture;
	struct cgroup cgroup;
	struct cgroup_watch watch;
	unsigned events, gone;
	struct group *drops; /* in on_events: lets go of this one */
	bool stops;	     /* in on_events: stops the watcher */
};

struct fixture {
	struct stage stage;
	uv_loop_t loop;
	uv_timer_t deadline;
	struct cgroup_layout layout;
	struct cgroup_watcher watcher;
	struct group groups[GROUPS];
	bool stopped, overdue;
};

static void on_events(struct cgroup_watch *watch)
{
	struct group *g = watch->owner;

	g->events++;
	assert_int_equal(g->gone, 0); /* the end comes last */
	if (g->drops)
		cgroup_watch_remove(&g->drops->watch);
	if (g->stops) {
		cgroup_watcher_stop(&g->fixture->watcher);
		g->fixture->stopped = true;
	}
}

static void on_gone(struct cgroup_watch *watch)
{
	struct group *g = watch->owner;

	g->gone++;
}

static const struct cgroup_watch_ops ops = {.on_events = on_events, .on_gone = on_gone};

static void is_overdue(uv_timer_t *timer)
{
	struct fixture *f = timer->data;

	f->overdue = true;
}

/* Pods p0, p1, p2 with a container "c" each. */
static void set_up(struct fixture *f)
{
	struct err e = {0};

	memset(f, 0, sizeof(*f));
	open_stage(&f->stage);
	put(&f->stage, "proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
	put(&f->stage, "sys/fs/cgroup/cgroup.controllers", "memory\n");
	assert_int_equal(uv_loop_init(&f->loop), 0);
	uv_timer_init(&f->loop, &f->deadline);
	f->deadline.data = f;
	for (int i = 0; i < GROUPS; i++) {
		char path[64];
		snprintf(path, sizeof(path), "sys/fs/cgroup/p%d/c/cgroup.procs", i);
		put(&f->stage, path, "1\n");
		snprintf(path, sizeof(path), "sys/fs/cgroup/p%d/c/memory.events", i);
		put(&f->stage, path, "oom_kill 0\n");
	}
	assert_int_equal(cgroup_layout_find(f->stage.root, &f->layout, &e), 0);
	assert_int_equal(cgroup_watcher_start(&f->watcher, &f->loop, &e), 0);
}

static void add(struct fixture *f, int i, const char *path)
{
	struct group *g = &f->groups[i];
	struct err e = {0};

	g->fixture = f;
	assert_int_equal(cgroup_open(&f->layout, path, &g->cgroup, &e), 0);
	g->watch = (struct cgroup_watch){.ops = &ops, .owner = g, .cgroup = &g->cgroup};
	if (cgroup_watch_add(&f->watcher, &g->watch, path, &e) < 0)
		fail_msg("%s", e.text);
}

static void add_all(struct fixture *f)
{
	for (int i = 0; i < GROUPS; i++) {
		char path[16];
		snprintf(path, sizeof(path), "p%d/c", i);
		add(f, i, path);
	}
}

static void tear_down(struct fixture *f)
{
	if (!f->stopped)
		cgroup_watcher_stop(&f->watcher);
	uv_close((uv_handle_t *)&f->deadline, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	for (int i = 0; i < GROUPS; i++)
		if (f->groups[i].fixture)
			cgroup_close(&f->groups[i].cgroup);
	cgroup_layout_close(&f->layout);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	close_stage(&f->stage);
}

/* In place: a new file by rename would be another inode. */
static void append(struct fixture *f, const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/sys/fs/cgroup/%s", f->stage.root, path);
	FILE *file = fopen(whole, "a");
	assert_non_null(file);
	fputs("x", file);
	fclose(file);
}

static void drop(struct fixture *f, int i)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -r %s/sys/fs/cgroup/p%d/c", f->stage.root, i);
	assert_int_equal(system(command), 0);
}

/* Runs the loop until the counter has that value. */
static void run_until(struct fixture *f, const unsigned *counter, unsigned value)
{
	f->overdue = false;
	uv_timer_start(&f->deadline, is_overdue, 20000, 0);
	while (*counter < value && !f->overdue)
		uv_run(&f->loop, UV_RUN_ONCE);
	uv_timer_stop(&f->deadline);
	assert_false(f->overdue);
}

static void test_a_change_is_told_to_its_own_watch(void **unused)
{
	struct fixture f;

	(void)unused;
	set_up(&f);
	add_all(&f);
	append(&f, "p1/c/memory.events");
	run_until(&f, &f.groups[1].events, 1);
	assert_int_equal(f.groups[0].events + f.groups[2].events, 0);
	assert_int_equal(f.watcher.polled_count, 0);
	tear_down(&f);
}

static void test_the_end_is_told_once_and_after_the_events(void **unused)
{
	struct fixture f;

	(void)unused;
	set_up(&f);
	add_all(&f);
	append(&f, "p0/c/memory.events");
	drop(&f, 0);
	run_until(&f, &f.groups[0].gone, 1);
	drop(&f, 2);
	run_until(&f, &f.groups[2].gone, 1);
	assert_int_equal(f.groups[0].gone, 1);
	assert_int_equal(f.groups[0].events, 1);
	assert_int_equal(f.groups[1].gone, 0);
	tear_down(&f);
}

static void test_two_watches_of_one_cgroup(void **unused)
{
	struct fixture f;

	(void)unused;
	set_up(&f);
	add(&f, 0, "p0/c");
	add(&f, 1, "p0/c");
	append(&f, "p0/c/memory.events");
	run_until(&f, &f.groups[0].events, 1);
	assert_int_equal(f.groups[1].events, 1);
	/* the kernel has one watch for both: it stays when one goes */
	cgroup_watch_remove(&f.groups[0].watch);
	append(&f, "p0/c/memory.events");
	run_until(&f, &f.groups[1].events, 2);
	assert_int_equal(f.groups[0].events, 1);
	drop(&f, 0);
	run_until(&f, &f.groups[1].gone, 1);
	tear_down(&f);
}

static void test_a_callback_may_remove_any(void **unused)
{
	struct fixture f;

	(void)unused;
	set_up(&f);
	add_all(&f);
	for (int i = 0; i < GROUPS; i++) /* whoever is first drops the next, which has its own call to come */
		f.groups[i].drops = &f.groups[(i + 1) % GROUPS];
	f.groups[2].drops = &f.groups[2]; /* and itself */
	append(&f, "p0/c/memory.events");
	append(&f, "p1/c/memory.events");
	append(&f, "p2/c/memory.events");
	run_until(&f, &f.groups[2].events, 1);
	assert_int_equal(f.groups[0].events, 1);
	assert_int_equal(f.groups[1].events, 0);
	assert_int_equal(f.watcher.count, 1);
	cgroup_watch_remove(&f.groups[1].watch); /* again: nothing */
	tear_down(&f);
}

static void test_a_callback_may_stop_the_watcher(void **unused)
{
	struct fixture f;

	(void)unused;
	set_up(&f);
	add_all(&f);
	f.groups[0].stops = f.groups[1].stops = true;
	append(&f, "p0/c/memory.events");
	append(&f, "p1/c/memory.events");
	run_until(&f, &f.groups[0].events, 1);
	assert_int_equal(f.groups[1].events, 0);
	assert_int_equal(f.watcher.count, 0);
	tear_down(&f);
}

static void test_without_inotify_it_polls_and_says_so(void **unused)
{
	struct fixture f;
	char text[256];

	(void)unused;
	set_up(&f);
	cgroup_inotify_stop(&f.watcher);
	add_all(&f);
	assert_int_equal(f.watcher.polled_count, 3);
	assert_true(f.groups[0].watch.polled);
	cgroup_watcher_say(&f.watcher, text, sizeof(text));
	assert_string_equal(text, "3 of 3 cgroups are polled each second: no inotify instance is left (fs.inotify.max_user_instances)");
	drop(&f, 1);
	run_until(&f, &f.groups[1].gone, 1);
	assert_true(f.groups[0].events > 0); /* it may have changed */
	for (int i = 0; i < GROUPS; i++)
		cgroup_watch_remove(&f.groups[i].watch);
	cgroup_watcher_say(&f.watcher, text, sizeof(text));
	assert_string_equal(text, "");
	assert_false(uv_is_active((uv_handle_t *)&f.watcher.timer)); /* nothing to poll: no wake-up */
	tear_down(&f);
}

static void test_what_is_gone_before_is_refused(void **unused)
{
	struct fixture f;
	struct err e = {0};

	(void)unused;
	set_up(&f);
	struct group *g = &f.groups[0];
	g->fixture = &f;
	assert_int_equal(cgroup_open(&f.layout, "p0/c", &g->cgroup, &e), 0);
	drop(&f, 0);
	g->watch = (struct cgroup_watch){.ops = &ops, .owner = g, .cgroup = &g->cgroup};
	assert_int_equal(cgroup_watch_add(&f.watcher, &g->watch, "p0/c", &e), -ENODEV);
	assert_int_equal(f.watcher.count, 0);
	assert_int_equal(f.watcher.polled_count, 0);
	cgroup_watch_remove(&g->watch);
	tear_down(&f);
}

/* No trigger can be set in a plain file that is not there: said, and the rest works. */
static void test_pressure_that_cannot_be_watched_is_said(void **unused)
{
	struct fixture f;
	struct err e = {0};
	char text[256];

	(void)unused;
	set_up(&f);
	struct group *g = &f.groups[0];
	g->fixture = &f;
	assert_int_equal(cgroup_open(&f.layout, "p0/c", &g->cgroup, &e), 0);
	g->watch = (struct cgroup_watch){.ops = &ops, .owner = g, .cgroup = &g->cgroup, .want_pressure = true};
	assert_int_equal(cgroup_watch_add(&f.watcher, &g->watch, "p0/c", &e), 0);
	cgroup_watcher_say(&f.watcher, text, sizeof(text));
	assert_string_equal(text, "the pressure of 1 is not watched: cannot set a trigger in memory.pressure: No such file or directory");
	append(&f, "p0/c/memory.events");
	run_until(&f, &g->events, 1);
	cgroup_watch_remove(&g->watch);
	cgroup_watcher_say(&f.watcher, text, sizeof(text));
	assert_string_equal(text, "");
	tear_down(&f);
}

/* inotify's queue ran over: which events were lost nobody knows. */
static void test_everything_is_looked_at_after_an_overflow(void **unused)
{
	struct fixture f;
	char text[16];

	(void)unused;
	set_up(&f);
	add_all(&f);
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	unsigned long queued = file && fgets(text, sizeof(text), file) ? strtoul(text, NULL, 10) : 16384;
	if (file)
		fclose(file);
	/* the kernel folds equal neighbours into one, so two files in turn */
	for (unsigned long i = 0; i < queued / 2 + 10; i++) {
		append(&f, "p0/c/memory.events");
		append(&f, "p1/c/memory.events");
	}
	run_until(&f, &f.groups[2].events, 1);
	assert_int_equal(f.watcher.overflows, 1);
	tear_down(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_change_is_told_to_its_own_watch),
		cmocka_unit_test(test_the_end_is_told_once_and_after_the_events),
		cmocka_unit_test(test_two_watches_of_one_cgroup),
		cmocka_unit_test(test_a_callback_may_remove_any),
		cmocka_unit_test(test_a_callback_may_stop_the_watcher),
		cmocka_unit_test(test_without_inotify_it_polls_and_says_so),
		cmocka_unit_test(test_what_is_gone_before_is_refused),
		cmocka_unit_test(test_pressure_that_cannot_be_watched_is_said),
		cmocka_unit_test(test_everything_is_looked_at_after_an_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
