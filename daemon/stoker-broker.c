/* stoker-broker - the only role with rights: forks a child for each request of a closed list. It reads no foreign bytes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/fd.h"
#include "base/resident.h"
#include "base/role_main.h"
#include "base/sandbox.h"
#include "build_config.h"
#include "health/broker.h"
#include "shim/cri_request.h"
#include "shim/roster_request.h"

/* The closed list. Everything is named by a number of the configuration that both ends share, never by a path. */
static const struct broker_request requests[] = {
	{WIRE_PROBE, "probe", sizeof(struct wire_probe), CONFIG_WATCH_MAX, broker_check_probe, broker_body_probe,
	 "writes one nameless file as an ordinary user in our own directory of a filesystem that the configuration or the table of known paths names"},
	{WIRE_LOOK, "look", sizeof(struct wire_look), DISCOVER_KNOWN_MAX, broker_check_look, broker_body_look,
	 "tells on which mount one of the known paths lies; nothing is opened and nothing read"},
	{WIRE_MOUNTS, "mounts", 0, 2, broker_check_mounts, broker_body_descriptor,
	 "the mount table is readable by everyone on the host; the descriptor can only be read"},
	{WIRE_KMSG, "kmsg", 0, 2, broker_check_kmsg, broker_body_descriptor,
	 "the kernel log goes to uid 0 only, opened for reading"},
	{WIRE_FS_ERRORS, "fs-errors", 0, 2, broker_check_fs_errors, broker_body_fs_errors,
	 "an empty fanotify group: whoever has it can read what it is told, and adds nothing to it without CAP_SYS_ADMIN"},
	{WIRE_FS_MARK, "fs-mark", sizeof(struct wire_probe), 2, broker_check_fs_mark, broker_body_fs_mark,
	 "asks only for the errors of a filesystem that the configuration names; they carry no names and no content"},
	{WIRE_NODE, "node", 0, 2, broker_check_node, broker_body_descriptor,
	 "the host's mount namespace, which nobody can enter without CAP_SYS_ADMIN; it is there to be locked"},
	{WIRE_SCAN, "scan", 0, 2, roster_check_scan, roster_body_scan,
	 "reads cgroups, command lines and log directories' names as an ordinary user; what leaves it is ids and names of Spark's containers"},
	{WIRE_PROCESSES, "processes", sizeof(struct wire_container_ask), BROKER_CONTAINERS_MAX, broker_check_processes, broker_body_processes,
	 "sums of the memory of the processes of a container, read as an ordinary user; no name and no word of any of them leaves the child"},
	{WIRE_LOG_TAIL, "log-tail", sizeof(struct wire_container_ask), BROKER_CONTAINERS_MAX, broker_check_log_tail, broker_body_log_tail,
	 "of a pod's log, which its own names lead to, only which known complaints stand in its end, and one line without secrets"},
	{WIRE_STATUS, "status", sizeof(struct wire_container_ask), BROKER_CONTAINERS_MAX, cri_check_status, cri_body_status,
	 "asks the container runtime for the status of one container and for nothing else; what is connected to it is sealed and reads nothing, what reads has no rights"},
	{WIRE_VOLUME_MAKE, "volume-make", sizeof(struct wire_volume), BROKER_VOLUMES_MAX, broker_check_volume, broker_body_volume,
	 "a new filesystem in memory, a directory with a quota or a configured export, within the configured bounds, put at the one place that the names of pod and "
	 "volume lead to, if nothing is there"},
	{WIRE_VOLUME_REMOVE, "volume-remove", sizeof(struct wire_volume), BROKER_VOLUMES_MAX, broker_check_volume, broker_body_volume,
	 "takes away only what bears the mark of exactly this volume, which nobody without CAP_SYS_ADMIN can set"},
	{WIRE_VOLUME_BOUND, "volume-bound", sizeof(struct wire_volume), BROKER_VOLUMES_MAX, broker_check_volume, broker_body_volume,
	 "new bounds, no larger than configured, for a tmpfs of a pod; what it holds stays"},
	{WIRE_VOLUME_EMPTY, "volume-empty", sizeof(struct wire_volume), BROKER_VOLUMES_MAX, broker_check_volume, broker_body_volume,
	 "removes Spark's own directories by their full names at the top of a pod's scratch, beneath kept descriptors and never across a mount"},
	{WIRE_VOLUME_STAT, "volume-stat", sizeof(struct wire_volume), BROKER_VOLUMES_MAX, broker_check_volume, broker_body_volume,
	 "sizes of a pod's own volume; nothing is changed"},
	{WIRE_CHECKPOINT_LOOK, "checkpoint-look", sizeof(struct wire_volume), CONFIG_CHECKPOINTS_MAX, broker_check_volume, broker_body_volume,
	 "asks the server of an export that is mounted on this node for its sizes; nothing is changed"},
	{WIRE_SWEEP, "sweep", sizeof(struct wire_sweep), BROKER_SWEEPS_MAX, broker_check_sweep, broker_body_sweep,
	 "removes only directories with Spark's names right beneath a root of our own configuration, whose owner this child itself did not find"},
	{WIRE_ACCOUNT, "account", sizeof(struct wire_account), 2, broker_check_account, broker_body_account,
	 "counts what pods have written, with a budget; nothing is changed, and only sizes and names of pods and volumes leave the child"},
};

static struct log role_log = {"stoker-broker", LOG_INFO, 2};
static struct role_config config = {.log = &role_log};
static struct broker broker; /* large: zeroed, and touched as far as it is used */

/* hostPID: process 1 is the host's. Opened before the rights to do so are dropped. The same namespace needs no entering. */
static int open_mount_namespace(const char *path, struct err *e)
{
	struct stat own, other;

	if (!path)
		return -1;
	scoped(fd_drop) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot open the mount namespace '%s'", path);
	if (fstat(fd, &other) < 0 || stat("/proc/self/ns/mnt", &own) < 0)
		return err_set(e, errno, "cannot compare mount namespaces");
	return own.st_ino == other.st_ino ? -1 : fd_take(&fd);
}

static const char *namespace_path;

static int run(uv_loop_t *loop, const char *config_path, struct err *e)
{
	if (role_config_start(&config, loop, config_path, e) < 0)
		return -e->code;

	broker.mount_namespace_fd = open_mount_namespace(namespace_path, e);
	if (broker.mount_namespace_fd < -1)
		return -e->code;
	broker.loop = loop;
	broker.log = &role_log;
	broker.config = &config.source.current;
	broker.requests = requests;
	broker.request_count = ARRAY_SIZE(requests);
	if (broker_start(&broker, config.source.current.runtime_dir, e) < 0)
		return -e->code;
	resident_lock_and_say(&role_log);
	if (sandbox_enter(broker.without_volumes ? SANDBOX_BROKER : SANDBOX_BROKER_MOUNTS, e) < 0)
		return -e->code;
	log_info(&role_log, "started", "version", STOKER_VERSION, "config", config_path);
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}

static const char usage[] =
	"Usage: stoker-broker [--config FILE] [--mount-namespace FILE] [--without-rights] [--without-volumes]\n"
	"\n"
	"The only role of Stoker with rights; answers stokerd at RUNTIMEDIR/broker/broker.sock.\n"
	"\n"
	"  --config FILE           default " STOKER_CONFIG_PATH "\n"
	"  --mount-namespace FILE  probe there, e.g. /proc/1/ns/mnt (in a pod with hostPID)\n"
	"  --without-rights        probe as what it is, without clones, another uid and the kernel log (overlay observe-only)\n"
	"  --without-volumes       mount nothing, and be unable to (overlay no-volumes)\n"
	"  --version, --help\n";

static void take_option(int option, const char *value)
{
	switch (option) {
	case 'm': namespace_path = value; break;
	case 'w': broker.without_rights = true; break;
	default: broker.without_volumes = true;
	}
}

int main(int argc, char **argv)
{
	static const struct role role = {
		&role_log, usage, {{"mount-namespace", required_argument, NULL, 'm'}, {"without-rights", no_argument, NULL, 'w'}, {"without-volumes", no_argument, NULL, 'V'}}, take_option, run};

	return role_main(&role, argc, argv);
}
