/* supervisor_kernel_log.c - the input "kmsg": what the kernel complains of, passed on; lost records and a lost log. */
#include <stdio.h>

#include "base/clock.h"
#include "base/fd.h"
#include "health/supervisor.h"

#define GAP_PAUSE_MS 1000 /* lost kernel records make us look at everything at most so often */

static void follow_up(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	if (monitor_follow_up(&s->monitor, clock_mono_us()))
		supervisor_follow_up(s);
}

void supervisor_follow_up(struct supervisor *s)
{
	if (!uv_is_active((uv_handle_t *)&s->follow_up))
		uv_timer_start(&s->follow_up, follow_up, MONITOR_FOLLOW_UP_US / US_PER_MS, 0);
}

static void on_hint(struct kernel_log *log, const struct kmsg_hint *hint)
{
	struct supervisor *s = log->owner;

#ifdef STOKER_SABOTAGE_KMSG_IGNORED
	(void)hint;
	(void)s;
#else
	if (monitor_hint(&s->monitor, hint, clock_mono_us(), clock_wall_us()))
		supervisor_follow_up(s);
#endif
}

static void gap_pause_over(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	if (!s->gap_again)
		return;
	s->gap_again = false;
	monitor_probe_all(&s->monitor, s->gap_why);
	uv_timer_start(&s->gap, gap_pause_over, GAP_PAUSE_MS, 0);
}

void supervisor_probe_all(struct supervisor *s, const char *why)
{
	s->gap_again = true;
	s->gap_why = why;
	if (!uv_is_active((uv_handle_t *)&s->gap))
		gap_pause_over(&s->gap);
}

static void on_gap(struct kernel_log *log)
{
	struct supervisor *s = log->owner;
	char detail[160];

	s->monitor.agent.kmsg_gaps = log->gaps.overruns_total;
	s->monitor.agent.kmsg_lost = log->gaps.lost_total;
	snprintf(detail, sizeof(detail), "%llu records lost so far in %llu overruns; everything was probed",
		 (unsigned long long)log->gaps.lost_total, (unsigned long long)log->gaps.overruns_total);
	monitor_input(&s->monitor, "kmsg", "ok", detail);
	s->executors.gap_us = clock_mono_us();
	supervisor_probe_all(s, "kernel log records lost");
}

static void on_nfs(struct kernel_log *log, const struct kmsg_nfs *line)
{
	supervisor_nfs(log->owner, line);
}

static void on_oom(struct kernel_log *log, const struct oom_kill *kill)
{
	supervisor_executors_oom(log->owner, kill);
}

static void on_kernel_log_lost(struct kernel_log *log, const struct err *why)
{
	struct supervisor *s = log->owner;

	monitor_input(&s->monitor, "kmsg", "missing", why->text);
	s->executors.kmsg = false;
	link_send(&s->broker, WIRE_KMSG, ++s->asked, NULL, 0);
}

void supervisor_use_kernel_log(struct supervisor *s, int fd)
{
	static const struct kernel_log_ops ops = {.on_hint = on_hint, .on_nfs = on_nfs, .on_oom = on_oom, .on_gap = on_gap, .on_lost = on_kernel_log_lost};
	struct err e = {0};

	if (s->kernel_log.fd >= 0) { /* a second answer */
		fd_drop(&fd);
		return;
	}
	s->executors.kmsg = kernel_log_start(&s->kernel_log, s->loop, fd, &ops, s, &e) == 0;
	monitor_input(&s->monitor, "kmsg", s->executors.kmsg ? "ok" : "missing", s->executors.kmsg ? "reading" : e.text);
	/* What happened between the first probes and the end of the log, where reading begins, was seen by neither. */
	monitor_probe_all(&s->monitor, "the kernel log is there");
}
