/* config_source.h - the configuration file, read in a sealed child and read again on change and on SIGHUP.
 *
 * The role itself never touches the file's disk after start: inotify on its directory (a ConfigMap changes by a symlink
 * swap there) and SIGHUP start a child that opens, closes its seccomp filter, parses, and sends the plain struct.
 * A bad file is reported and the old one stays in force. */
#pragma once

#include <uv.h>

#include "base/child.h"
#include "base/config.h"
#include "base/sandbox.h"

struct config_source {
	void (*on_config)(struct config_source *source, const struct config *config); /* only when it differs from the last */
	void (*on_error)(struct config_source *source, const struct err *why);	      /* kept running with the old one */
	void *owner;
	char path[NAME_PATH_BYTES];
	char node_override[NAME_NODE_BYTES]; /* NODE_NAME, or "" */
	struct config current;
	/* private */
	bool reading; /* a child is at work, or its channel is being closed */
	bool again;   /* a change came meanwhile */
	struct err blind;   /* why changes are not noticed (then only SIGHUP works); said once on the loop */
	struct err refusal; /* the child's */
	struct sandbox_filter filter;
	struct child child;
	int status; /* of the child that ended */
	int channel;
	bool is_polled;
	uv_poll_t channel_poll;
	uv_fs_event_t change;
	uv_timer_t settle;
	uv_signal_t hangup;
	uv_loop_t *loop;
	size_t received;
	struct config inbox; /* not believed before config_rules_check */
};

/* The first load is synchronous (a role does not start on a bad file): the error says why. */
int config_source_start(struct config_source *source, uv_loop_t *loop, const char *path, struct err *e);
void config_source_reload(struct config_source *source);
