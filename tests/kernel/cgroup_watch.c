/* cgroup_watch - the watcher of cgroups/ alone, with stokerd's rights and filter, told by lines on stdin what to do.
 *
 *   add PATH [pressure] | remove PATH | read PATH | pids PATH | write PATH FILE VALUE | sweep (read all) | stats | quit
 *
 * Paths are relative to the hierarchies. Prints a line for each answer and each event; times are CLOCK_MONOTONIC in µs. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "base/scoped.h"
#include "cgroups/watch.h"

struct group {
	struct cgroup cgroup;
	struct cgroup_watch watch;
	char path[EXECUTOR_CGROUP_BYTES];
	struct group *next;
};

struct driver {
	uv_loop_t loop;
	uv_poll_t input;
	struct cgroup_layout layout;
	struct cgroup_watcher watcher;
	struct group *groups;
	char line[1024];
	size_t length;
};

static void say_sample(const char *what, const struct group *g, const struct sample *s)
{
	printf("%s %s time=%" PRIu64 " have=%u current=%" PRIu64 " peak=%" PRIu64 " limit=%" PRIu64 " anon=%" PRIu64 " file=%" PRIu64 " shmem=%" PRIu64
	       " kernel=%" PRIu64 " oom=%" PRIu64 " oom_kill=%" PRIu64 " oom_group_kill=%" PRIu64 " local_oom=%" PRIu64 " local_oom_kill=%" PRIu64
	       " max=%" PRIu64 " some_us=%" PRIu64 " cpu_us=%" PRIu64 " pids=%" PRIu64 "\n",
	       what, g->path, clock_mono_us(), s->have, s->current_bytes, s->peak_bytes, s->limit_bytes, s->anon_bytes, s->file_bytes, s->shmem_bytes,
	       s->kernel_bytes, s->events.oom, s->events.oom_kill, s->events.oom_group_kill, s->local.oom, s->local.oom_kill, s->events.max,
	       s->memory.some_total_us, s->cpu_usage_us, s->pids_current);
}

static void on_events(struct cgroup_watch *watch)
{
	struct group *g = watch->owner;
	struct sample s = {0};

	cgroup_read_events(&g->cgroup, &s, NULL); /* gone: zeroes */
	say_sample("events", g, &s);
}

static void on_pressure(struct cgroup_watch *watch)
{
	struct group *g = watch->owner;

	printf("pressure %s time=%" PRIu64 "\n", g->path, clock_mono_us());
}

static void drop_group(struct driver *d, struct group *g)
{
	struct group **at = &d->groups;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	cgroup_watch_remove(&g->watch);
	cgroup_close(&g->cgroup);
	free(g);
}

/* As an owner does: it lets go within the callback. */
static void on_gone(struct cgroup_watch *watch)
{
	struct group *g = watch->owner;

	printf("gone %s time=%" PRIu64 "\n", g->path, clock_mono_us());
	drop_group(container_of(watch->watcher, struct driver, watcher), g);
}

static void add(struct driver *d, const char *path, bool pressure)
{
	static const struct cgroup_watch_ops ops = {.on_events = on_events, .on_pressure = on_pressure, .on_gone = on_gone};
	struct group *g = calloc(1, sizeof(*g));
	struct err e = {0};

	if (!g)
		abort();
	snprintf(g->path, sizeof(g->path), "%s", path);
	if (cgroup_open(&d->layout, path, &g->cgroup, &e) < 0) {
		printf("error %s %s\n", path, e.text);
		free(g);
		return;
	}
	g->watch = (struct cgroup_watch){.ops = &ops, .owner = g, .cgroup = &g->cgroup, .want_pressure = pressure};
	g->next = d->groups;
	d->groups = g;
	if (cgroup_watch_add(&d->watcher, &g->watch, path, &e) < 0) {
		printf("error %s %s\n", path, e.text);
		drop_group(d, g);
		return;
	}
	printf("added %s id=%" PRIu64 " polled=%d\n", path, g->cgroup.id, g->watch.polled);
}

static unsigned count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static void of_group(struct driver *d, struct group *g, const char *verb, const char *file, const char *value)
{
	struct sample s;
	struct err e = {0};
	uint32_t pids[64];
	int r = 0;

	if (strcmp(verb, "remove") == 0) {
		printf("removed %s\n", g->path);
		drop_group(d, g);
		return;
	}
	if (strcmp(verb, "read") == 0 && (r = cgroup_read(&g->cgroup, &s, &e)) == 0)
		say_sample("sample", g, &s);
	if (strcmp(verb, "write") == 0 && (r = cgroup_write(&g->cgroup, CGROUP_MEMORY, file, value, &e)) == 0)
		printf("written %s\n", g->path);
	if (strcmp(verb, "pids") == 0 && (r = cgroup_pids(&g->cgroup, pids, ARRAY_SIZE(pids), &e)) >= 0) {
		printf("pids %s", g->path);
		for (int i = 0; i < r; i++)
			printf(" %u", pids[i]);
		printf("\n");
	}
	if (r < 0)
		printf("error %s %s\n", g->path, e.text);
}

static void stats(struct driver *d)
{
	char text[512];

	cgroup_watcher_say(&d->watcher, text, sizeof(text));
	printf("stats mode=%s watches=%u polled=%u overflows=%" PRIu64 " descriptors=%u say=%s\n", cgroup_mode_name(d->layout.mode), d->watcher.count,
	       d->watcher.polled_count, d->watcher.overflows, count_descriptors(), text);
}

/* What reading all of them costs. */
static void sweep(struct driver *d)
{
	uint64_t begin = clock_mono_us();
	unsigned count = 0;
	struct sample s;

	for (const struct group *g = d->groups; g; g = g->next)
		count += cgroup_read(&g->cgroup, &s, NULL) == 0;
	printf("swept count=%u us=%" PRIu64 "\n", count, clock_mono_us() - begin);
}

static void command(struct driver *d, char *line)
{
	char *rest = line, *words[4] = {NULL};

	for (size_t i = 0; i < ARRAY_SIZE(words) && rest; i++)
		words[i] = strsep(&rest, " ");
	if (strcmp(words[0], "stats") == 0) {
		stats(d);
	} else if (strcmp(words[0], "sweep") == 0) {
		sweep(d);
	} else if (strcmp(words[0], "add") == 0 && words[1]) {
		add(d, words[1], words[2] != NULL);
	} else if (words[1]) {
		struct group *g = d->groups;
		while (g && strcmp(g->path, words[1]) != 0)
			g = g->next;
		if (g)
			of_group(d, g, words[0], words[2], words[3]);
		else
			printf("error %s is not watched\n", words[1]);
	}
}

static void end(struct driver *d)
{
	while (d->groups)
		drop_group(d, d->groups);
	cgroup_watcher_stop(&d->watcher);
	uv_poll_stop(&d->input);
	uv_close((uv_handle_t *)&d->input, NULL);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
	struct driver *d = poll->data;
	ssize_t n = read(0, d->line + d->length, sizeof(d->line) - 1 - d->length);

	(void)status;
	(void)events;
	if (n <= 0) {
		end(d);
		return;
	}
	d->length += (size_t)n;
	d->line[d->length] = '\0';
	for (char *newline; (newline = strchr(d->line, '\n')) != NULL;) {
		*newline = '\0';
		if (strcmp(d->line, "quit") == 0) {
			end(d);
			return;
		}
		command(d, d->line);
		d->length -= (size_t)(newline + 1 - d->line);
		memmove(d->line, newline + 1, d->length + 1);
	}
}

int main(void)
{
	static struct driver d;
	struct err e = {0};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (uv_loop_init(&d.loop) < 0 || sandbox_enter(SANDBOX_STOKERD, &e) < 0 || cgroup_layout_find("", &d.layout, &e) < 0 ||
	    cgroup_watcher_start(&d.watcher, &d.loop, &e) < 0) {
		fprintf(stderr, "cgroup_watch: %s\n", e.text);
		return 1;
	}
	uv_poll_init(&d.loop, &d.input, 0);
	d.input.data = &d;
	uv_poll_start(&d.input, UV_READABLE, on_input);
	printf("ready\n");
	uv_run(&d.loop, UV_RUN_DEFAULT);
	cgroup_layout_close(&d.layout);
	/* everything was given back: no handle is left, nor a thread's work */
	int left = uv_loop_close(&d.loop);
	printf("ended descriptors=%u left=%d\n", count_descriptors(), left);
	return left == 0 ? 0 : 1;
}
