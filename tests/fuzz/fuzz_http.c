/* Bytes of an HTTP client on stoker-web's socket, with a stokerd that answers every question at once. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "health/web.h"
#include "health/wire.h"

#define TURNS_MAX 2000 /* of the loop, for one input: it waits for nothing */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stage {
	uv_loop_t loop;
	struct web web;
	struct link stokerd;
	struct sockaddr_un address;
	socklen_t address_length;
};

static void answer(struct link *link, const struct record *record)
{
#define ANSWER "{\"apiVersion\":\"stoker.dev/v1alpha1\",\"kind\":\"NodeHealth\",\"inputs\":{\"kmsg\":{\"state\":\"ok\"}},\"filesystems\":[{\"path\":\"/data\"}]}"
	static const struct wire_part part = {.last = 1, .length = sizeof(ANSWER) - 1, .bytes = ANSWER};

	link_send(link, WIRE_HEALTH_PART, record->header.id, &part, offsetof(struct wire_part, bytes) + part.length);
}

/* Made once and kept: the listening socket has an abstract name, so that nothing is left in a directory. */
static struct stage *stage_open(void)
{
	static const struct link_ops ops = {.on_record = answer};
	static const struct log quiet = {"fuzz", LOG_ERROR, 2};
	struct stage *s = calloc(1, sizeof(*s));
	struct wire_listen what = {.is_unix = 1};
	struct err e = {0};
	int pair[2], fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (!s || fd < 0)
		abort();
	signal(SIGPIPE, SIG_IGN);
	s->address.sun_family = AF_UNIX;
	int n = snprintf(s->address.sun_path + 1, sizeof(s->address.sun_path) - 1, "stoker-fuzz-%d", getpid());
	s->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	if (bind(fd, (struct sockaddr *)&s->address, s->address_length) < 0 || listen(fd, 8) < 0 || uv_loop_init(&s->loop) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 || web_start(&s->web, &s->loop, &quiet, pair[0], &e) < 0 ||
	    link_adopt(&s->stokerd, &s->loop, pair[1], &ops, s, &e) < 0 || !link_send_fd(&s->stokerd, WIRE_LISTEN, 0, &what, sizeof(what), fd))
		abort();
	close(fd);
	for (int i = 0; i < 20; i++)
		uv_run(&s->loop, UV_RUN_NOWAIT);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stage *stage;
	char answer_bytes[4096];
	ssize_t n = -1;

	if (!stage)
		stage = stage_open();
	scoped(fd_drop) int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client < 0 || connect(client, (struct sockaddr *)&stage->address, stage->address_length) < 0)
		return 0;
	ssize_t sent = send(client, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent; /* what does not fit is not sent: as good an input */
	shutdown(client, SHUT_WR);
	for (int i = 0; i < TURNS_MAX && n != 0; i++) {
		uv_run(&stage->loop, UV_RUN_NOWAIT);
		n = recv(client, answer_bytes, sizeof(answer_bytes), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			break;
	}
	fd_drop(&client);
	for (int i = 0; i < 3; i++)
		uv_run(&stage->loop, UV_RUN_NOWAIT);
	return 0;
}
