#include "health/csi_sockets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/record.h"
#include "base/str.h"
#include "health/wire.h"
#include "volumes/discover.h"

#define BACKLOG	     64
#define REGISTRATION CSI_REGISTRY_DIR "/" STOKER_CSI_DRIVER "-reg.sock"
#define PLUGIN_DIR   "plugins/" STOKER_CSI_DRIVER
#define PATH_BYTES   (2 * NAME_PATH_BYTES)

static const char *const names[CSI_SOCKETS] = {[CSI_SOCKET] = STOKER_CSI_SOCKET, [CSI_REGISTRATION] = REGISTRATION};

static bool is_there(const char *root, const char *name, mode_t type)
{
	char path[PATH_BYTES];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

/* The kubelet that has the directory of its plugins' sockets; in the DaemonSet's pod that is the one that is mounted. */
static const char *find_kubelet(const struct config *config)
{
	const char *root;

	for (unsigned i = 0; (root = place_kubelet_root(config, i)); i++)
		if (is_there(root, CSI_REGISTRY_DIR, S_IFDIR))
			return root;
	return NULL;
}

static int make_plugin_directory(const char *root, struct err *e)
{
	static const char *const directories[] = {"plugins", PLUGIN_DIR};
	char path[PATH_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, directories[i]);
		if (!is_there(root, directories[i], S_IFDIR) && mkdir(path, 0750) < 0 && errno != EEXIST)
			return err_set(e, errno, "cannot make '%s'", path);
	}
	return 0;
}

/* Under another name first: the kubelet dials a socket of the registry as soon as it sees it, and passes over names with a dot in
 * front. The rename also takes the place of what an earlier life has left. */
static int make_socket(const char *root, const char *name, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[PATH_BYTES];
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
	if (chmod(address.sun_path, 0600) < 0 || listen(fd, BACKLOG) < 0 || rename(address.sun_path, path) < 0) {
		err_set(e, errno, "cannot listen at '%s'", path);
		unlink(address.sun_path);
		return -e->code;
	}
	return fd_take(&fd);
}

/* The registration first: the kubelet takes the driver off when it goes. */
static void remove_sockets(const char *root)
{
	char path[PATH_BYTES];

	for (int i = CSI_REGISTRATION; i >= CSI_SOCKET; i--) {
		snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		if (is_there(root, names[i], S_IFSOCK))
			unlink(path);
	}
}

static int make_sockets(const char *root, int fds[static CSI_SOCKETS], struct err *e)
{
	if (make_plugin_directory(root, e) < 0)
		return -e->code;
	for (int i = CSI_SOCKET; i < CSI_SOCKETS; i++) {
		fds[i] = make_socket(root, names[i], e);
		if (fds[i] < 0) {
			remove_sockets(root);
			return -e->code;
		}
	}
	return 0;
}

static bool are_there(const char *root)
{
	return is_there(root, names[CSI_SOCKET], S_IFSOCK) && is_there(root, names[CSI_REGISTRATION], S_IFSOCK);
}

static void look(const struct csi_sockets_ask *ask, struct csi_sockets_answer *answer, int fds[static CSI_SOCKETS])
{
	const char *root = ask->off ? NULL : find_kubelet(ask->config);
	struct err e = {0};

	if (root && !ask->anew && strcmp(root, ask->root) == 0 && are_there(root)) {
		answer->state = CSI_SOCKETS_KEPT;
		str_copy(answer->root, sizeof(answer->root), root);
		return;
	}
	if (*ask->root)
		remove_sockets(ask->root);
	if (!root)
		return;
	str_copy(answer->root, sizeof(answer->root), root);
	answer->state = make_sockets(root, fds, &e) < 0 ? CSI_SOCKETS_FAILED : CSI_SOCKETS_MADE;
	str_copy(answer->text, sizeof(answer->text), e.text);
}

int csi_sockets_body(void *argument, int channel)
{
	struct csi_sockets_answer answer = {.state = CSI_SOCKETS_NONE};
	int fds[CSI_SOCKETS] = {-1, -1};

	look(argument, &answer, fds);
	if (answer.state != CSI_SOCKETS_MADE)
		return record_send(channel, CSI_SOCKET, 0, &answer, sizeof(answer), -1, NULL) < 0;
	for (uint16_t i = CSI_SOCKET; i < CSI_SOCKETS; i++)
		if (record_send(channel, i, 0, &answer, sizeof(answer), fds[i], NULL) < 0)
			return 1;
	return 0;
}

static int read_one(int channel, uint16_t type, struct csi_sockets_answer *ret, int *ret_fd, struct err *e)
{
	struct record record;
	const int r = record_receive(channel, &record, e);
	const struct csi_sockets_answer *answer = r > 0 ? record_payload(&record, sizeof(*answer)) : NULL;

	if (r < 0)
		return r;
	if (r > 0)
		*ret_fd = record.fd;
	if (!answer || record.header.type != type || answer->state >= CSI_SOCKETS_STATE_MAX_ || (answer->state == CSI_SOCKETS_MADE && record.fd < 0))
		return err_rule(e, EPROTO, "whoever looked for the kubelet's sockets gave no answer");
	*ret = *answer;
	return 0;
}

int csi_sockets_read(int channel, struct csi_sockets_answer *ret, int ret_fds[static CSI_SOCKETS], struct err *e)
{
	int r = 0;

	for (uint16_t i = CSI_SOCKET; r == 0 && i < CSI_SOCKETS && (i == CSI_SOCKET || ret->state == CSI_SOCKETS_MADE); i++)
		r = read_one(channel, i, ret, &ret_fds[i], e);
	for (int i = 0; r < 0 && i < CSI_SOCKETS; i++)
		fd_drop(&ret_fds[i]);
	return r;
}
