/* made_group.c - see made_group.h. libcgroup's struct cgroup is another one than ours: cgroups/cgroup.h stays out of this file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scoped.h"
#include "base/str.h"
#include "cgroups/made_group.h"

#define CPU_PERIOD_US	100000ULL
#define MADE_GROUP_INNER "main"

static void drop_group(struct cgroup **group)
{
	if (*group)
		cgroup_free(group);
}

static int say(struct err *e, int code, const char *what)
{
	if (code == ECGOTHER)
		return err_set(e, cgroup_get_last_errno(), "%s", what);
	return err_rule(e, code == ECGNONEMPTY ? EBUSY : EIO, "%s: %s", what, cgroup_strerror(code));
}

/* Once a process; it reads /proc/cgroups and every mount. Its own complaints would go to stdout. */
static int start_library(struct err *e)
{
	cgroup_set_logger(NULL, CGROUP_LOG_ERROR, NULL);
	int r = cgroup_init();
	return r ? say(e, r, "libcgroup cannot read the cgroup mounts") : 0;
}

/* --- what is asked of which controller, by version --- */

struct wanted {
	enum cgroup_part controller;
	const char *name; /* libcgroup's and the kernel's */
};

static const struct wanted wanted[] = {
	{CGROUP_MEMORY, "memory"},
	{CGROUP_CPU, "cpu"},
	{CGROUP_PIDS, "pids"},
};

struct value {
	const char *file;
	char text[48];
	bool optional; /* a kernel without it does without */
};

#define VALUES_MAX 4

static unsigned add(struct value *values, unsigned count, const char *file, bool optional, const char *format, uint64_t a, uint64_t b)
{
	struct value *v = &values[count];

	v->file = file;
	v->optional = optional;
	v->text[0] = '\0';
	str_append(v->text, sizeof(v->text), "%" PRIu64, a);
	if (format)
		str_append(v->text, sizeof(v->text), " %" PRIu64, b);
	return count + 1;
}

static unsigned values_of(enum cgroup_part controller, int version, const struct made_group_limits *limits, struct value values[static VALUES_MAX])
{
	unsigned n = 0;
	uint64_t quota_us = limits->cpu_millis * CPU_PERIOD_US / 1000;

	if (controller == CGROUP_MEMORY && limits->memory_bytes) {
		n = add(values, n, version == 2 ? "memory.max" : "memory.limit_in_bytes", false, NULL, limits->memory_bytes, 0);
		if (version == 2)
			n = add(values, n, "memory.swap.max", true, NULL, 0, 0);
		else /* memory and swap together; after the limit: it may not be below it */
			n = add(values, n, "memory.memsw.limit_in_bytes", true, NULL, limits->memory_bytes, 0);
	}
	if (controller == CGROUP_MEMORY && version == 2 && limits->group_kill)
		n = add(values, n, "memory.oom.group", false, NULL, 1, 0);
	if (controller == CGROUP_CPU && limits->cpu_millis) {
		if (version == 2) {
			n = add(values, n, "cpu.max", false, "pair", quota_us, CPU_PERIOD_US);
		} else {
			n = add(values, n, "cpu.cfs_period_us", false, NULL, CPU_PERIOD_US, 0);
			n = add(values, n, "cpu.cfs_quota_us", false, NULL, quota_us, 0);
		}
	}
	return n;
}

/* --- v2's root --- */

static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *p = words; (p = strstr(p, word)); p += length)
		if ((p == words || p[-1] == ' ') && (p[length] == ' ' || p[length] == '\n' || p[length] == '\0'))
			return true;
	return false;
}

static int enable_in_root(const struct cgroup_hierarchy *hierarchy, const char *controller, struct err *e)
{
	char path[256], words[512];

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", hierarchy->mount);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot open '%s'", path);
	ssize_t n = read(fd, words, sizeof(words) - 1);
	words[n > 0 ? n : 0] = '\0';
	int r = 0;
	if (!has_word(words, controller)) {
		snprintf(words, sizeof(words), "+%s", controller);
		if (write(fd, words, strlen(words)) < 0)
			r = err_set(e, errno, "cannot enable '%s' in '%s'%s", controller, path,
				    errno == EBUSY ? " (processes live in the root cgroup, as in a container: start it on the host, or in a delegated cgroup)" : "");
	}
	close(fd);
	return r;
}

/* The errno that libcgroup lost. */
static int why_not(const struct cgroup_hierarchy *hierarchy, const char *name, int code, struct err *e)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", hierarchy->mount, name);
	if (code != ECGOTHER && mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "cannot make the cgroup '%s'", path);
	rmdir(path);
	snprintf(path, sizeof(path), "cannot make the cgroup '%s'", name);
	return say(e, code, path);
}

static int add_controllers(struct cgroup *group, const struct cgroup_layout *layout, const struct made_group_limits *limits, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct cgroup_hierarchy *hierarchy = &layout->controllers[wanted[i].controller];
		struct value values[VALUES_MAX];

		if (!hierarchy->version)
			continue;
		if (hierarchy->version == 2 && enable_in_root(hierarchy, wanted[i].name, e) < 0)
			return -e->code;
		struct cgroup_controller *controller = cgroup_add_controller(group, wanted[i].name);
		if (!controller)
			return err_rule(e, EIO, "libcgroup has no controller '%s'", wanted[i].name);
		unsigned count = values_of(wanted[i].controller, hierarchy->version, limits, values);
		for (unsigned v = 0; v < count; v++) {
			int r = values[v].optional ? 0 : cgroup_add_value_string(controller, values[v].file, values[v].text);
			if (r)
				return say(e, r, values[v].file);
		}
	}
	return 0;
}

/* What only some kernels have (accounting of swap): written beside libcgroup, which would fail the whole group for it. */
static void write_optional(const struct cgroup_layout *layout, const char *name, const struct made_group_limits *limits)
{
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct cgroup_hierarchy *hierarchy = &layout->controllers[wanted[i].controller];
		struct value values[VALUES_MAX];
		unsigned count = hierarchy->version ? values_of(wanted[i].controller, hierarchy->version, limits, values) : 0;

		for (unsigned v = 0; v < count; v++) {
			char path[320];
			snprintf(path, sizeof(path), "%s/%s/%s", hierarchy->mount, name, values[v].file);
			int fd = values[v].optional ? open(path, O_WRONLY | O_CLOEXEC) : -1;
			if (fd >= 0) {
				(void)!write(fd, values[v].text, strlen(values[v].text));
				close(fd);
			}
		}
	}
}

static void remember(struct made_group *made, const struct cgroup_hierarchy *hierarchy)
{
	if (!hierarchy->version || made->count >= MADE_GROUP_PLACES)
		return;
	for (unsigned i = 0; i < made->count; i++)
		if (strcmp(made->mounts[i], hierarchy->mount) == 0)
			return;
	str_copy(made->mounts[made->count], sizeof(made->mounts[0]), hierarchy->mount);
	made->count++;
}

int made_group_make(const struct cgroup_layout *layout, const char *name, const struct made_group_limits *limits, struct made_group *ret, struct err *e)
{
	if (!layout->controllers[CGROUP_MEMORY].version)
		return err_rule(e, ENOTSUP, "this kernel has no memory controller mounted: nothing can be limited or explained");
	if (strlen(name) + sizeof("/" MADE_GROUP_INNER) > MADE_GROUP_NAME_BYTES || name[0] == '\0' || strchr(name, '/') || name[0] == '.')
		return err_rule(e, EINVAL, "'%s' cannot be the name of a cgroup: one name without '/', not beginning with '.'", name);
	if (start_library(e) < 0)
		return -e->code;
	struct made_group made = {0};
	str_append(made.name, sizeof(made.name), "%s/" MADE_GROUP_INNER, name);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		remember(&made, &layout->controllers[wanted[i].controller]);
	scoped(drop_group) struct cgroup *group = cgroup_new_cgroup(made.name);
	if (!group)
		return err_set(e, ENOMEM, "libcgroup");
	if (add_controllers(group, layout, limits, e) < 0)
		return -e->code;
	int r = cgroup_create_cgroup(group, 0);
	if (r) {
		made_group_remove(&made, &(struct err){0}); /* what libcgroup left half made */
		return why_not(&layout->controllers[CGROUP_MEMORY], name, r, e);
	}
	write_optional(layout, made.name, limits);
	*ret = made;
	return 0;
}

int made_group_enter(const struct made_group *made, pid_t pid, struct err *e)
{
	scoped(drop_group) struct cgroup *group = cgroup_new_cgroup(made->name);

	/* libcgroup wants the controllers of a group that is there named again. */
	if (!group || cgroup_get_cgroup(group) != 0)
		return err_rule(e, ENOENT, "the cgroup '%s' is gone", made->name);
	int r = cgroup_attach_task_pid(group, pid);
	return r ? say(e, r, "cannot move the process into its cgroup") : 0;
}

static int remove_one(const char *mount, const char *name, size_t length, struct err *e)
{
	char path[320];

	snprintf(path, sizeof(path), "%s/%.*s", mount, (int)length, name);
	if (rmdir(path) < 0 && errno != ENOENT)
		return err_set(e, errno, "cannot remove the cgroup '%s'", path);
	return 0;
}

int made_group_remove(struct made_group *made, struct err *e)
{
	size_t length = strlen(made->name), outer = strcspn(made->name, "/");

	for (unsigned i = 0; length && i < made->count; i++)
		if (remove_one(made->mounts[i], made->name, length, e) < 0 || remove_one(made->mounts[i], made->name, outer, e) < 0)
			return -e->code;
	made->name[0] = '\0';
	return 0;
}
