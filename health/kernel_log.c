#include "health/kernel_log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static void readable(uv_poll_t *poll, int status, int events);

/* UV_PRIORITIZED too: when the ring has overrun, /dev/kmsg polls as POLLERR | POLLPRI, and libuv (1.44, uv__poll_io) takes a
 * POLLERR without POLLPRI for a dead descriptor and stops polling. */
static void watch(struct kernel_log *log)
{
	uv_poll_start(&log->poll, UV_READABLE | UV_PRIORITIZED, readable);
}

static void pause_over(uv_timer_t *timer)
{
	struct kernel_log *log = timer->data;

	if (log->fd >= 0)
		watch(log);
}

static void lose(struct kernel_log *log, const struct err *why)
{
	uv_poll_stop(&log->poll);
	uv_close((uv_handle_t *)&log->poll, NULL);
	fd_drop(&log->fd);
	log->ops->on_lost(log, why);
}

/* One record; false when there is none (or the input is dead). `lost` is set when records are missing before it. */
static bool read_one(struct kernel_log *log, bool *lost)
{
	char buffer[KMSG_RECORD_MAX_BYTES];
	struct kmsg_record record;
	struct kmsg_hint hint;
	struct kmsg_nfs nfs;
	struct oom_kill kill;
	struct err e = {0};

	ssize_t n = read(log->fd, buffer, sizeof(buffer) - 1);
	if (n < 0 && errno == EPIPE) {
		log->gaps.overruns_total++;
		*lost = true;
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		err_set(&e, n < 0 ? errno : ENODATA, "cannot read the kernel log");
		lose(log, &e);
		return false;
	}
	log->records_total++;
	if (kmsg_parse(buffer, (size_t)n, &record, &e) < 0) {
		log->malformed_total++;
		return true;
	}
	if (kmsg_count_gap(&log->gaps, record.sequence) > 0)
		*lost = true; /* (oom_read keeps what it has: it goes by pid and time) */
	if (oom_read(&log->ooms, &record, &kill)) {
		if (log->ops->on_oom)
			log->ops->on_oom(log, &kill);
	} else if (log->ops->on_hint && kmsg_is_hint(&record, &hint)) {
		log->ops->on_hint(log, &hint);
	} else if (log->ops->on_nfs && kmsg_is_nfs(&record, &nfs)) {
		log->ops->on_nfs(log, &nfs);
	}
	return true;
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct kernel_log *log = poll->data;
	unsigned n = 0;
	bool lost = false;

	(void)status;
	(void)events;
	while (n < KERNEL_LOG_BURST && read_one(log, &lost))
		n++;
	if (n == KERNEL_LOG_BURST && log->fd >= 0) {
		uv_poll_stop(&log->poll);
		uv_timer_start(&log->pause, pause_over, KERNEL_LOG_PAUSE_US / US_PER_MS, 0);
	}
	if (lost && log->ops->on_gap)
		log->ops->on_gap(log);
}

int kernel_log_start(struct kernel_log *log, uv_loop_t *loop, int fd, const struct kernel_log_ops *ops, void *owner, struct err *e)
{
	log->ops = ops;
	log->owner = owner;
	log->fd = fd;
	log->gaps.started = false;
	log->ooms = (struct oom_reader){0};
	if (!log->timer_ready) {
		uv_timer_init(loop, &log->pause);
		log->pause.data = log;
		log->timer_ready = true;
	}
	lseek(fd, 0, SEEK_END);
	if (uv_poll_init(loop, &log->poll, fd) < 0) {
		fd_drop(&log->fd);
		return err_rule(e, EIO, "the kernel log cannot be polled");
	}
	log->poll.data = log;
	watch(log);
	return 0;
}
