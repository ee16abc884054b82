/* Whatever a runtime sends: the session answers or gives up, within bounds. The first byte says how much comes at a time. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/nri_session.h"
#include "shim/recognise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t now_us(void *owner)
{
	return *(uint64_t *)owner += 1000;
}

static void decide(void *owner, const struct nri_event *event, struct nri_decision *ret)
{
	static const struct config_executors config = {.annotations = 1, .python_oom_group = CONFIG_OOM_GROUP_SINGLE, .oom_score_adj = CONFIG_OOM_SCORE_DRIVERS_LAST};
	static const struct plan_limits limits = {.unified = true, .oom_score_adj = true};

	(void)owner;
	*ret->complaint = '\0';
	ret->plan = (struct plan){0};
	recognise(NULL, &event->pod, &event->container, &ret->executor);
	plan_decide(&config, &limits, &ret->executor, &event->pod, &event->container, &ret->plan, ret->complaint);
}

static void emit(void *owner, enum wire_type type, const void *payload, size_t length)
{
	(void)owner;
	(void)type;
	/* What is said is read: a sanitizer sees what was never written. */
	for (size_t i = 0; i < length; i++)
		__asm__ volatile("" : : "r"(((const unsigned char *)payload)[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct nri_session_ops ops = {now_us, decide, emit};
	static struct nri_session session;
	static unsigned char sink[65536];
	uint64_t clock_us = 1;
	int pair[2];

	if (size < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	const size_t step = 1 + (size_t)data[0] * 16;
	nri_session_init(&session, &ops, &clock_us);
	int r = nri_session_open(&session, pair[0], NULL);
	for (size_t i = 1; r == 0 && i < size; i += step) {
		r = nri_session_receive(&session, data + i, size - i < step ? size - i : step, NULL);
		while (read(pair[1], sink, sizeof(sink)) > 0)
			;
		if (r == 0)
			r = nri_session_flush(&session, NULL);
	}
	nri_session_close(&session, "");
	close(pair[0]);
	close(pair[1]);
	return 0;
}
