/* supervisor_twin.c - another stokerd with the same runtime directory: a host service beside the DaemonSet, a second DaemonSet. Both write the
 * node object and the state file, and the last one has the sockets. It is said by whoever came second; both go on, since a node that
 * nobody watches is worse. */
#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "health/supervisor.h"

#define INPUT	   "twin"
#define LOCK_FILE  "stokerd.lock"
#define TICKS_TILL 2 /* a child of an earlier life may hold it a moment longer */

void supervisor_look_for_twin(struct supervisor *s)
{
	char path[sizeof(s->monitor.config.runtime_dir) + 32], words[256];
	struct err e = {0};

	if (s->lock_fd >= 0)
		return;
	snprintf(path, sizeof(path), "%s/" LOCK_FILE, s->monitor.config.runtime_dir);
	s->lock_fd = fd_lock_file(path, &e);
	if (s->lock_fd >= 0) {
		if (s->lock_refused >= TICKS_TILL)
			monitor_input(&s->monitor, INPUT, "ok", "the other stokerd of this node is gone");
		return;
	}
	if (++s->lock_refused != TICKS_TILL)
		return;
	snprintf(words, sizeof(words), "another stokerd of this node uses %s too ('" LOCK_FILE "' there is locked)", s->monitor.config.runtime_dir);
	monitor_input(&s->monitor, INPUT, "degraded", e.code == EWOULDBLOCK ? words : e.text);
}
