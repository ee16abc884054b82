#include "base/launcher.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"

#define RESTART_MAX_MS 5000

static void role_start(struct launcher_role *role);

static const char *role_name(const struct launcher_role *role)
{
	const char *slash = strrchr(role->argv[0], '/');

	return slash ? slash + 1 : role->argv[0];
}

static void restart_due(uv_timer_t *timer)
{
	role_start(timer->data);
}

static void end_if_all_gone(struct launcher *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (child_is_running(&l->roles[i].child))
			return;
	uv_stop(l->loop);
}

static void role_restart(struct launcher_role *role)
{
	struct launcher *l = role->launcher;
	/* At once after a long life; slower and slower when it does not stay up. */
	uint64_t lived_us = clock_mono_us() - role->started_us;
	role->failures = lived_us > US_PER_S ? 0 : role->failures + 1;
	uint64_t pause_ms = role->failures == 0 ? 1 : 25ULL << (role->failures < 8 ? role->failures : 8);

	if (!l->ending)
		uv_timer_start(&role->restart, restart_due, pause_ms < RESTART_MAX_MS ? pause_ms : RESTART_MAX_MS, 0);
}

static void role_exited(struct child *child, int status)
{
	struct launcher_role *role = child->owner;

	if (role->launcher->ending) {
		end_if_all_gone(role->launcher);
		return;
	}
	log_warn(role->launcher->log, "role ended, starting it again", "name", role_name(role), "status", log_number(status));
	role_restart(role);
}

static void role_start(struct launcher_role *role)
{
	static const struct child_ops ops = {.on_exit = role_exited};
	struct launcher *l = role->launcher;
	struct err e = {0};

	if (l->ending)
		return;
	role->started_us = clock_mono_us();
	if (child_exec(&role->child, l->loop, &ops, role, role->argv, -1, &e) < 0) {
		log_error(l->log, "cannot start a role", "name", role_name(role), "error", e.text);
		role_restart(role);
		return;
	}
	log_info(l->log, "role started", "name", role_name(role), "pid", log_number(role->child.pid));
}

static void on_end(uv_signal_t *signal, int number)
{
	struct launcher *l = signal->data;

	l->ending = true;
	for (size_t i = 0; i < l->count; i++) {
		uv_timer_stop(&l->roles[i].restart);
		if (child_is_running(&l->roles[i].child))
			child_signal(&l->roles[i].child, SIGTERM);
	}
	log_info(l->log, "ending", "signal", log_number(number));
	end_if_all_gone(l);
}

static void on_hangup(uv_signal_t *signal, int number)
{
	struct launcher *l = signal->data;

	for (size_t i = 0; i < l->count; i++)
		if (child_is_running(&l->roles[i].child))
			child_signal(&l->roles[i].child, number);
}

int launcher_run(struct launcher *l, struct err *e)
{
	const struct {
		uv_signal_t *handle;
		uv_signal_cb run;
		int number;
	} signals[] = {{&l->terminate, on_end, SIGTERM}, {&l->interrupt, on_end, SIGINT}, {&l->hangup, on_hangup, SIGHUP}};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		signals[i].handle->data = l;
		if (uv_signal_init(l->loop, signals[i].handle) < 0 || uv_signal_start(signals[i].handle, signals[i].run, signals[i].number) < 0)
			return err_rule(e, EIO, "cannot handle signal %d", signals[i].number);
		signals[i].handle->data = l;
	}
	for (size_t i = 0; i < l->count; i++) {
		struct launcher_role *role = &l->roles[i];
		role->launcher = l;
		uv_timer_init(l->loop, &role->restart);
		role->restart.data = role;
		role_start(role);
	}
	uv_run(l->loop, UV_RUN_DEFAULT);
	return 0;
}
