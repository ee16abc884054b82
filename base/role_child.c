#include "base/role_child.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"

#define RESTART_MIN_MS 20ULL
#define RESTART_MAX_MS 5000

static void start(struct role_child *role);

static void restart_due(uv_timer_t *timer)
{
	start(timer->data);
}

/* Again, when both are gone: process and link. */
static void settle(struct role_child *role, const char *why)
{
	if (role->linked || child_is_running(&role->child) || uv_is_active((uv_handle_t *)&role->restart))
		return;
	uint64_t pause_ms = RESTART_MIN_MS << (role->failures < 8 ? role->failures : 8);
	role->failures++;
	uv_timer_start(&role->restart, restart_due, pause_ms < RESTART_MAX_MS ? pause_ms : RESTART_MAX_MS, 0);
	role->ops->on_down(role, why);
}

static void exited(struct child *child, int status)
{
	struct role_child *role = child->owner;

	log_warn(role->log, "role ended", "name", role->name, "status", log_number(status));
	if (role->linked)
		link_close(&role->link);
	settle(role, "it ended; it is started again");
}

static void closed(struct link *link)
{
	struct role_child *role = link->owner;

	role->linked = false;
	settle(role, "it ended; it is started again");
}

static void down(struct link *link, const struct err *why)
{
	struct role_child *role = link->owner;

	(void)why;
	if (child_is_running(&role->child))
		child_signal(&role->child, SIGKILL); /* without its link it serves nobody */
}

static void received(struct link *link, const struct record *record)
{
	struct role_child *role = link->owner;

	role->failures = 0;
	role->ops->on_record(role, record);
}

static int try_start(struct role_child *role, struct err *e)
{
	static const struct child_ops child_ops = {.on_exit = exited};
	static const struct link_ops link_ops = {.on_record = received, .on_down = down, .on_closed = closed};
	const char *const argv[] = {role->path, NULL};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_set(e, errno, "cannot make a socket pair");
	scoped(fd_drop) int ours = pair[0], theirs = pair[1];
	if (child_exec(&role->child, role->loop, &child_ops, role, argv, theirs, e) < 0 ||
	    link_adopt(&role->link, role->loop, fd_take(&ours), &link_ops, role, e) < 0)
		return -e->code;
	role->linked = true;
	return 0;
}

static void start(struct role_child *role)
{
	struct err e = {0};

	if (try_start(role, &e) == 0) {
		role->ops->on_up(role);
		return;
	}
	log_error(role->log, "cannot start a role", "name", role->name, "error", e.text);
	settle(role, e.text);
}

void role_child_start(struct role_child *role, uv_loop_t *loop, const struct log *log, const char *name, const char *path,
		      const struct role_child_ops *ops, void *owner)
{
	role->loop = loop;
	role->log = log;
	role->name = name;
	role->ops = ops;
	role->owner = owner;
	uv_timer_init(loop, &role->restart);
	role->restart.data = role;
	str_copy(role->path, sizeof(role->path), path ? path : "");
	if (*role->path)
		start(role);
}

bool role_child_is_up(const struct role_child *role)
{
	return role->linked && link_is_up(&role->link);
}

bool role_child_send(struct role_child *role, uint16_t type, uint64_t id, const void *payload, size_t length, int pass_fd)
{
	return role_child_is_up(role) && link_send_fd(&role->link, type, id, payload, length, pass_fd);
}
