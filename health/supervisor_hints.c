/* supervisor_hints.c - the kernel's smaller hints: ext4's counters, options that a filesystem has given itself, NFS servers.
 * Each only triggers a probe and supplies the reason. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/supervisor.h"
#include "volumes/ext4_errors.h"

#define HINTS_PAUSE_MS 100

static void give(struct supervisor *s, uint32_t index, const char *source, const struct kmsg_hint *hint)
{
	if (monitor_hint_at(&s->monitor, index, source, hint, clock_mono_us(), clock_wall_us()))
		supervisor_follow_up(s);
}

/* What was seen of this watch; forgotten when it lies elsewhere. */
static struct seen_hints *seen_of(struct supervisor *s, uint32_t index)
{
	const struct finding *last = &s->monitor.watch[index].last;
	struct seen_hints *seen = &s->seen[index];

	if (seen->mount_id != last->mount_id || seen->major != last->device_major || seen->minor != last->device_minor)
		*seen = (struct seen_hints){.major = last->device_major, .minor = last->device_minor, .mount_id = last->mount_id};
	return seen;
}

/* --- ext4's counters --- */

/* More than when they were last read? If that was of another mount, or by an earlier stokerd, another filesystem may lie there by now, whose
 * errors are old: then the last one must have come since. */
static bool has_news(const struct supervisor *s, const struct monitor_watch *w, const struct kernel_errors *now)
{
	const struct kernel_errors *before = &w->kernel_errors;

	if (!before->wall_us || strcmp(before->device, now->device) != 0 || now->count <= before->count)
		return false;
	return before->mount_id == now->mount_id || ext4_errors_last_time(s->monitor.sys_root, w->names.name[0]) >= before->wall_us / US_PER_S;
}

static void compare_errors(struct supervisor *s, uint32_t index, uint64_t count)
{
	struct monitor_watch *w = &s->monitor.watch[index];
	const struct kernel_errors before = w->kernel_errors;
	struct kernel_errors now = {.count = count, .wall_us = clock_wall_us(), .mount_id = w->last.mount_id};
	struct kmsg_hint hint = {.is_error = true, .reason = "FilesystemError"};
	char last[96], since[CLOCK_TEXT_BYTES] = "before";

	str_append(now.device, sizeof(now.device), "%u:%u", w->last.device_major, w->last.device_minor);
	bool risen = has_news(s, w, &now), written = before.wall_us && strcmp(before.device, now.device) == 0 && before.count == count;
	w->kernel_errors = now;
	if (risen) {
		if (!before.mount_id)
			clock_format(before.wall_us, 0, since);
		ext4_errors_last(s->monitor.sys_root, w->names.name[0], last, sizeof(last));
		str_append(hint.message, sizeof(hint.message), "ext4 counts %llu errors, %llu more than %s%s, the last one %s", (unsigned long long)count,
			   (unsigned long long)(count - before.count), before.mount_id ? "" : "were known at ", since, last);
		give(s, index, "ext4-errors", &hint);
	}
	if (!written) /* what an error of later is compared with, by another stokerd perhaps */
		s->monitor.ops->changed(&s->monitor);
}

static void read_ext4_errors(struct supervisor *s)
{
	unsigned counted = 0, missing = 0;
	char detail[128];
	struct err e = {0};

	for (uint32_t i = 0; i < s->monitor.watch_count; i++) {
		const struct monitor_watch *w = &s->monitor.watch[i];
		uint64_t now;
		if (w->alias_of >= 0 || !w->described || strcmp(w->fs_type, "ext4") != 0 || w->names.count == 0)
			continue;
		int r = ext4_errors_count(s->monitor.sys_root, w->names.name[0], &now, &e);
		if (r == 0)
			compare_errors(s, i, now);
		counted += r == 0;
		missing += r < 0 && w->last.step > PROBE_RESOLVE; /* not while it is unmounted */
	}
	if (missing > 0)
		monitor_input(&s->monitor, "ext4-errors", "missing", e.text);
	else if (counted > 0) {
		snprintf(detail, sizeof(detail), "reading the counters of %u filesystem%s", counted, counted == 1 ? "" : "s");
		monitor_input(&s->monitor, "ext4-errors", "ok", detail);
	}
}

static void look(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	supervisor_fs_look(s);
	read_ext4_errors(s);
}

void supervisor_hints_wanted(struct supervisor *s)
{
	if (!uv_is_active((uv_handle_t *)&s->hints))
		uv_timer_start(&s->hints, look, HINTS_PAUSE_MS, 0);
}

void supervisor_hints_reset(struct supervisor *s)
{
	memset(s->seen, 0, sizeof(s->seen));
	supervisor_fs_reset(s);
}

/* --- options --- */

/* What a filesystem puts into its own options when it gives up (ext4: emergency_ro from 6.15, shutdown from 6.6). The mount
 * table does not say when: it is looked at whenever it is read. */
static const struct {
	const char *option, *reason;
} given_up[] = {
	{"emergency_ro", "ReadOnlyFilesystem"},
	{"shutdown", "FilesystemShutdown"},
};

void supervisor_hints_mounts(struct supervisor *s, const struct mount_table *table)
{
	for (uint32_t i = 0; i < s->monitor.watch_count; i++) {
		const struct monitor_watch *w = &s->monitor.watch[i];
		const struct mount *mount = mount_table_find(table, w->last.mount_id, w->last.device_major, w->last.device_minor);
		struct seen_hints *seen = seen_of(s, i);
		const char *found = NULL;
		if (!mount || w->alias_of >= 0)
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(given_up); j++) {
			struct kmsg_hint hint = {.is_error = true};
			if (found || !mount_has_option(mount, given_up[j].option))
				continue;
			found = given_up[j].option;
			str_copy(hint.reason, sizeof(hint.reason), given_up[j].reason);
			snprintf(hint.message, sizeof(hint.message), "the filesystem shows the mount option %s, which it has given itself", found);
			if (seen->option != found)
				give(s, i, "mounts", &hint);
		}
		seen->option = found;
	}
	nfs_servers_forget(&s->nfs, table, clock_mono_us());
	if (s->nfs.heard)
		supervisor_nfs(s, NULL);
}

/* --- NFS --- */

void supervisor_nfs(struct supervisor *s, const struct kmsg_nfs *line)
{
	uint64_t now_us = clock_mono_us();
	char detail[256];

	if (line)
		nfs_servers_note(&s->nfs, line, now_us);
	if (line)
		supervisor_checkpoints_kmsg(s, line);
	nfs_servers_forget(&s->nfs, NULL, now_us);
	bool well = nfs_servers_say(&s->nfs, now_us, detail, sizeof(detail));
	monitor_input(&s->monitor, "nfs", well ? "ok" : "degraded", detail);
}
