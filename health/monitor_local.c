/* monitor_local.c - the verdict that matters to an executor: of the disk that its local dirs lie on, as far as its pod tells which. */
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/monitor.h"

static bool is_kubelets(const struct monitor_watch *w)
{
	return strcmp(w->target.role, "kubelet") == 0;
}

/* Several paths on one filesystem have one verdict. */
static const struct monitor_watch *judged(const struct monitor *m, const struct monitor_watch *w)
{
	return w->alias_of < 0 ? w : &m->watch[w->alias_of];
}

/* What Spark writes to comes before what the node itself needs, and a fault before a warning. */
static int weight_of(const struct monitor *m, const struct monitor_watch *w, bool of_kubelet_only)
{
	static const char *const nodes_own[] = {"kubelet", "runtime", "logs"};
	const struct verdict *v = &judged(m, w)->verdict;
	int weight = verdict_is_bad(v) ? 4 : v->state == VERDICT_WARNING ? 2 : 0;

	if (weight == 0 || (of_kubelet_only && !is_kubelets(w)))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(nodes_own); i++)
		if (strcmp(w->target.role, nodes_own[i]) == 0)
			return weight;
	return weight + 1;
}

void monitor_local_disk(const struct monitor *m, const struct executor *x, struct local_disk *ret)
{
	const bool empty_dirs = x->flags & EXECUTOR_EMPTY_DIRS;
	const struct monitor_watch *worst = NULL;
	bool has_kubelets = false;

	*ret = (struct local_disk){0};
	if (x->flags & EXECUTOR_TMPFS_LOCAL_DIRS)
		return;
	for (uint32_t i = 0; i < m->watch_count; i++)
		has_kubelets = has_kubelets || is_kubelets(&m->watch[i]);
	const bool sure = empty_dirs && has_kubelets;
	for (uint32_t i = 0; i < m->watch_count; i++) {
		const int weight = weight_of(m, &m->watch[i], sure);
		if (weight > 0 && (!worst || weight > weight_of(m, worst, sure)))
			worst = &m->watch[i];
	}
	if (!worst)
		return;
	const struct monitor_watch *w = judged(m, worst);
	str_copy(ret->reason, sizeof(ret->reason), w->verdict.reason);
	str_escape(ret->mount_point, sizeof(ret->mount_point), *w->mount_point ? w->mount_point : w->target.path);
	ret->bad = verdict_is_bad(&w->verdict);
	ret->sure = sure;
}
