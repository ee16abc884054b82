/* watch_source.h - one descriptor of one cgroup on the loop: v1's eventfd for memory.oom_control, or for
 * memory.usage_in_bytes, or a PSI trigger.
 *
 * Each is a poll handle of its own. They cannot be gathered in an epoll descriptor: the kernel clears a trigger's event at the
 * first poll of it, and the outer epoll's look would be that one (psi_trigger_poll). */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "cgroups/cgroup.h"

struct cgroup_source;

/* Tells that the source fired; `broken`: the cgroup behind it went, or the descriptor is of no more use: close it. */
typedef void cgroup_source_tell(void *owner, bool broken);

/* NULL and the error on failure. The owner closes it; the memory is the source's own. */
struct cgroup_source *cgroup_source_open_oom(uv_loop_t *loop, const struct cgroup *cgroup, cgroup_source_tell *tell, void *owner, struct err *e);
struct cgroup_source *cgroup_source_open_pressure(uv_loop_t *loop, const struct cgroup *cgroup, cgroup_source_tell *tell, void *owner, struct err *e);

/* v1: fires when the usage crosses so many bytes, in either direction. */
struct cgroup_source *cgroup_source_open_usage(uv_loop_t *loop, const struct cgroup *cgroup, uint64_t bytes, cgroup_source_tell *tell, void *owner,
					       struct err *e);

/* At once for the owner; the descriptor goes when the loop has run, a trigger's on a thread: the kernel waits 8 ms and more in its
 * close (synchronize_rcu), unless the cgroup is gone, whose rmdir has waited instead. Sets *source to NULL. */
void cgroup_source_close(struct cgroup_source **source, bool cgroup_is_gone);
