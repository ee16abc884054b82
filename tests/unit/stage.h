/* stage.h - a loop, a directory and a place for what callbacks saw: what tests of processes and links share. */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/link.h"

#define LATE_MS 90000 /* far beyond what anything here takes: when it passes, the test has failed */

/* What the callbacks of one test saw. */
struct stage {
	uv_loop_t loop;
	uv_timer_t late;
	bool is_late;
	char directory[32], path[64];

	struct child child;
	int channel; /* our end */
	unsigned exits, overdue;
	int status;

	struct link client, server;
	unsigned ups, records, downs, closes;
	uint16_t last_type;
	int last_fd;
	struct err why;
};

static inline void stage_is_late(uv_timer_t *timer)
{
	((struct stage *)timer->data)->is_late = true;
}

static inline int stage_open(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	*state = s;
	if (!s || uv_loop_init(&s->loop) < 0)
		return -1;
	s->last_fd = s->channel = -1;
	strcpy(s->directory, "/tmp/stoker-process.XXXXXX");
	if (!mkdtemp(s->directory))
		return -1;
	snprintf(s->path, sizeof(s->path), "%s/sock", s->directory);
	uv_timer_init(&s->loop, &s->late);
	s->late.data = s;
	return uv_timer_start(&s->late, stage_is_late, LATE_MS, 0);
}

/* Never waits: when a test has failed, its handles are still there, and the loop with them. */
static inline int stage_close(void **state)
{
	struct stage *s = *state;

	signal(SIGCHLD, SIG_DFL);
	uv_close((uv_handle_t *)&s->late, NULL);
	uv_run(&s->loop, UV_RUN_NOWAIT);
	fd_drop(&s->channel);
	unlink(s->path);
	rmdir(s->directory);
	if (uv_loop_close(&s->loop) < 0)
		return -1; /* a handle was forgotten */
	free(s);
	return 0;
}

#define stage_test(f) cmocka_unit_test_setup_teardown(f, stage_open, stage_close)

/* Turns the loop until the condition holds. */
#define until(stage, condition)                                  \
	do {                                                     \
		while (!(condition) && !(stage)->is_late)        \
			uv_run(&(stage)->loop, UV_RUN_ONCE);     \
		assert_true(condition);                          \
	} while (0)

static inline void child_ended(struct child *child, int status)
{
	struct stage *s = child->owner;

	s->exits++;
	s->status = status;
}

static inline void child_late(struct child *child)
{
	((struct stage *)child->owner)->overdue++;
}

static const struct child_ops child_ops = {.on_overdue = child_late, .on_exit = child_ended};

static inline void start_child(struct stage *s, uint64_t deadline_us, int (*body)(void *, int), void *argument, const int *keep)
{
	struct err e = {0};

	fd_drop(&s->channel);
	assert_int_equal(child_fork(&s->child, &s->loop, &child_ops, s, deadline_us, body, argument, keep, &s->channel, &e), 0);
	assert_true(child_is_running(&s->child));
}

/* The child's exit status. */
static inline int run_child(struct stage *s, int (*body)(void *, int), void *argument, const int *keep)
{
	unsigned before = s->exits;
	start_child(s, 0, body, argument, keep);

	until(s, s->exits > before);
	assert_false(child_is_running(&s->child));
	return s->status;
}

static inline int body_pauses(void *argument, int channel)
{
	(void)argument;
	(void)channel;
	while (pause() < 0)
		continue;
	return 1;
}
