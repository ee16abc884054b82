#include "daemon/stoker_direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/record.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/wire.h"
#include "volumes/discover.h"
#include "volumes/mount_table.h"
#include "volumes/write_probe.h"

#define DIRECT_WHY "--direct writes nothing to a node object"

struct direct;

struct direct_probe {
	struct direct *direct;
	struct write_probe what;
	struct child child;
	int channel;
	bool ended; /* `found` is what there is to know */
	struct finding found;
};

/* Never freed: a child in D state is followed until this process ends. */
struct direct {
	uv_loop_t loop;
	uint32_t count, running;
	uint64_t deadline_us, started_wall_us;
	volatile uint32_t *progress; /* one step per probe, shared with the children */
	struct direct_probe probes[CONFIG_WATCH_MAX];
	struct target_list list;
};

static void probe_ended(struct direct_probe *p)
{
	if (p->ended)
		return;
	p->ended = true;
	if (--p->direct->running == 0)
		uv_stop(&p->direct->loop);
}

/* What the child has sent; without an answer, `errnum` at the step where it was. */
static void take_answer(struct direct_probe *p, int errnum, uint64_t duration_us)
{
	const struct finding *found = NULL;
	struct record record = {.fd = -1};

	if (record_receive(p->channel, &record, NULL) == 1)
		found = record_payload(&record, sizeof(*found));
	if (found)
		p->found = *found;
	else
		p->found = (struct finding){.watch = p->what.watch, .step = *p->what.progress, .errnum = errnum, .duration_us = duration_us,
					    .started_wall_us = p->direct->started_wall_us};
	fd_drop(&record.fd);
	probe_ended(p);
}

static void child_overdue(struct child *child)
{
	struct direct_probe *p = child->owner;

	take_answer(p, ETIMEDOUT, p->direct->deadline_us);
}

static void child_exited(struct child *child, int status)
{
	struct direct_probe *p = child->owner;

	(void)status;
	if (!p->ended)
		take_answer(p, EAGAIN, 0); /* died without a word: nothing is known about the filesystem */
	fd_drop(&p->channel);
}

static int start_probe(struct direct *d, const struct config *config, uint32_t index, struct err *e)
{
	static const struct child_ops ops = {.on_overdue = child_overdue, .on_exit = child_exited};
	struct direct_probe *p = &d->probes[index];

	p->direct = d;
	p->what = (struct write_probe){.watch = index,
				       .node_hash = hash_fnv1a(HASH_START, config->node, strlen(config->node)),
				       .uid = config->probe.uid,
				       .may_open_plainly = true,
				       .mount_namespace_fd = -1,
				       .answer_type = WIRE_FINDING,
				       .progress = &d->progress[index]};
	str_copy(p->what.path, sizeof(p->what.path), d->list.targets[index].path);
	str_copy(p->what.directory, sizeof(p->what.directory), config->probe.directory);
	if (child_fork(&p->child, &d->loop, &ops, p, d->deadline_us, write_probe_child, &p->what, NULL, &p->channel, e) < 0)
		return err_wrap(e, "cannot probe '%s'", p->what.path);
	d->running++;
	return 0;
}

static int run_probes(struct direct *d, const struct config *config, struct err *e)
{
	void *shared = mmap(NULL, sizeof(uint32_t) * CONFIG_WATCH_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return err_set(e, errno, "cannot probe");
	d->progress = shared;
	if (uv_loop_init(&d->loop) < 0)
		return err_rule(e, EIO, "cannot make a loop");
	d->deadline_us = config->probe.deadline_us;
	d->started_wall_us = clock_wall_us();
	for (uint32_t i = 0; i < d->list.count; i++, d->count++)
		if (start_probe(d, config, i, e) < 0)
			return -e->code;
	if (d->running > 0)
		uv_run(&d->loop, UV_RUN_DEFAULT);
	return 0;
}

/* --- what they found, as health --- */

/* Names of mounts are for people: without them the paths must do. */
static void read_mounts(struct mount_table *table)
{
	scoped(fd_drop) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct err ignored = {0};

	if (fd >= 0)
		mount_table_read(fd, table, &ignored);
}

/* Without a mount id (a probe that hung) the path must do, if it is a mount point. */
static const struct mount *find_mount(const struct mount_table *mounts, const struct direct_probe *p)
{
	const struct mount *found = NULL;

	if (p->found.mount_id)
		return mount_table_find(mounts, p->found.mount_id, p->found.device_major, p->found.device_minor);
	for (size_t i = 0; i < mounts->count; i++)
		if (strcmp(mounts->mounts[i].mount_point, p->what.path) == 0)
			found = &mounts->mounts[i]; /* the last one lies on top */
	return found;
}

static struct verdict_input judge(const struct finding *found, const struct config *config)
{
	struct verdict_input input = verdict_judge(found);

	if (input.event == VERDICT_GOOD)
		input = verdict_judge_space(&found->space, space_judge(&found->space, &config->space, &config->inodes, (struct space_levels){0}));
	return input;
}

static void describe(const struct direct_probe *p, const struct config *config, const struct mount_table *mounts, struct health_filesystem *f)
{
	const struct verdict_rules rules = {.recover_after = 1};
	const struct verdict_input input = judge(&p->found, config);
	const struct verdict v = verdict_step((struct verdict){0}, &input, &rules, clock_mono_us());
	const struct mount *m = find_mount(mounts, p);

	str_copy(f->path, sizeof(f->path), p->what.path);
	str_copy(f->mount_point, sizeof(f->mount_point), m ? m->mount_point : p->what.path);
	str_copy(f->source, sizeof(f->source), m ? m->source : "");
	str_copy(f->fs_type, sizeof(f->fs_type), m ? m->type : "");
	if (p->found.mount_id)
		str_append(f->device, sizeof(f->device), "%u:%u", p->found.device_major, p->found.device_minor);
	str_copy(f->roles[f->role_count++], sizeof(f->roles[0]), p->direct->list.targets[p->what.watch].role);
	f->origin = p->direct->list.targets[p->what.watch].origin;
	f->state = v.state;
	str_copy(f->reason, sizeof(f->reason), v.reason);
	str_copy(f->message, sizeof(f->message), v.message);
	if (input.event == VERDICT_NOTHING) { /* the verdict takes no step for these */
		str_copy(f->reason, sizeof(f->reason), input.reason);
		str_copy(f->message, sizeof(f->message), input.message);
	}
	f->last_probe_wall_us = p->found.started_wall_us; /* since when it is so, one look does not tell */
	f->last_probe_duration_us = p->found.duration_us;
	f->last_probe_errnum = p->found.errnum;
	f->size_bytes = p->found.space.total_bytes;
	f->available_bytes = p->found.space.available_bytes;
	f->inodes = p->found.space.total_inodes;
	f->available_inodes = p->found.space.available_inodes;
	f->mounted = p->found.mount_root;
	if (m && mount_is_read_only_bind(m) && p->found.errnum == EROFS)
		health_ignore_bind(f);
}

/* Paths and patterns of the configuration; the known paths are for the daemon, which may look at them. A pattern that matches
 * nothing is tried as the name of a path, which it may be. */
static void list_targets(const struct config *config, const struct mount_table *mounts, struct target_list *ret)
{
	static const struct place_look nothing[DISCOVER_KNOWN_MAX];

	discover(config, mounts, nothing, ret);
	for (uint32_t i = 0; i < config->watch_count && ret->count < TARGET_MAX; i++) {
		struct target *t = &ret->targets[ret->count];
		if (!(ret->idle_patterns & 1ULL << i))
			continue;
		*t = (struct target){.origin = TARGET_PATTERN};
		str_copy(t->path, sizeof(t->path), config->watch[i].path);
		str_copy(t->role, sizeof(t->role), config->watch[i].role);
		ret->count++;
	}
}

static void mounts_drop(struct mount_table *table)
{
	mount_table_free(table);
}

int probe_directly(const struct config *config, struct health *ret, struct err *e)
{
	scoped(mounts_drop) struct mount_table mounts = {0};
	struct direct *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(e, ENOMEM, "cannot probe");
	read_mounts(&mounts);
	list_targets(config, &mounts, &d->list);
	if (run_probes(d, config, e) < 0)
		return -e->code;
	memset(ret, 0, sizeof(*ret));
	str_copy(ret->node, sizeof(ret->node), config->node);
	ret->time_wall_us = clock_wall_us();
	for (uint32_t i = 0; i < d->count; i++)
		describe(&d->probes[i], config, &mounts, &ret->filesystems[ret->filesystem_count++]);
	ret->status = health_judge(ret);
	health_report(ret, config, &ret->report);
	ret->taint_held = ret->report.taint.wanted;
	str_copy(ret->taint_why, sizeof(ret->taint_why), ret->report.taint.wanted ? DIRECT_WHY : "");
	return 0;
}
