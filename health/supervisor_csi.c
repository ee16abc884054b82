#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "health/supervisor.h"
#include "volumes/discover.h"

#define CSI_BACKLOG  64
#define REGISTRY_DIR "plugins_registry"
#define REGISTRATION REGISTRY_DIR "/" STOKER_CSI_DRIVER "-reg.sock"
#define PLUGIN_DIR   "plugins/" STOKER_CSI_DRIVER

enum { CSI_SOCKET, REGISTRATION_SOCKET };
static const char *const socket_names[] = {[CSI_SOCKET] = STOKER_CSI_SOCKET, [REGISTRATION_SOCKET] = REGISTRATION};

/* --- the sockets --- */

static bool is_directory(const char *root, const char *name)
{
	char path[2 * NAME_PATH_BYTES];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_socket(const char *root, const char *name)
{
	char path[2 * NAME_PATH_BYTES];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Under another name first: the kubelet dials a socket of the registry as soon as it sees it, and passes over names with a dot in
 * front. The rename also takes the place of what an earlier life has left. */
static int make_socket(const char *root, const char *name, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[2 * NAME_PATH_BYTES];
	const char *file = strrchr(name, '/') + 1;

	snprintf(path, sizeof(path), "%s/%.*s.%s", root, (int)(file - name), name, file);
	if (!str_copy(address.sun_path, sizeof(address.sun_path), path))
		return err_rule(e, ENAMETOOLONG, "'%s' is too long for a socket", path);
	scoped(fd_drop) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, errno, "cannot make a socket");
	unlink(address.sun_path); /* an earlier life ended in between */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(e, errno, "cannot make socket '%s'", address.sun_path);
	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (chmod(address.sun_path, 0600) < 0 || listen(fd, CSI_BACKLOG) < 0 || rename(address.sun_path, path) < 0) {
		err_set(e, errno, "cannot listen at '%s'", path);
		unlink(address.sun_path);
		return -e->code;
	}
	return fd_take(&fd);
}

/* The kubelet that has the directory of its plugins' sockets; in the DaemonSet's pod that is the one that is mounted. */
static const char *find_kubelet(const struct config *config)
{
	const char *root;

	for (unsigned i = 0; (root = place_kubelet_root(config, i)); i++)
		if (is_directory(root, REGISTRY_DIR))
			return root;
	return NULL;
}

static int make_plugin_directory(const char *root, struct err *e)
{
	static const char *const names[] = {"plugins", PLUGIN_DIR};
	char path[2 * NAME_PATH_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		if (!is_directory(root, names[i]) && mkdir(path, 0750) < 0 && errno != EEXIST)
			return err_set(e, errno, "cannot make '%s'", path);
	}
	return 0;
}

static void close_sockets(struct supervisor *s)
{
	char path[2 * NAME_PATH_BYTES];

	/* The registration first: the kubelet takes the driver off when it goes. */
	for (int i = REGISTRATION_SOCKET; i >= CSI_SOCKET; i--) {
		snprintf(path, sizeof(path), "%s/%s", s->csi.root, socket_names[i]);
		if (s->csi.fds[i] >= 0)
			unlink(path);
		fd_drop(&s->csi.fds[i]);
	}
	*s->csi.root = '\0';
	s->csi.registered = false;
}

static int open_sockets(struct supervisor *s, const char *root, struct err *e)
{
	if (make_plugin_directory(root, e) < 0)
		return -e->code;
	for (int i = CSI_SOCKET; i <= REGISTRATION_SOCKET; i++) {
		s->csi.fds[i] = make_socket(root, socket_names[i], e);
		if (s->csi.fds[i] < 0) {
			str_copy(s->csi.root, sizeof(s->csi.root), root);
			close_sockets(s);
			return -e->code;
		}
	}
	str_copy(s->csi.root, sizeof(s->csi.root), root);
	return 0;
}

/* --- what is said of it --- */

static void say(struct supervisor *s)
{
	struct supervisor_csi *c = &s->csi;
	char words[NAME_PATH_BYTES + 256] = "";

	if (c->off) {
		monitor_input(&s->monitor, "csi", "off", !*s->paths.csi ? "there is no stoker-csi" : s->monitor.config.retire ? "retired" : "volumes.csi is off");
	} else if (!*c->root) {
		monitor_input(&s->monitor, "csi", *c->trouble ? "missing" : "off", *c->trouble ? c->trouble : "no kubelet here has the directory " REGISTRY_DIR);
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
	for (uint32_t i = CSI_SOCKET; i <= REGISTRATION_SOCKET; i++) {
		const struct wire_csi_listen listening = {.is_registration = i == REGISTRATION_SOCKET};
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
	say(s);
	if (told->registered)
		return;
	/* It does not try again by itself; a socket that is made anew makes it. With the next tick, not in a circle. */
	close_sockets(s);
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

/* --- the clock, the configuration --- */

void supervisor_csi_tick(struct supervisor *s)
{
	struct supervisor_csi *c = &s->csi;
	struct err e = {0};

	if (c->off)
		return;
	if (*c->root && (!is_socket(c->root, socket_names[CSI_SOCKET]) || !is_socket(c->root, socket_names[REGISTRATION_SOCKET]))) {
		log_warn(s->log, "the CSI sockets are gone, made again", "root", c->root);
		close_sockets(s);
	}
	if (*c->root)
		return;
	const char *root = find_kubelet(&s->monitor.config);
	if (!root && !*c->trouble)
		return;
	*c->trouble = '\0';
	if (root && open_sockets(s, root, &e) < 0)
		str_copy(c->trouble, sizeof(c->trouble), e.text);
	if (*c->root && !c->started)
		start_role(s);
	else
		tell_all(s);
	say(s);
}

static bool is_off(const struct supervisor *s)
{
	/* Who retires leaves no socket behind: the kubelet would dial it at every start. */
	return s->monitor.config.volumes.csi == CONFIG_CSI_OFF || s->monitor.config.retire || !*s->paths.csi;
}

void supervisor_csi_configure(struct supervisor *s)
{
	const char *root = is_off(s) ? NULL : find_kubelet(&s->monitor.config);

	s->csi.off = is_off(s);
	if (*s->csi.root && (!root || strcmp(root, s->csi.root) != 0))
		close_sockets(s);
	tell_all(s);
	supervisor_csi_tick(s);
	say(s);
}

void supervisor_csi_start(struct supervisor *s)
{
	s->csi.fds[CSI_SOCKET] = s->csi.fds[REGISTRATION_SOCKET] = -1;
}
