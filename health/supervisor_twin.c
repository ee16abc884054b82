/* supervisor_twin.c - another stokerd of this node: a host service beside the DaemonSet, a second DaemonSet. Both write the node object;
 * with one runtime directory both write the state file too, and the last one has the sockets. It is said by whoever came second; both go on,
 * since a node that nobody watches is worse.
 *
 * Two things are locked. The runtime directory; and the host's mount namespace, which the broker hands out: a node has one, and two nodes on one
 * machine (k3d) have two. A lock on it (flock) is the same through every /proc, leaves nothing behind, and ends with its process. A broker
 * that does not see the host (observe-only) hands out its own container's, which is nobody else's: then only the directory tells. */
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/fd.h"
#include "base/str.h"
#include "health/supervisor.h"

#define INPUT	   "twin"
#define LOCK_FILE  "stokerd.lock"
#define TICKS_TILL 2 /* a child of an earlier life may hold it a moment longer */

/* Both are tried each time: who has one of them may still have to wait for the other. */
static bool is_alone(struct supervisor *s, char words[static 256])
{
	struct twin *t = &s->twin;
	char path[sizeof(s->monitor.config.runtime_dir) + 32];
	struct err e = {0};

	*words = '\0';
	snprintf(path, sizeof(path), "%s/" LOCK_FILE, s->monitor.config.runtime_dir);
	if (t->node_fd >= 0 && !t->node_locked)
		t->node_locked = flock(t->node_fd, LOCK_EX | LOCK_NB) == 0;
	if (t->node_fd >= 0 && !t->node_locked)
		str_append(words, 256, "another stokerd watches this node, with another runtime directory than %s", s->monitor.config.runtime_dir);
	if (t->directory_fd < 0)
		t->directory_fd = fd_lock_file(path, &e);
	if (t->directory_fd < 0) {
		*words = '\0';
		if (e.code == EWOULDBLOCK)
			str_append(words, 256, "another stokerd of this node uses %s too ('" LOCK_FILE "' there is locked)", s->monitor.config.runtime_dir);
		else
			str_copy(words, 256, e.text);
	}
	return !*words;
}

void supervisor_look_for_twin(struct supervisor *s)
{
	struct twin *t = &s->twin;
	char words[256];

	if (is_alone(s, words)) {
		if (t->refused >= TICKS_TILL)
			monitor_input(&s->monitor, INPUT, "ok", "the other stokerd of this node is gone");
		t->refused = 0;
		return;
	}
	if (t->refused < TICKS_TILL)
		t->refused++;
	if (t->refused >= TICKS_TILL)
		monitor_input(&s->monitor, INPUT, "degraded", words);
}

void supervisor_use_node(struct supervisor *s, int fd)
{
	struct twin *t = &s->twin;

	if (t->node_fd >= 0)
		fd_drop(&fd);
	else
		t->node_fd = fd;
}
