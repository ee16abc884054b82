/* broker_volume.c - requests about volumes: make, remove, bound, empty, measure. See broker.h; the work itself is volumes/volume_work.h.
 *
 * A volume is named by pod UID and name, never by a path, and what may be is judged again here: stokerd has decided it, and stokerd's
 * word is not enough. The child enters the host's mount namespace, keeps
 * six capabilities, closes a filter with the mount calls and little else, and works. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/broker.h"
#include "volumes/volume_work.h"

#define DISK_DEADLINE_US (30 * US_PER_S)
#define CHECKPOINTS_AT_ONCE 3
_Static_assert(CHECKPOINTS_AT_ONCE * CONFIG_CHECKPOINTS_MAX < BROKER_VOLUMES_MAX, "others have places left");

/* Which rules hold for which request, and who does it. */
static const struct kind {
	uint32_t what; /* enum wire_type */
	volume_work *work;
	bool whole; /* all of the volume counts, not only its place */
	bool bounds;
	bool looks; /* and changes nothing */
	uint64_t deadline_us;
} kinds[] = {
	{WIRE_VOLUME_MAKE, volume_make, true, false, false, DISK_DEADLINE_US},
	{WIRE_VOLUME_REMOVE, volume_remove, false, false, false, DISK_DEADLINE_US},
	{WIRE_VOLUME_BOUND, volume_bound, false, true, false, BROKER_RELAY_DEADLINE_US},
	{WIRE_VOLUME_EMPTY, volume_empty, false, false, false, BROKER_RELAY_DEADLINE_US},
	{WIRE_VOLUME_STAT, volume_stat, false, false, true, BROKER_RELAY_DEADLINE_US},
	{WIRE_CHECKPOINT_LOOK, checkpoint_look, false, false, true, BROKER_RELAY_DEADLINE_US},
};

static const struct kind *kind_of(uint32_t what)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].what == what)
			return &kinds[i];
	return NULL;
}

static bool looks(uint32_t what)
{
	const struct kind *kind = kind_of(what);

	return kind && kind->looks;
}

/* --- checks --- */

/* What has answered has only to end; what hangs has been answered for. */
static bool is_at_work(const struct broker_job *job)
{
	return job->request && job->request->body == broker_body_volume && (!job->answered || job->child.overdue);
}

/* Two that change it would each see what the other has half done. Who looks hinders nobody: what an executor's start or end asks for is asked
 * once, and whoever counts bytes then would take it away. But one look that hangs is enough. */
static int check_alone(const struct broker *b, const struct kind *kind, const struct volume_at *at, struct err *e)
{
	for (unsigned i = 0; i < BROKER_JOBS_MAX; i++) {
		const struct broker_task *task = &b->jobs[i].task;
		if (is_at_work(&b->jobs[i]) && looks(task->what) == kind->looks && volume_at_is(&task->volume.at, at))
			return err_rule(e, EALREADY, "volume: another request about it is under way");
	}
	return 0;
}

/* A server that hangs must not take the places of all others: so many of its volumes at once, however many servers there are. */
static int check_server(const struct broker *b, const struct volume *v, struct err *e)
{
	const struct config_volumes *rules = &b->config->volumes;
	unsigned waiting = 0;

	if (v->type != VOLUME_CHECKPOINT)
		return 0;
	for (unsigned i = 0; i < BROKER_JOBS_MAX; i++) {
		const struct volume *other = &b->jobs[i].task.volume;
		waiting += is_at_work(&b->jobs[i]) && other->type == VOLUME_CHECKPOINT && other->source < rules->checkpoint_count &&
			   strcmp(rules->checkpoints[other->source].server, rules->checkpoints[v->source].server) == 0;
	}
	if (waiting >= CHECKPOINTS_AT_ONCE)
		return err_rule(e, EAGAIN, "volume: %u mounts wait for the server '%s' already", waiting, rules->checkpoints[v->source].server);
	return 0;
}

static int check_size(const struct config_volumes *rules, const struct volume *v, struct err *e)
{
	if (v->size_bytes > rules->scratch_max_bytes)
		return err_rule(e, EPERM, "volume: size: %llu bytes are more than volumes.scratch.max", (unsigned long long)v->size_bytes);
	return 0;
}

static int check_make(const struct config_volumes *rules, const struct volume *v, struct err *e)
{
	if (volume_check(v, e) < 0)
		return -e->code;
	if (v->type == VOLUME_SCRATCH)
		return check_size(rules, v, e);
	const bool disk = v->type == VOLUME_DISK;
	if (v->source >= (disk ? rules->disk_count : rules->checkpoint_count))
		return err_rule(e, EINVAL, "volume: there is no %s %u", volume_type_name(v->type), v->source);
	/* The node's own mount of an export is made for all pods. */
	if (v->at.place != VOLUME_AT_NODE &&
	    !config_namespaces_allow(disk ? &rules->disks[v->source].namespaces : &rules->checkpoints[v->source].namespaces, v->name_space))
		return err_rule(e, EPERM, "volume: the namespace '%s' may not use %s '%s'", v->name_space, volume_type_name(v->type),
				disk ? rules->disks[v->source].name : rules->checkpoints[v->source].name);
	return 0;
}

static int check_rules(const struct config_volumes *rules, const struct kind *kind, const struct volume *v, struct err *e)
{
	if (kind->whole)
		return check_make(rules, v, e);
	if (volume_at_check(&v->at, e) < 0)
		return -e->code;
	if (kind->what == WIRE_CHECKPOINT_LOOK && v->at.place != VOLUME_AT_NODE)
		return err_rule(e, EINVAL, "volume: only the node's own mount of a checkpoint is looked at");
	if (kind->what == WIRE_VOLUME_REMOVE && v->at.place == VOLUME_AT_EMPTY_DIR)
		return err_rule(e, EPERM, "volume: the kubelet's own volumes are not removed");
	if (kind->bounds && (volume_check_bounds(v, e) < 0 || check_size(rules, v, e) < 0))
		return -e->code;
	return 0;
}

void broker_volume_task(const struct broker *b, struct broker_job *job)
{
	job->task.config = b->config;
	job->task.mount_namespace_fd = b->mount_namespace_fd;
	job->task.filter = &b->mount_filter;
	job->task.path = job->task.volume.at.name; /* for the log */
}

int broker_check_volume(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	const struct wire_volume *ask = record_payload(record, sizeof(*ask));
	const struct kind *kind = kind_of(record->header.type);

	if (b->without_rights)
		return err_rule(e, EPERM, "volume: this broker has no rights to mount");
	if (ask->config_hash != b->config->hash)
		return err_rule(e, ESTALE, "volume: the configuration is another one here");
	if (check_rules(&b->config->volumes, kind, &ask->volume, e) < 0 || check_alone(b, kind, &ask->volume.at, e) < 0 ||
	    (kind->whole && check_server(b, &ask->volume, e) < 0))
		return -e->code;
	broker_volume_task(b, job);
	job->task.what = kind->what;
	job->task.volume = ask->volume;
	job->task.resolve_filter = &b->resolve_filter;
	job->task.uid = b->config->probe.uid; /* of who looks for a server */
	job->deadline_us = ask->volume.type == VOLUME_CHECKPOINT && kind->whole ? b->config->volumes.checkpoint_deadline_us : kind->deadline_us;
	/* Also one that refuses: the kubelet's pause after a failed call doubles, up to two minutes (docs/volumes.md). */
	job->task.patience_us = job->deadline_us / 10 * 9;
	return 0;
}

/* --- the child --- */

/* The child's own configuration, in which the server of the checkpoint has its address. */
static int find_server(const struct broker_task *task, struct broker_finder *finder, struct config **ret, struct err *e)
{
	struct config *config = malloc(sizeof(*config));

	if (!config)
		return err_set(e, ENOMEM, "cannot find the server");
	*ret = config;
	*config = *task->config;
	return broker_finder_ask(finder, &config->volumes.checkpoints[task->volume.source], e);
}

/* The server is looked for only when the work cannot do without its address. */
static int work(const struct broker_task *task, struct broker_finder *finder, struct volume_result *result, struct err *e)
{
	scoped(scoped_free) struct config *with_address = NULL;
	const struct kind *kind = kind_of(task->what);

	if (!kind)
		return err_rule(e, EINVAL, "request %u is not about volumes", task->what);
	int r = kind->work(task->config, &task->volume, result, e);

	if (r != -EDESTADDRREQ || finder->fd < 0)
		return r;
	*e = (struct err){0};
	if (find_server(task, finder, &with_address, e) < 0)
		return -e->code;
	return kind->work(with_address, &task->volume, result, e);
}

int broker_volume_prepare(const struct broker_task *task, struct err *e)
{
	int r = broker_enter_host(task, e);

	if (r == 0)
		r = sandbox_capabilities(SANDBOX_CHILD_MOUNT, e);
	return r == 0 ? sandbox_apply(task->filter, e) : r;
}

/* `r` < 0: it was not begun, as *e says. */
static int work_and_answer(const struct broker_task *task, struct broker_finder *finder, uint64_t start_us, int r, struct err *e, int channel)
{
	struct volume_result result = {.at = task->volume.at}, undone = {0};

	if (r == 0)
		r = work(task, finder, &result, e);
	broker_finder_end(finder);
	result.errnum = -r;
	if (r < 0)
		str_copy(result.text, sizeof(result.text), e->text);
	result.duration_us = clock_mono_us() - start_us;
	r = record_send(channel, WIRE_VOLUME_RESULT, 0, &result, sizeof(result), -1, e);
	/* Whoever asked is told that it failed: then it must not be there. */
	if (r < 0 && task->what == WIRE_VOLUME_MAKE && result.errnum == 0 && !result.already)
		volume_remove(task->config, &task->volume, &undone, e);
	return r < 0;
}

int broker_volume_work(const struct broker_task *task, int channel)
{
	struct broker_finder finder = {.fd = -1};
	struct err e = {0};

	return work_and_answer(task, &finder, clock_mono_us(), 0, &e, channel);
}

int broker_body_volume(void *argument, int channel)
{
	const struct broker_task *task = argument;
	const uint64_t start_us = clock_mono_us();
	struct broker_finder finder = {.fd = -1};
	struct err e = {0};
	int r = 0;

	if (task->what == WIRE_VOLUME_MAKE && task->volume.type == VOLUME_CHECKPOINT)
		r = broker_finder_start(task, &task->config->volumes.checkpoints[task->volume.source], &finder, &e);
	if (r == 0)
		r = broker_volume_prepare(task, &e);
	return work_and_answer(task, &finder, start_us, r, &e, channel);
}
