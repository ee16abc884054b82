#include "shim/csi_role.h"

#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "health/wire.h"

#define COUNTERS_MS 1000

/* --- counting --- */

static void counters_due(uv_timer_t *timer)
{
	struct csi_role *role = timer->data;
	struct wire_csi_counts now = role->csi.counts;

	now.connections_total = role->server.connections_total;
	now.refused_total += role->server.refused_total;
	if (memcmp(&now, &role->told, sizeof(now)) != 0 && link_send(&role->link, WIRE_CSI_COUNTS, 0, &now, sizeof(now)))
		role->told = now;
}

static void count_soon(struct csi_role *role)
{
	if (!uv_is_active((uv_handle_t *)&role->counters))
		uv_timer_start(&role->counters, counters_due, COUNTERS_MS, 0);
}

/* --- between gRPC and the service --- */

static void on_call(void *owner, const struct grpc_call *call, const char *path, struct text message)
{
	struct csi_role *role = owner;

	csi_call(&role->csi, call, path, message, clock_mono_us());
	count_soon(role);
}

static bool ask(void *owner, enum wire_type type, uint64_t id, const void *payload, size_t length)
{
	struct csi_role *role = owner;

	return link_send(&role->link, (uint16_t)type, id, payload, length);
}

static void answer(void *owner, const struct grpc_call *call, enum grpc_code code, const char *text, const void *payload, size_t length)
{
	struct csi_role *role = owner;

	if (code != GRPC_OK)
		log_info(role->log, "call refused", "code", grpc_code_name(code), "error", text);
	if (!grpc_server_answer(&role->server, call, code, text, payload, length))
		log_debug(role->log, "nobody waits for an answer any more", "code", grpc_code_name(code));
	count_soon(role);
}

/* --- the link to stokerd --- */

static void take_socket(struct csi_role *role, const struct record *record)
{
	const struct wire_csi_listen *what = record_payload(record, sizeof(*what));
	scoped(fd_drop) int fd = link_take_fd(&role->link);
	struct err e = {0};

	if (!what || fd < 0) {
		log_warn(role->log, "listening socket refused");
		return;
	}
	const char *socket = what->is_registration ? "registration" : "csi";
	if (grpc_server_listen(&role->server, &fd, what->is_registration ? CSI_SERVICE_REGISTRATION : CSI_SERVICE_NODE, &e) < 0)
		log_error(role->log, "cannot serve", "error", e.text, "socket", socket);
	else
		log_info(role->log, "serving", "socket", socket);
}

static void link_record(struct link *link, const struct record *record)
{
	struct csi_role *role = link->owner;

	if (record->header.type == WIRE_CSI_LISTEN) {
		take_socket(role, record);
	} else if (!csi_take(&role->csi, record, clock_mono_us())) {
		link->refused++;
		log_warn(role->log, "record not understood", "type", log_number(record->header.type));
	} else if (record->header.type == WIRE_CSI_CONFIG && role->csi.config.log_level < LOG_LEVEL_MAX_) {
		role->log->minimum = (enum log_level)role->csi.config.log_level;
	}
}

static void link_lost(struct link *link, const struct err *why)
{
	struct csi_role *role = link->owner;

	log_info(role->log, "stokerd is gone, ending", "detail", why ? why->text : NULL);
	uv_stop(role->loop);
}

int csi_role_start(struct csi_role *role, uv_loop_t *loop, struct log *log, int link_fd, struct err *e)
{
	static const struct link_ops link_ops = {.on_record = link_record, .on_down = link_lost};
	static const struct grpc_server_ops server_ops = {.on_call = on_call};
	static const struct csi_ops csi_ops = {.ask = ask, .answer = answer};

	role->loop = loop;
	role->log = log;
	uv_timer_init(loop, &role->counters);
	role->counters.data = role;
	grpc_server_open(&role->server, loop, log, &server_ops, role);
	csi_open(&role->csi, &csi_ops, role);
	return link_adopt(&role->link, loop, link_fd, &link_ops, role, e);
}
