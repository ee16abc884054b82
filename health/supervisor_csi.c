#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "health/supervisor.h"

#define LOOK_US	   (5 * US_PER_S)
#define LOOK_TICKS 3 /* the sockets are seldom taken away, and each look is a process */

/* --- what is said of it --- */

static void say(struct supervisor *s)
{
	struct supervisor_csi *c = &s->csi;
	char words[NAME_PATH_BYTES + 256] = "";

	if (!c->off && !*c->root && !*c->trouble && child_is_running(&c->look))
		return; /* it is not known yet */
	if (c->off) {
		monitor_input(&s->monitor, "csi", "off", !*s->paths.csi ? "there is no stoker-csi" : s->monitor.config.retire ? "retired" : "volumes.csi is off");
	} else if (!*c->root) {
		monitor_input(&s->monitor, "csi", *c->trouble ? "missing" : "off", *c->trouble ? c->trouble : "no kubelet here has the directory " CSI_REGISTRY_DIR);
	} else if (*c->trouble) {
		monitor_input(&s->monitor, "csi", "degraded", c->trouble);
	} else {
		str_append(words, sizeof(words), "%s '%s'", c->registered ? "registered with the kubelet of" : "waiting for the kubelet of", c->root);
		monitor_input(&s->monitor, "csi", c->registered ? "ok" : "degraded", words);
	}
}

/* --- stoker-csi --- */

static void tell_all(struct supervisor *s)
{
	struct supervisor_csi *c = &s->csi;
	struct wire_csi_config config = {.log_level = (uint32_t)s->monitor.config.log_level};

	if (!*c->root || !role_child_is_up(&c->role))
		return;
	str_copy(config.node, sizeof(config.node), s->monitor.config.node);
	str_copy(config.kubelet_root, sizeof(config.kubelet_root), c->root);
	role_child_send(&c->role, WIRE_CSI_CONFIG, 0, &config, sizeof(config), -1);
	for (uint32_t i = CSI_SOCKET; i < CSI_SOCKETS; i++) {
		const struct wire_csi_listen listening = {.is_registration = i == CSI_REGISTRATION};
		role_child_send(&c->role, WIRE_CSI_LISTEN, 0, &listening, sizeof(listening), c->fds[i]);
	}
}

static void csi_up(struct role_child *role)
{
	struct supervisor *s = role->owner;

	memset(&s->csi.counts, 0, sizeof(s->csi.counts));
	tell_all(s);
	supervisor_checkpoints_tell_csi(s, true);
	say(s);
}

static void csi_down(struct role_child *role, const char *why)
{
	struct supervisor *s = role->owner;
	char words[192] = "";

	supervisor_volumes_csi_down(s);
	str_append(words, sizeof(words), "stoker-csi: %s", why);
	monitor_input(&s->monitor, "csi", "missing", words);
}

static void csi_registered(struct supervisor *s, const struct wire_csi_registered *told)
{
	s->csi.registered = told->registered != 0;
	*s->csi.trouble = '\0';
	if (!told->registered)
		str_append(s->csi.trouble, sizeof(s->csi.trouble), "the kubelet refused the driver: %.200s", told->text);
	/* It does not try again by itself; a socket that is made anew makes it. With the next look, not in a circle. */
	s->csi.anew = !told->registered;
	say(s);
}

static void csi_record(struct role_child *role, const struct record *record)
{
	struct supervisor *s = role->owner;
	const struct wire_csi_registered *told = record_payload(record, sizeof(*told));
	const struct wire_csi_counts *counts = record_payload(record, sizeof(*counts));

	if (record->header.type == WIRE_CSI_REGISTERED && told && str_is_ended(told->text, sizeof(told->text))) {
		csi_registered(s, told);
	} else if (record->header.type == WIRE_CSI_COUNTS && counts) {
		s->csi.counts = *counts;
	} else if (!supervisor_volumes_record(s, record)) {
		role->link.refused++;
		log_warn(s->log, "record not understood", "from", "stoker-csi", "type", log_number(record->header.type));
	}
}

void supervisor_csi_result(struct supervisor *s, uint64_t csi_id, const struct volume_result *result)
{
	role_child_send(&s->csi.role, WIRE_CSI_RESULT, csi_id, result, sizeof(*result), -1);
}

void supervisor_csi_stats(struct supervisor *s, uint64_t csi_id, const struct wire_volume_stats *stats)
{
	role_child_send(&s->csi.role, WIRE_CSI_STATS, csi_id, stats, sizeof(*stats), -1);
}

void supervisor_csi_figures(struct supervisor *s, const struct wire_volume_stats *stats)
{
	role_child_send(&s->csi.role, WIRE_CSI_FIGURES, 0, stats, sizeof(*stats), -1);
}

/* When there is a kubelet: without one there is no process, and no memory is spent on it. */
static void start_role(struct supervisor *s)
{
	static const struct role_child_ops ops = {.on_up = csi_up, .on_record = csi_record, .on_down = csi_down};

	s->csi.started = true;
	role_child_start(&s->csi.role, s->loop, s->log, "stoker-csi", s->paths.csi, &ops, s);
}

/* --- the sockets --- */

static void close_sockets(struct supervisor *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->csi.fds); i++)
		fd_drop(&s->csi.fds[i]);
	*s->csi.root = '\0';
	s->csi.registered = false;
}

static void take_sockets(struct supervisor *s, const struct csi_sockets_answer *found, const int fds[static CSI_SOCKETS])
{
	struct supervisor_csi *c = &s->csi;

	if (*c->root && !c->anew)
		log_warn(s->log, "the CSI sockets are gone, made again", "root", c->root);
	close_sockets(s);
	memcpy(c->fds, fds, sizeof(c->fds));
	str_copy(c->root, sizeof(c->root), found->root);
	if (c->started)
		tell_all(s);
	else
		start_role(s);
}

static void take_look(struct supervisor *s, const struct csi_sockets_answer *found, const int fds[static CSI_SOCKETS])
{
	struct supervisor_csi *c = &s->csi;

	str_copy(c->trouble, sizeof(c->trouble), found->text);
	if (found->state == CSI_SOCKETS_MADE)
		take_sockets(s, found, fds);
	else if (found->state != CSI_SOCKETS_KEPT)
		close_sockets(s);
	c->anew = false;
}

static void look(struct supervisor *s);

static void looked(struct child *child, int status)
{
	struct supervisor *s = child->owner;
	struct supervisor_csi *c = &s->csi;
	struct csi_sockets_answer found = {0};
	int fds[CSI_SOCKETS] = {-1, -1};
	struct err e = {0};

	(void)status;
	if (csi_sockets_read(c->channel, &found, fds, &e) == 0)
		take_look(s, &found, fds);
	else if (!child->overdue) /* else it is said, and may have ended as the disk came back */
		str_copy(c->trouble, sizeof(c->trouble), e.text);
	fd_drop(&c->channel);
	say(s);
	if (c->again || child->overdue)
		look(s);
}

static void look_hangs(struct child *child)
{
	struct supervisor *s = child->owner;

	str_copy(s->csi.trouble, sizeof(s->csi.trouble), "the kubelet's directory does not answer: its filesystem hangs");
	log_warn(s->log, "the kubelet's directory does not answer", "root", s->csi.root);
	say(s);
}

static void look(struct supervisor *s)
{
	static const struct child_ops ops = {.on_overdue = look_hangs, .on_exit = looked};
	struct supervisor_csi *c = &s->csi;
	struct err e = {0};

	c->again = child_is_running(&c->look);
	if (c->again)
		return;
	c->ask = (struct csi_sockets_ask){.config = &s->monitor.config, .off = c->off, .anew = c->anew};
	str_copy(c->ask.root, sizeof(c->ask.root), c->root);
	if (child_fork(&c->look, s->loop, &ops, s, LOOK_US, csi_sockets_body, &c->ask, NULL, &c->channel, &e) == 0)
		return;
	str_copy(c->trouble, sizeof(c->trouble), e.text);
	say(s);
}

/* --- the clock, the configuration --- */

void supervisor_csi_tick(struct supervisor *s)
{
	struct supervisor_csi *c = &s->csi;

	if (c->off && !*c->root)
		return;
	if (*c->trouble || c->anew || ++c->ticks % LOOK_TICKS == 0)
		look(s);
}

static bool is_off(const struct supervisor *s)
{
	/* Who retires leaves no socket behind: the kubelet would dial it at every start. */
	return s->monitor.config.volumes.csi == CONFIG_CSI_OFF || s->monitor.config.retire || !*s->paths.csi;
}

void supervisor_csi_configure(struct supervisor *s)
{
	s->csi.off = is_off(s);
	tell_all(s);
	if (!s->csi.off || *s->csi.root)
		look(s);
	say(s);
}

void supervisor_csi_start(struct supervisor *s)
{
	s->csi.fds[CSI_SOCKET] = s->csi.fds[CSI_REGISTRATION] = s->csi.channel = -1;
}
