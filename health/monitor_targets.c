/* monitor_targets.c - which filesystems the monitor watches: the list changes with the configuration and the mount table. */
#include <string.h>

#include "base/str.h"
#include "health/monitor.h"

/* --- several paths on one filesystem --- */

void monitor_find_aliases(struct monitor *m)
{
	struct target_seat seats[CONFIG_WATCH_MAX];

	for (uint32_t i = 0; i < m->watch_count; i++) {
		const struct monitor_watch *w = &m->watch[i];
		seats[i] = (struct target_seat){w->placed, w->read_only_bind, w->device_major, w->device_minor};
	}
	for (uint32_t i = 0; i < m->watch_count; i++) {
		struct monitor_watch *w = &m->watch[i];
		int stands = target_stands_for(seats, m->watch_count, i);
		if (stands >= 0 && w->alias_of != stands) {
			struct monitor_watch *other = &m->watch[stands];
			/* Its filesystem was bad before another path stood for it, and is so still. */
			if (!w->moved && verdict_is_bad(&w->verdict) && !verdict_is_bad(&other->verdict) && !other->read_only_bind) {
				other->verdict = w->verdict;
				other->since_wall_us = w->since_wall_us;
				other->levels = w->levels;
			}
			w->verdict = (struct verdict){.since_us = w->verdict.since_us};
		}
		w->alias_of = stands;
		w->moved = false;
	}
}

/* --- the list --- */

static void take_place(struct monitor_watch *w, const struct target *t)
{
	if (!t->mount_id)
		return;
	w->placed = true;
	w->device_major = w->last.device_major = t->device_major;
	w->device_minor = w->last.device_minor = t->device_minor;
	w->last.mount_id = t->mount_id;
	w->described = false;
}

static void begin(struct monitor *m, struct monitor_watch *w, const struct target *t, uint64_t now_us)
{
	*w = (struct monitor_watch){.alias_of = -1, .heard_us = now_us, .verdict = {.since_us = now_us}, .serial = m->next_serial++, .target = *t, .mounted = t->mount_root};
	take_place(w, t);
}

/* A path that is watched already, as discovery sees it now. */
static void follow(struct monitor_watch *w, const struct target *t, uint64_t now_us)
{
	struct target before = w->target;
	bool bad = verdict_is_bad(&w->verdict);
	bool away = bad && w->mounted && !t->mount_root && t->origin != TARGET_CONFIGURED; /* only its mount point is there */
	bool elsewhere = t->mount_id && (!w->placed || w->last.mount_id != t->mount_id);

	w->target = *t;
	w->gone = false;
	if (away) {
		w->target.mount_id = before.mount_id;
		w->target.device_major = before.device_major;
		w->target.device_minor = before.device_minor;
		return;
	}
	if (!elsewhere)
		return;
	w->moved = w->placed && (w->device_major != t->device_major || w->device_minor != t->device_minor);
	w->mounted = t->mount_root || (bad && w->mounted);
	take_place(w, t);
	if (w->moved)
		monitor_forget_space(w);
	if (w->moved && !bad)
		w->verdict = (struct verdict){.since_us = now_us};
}

/* In the list no more: is it kept all the same? */
static bool stays(const struct monitor *m, struct monitor_watch *w)
{
	return verdict_is_bad(&w->verdict) && w->target.origin != TARGET_CONFIGURED && target_renew(&m->config, &w->target) &&
	       m->watch_count < CONFIG_WATCH_MAX;
}

static bool is_same(const struct target *a, const struct target *b)
{
	return strcmp(a->path, b->path) == 0 && a->origin == b->origin && a->place == b->place && a->mount_id == b->mount_id &&
	       a->device_major == b->device_major && a->device_minor == b->device_minor && a->mount_root == b->mount_root;
}

static bool is_unchanged(const struct monitor *m, const struct target_list *list)
{
	bool same = list->count == m->watch_count && !m->discovering;

	for (uint32_t i = 0; i < list->count && same; i++)
		same = is_same(&list->targets[i], &m->watch[i].target);
	return same;
}

static int find_path(const struct monitor_watch *watch, uint32_t count, const char *path)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(watch[i].target.path, path) == 0)
			return (int)i;
	return -1;
}

static void replace_list(struct monitor *m, const struct target_list *list, uint64_t now_us)
{
	struct monitor_watch *before = m->scratch.before;
	uint32_t before_count = m->watch_count, first_new = m->next_serial;
	bool taken[CONFIG_WATCH_MAX] = {false};

	memcpy(before, m->watch, before_count * sizeof(before[0]));
	m->watch_count = 0;
	for (uint32_t i = 0; i < list->count; i++) {
		struct monitor_watch *w = &m->watch[m->watch_count++];
		int known = find_path(before, before_count, list->targets[i].path);
		if (known < 0) {
			begin(m, w, &list->targets[i], now_us);
			continue;
		}
		taken[known] = true;
		*w = before[known];
		w->alias_of = -1;
		follow(w, &list->targets[i], now_us);
	}
	for (uint32_t i = 0; i < before_count; i++) {
		bool kept = !taken[i] && stays(m, &before[i]);
		if (kept) {
			m->watch[m->watch_count] = before[i];
			m->watch[m->watch_count].gone = true;
			m->watch[m->watch_count++].alias_of = -1;
		}
		if (!taken[i] && m->log && !before[i].gone && before[i].target.origin != TARGET_CONFIGURED)
			log_info(m->log, kept ? "gone while it is bad: it stays bad" : "not watched any more", "path", before[i].target.path);
	}
	monitor_find_aliases(m);
	for (uint32_t i = 0; i < m->watch_count; i++)
		if (m->watch[i].serial >= first_new && m->watch[i].target.origin != TARGET_CONFIGURED && m->log)
			log_info(m->log, "watched", "path", m->watch[i].target.path, "how", target_origin_name(m->watch[i].target.origin), "with",
				 m->watch[i].alias_of >= 0 ? m->watch[m->watch[i].alias_of].target.path : NULL);
}

void monitor_set_targets(struct monitor *m, const struct target_list *list, uint64_t now_us)
{
	uint32_t first_new = m->next_serial;

	if (is_unchanged(m, list))
		return;
	m->discovering = false;
	replace_list(m, list, now_us);
	for (uint32_t i = 0; i < m->watch_count; i++) {
		if (m->watch[i].serial >= first_new)
			monitor_ask(m, i);
		if (!m->watch[i].described)
			m->ops->describe(m);
	}
	m->ops->changed(m);
}

/* --- configuration and memory of an earlier life --- */

/* The paths that the configuration names, and of what was found before what it still watches: discovery says the rest. */
static struct target_list *list_of(struct monitor *m)
{
	struct target_list *list = &m->scratch.list;
	struct place place;

	list->count = 0;
	for (uint32_t i = 0; i < m->config.watch_count; i++) {
		struct target *t = &list->targets[list->count];
		if (!place_get(&m->config, i, &place) || place.origin != TARGET_CONFIGURED)
			continue;
		*t = (struct target){.origin = TARGET_CONFIGURED, .place = i};
		str_copy(t->path, sizeof(t->path), place.path);
		str_copy(t->role, sizeof(t->role), place.role);
		list->count++;
	}
	for (uint32_t i = 0; i < m->watch_count && list->count < TARGET_MAX; i++) {
		struct target *t = &list->targets[list->count];
		*t = m->watch[i].target;
		if (t->origin != TARGET_CONFIGURED && target_renew(&m->config, t))
			list->count++;
	}
	return list;
}

void monitor_configure(struct monitor *m, const struct config *config, uint64_t now_us)
{
	m->config = *config;
	m->discovering = discover_is_needed(config);
	replace_list(m, list_of(m), now_us);
	for (uint32_t i = 0; i < m->watch_count; i++)
		m->watch[i].outstanding = false;
	monitor_probe_all(m, "configuration");
	m->ops->changed(m);
}

/* What was found by an earlier life and is bad is watched from the start: it may be away for its repair. */
static void restore_list(struct monitor *m, const struct health *before, uint64_t now_us)
{
	struct target_list *list = list_of(m);

	for (uint32_t i = 0; i < before->filesystem_count && list->count < TARGET_MAX; i++) {
		const struct health_filesystem *f = &before->filesystems[i];
		struct target t = {.origin = f->origin < TARGET_ORIGIN_MAX_ ? f->origin : TARGET_CONFIGURED, .mount_root = f->mounted};
		str_copy(t.path, sizeof(t.path), f->path);
		bool bad = f->state == VERDICT_BAD || f->state == VERDICT_RECOVERING;
		if (bad && t.origin != TARGET_CONFIGURED && find_path(m->watch, m->watch_count, t.path) < 0 && target_renew(&m->config, &t))
			list->targets[list->count++] = t;
	}
	replace_list(m, list, now_us);
}

void monitor_restore(struct monitor *m, const struct health *before, uint64_t now_us, uint64_t now_wall_us)
{
	restore_list(m, before, now_us);
	for (uint32_t i = 0; i < m->watch_count; i++) {
		for (uint32_t j = 0; j < before->filesystem_count; j++) {
			const struct health_filesystem *f = &before->filesystems[j];
			struct monitor_watch *w = &m->watch[i];
			if (strcmp(f->path, w->target.path) != 0)
				continue;
			w->mounted = f->mounted;
			w->kernel_errors = (struct kernel_errors){.count = f->kernel_errors, .wall_us = f->kernel_errors_wall_us};
			str_copy(w->kernel_errors.device, sizeof(w->kernel_errors.device), f->device);
			if (f->state != VERDICT_BAD && f->state != VERDICT_RECOVERING)
				continue;
			w->verdict.state = VERDICT_BAD;
			w->verdict.since_us = w->verdict.bad_since_us = now_us;
			w->since_wall_us = f->since_wall_us <= now_wall_us ? f->since_wall_us : now_wall_us;
			str_copy(w->verdict.reason, sizeof(w->verdict.reason), f->reason);
			str_copy(w->verdict.message, sizeof(w->verdict.message), f->message);
			monitor_restore_space(w, f->reason);
		}
	}
}
