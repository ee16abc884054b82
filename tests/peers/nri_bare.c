/* nri_bare SOCKET REPLY_BYTES [CAPTURE]: a plugin of nothing but our wire, to be held against real runtimes.
 *
 * Registers, subscribes to everything, answers CreateContainer with an annotation of so many bytes (the product's own answers never
 * get that long) and says each call as a line. What the runtime sends is also written to CAPTURE: corpora are made of it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "shim/mux.h"
#include "shim/nri_message.h"
#include "shim/nri_reply.h"
#include "shim/nri_version.h"

#define BARE_READ_BYTES	 65536
#define BARE_REPLY_BYTES (TTRPC_DATA_MAX_BYTES + 65536)

struct bare {
	struct mux mux;
	struct ttrpc_server server;
	int fd, capture;
	size_t reply_bytes;
	unsigned char *bytes; /* of the reply under way */
	char *annotation;
	struct nri_event event;
};

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "nri_bare: %s: %s\n", what, e ? e->text : strerror(errno));
	exit(1);
}

static void send_out(struct bare *bare, enum mux_connection connection, const struct proto_writer *w)
{
	struct err e = {0};
	int r = mux_send(&bare->mux, bare->fd, connection, w->bytes, w->length, &e);

	while (r > 0) {
		poll(&(struct pollfd){.fd = bare->fd, .events = POLLOUT}, 1, -1);
		r = mux_flush(&bare->mux, bare->fd, &e);
	}
	if (r < 0)
		die("sending", &e);
}

static void write_created(struct bare *bare, struct proto_writer *w)
{
	size_t adjust = proto_begin(w, 1), annotation = proto_begin(w, 2);

	proto_write_text(w, 1, "stoker.dev/bare", strlen("stoker.dev/bare"));
	proto_write_text(w, 2, bare->annotation, bare->reply_bytes);
	proto_end(w, annotation);
	proto_end(w, adjust);
}

static void say_event(const struct nri_event *event)
{
	const struct pod_view *pod = &event->pod;
	const struct container_view *container = &event->container;

	printf("%s%s pod=%.*s container=%.*s exit=%d\n", event->state_change ? "StateChange:" : "", nri_event_name(event->kind), (int)pod->id.length,
	       pod->id.length > 0 ? pod->id.bytes : "", (int)container->id.length, container->id.length > 0 ? container->id.bytes : "", container->exit_code);
}

static void answer_event(struct bare *bare, enum nri_event_kind kind, struct text payload, struct proto_writer *w)
{
	struct err e = {0};

	if (nri_decode_event(kind, payload, &bare->event, &e) < 0)
		die("an event", &e);
	say_event(&bare->event);
	if (bare->event.kind == NRI_CREATE_CONTAINER && !bare->event.state_change)
		write_created(bare, w);
}

static void answer_synchronize(struct bare *bare, struct text payload, struct proto_writer *w)
{
	struct err e = {0};
	struct nri_sync sync;
	struct text item;
	int r = nri_sync_open(&sync, payload, &e);

	for (enum nri_sync_kind kind; r == 0 && (kind = nri_sync_next(&sync, &item)) != NRI_SYNC_END;)
		r = kind == NRI_SYNC_POD ? nri_decode_pod(item, &bare->event.pod, &e) : nri_decode_container(item, &bare->event.container, &e);
	if (r < 0)
		die("Synchronize", &e);
	printf("Synchronize pods=%u containers=%u more=%d\n", sync.pod_count, sync.container_count, sync.more);
	nri_write_synchronized(w, sync.more);
}

static void answer_configure(struct text payload, struct proto_writer *w)
{
	struct nri_configure configure;
	struct err e = {0};

	if (nri_decode_configure(payload, &configure, &e) < 0)
		die("Configure", &e);
	struct nri_version version = nri_version_of(configure.nri_version, configure.runtime_name, configure.runtime_version);
	printf("Configure nri=%u.%u.%u\n", version.major, version.minor, version.patch);
	nri_write_configured(w, nri_version_clip(version, 0x3fff & ~NRI_EVENT_BIT(NRI_VALIDATE_ADJUSTMENT)), true);
}

static void answer(struct bare *bare, const struct ttrpc_request *request, struct proto_writer *w)
{
	enum nri_event_kind kind;
	enum nri_method method = nri_method_of(request, &kind);

	if (method == NRI_METHOD_UNKNOWN) {
		ttrpc_write_error(w, request->stream, TTRPC_UNIMPLEMENTED, "no such call here");
		return;
	}
	size_t mark = ttrpc_begin_reply(w, request->stream);
	if (method == NRI_METHOD_CONFIGURE)
		answer_configure(request->payload, w);
	else if (method == NRI_METHOD_SYNCHRONIZE)
		answer_synchronize(bare, request->payload, w);
	else if (method == NRI_METHOD_EVENT)
		answer_event(bare, kind, request->payload, w);
	if (ttrpc_end(w, mark) < 0)
		die("the reply is too long", NULL);
}

static void hear(struct bare *bare, const struct mux_message *message)
{
	struct proto_writer w = {.bytes = bare->bytes, .size = BARE_REPLY_BYTES};
	struct ttrpc_request request;
	struct ttrpc_response response;

	if (message->connection == MUX_RUNTIME) {
		if (ttrpc_decode_response(&message->ttrpc, &response) < 0 || response.code != TTRPC_OK)
			die("not registered", NULL);
		printf("registered\n");
		return;
	}
	switch (ttrpc_accept(&bare->server, &message->ttrpc, &request, &w)) {
	case TTRPC_IGNORE: return;
	case TTRPC_REFUSE: break;
	case TTRPC_CALL: answer(bare, &request, &w); break;
	}
	send_out(bare, MUX_PLUGIN, &w);
}

static void open_socket(struct bare *bare, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	bare->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bare->fd < 0 || connect(bare->fd, (struct sockaddr *)&address, sizeof(address)) < 0 || fcntl(bare->fd, F_SETFL, O_NONBLOCK) < 0)
		die(path, NULL);
}

static void enrol(struct bare *bare)
{
	struct proto_writer w = {.bytes = bare->bytes, .size = BARE_REPLY_BYTES};
	uint32_t last = 0;
	size_t mark = ttrpc_begin_request(&w, ttrpc_next_stream(&last), NRI_SERVICE_RUNTIME, "RegisterPlugin");

	nri_write_register(&w, "bare", "20");
	if (ttrpc_end(&w, mark) < 0)
		die("RegisterPlugin", NULL);
	send_out(bare, MUX_RUNTIME, &w);
}

static void serve(struct bare *bare)
{
	static unsigned char bytes[BARE_READ_BYTES];
	struct mux_message message;
	struct err e = {0};

	for (;;) {
		poll(&(struct pollfd){.fd = bare->fd, .events = POLLIN}, 1, -1);
		ssize_t n = read(bare->fd, bytes, sizeof(bytes));
		if (n <= 0)
			return;
		if (bare->capture >= 0 && fd_write_all(bare->capture, bytes, (size_t)n, &e) < 0)
			die("capture", &e);
		size_t at = 0, taken;
		int r;
		while ((r = mux_feed(&bare->mux, bytes + at, (size_t)n - at, &taken, &message, &e)) > 0) {
			hear(bare, &message);
			at += taken;
		}
		if (r < 0)
			die("receiving", &e);
	}
}

int main(int argc, char **argv)
{
	static struct bare bare = {.capture = -1};

	if (argc < 3)
		return 64;
	bare.reply_bytes = strtoul(argv[2], NULL, 10);
	bare.bytes = malloc(BARE_REPLY_BYTES);
	bare.annotation = malloc(bare.reply_bytes + 1);
	if (!bare.bytes || !bare.annotation || (argc > 3 && (bare.capture = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0))
		die("begin", NULL);
	memset(bare.annotation, 'x', bare.reply_bytes);
	setvbuf(stdout, NULL, _IOLBF, 0); /* said before it is answered */
	mux_open(&bare.mux);
	open_socket(&bare, argv[1]);
	enrol(&bare);
	serve(&bare);
	mux_close(&bare.mux);
	printf("closed\n");
	return 0;
}
