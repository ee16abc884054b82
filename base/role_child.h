/* role_child.h - a role without rights that stokerd starts: an executable whose descriptor 3 is its link to us, started again
 * when it ends (20 ms to 5 s later, twice as long each time until it speaks).
 *
 * The owner embeds a zeroed struct role_child; it lives as long as the loop. Link and process go together: a process that
 * loses its link is killed, a link whose process is gone is closed. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/child.h"
#include "base/link.h"
#include "base/log.h"

struct role_child;

struct role_child_ops {
	void (*on_up)(struct role_child *role); /* it runs: send what it works with */
	void (*on_record)(struct role_child *role, const struct record *record);
	void (*on_down)(struct role_child *role, const char *why); /* it ended, or cannot be started; it is tried again */
};

struct role_child {
	uv_loop_t *loop;
	const struct log *log;
	const struct role_child_ops *ops;
	void *owner;
	const char *name;
	char path[512]; /* "" = there is none: never started */
	struct child child;
	struct link link;
	bool linked; /* the link's handles are in use */
	uv_timer_t restart;
	unsigned failures; /* starts in a row after which it said nothing */
};

/* Starts it now. `path` NULL or "" = there is none. */
void role_child_start(struct role_child *role, uv_loop_t *loop, const struct log *log, const char *name, const char *path,
		      const struct role_child_ops *ops, void *owner);
bool role_child_is_up(const struct role_child *role);

/* As link_send_fd; pass_fd -1 = none. */
bool role_child_send(struct role_child *role, uint16_t type, uint64_t id, const void *payload, size_t length, int pass_fd);
