#include "shim/cri_request.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/redact.h"
#include "base/str.h"
#include "shim/cri_call.h"
#include "shim/cri_status.h"
#include "shim/text.h"

#define RELAY_SECONDS 1 /* a runtime that says nothing for so long says nothing: stokerd waits no longer */

/* Where runtimes listen, in the host's mount namespace. A socket that serves something else (Docker's containerd) says so. */
static const char *const known_sockets[] = {
	"/run/containerd/containerd.sock",	    "/run/crio/crio.sock",
	"/run/k3s/containerd/containerd.sock",	    "/run/cri-dockerd.sock",
	"/var/snap/microk8s/common/run/containerd.sock", "/run/k0s/containerd.sock",
};

int cri_check_status(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	const struct wire_container_ask *ask = record_payload(record, sizeof(*ask));

	if (!broker_is_name(ask->who.container_id, sizeof(ask->who.container_id)))
		return err_rule(e, EINVAL, "status: a container is named by its id");
	job->task.container = *ask;
	job->task.regex = b->config->redact.regex;
	job->task.config = b->config;
	broker_task_ordinary(b, job, WIRE_STATUS, job->task.container.who.container_id, &b->parse_filter);
	return 0;
}

/* --- relays --- */

struct relay {
	const char *socket;
	int fd; /* the pipe's end that is read */
};

struct relays {
	unsigned count;
	struct relay each[ARRAY_SIZE(known_sockets)];
};

static void relays_drop(struct relays *relays)
{
	for (unsigned i = 0; i < relays->count; i++)
		fd_drop(&relays->each[i].fd);
}

static int connect_socket(const char *path)
{
	const struct timeval patience = {.tv_sec = RELAY_SECONDS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	str_copy(address.sun_path, sizeof(address.sun_path), path);
	scoped(fd_drop) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return fd_take(&fd);
}

/* In the relay. Its end is all it says: the reader sees what is missing. It dies with the reader. */
static int run_relay(const struct broker_task *task, const char *path, int pipe_fd, const unsigned char *sent, size_t length)
{
	static char buffer[16384];
	size_t relayed = 0;
	ssize_t n;

	syscall(SYS_close_range, 3U, (unsigned)pipe_fd - 1, 0);
	syscall(SYS_close_range, (unsigned)pipe_fd + 1, ~0U, 0);
	const int fd = connect_socket(path);
	if (fd < 0 || broker_become_ordinary(task, task->filter, NULL) < 0 || fd_write_all(fd, sent, length, NULL) < 0)
		return 1;
	while (relayed < CRI_CALL_WIRE_BYTES && (n = read(fd, buffer, sizeof(buffer))) > 0) {
		if (fd_write_all(pipe_fd, buffer, (size_t)n, NULL) < 0)
			return 1;
		relayed += (size_t)n;
	}
	return 0;
}

static int start_relay(const struct broker_task *task, const char *path, const unsigned char *sent, size_t length, struct relays *relays, struct err *e)
{
	struct stat st;
	int pair[2];

	if (stat(path, &st) < 0)
		return 0;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	scoped(fd_drop) int ours = pair[0], theirs = pair[1];
	/* Not fork(3): libuv has a handler for that, which closes the numbers of a pipe that the broker had, and now are others. */
	const pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return err_set(e, errno, "cannot fork");
	if (pid == 0)
		_exit(run_relay(task, path, theirs, sent, length));
	relays->each[relays->count++] = (struct relay){path, fd_take(&ours)};
	return 0;
}

static int start_relays(const struct broker_task *task, const unsigned char *sent, size_t length, struct relays *relays, struct err *e)
{
	const char *const configured = task->config->executors.cri_socket;
	const char *const *paths = *configured ? &configured : known_sockets;
	const size_t count = *configured ? 1 : ARRAY_SIZE(known_sockets);

	for (size_t i = 0; i < count; i++)
		if (start_relay(task, paths[i], sent, length, relays, e) < 0)
			return -e->code;
	return relays->count > 0 ? 0 : err_rule(e, ENOENT, "no container runtime's socket");
}

/* --- the reader, without rights --- */

static int tell(const struct broker_task *task, const struct cri_status *status, struct wire_status *ret, struct err *e)
{
	const struct text message = status->message.length > 0 ? status->message : text_of("");
	struct redactor *redactor = redactor_new(task->regex, e);
	char redacted[512];

	if (!redactor)
		return -e->code;
	if (!text_is(status->id, task->container.who.container_id)) {
		redactor_free(redactor);
		return err_rule(e, ESRCH, "the answer is about another container");
	}
	text_copy(ret->reason, sizeof(ret->reason), status->reason);
	/* whole, and cut afterwards: a password that is cut in two looks like a host */
	redact_line(redactor, message.bytes, message.length, redacted, sizeof(redacted));
	str_escape(ret->message, sizeof(ret->message), redacted);
	redactor_free(redactor);
	ret->log_number = cri_log_number(status->log_path);
	ret->who.has_exit = status->state == CRI_EXITED;
	if (ret->who.has_exit) {
		ret->who.exit_code = status->exit_code;
		ret->who.finished_wall_us = status->finished_at_ns > 0 ? (uint64_t)status->finished_at_ns / 1000 : 0;
	}
	return 0;
}

/* Until the call is over; a relay that ends before has not got it all. */
static int read_answer(struct cri_call *call, int fd, struct text *ret, struct err *e)
{
	static char buffer[16384];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(fd, buffer, sizeof(buffer))) > 0)
		r = cri_call_take(call, buffer, (size_t)n, e);
	return r < 0 ? r : cri_call_answer(call, ret, e);
}

static int ask_runtime(const struct broker_task *task, const struct relay *relay, const unsigned char *ask, uint32_t ask_length, struct wire_status *ret,
		       struct err *e)
{
	unsigned char sent[CRI_CALL_SENT_BYTES]; /* the relay has sent the same */
	struct cri_status status;
	struct text message;
	size_t length;
	struct cri_call *call = cri_call_open(CRI_STATUS_METHOD, ask, ask_length, sent, &length, e);

	if (!call)
		return -e->code;
	int r = read_answer(call, relay->fd, &message, e);
	if (r == 0 && cri_read_status(message, &status) < 0)
		r = err_rule(e, EBADMSG, "no container's status");
	if (r == 0)
		r = tell(task, &status, ret, e);
	cri_call_close(call);
	return r;
}

/* The first that knows it. Of those that do not, what a runtime says counts more than what something else says. */
static int ask_all(const struct broker_task *task, const struct relays *relays, const unsigned char *ask, uint32_t ask_length, struct wire_status *ret)
{
	int worst = -ENOENT;

	for (unsigned i = 0; i < relays->count; i++) {
		struct err e = {0};
		const int r = ask_runtime(task, &relays->each[i], ask, ask_length, ret, &e);
		if (r == 0 || r == -ESRCH || worst == -ENOENT)
			str_copy(ret->socket, sizeof(ret->socket), relays->each[i].socket);
		if (r == 0)
			return 0;
		if (r == -ESRCH || worst == -ENOENT) {
			worst = r;
			str_copy(ret->message, sizeof(ret->message), e.text);
		}
	}
	return worst;
}

int cri_body_status(void *argument, int channel)
{
	const struct broker_task *task = argument;
	struct wire_status answer = {.who = task->container.who, .log_number = UINT32_MAX};
	unsigned char ask[CRI_STATUS_ASK_BYTES], sent[CRI_CALL_SENT_BYTES];
	scoped(relays_drop) struct relays relays = {0};
	struct err e = {0};
	size_t length;

	const uint32_t ask_length = cri_write_status_request(task->container.who.container_id, ask);
	struct cri_call *call = cri_call_open(CRI_STATUS_METHOD, ask, ask_length, sent, &length, &e);
	int r = call ? broker_enter_host(task, &e) : -e.code;
	cri_call_close(call);
	if (r == 0)
		r = start_relays(task, sent, length, &relays, &e);
#ifndef STOKER_SABOTAGE_READER_WITH_RIGHTS
	if (r == 0)
		r = broker_become_ordinary(task, task->filter, &e);
#endif
	if (r == 0)
		r = ask_all(task, &relays, ask, ask_length, &answer);
	answer.errnum = -r;
	return record_send(channel, WIRE_STATUS_READ, 0, &answer, sizeof(answer), -1, NULL) < 0;
}
