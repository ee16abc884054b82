/* csi_role.h - stoker-csi's inside: gRPC on the sockets that stokerd hands over, between the kubelet and the link to stokerd.
 *
 * Everything comes as records: node, kubelet's root, listening sockets. Ends when the link is lost: a kubelet that calls meanwhile
 * gets UNAVAILABLE from its own library and tries again. */
#pragma once

#include <uv.h>

#include "base/link.h"
#include "base/log.h"
#include "shim/csi.h"
#include "shim/grpc_server.h"

struct csi_role {
	uv_loop_t *loop;
	struct log *log;
	struct link link;
	struct grpc_server server;
	struct csi csi;
	struct wire_csi_counts told; /* as last sent */
	uv_timer_t counters;
};

/* `link_fd` is a connected socket to stokerd. Zeroed by the caller; about 60 KiB. */
int csi_role_start(struct csi_role *role, uv_loop_t *loop, struct log *log, int link_fd, struct err *e);
