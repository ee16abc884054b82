/* executors_pod.c - the pod around the containers: its cgroup, whose counters outlive theirs. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "health/executors_inside.h"

static void pod_changed(struct cgroup_watch *watch)
{
	struct executors_pod *pod = watch->owner;
	struct executors *x = pod->table;

	/* Whose it is, the containers' own counters say. */
	for (unsigned i = 0; i < x->count; i++)
		if (x->entries[i]->pod == pod)
			x->entries[i]->unread = true;
	executors_changed(x);
}

static void pod_gone(struct cgroup_watch *watch)
{
	(void)watch; /* its containers went before it */
}

static void pod_open(struct executors *x, struct executors_pod *pod, const struct executor *executor)
{
	static const struct cgroup_watch_ops ops = {.on_events = pod_changed, .on_gone = pod_gone};
	char path[EXECUTOR_CGROUP_BYTES];
	struct sample sample = {0};
	struct err e = {0};

	if (!x->has_cgroups || pod->open || cgroup_pod_path_of(executor, path, sizeof(path), &e) < 0 || cgroup_open(&x->layout, path, &pod->cgroup, &e) < 0)
		return;
	pod->open = true;
	pod->watch = (struct cgroup_watch){.ops = &ops, .owner = pod, .cgroup = &pod->cgroup};
	if (cgroup_watch_add(&x->watcher, &pod->watch, path, &e) < 0)
		log_debug(x->log, "a pod's cgroup is not watched", "uid", pod->uid, "error", e.text);
	if (cgroup_read(&pod->cgroup, &sample, &e) == 0) {
		pod->first = pod->counted = sample.events;
		pod->limit_bytes = sample.limit_bytes;
	}
}

struct executors_pod *executors_pod_get(struct executors *x, const struct executor *executor)
{
	struct executors_pod *pod = x->pods;

	while (pod && strcmp(pod->uid, executor->pod_uid) != 0)
		pod = pod->next;
	if (!pod) {
		pod = calloc(1, sizeof(*pod));
		if (!pod)
			return NULL;
		str_copy(pod->uid, sizeof(pod->uid), executor->pod_uid);
		pod->table = x;
		pod->next = x->pods;
		x->pods = pod;
	}
	pod_open(x, pod, executor);
	pod->users++;
	return pod;
}

void executors_pod_put(struct executors *x, struct executors_pod *pod)
{
	struct executors_pod **at = &x->pods;

	if (!pod || --pod->users > 0)
		return;
	cgroup_watch_remove(&pod->watch);
	if (pod->open)
		cgroup_close(&pod->cgroup);
	while (*at != pod)
		at = &(*at)->next;
	*at = pod->next;
	free(pod);
}

void executors_pod_read(struct executors_pod *pod, struct moment now)
{
	const struct executors *x = pod->table;
	struct sample sample = {0};
	struct err e = {0};

	for (unsigned i = 0; i < x->count; i++)
		if (x->entries[i]->pod == pod)
			executors_count(x->entries[i], now);
	if (!pod->open || cgroup_read_events(&pod->cgroup, &sample, &e) < 0)
		return;
	pod->counted = sample.events;
	pod->counted_us = now.us;
}

struct sample_events executors_pod_left(const struct executors *x, const struct executors_entry *entry)
{
	const struct executors_pod *pod = entry->pod;
	struct sample_events left = {0};

	if (!pod || !pod->open)
		return left;
	left = sample_events_minus(&pod->counted, &pod->first);
	if (pod->cgroup.versions[CGROUP_MEMORY] != 2) /* on v1 a cgroup counts only what is its own */
		return left;
	left = sample_events_minus(&left, &pod->told);
	const struct sample_events own = sample_events_minus(&entry->explained_events, &entry->first);
	left = sample_events_minus(&left, &own);
	for (unsigned i = 0; i < x->count; i++) {
		const struct executors_entry *sibling = x->entries[i];
		if (sibling->pod != pod || sibling == entry)
			continue;
		const struct sample_events theirs = sample_events_minus(&sibling->counted, &sibling->first);
		left = sample_events_minus(&left, &theirs);
	}
	return left;
}
