/* nri_role.h - stoker-nri's inside: the session on the loop, between the socket that stokerd has dialled and the link to stokerd.
 *
 * Everything comes as records: configuration, lock, connected socket. What the runtime tells goes back as records, in order, and
 * waits (bounded) while stokerd does not read; when that was not enough the connection is made again, and the Synchronize that
 * follows tells everything anew. Ends when the link is lost. */
#pragma once

#include <uv.h>

#include "base/config.h"
#include "base/link.h"
#include "base/log.h"
#include "base/outbox.h"
#include "base/redact.h"
#include "shim/nri_session.h"
#include "shim/scratch_pods.h"

#define NRI_ROLE_OUTBOX_BYTES (1U << 20) /* about 1,500 executors: they are packed */
#define NRI_ROLE_READ_BYTES   (64 * 1024)

struct nri_connection;

struct nri_role {
	uv_loop_t *loop;
	struct log *log;
	struct link link;
	struct outbox outbox;
	int lock_fd; /* held as long as we live: one connection for each node */
	bool cgroup_v2;
	struct config_executors config;
	struct redactor *redactor; /* of what is told of names that people choose */
	struct wire_nri_volumes volumes;
	struct wire_checkpoints_ready checkpoints;
	struct scratch_pods scratch;
	struct nri_session session;
	struct nri_connection *connection; /* NULL = none */
	uv_timer_t deadline, counters;
	unsigned char read_buffer[NRI_ROLE_READ_BYTES];
};

/* `link_fd` is a connected socket to stokerd. Zeroed by the caller; about 300 KiB. */
int nri_role_start(struct nri_role *role, uv_loop_t *loop, struct log *log, int link_fd, struct err *e);
