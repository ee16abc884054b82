/* broker_sweep.c - what Spark left on a hostPath: looked at, and removed if it is ownerless. See broker.h, volumes/sweep.h.
 *
 * Whoever asks names a root by its number and directories by inode and birth. Whether they may go this child finds out anew: nothing is
 * believed. It keeps three capabilities: to enter and empty directories of any user, and to look into processes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "health/broker.h"
#include "volumes/sweep_owners.h"
#include "volumes/tree_remove.h"

#define DEADLINE_US	  (30 * US_PER_S)

int broker_check_sweep(struct broker *b, const struct record *record, struct broker_job *job, struct err *e)
{
	const struct wire_sweep *ask = record_payload(record, sizeof(*ask));
	const struct config_volumes *volumes = &b->config->volumes;

	if (ask->config_hash != b->config->hash)
		return err_rule(e, ESTALE, "sweep: the configuration is another one here");
	if (volumes->sweep == CONFIG_SWEEP_OFF || ask->root >= volumes->sweep_root_count)
		return err_rule(e, EINVAL, "sweep: root %u is not to be swept", ask->root);
	if (ask->remove_count > WIRE_SWEEP_REMOVE_MAX)
		return err_rule(e, EINVAL, "sweep: %u directories at once", ask->remove_count);
	if (ask->remove_count > 0 && volumes->sweep != CONFIG_SWEEP_ON)
		return err_rule(e, EPERM, "sweep: volumes.sweep.mode is dryRun");
	if (b->without_rights)
		return err_rule(e, EPERM, "sweep: not without rights (overlay observe-only)");
	job->task.what = WIRE_SWEEP;
	job->task.sweep = *ask;
	job->task.path = volumes->sweep_roots[ask->root].path;
	job->task.mount_namespace_fd = b->mount_namespace_fd;
	job->task.filter = &b->sweep_filter;
	job->deadline_us = DEADLINE_US;
	return 0;
}

/* What is opened before the rights go. */
struct opened {
	struct sweep_root root;
	int proc_fd;
};

static void opened_drop(struct opened *o)
{
	sweep_root_close(&o->root);
	fd_drop(&o->proc_fd);
}

static int open_all(const struct broker_task *task, struct opened *o, struct err *e)
{
	o->proc_fd = broker_enter_idle(task, e);
	if (o->proc_fd < 0)
		return o->proc_fd;
	if (sweep_root_open(task->path, &o->root, e) < 0 || sandbox_capabilities(SANDBOX_CHILD_SWEEP, e) < 0)
		return -e->code;
	return sandbox_apply(task->filter, e);
}

static int list(const struct wire_sweep *ask, const struct opened *o, struct sweep_page *page, struct err *e)
{
	uint64_t wanted[WIRE_SWEEP_REMOVE_MAX];

	for (uint32_t i = 0; i < ask->remove_count; i++)
		wanted[i] = ask->remove[i].ino;
	int r = sweep_root_list(&o->root, ask->remove_count ? 0 : ask->after_ino, ask->remove_count ? wanted : NULL, ask->remove_count, page, e);
	if (r < 0 || page->count == 0)
		return r;
	return sweep_find_owners(o->proc_fd, &o->root, ask->slack_us > SWEEP_SLACK_US ? ask->slack_us : SWEEP_SLACK_US, page, e);
}

/* An inode's number is given again: the moment of birth goes with it. */
static const struct wire_sweep_one *asked_for(const struct wire_sweep *ask, const struct sweep_directory *d)
{
	for (uint32_t i = 0; i < ask->remove_count; i++)
		if (ask->remove[i].ino == d->ino && ask->remove[i].born_wall_us == d->facts.born_wall_us)
			return &ask->remove[i];
	return NULL;
}

static void judge(const struct wire_sweep *ask, const struct opened *o, struct sweep_directory *d, struct tree_budget *budget, struct wire_swept_one *ret)
{
	static const struct tree_rules rules = {.move_up = false, .give_up = false}; /* as much as possible, and nothing is made */
	const struct wire_sweep_one *one = asked_for(ask, d);
	struct tree_removed removed;

	if (one)
		d->facts.known_changed_wall_us = one->changed_wall_us;
	*ret = (struct wire_swept_one){.ino = d->ino, .born_wall_us = d->facts.born_wall_us, .changed_wall_us = d->facts.changed_wall_us, .uid = d->uid};
	str_copy(ret->name, sizeof(ret->name), d->name);
	ret->reason = sweep_judge(&d->facts, &ret->pid);
	if (!one || ret->reason != SWEEP_OWNERLESS)
		return;
	tree_remove(o->root.fd, d->name, &rules, budget, &removed);
	ret->gone = removed.whole;
	ret->removed_entries = removed.entries;
	ret->removed_bytes = removed.bytes;
	ret->left = removed.left;
	ret->left_errnum = removed.errnum;
	/* Our own work is no sign of life. */
	sweep_root_look_again(&o->root, d);
	ret->changed_wall_us = d->facts.changed_wall_us;
}

int broker_body_sweep(void *argument, int channel)
{
	static struct sweep_page page;
	static struct wire_swept swept;
	const struct broker_task *task = argument;
	const uint64_t began_us = clock_mono_us();
	struct tree_budget budget = {SWEEP_RUN_ENTRIES, began_us + SWEEP_RUN_US};
	scoped(opened_drop) struct opened opened = {.root.fd = -1, .proc_fd = -1};
	struct err e = {0};

	int r = open_all(task, &opened, &e);
	if (r == 0)
		r = list(&task->sweep, &opened, &page, &e);
	for (uint32_t i = 0; r == 0 && i < page.count; i++)
		judge(&task->sweep, &opened, &page.directories[i], &budget, &swept.of[i]);
	swept.root = task->sweep.root;
	swept.errnum = -r;
	swept.count = r == 0 ? page.count : 0;
	swept.removing = task->sweep.remove_count > 0;
	swept.more = page.more;
	swept.cut = page.cut;
	swept.unread = page.unread_pid;
	swept.duration_us = clock_mono_us() - began_us;
	str_copy(swept.text, sizeof(swept.text), e.text);
	return record_send(channel, WIRE_SWEPT, 0, &swept, sizeof(swept), -1, NULL) < 0;
}
