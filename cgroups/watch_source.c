/* watch_source.c - see watch_source.h. */
#include "cgroups/watch_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scoped.h"

/* Whoever has no CAP_SYS_RESOURCE may only ask for windows of whole 2 s (Linux 6.4, 6.1.192), and those cost no kernel thread. */
#define TRIGGER "some 200000 2000000"

struct cgroup_source {
	union { /* the work begins when the poll handle is closed */
		uv_poll_t poll;
		uv_work_t work;
	};
	int fd;
	bool is_trigger;
	bool slow; /* to close */
	cgroup_source_tell *tell;
	void *owner;
};

static void fired(uv_poll_t *poll, int status, int events)
{
	struct cgroup_source *s = poll->data;
	uint64_t count;

	/* of an eventfd that is read empty already nothing is to be told */
	bool nothing = !s->is_trigger && status == 0 && read(s->fd, &count, sizeof(count)) < 0;
	(void)events;
	if (!nothing)
		s->tell(s->owner, status < 0);
}

static struct cgroup_source *make(uv_loop_t *loop, int *fd, bool is_trigger, cgroup_source_tell *tell, void *owner, struct err *e)
{
	struct cgroup_source *s = calloc(1, sizeof(*s));
	int r = s ? uv_poll_init(loop, &s->poll, *fd) : UV_ENOMEM;

	if (r < 0) {
		free(s);
		err_set(e, -r, "cannot watch a cgroup");
		return NULL;
	}
	s->poll.data = s;
	s->fd = fd_take(fd);
	s->is_trigger = is_trigger;
	s->tell = tell;
	s->owner = owner;
	uv_poll_start(&s->poll, is_trigger ? UV_PRIORITIZED : UV_READABLE, fired);
	return s;
}

/* cgroup.event_control: "EVENTFD FILE ARGUMENTS". The kernel keeps its own hold on both until the eventfd is closed or the cgroup
 * removed, which it tells too. */
static struct cgroup_source *open_event(uv_loop_t *loop, const struct cgroup *cgroup, const char *file, const char *arguments, cgroup_source_tell *tell,
					void *owner, struct err *e)
{
	char line[64];

	scoped(fd_drop) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	scoped(fd_drop) int of = openat(cgroup->fds[CGROUP_MEMORY], file, O_RDONLY | O_CLOEXEC);
	if (event < 0 || of < 0) {
		err_set(e, errno, "cannot watch '%s'", file);
		return NULL;
	}
	snprintf(line, sizeof(line), "%d %d%s%s", event, of, *arguments ? " " : "", arguments);
	if (cgroup_write(cgroup, CGROUP_MEMORY, "cgroup.event_control", line, e) < 0)
		return NULL;
	return make(loop, &event, false, tell, owner, e);
}

struct cgroup_source *cgroup_source_open_oom(uv_loop_t *loop, const struct cgroup *cgroup, cgroup_source_tell *tell, void *owner, struct err *e)
{
	return open_event(loop, cgroup, "memory.oom_control", "", tell, owner, e);
}

struct cgroup_source *cgroup_source_open_usage(uv_loop_t *loop, const struct cgroup *cgroup, uint64_t bytes, cgroup_source_tell *tell, void *owner,
					       struct err *e)
{
	char threshold[24];

	snprintf(threshold, sizeof(threshold), "%" PRIu64, bytes);
	return open_event(loop, cgroup, "memory.usage_in_bytes", threshold, tell, owner, e);
}

struct cgroup_source *cgroup_source_open_pressure(uv_loop_t *loop, const struct cgroup *cgroup, cgroup_source_tell *tell, void *owner, struct err *e)
{
	if (cgroup->pressure_fd < 0) {
		err_rule(e, ENOENT, "no cgroup v2 has memory.pressure");
		return NULL;
	}
	scoped(fd_drop) int fd = openat(cgroup->pressure_fd, "memory.pressure", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || write(fd, TRIGGER, sizeof(TRIGGER)) < 0) {
		err_set(e, errno, "cannot set a trigger in memory.pressure");
		return NULL;
	}
	return make(loop, &fd, true, tell, owner, e);
}

static void drop_fd(uv_work_t *work)
{
	struct cgroup_source *s = work->data;

	fd_drop(&s->fd);
}

static void drop_memory(uv_work_t *work, int status)
{
	struct cgroup_source *s = work->data;

	fd_drop(&s->fd); /* where it was cancelled */
	(void)status;
	free(s);
}

static void closed(uv_handle_t *handle)
{
	struct cgroup_source *s = handle->data;
	uv_loop_t *loop = handle->loop;

	s->work.data = s;
	if (!s->slow || uv_queue_work(loop, &s->work, drop_fd, drop_memory) < 0)
		drop_memory(&s->work, 0);
}

void cgroup_source_close(struct cgroup_source **source, bool cgroup_is_gone)
{
	struct cgroup_source *s = *source;

	if (!s)
		return;
	*source = NULL;
	s->slow = s->is_trigger && !cgroup_is_gone;
	uv_poll_stop(&s->poll);
	uv_close((uv_handle_t *)&s->poll, closed);
}
