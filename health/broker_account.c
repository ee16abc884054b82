/* broker_account.c - what pods have written: volumes beneath the kubelet's root, Spark's directories on hostPaths, containers' own roots.
 * See broker.h, volumes/account.h. Nothing is changed; sizes and the names of pods leave the child. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/path.h"
#include "health/broker.h"
#include "volumes/account_pods.h"
#include "volumes/discover.h"
#include "volumes/entries.h"
#include "volumes/proc_lines.h"
#include "volumes/sweep_owners.h"

#define DEADLINE_US	   (30 * US_PER_S)
#define LOGS		   "/var/log/pods"
#define CONTAINERS_MAX	   1024

int broker_check_account(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	const struct wire_account *ask = record_payload(record, sizeof(*ask));

	if (ask->config_hash != b->config->hash)
		return err_rule(e, ESTALE, "account: the configuration is another one here");
	if (b->config->volumes.account == CONFIG_ACCOUNT_OFF || ask->entries < ACCOUNT_ENTRIES_MIN || ask->entries > ACCOUNT_ENTRIES_MAX)
		return err_rule(e, EINVAL, "account: off, or %u entries", ask->entries);
	if (b->without_rights)
		return err_rule(e, EPERM, "account: not without rights (overlay observe-only)");
	job->task.what = WIRE_ACCOUNT;
	job->task.account_entries = ask->entries;
	job->task.config = b->config;
	job->task.path = LOGS; /* for the log */
	job->task.mount_namespace_fd = b->mount_namespace_fd;
	job->task.filter = &b->account_filter;
	job->deadline_us = DEADLINE_US;
	return 0;
}

/* --- whose is a process? --- */

struct owner {
	bool found;
	struct cgroup_name name;
};

/* "4:memory:/kubepods/…", "0::/kubepods.slice/…" */
static bool take_cgroup(void *context, const char *line, size_t length)
{
	struct owner *owner = context;
	char path[EXECUTOR_CGROUP_BYTES];
	const char *first = memchr(line, ':', length);
	const char *second = first ? memchr(first + 1, ':', (size_t)(line + length - first - 1)) : NULL;

	if (!second || (size_t)(line + length - second) > sizeof(path) || second[1] != '/')
		return true;
	const size_t n = (size_t)(line + length - second - 2);
	memcpy(path, second + 2, n);
	path[n] = '\0';
	owner->found = cgroup_name_parse(path, &owner->name) && owner->name.pod_uid[0] && owner->name.container_id[0];
	return !owner->found;
}

static bool owner_of(int process_fd, struct owner *ret)
{
	scoped(fd_drop) int fd = openat(process_fd, "cgroup", O_RDONLY | O_CLOEXEC);

	*ret = (struct owner){0};
	return fd >= 0 && proc_lines(fd, take_cgroup, ret) == 0 && ret->found;
}

/* --- containers' own roots --- */

static bool take_root(void *context, const char *line, size_t length)
{
	static struct proc_mount mount;
	char *upper = context; /* NAME_PATH_BYTES */

	if (!proc_mount_parse(line, length, &mount) || strcmp(mount.mount_point, "/") != 0 || strcmp(mount.type, "overlay") != 0)
		return true;
	if (!proc_mount_option(&mount, "upperdir", upper, NAME_PATH_BYTES))
		upper[0] = '\0';
	return false;
}

/* A path as the runtime gave it to the kernel; of a container that may mount it could be any, and sizes are all that it would learn. */
static void add_layer(int process_fd, const struct cgroup_name *name, struct account_list *list)
{
	char upper[NAME_PATH_BYTES] = "", shown[13] = "";

	scoped(fd_drop) int mounts = openat(process_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
	if (mounts < 0 || proc_lines(mounts, take_root, upper) < 0 || upper[0] != '/')
		return;
	scoped(fd_drop) int fd = open(upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	str_copy(shown, sizeof(shown), name->container_id);
	struct account_place *place = fd < 0 ? NULL : account_add(list, ACCOUNT_LAYER, name->pod_uid, shown, fd);
	if (place)
		account_walk(fd, &list->budget, place);
}

struct seen {
	unsigned count;
	char ids[CONTAINERS_MAX][EXECUTOR_CONTAINER_ID_BYTES];
};

/* True once for each container. */
static bool is_new(struct seen *seen, const char *id)
{
	for (unsigned i = 0; i < seen->count; i++)
		if (strcmp(seen->ids[i], id) == 0)
			return false;
	if (seen->count == CONTAINERS_MAX)
		return false;
	str_copy(seen->ids[seen->count++], EXECUTOR_CONTAINER_ID_BYTES, id);
	return true;
}

static void add_layers(int proc_fd, struct account_list *list)
{
	static struct entries entries;
	scoped(scoped_free) struct seen *seen = calloc(1, sizeof(*seen)); /* 72 KiB */
	struct entry entry;
	struct owner owner;

	if (!seen)
		return;
	scoped(fd_drop) int all = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (all >= 0 && entries_next(all, &entries, &entry, NULL) > 0) {
		if (entry.name[0] < '1' || entry.name[0] > '9')
			continue;
		scoped(fd_drop) int process_fd = openat(proc_fd, entry.name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (process_fd >= 0 && owner_of(process_fd, &owner) && is_new(seen, owner.name.container_id))
			add_layer(process_fd, &owner.name, list);
	}
}

/* --- hostPaths --- */

static void add_directory(int proc_fd, const struct sweep_root *root, const struct sweep_directory *d, struct account_list *list)
{
	/* Who holds it is sure, who made it is likely. */
	const uint32_t pid = d->facts.open_pid ? d->facts.open_pid : d->facts.maker_pid;
	struct owner owner = {0};

	scoped(fd_drop) int process_fd = pid ? openat(proc_fd, log_number(pid), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (process_fd >= 0)
		owner_of(process_fd, &owner);
	scoped(fd_drop) int fd = fd_open_same_mount(root->fd, d->name, O_PATH | O_DIRECTORY | O_NOFOLLOW, NULL);
	struct account_place *place = fd < 0 ? NULL : account_add(list, ACCOUNT_HOST_PATH, owner.found ? owner.name.pod_uid : "", d->name, fd);
	if (place)
		account_walk(fd, &list->budget, place);
}

static void add_host_path(int proc_fd, const struct sweep_root *root, struct account_list *list)
{
	static struct sweep_page page;
	uint64_t after = 0;

	do {
		if (sweep_root_list(root, after, NULL, 0, &page, NULL) < 0 || page.count == 0 ||
		    sweep_find_owners(proc_fd, root, SWEEP_SLACK_US, &page, NULL) < 0)
			return;
		for (uint32_t i = 0; i < page.count; i++)
			if (page.directories[i].facts.is_directory)
				add_directory(proc_fd, root, &page.directories[i], list);
		after = page.directories[page.count - 1].ino;
	} while (page.more && !list->cut);
}

/* --- all --- */

struct account_opened {
	int proc_fd, memory_fd;
	uint32_t root_count;
	struct sweep_root roots[CONFIG_SWEEP_MAX];
};

static void opened_drop(struct account_opened *o)
{
	for (uint32_t i = 0; i < o->root_count; i++)
		sweep_root_close(&o->roots[i]);
	fd_drop(&o->proc_fd);
	fd_drop(&o->memory_fd);
}

static int open_all(const struct broker_task *task, struct account_opened *o, struct err *e)
{
	const struct config_volumes *volumes = &task->config->volumes;

	/* Many records do not fit into one, and a child has one answer. */
	o->memory_fd = memfd_create("accounts", MFD_CLOEXEC);
	if (o->memory_fd < 0)
		return err_set(e, errno, "no memory for accounts");
	o->proc_fd = broker_enter_idle(task, e);
	if (o->proc_fd < 0)
		return o->proc_fd;
	for (uint32_t i = 0; i < volumes->sweep_root_count; i++)
		if (sweep_root_open(volumes->sweep_roots[i].path, &o->roots[o->root_count], NULL) == 0)
			o->root_count++;
	if (sandbox_capabilities(SANDBOX_CHILD_ACCOUNT, e) < 0)
		return -e->code;
	return sandbox_apply(task->filter, e);
}

static void collect(const struct broker_task *task, const struct account_opened *o, struct account_list *list)
{
	const char *kubelet;

	for (unsigned i = 0; (kubelet = place_kubelet_root(task->config, i)) != NULL; i++)
		account_pods(kubelet, list);
	for (uint32_t i = 0; i < o->root_count; i++)
		add_host_path(o->proc_fd, &o->roots[i], list);
	add_layers(o->proc_fd, list);
	account_name_pods(list, LOGS);
}

int broker_body_account(void *argument, int channel)
{
	const struct broker_task *task = argument;
	const uint64_t began_us = clock_mono_us();
	struct wire_accounted answer = {0};
	scoped(opened_drop) struct account_opened opened = {.proc_fd = -1, .memory_fd = -1};
	scoped(scoped_free) struct account_place *places = calloc(ACCOUNT_PLACES_MAX, sizeof(*places));
	struct account_list list = {.places = places, .budget = {task->account_entries, began_us + ACCOUNT_WALK_US, 0}};
	struct err e = {0};

	int r = places ? open_all(task, &opened, &e) : -ENOMEM;
	if (r == 0) {
		collect(task, &opened, &list);
		r = fd_write_all(opened.memory_fd, places, list.count * sizeof(*places), &e);
	}
	answer.errnum = -r;
	answer.count = r == 0 ? list.count : 0;
	answer.cut = list.cut;
	answer.entries = list.budget.seen;
	answer.duration_us = clock_mono_us() - began_us;
	return record_send(channel, WIRE_ACCOUNTED, 0, &answer, sizeof(answer), r == 0 ? opened.memory_fd : -1, NULL) < 0;
}
