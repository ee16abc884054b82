/* web.h - stoker-web's inside: HTTP (libmicrohttpd, driven by the loop) for what stokerd tells over the link.
 *
 * Requests wait suspended while one question to stokerd about their subject is under way; all who asked before its answer
 * began to come share it. Everything is bounded: connections, bytes of a connection, waiting requests, the answer. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <uv.h>

#include "base/link.h"
#include "base/log.h"
#include "health/web_view.h"

#define WEB_LISTENERS_MAX 2
#define WEB_PENDING_MAX	  32

struct web_answer;

/* A request that is or was suspended; free when `connection` is NULL. */
struct web_request {
	struct MHD_Connection *connection;
	enum web_view view;
	struct web_answer *answer; /* once there is one */
	bool waiting;		   /* suspended */
	bool next;		   /* waits for the question after the one under way */
};

struct web_listener {
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
};

/* At most one question about each subject is under way. */
struct web_question {
	struct web *web;
	enum web_subject subject;
	uint64_t id; /* 0 = none */
	bool begun;  /* the first part has come */
	size_t length;
	char *text;  /* HEALTH_JSON_MAX_BYTES, while it is under way; NULL: no memory */
	uv_timer_t deadline;
};

struct web {
	uv_loop_t *loop;
	const struct log *log;
	struct link link;
	struct web_question questions[WEB_SUBJECT_MAX_];
	struct health *health; /* what the answer says, when a view is made of it; about 300 KiB */
	uint64_t last_id;
	char first_call; /* its address marks a request whose headers were looked at */
	struct web_request requests[WEB_PENDING_MAX];
	struct web_listener listeners[WEB_LISTENERS_MAX];
	size_t listener_count;
};

/* `link_fd` is a connected socket to stokerd, which sends the listening sockets over it. When it is lost the loop is
 * stopped. The struct is zeroed by the caller. */
int web_start(struct web *web, uv_loop_t *loop, const struct log *log, int link_fd, struct err *e);
