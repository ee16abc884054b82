/* cgroup_read.c - all the files of a sample, as a table. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "cgroups/cgroup.h"

/* What is read of the files: each holds the one before. */
enum depth { USE, EVENTS, ALL };

struct reading {
	enum cgroup_part part;
	int version;
	enum depth depth;
	const char *file;
	size_t number; /* of a uint64_t that takes the file's one number, if there is no `take` */
	uint32_t have;
	int (*take)(const char *text, size_t length, struct sample *sample);
};

static int take_stat_1(const char *text, size_t length, struct sample *s)
{
	return sample_parse_memory_stat(text, length, 1, s, NULL);
}

static int take_stat_2(const char *text, size_t length, struct sample *s)
{
	return sample_parse_memory_stat(text, length, 2, s, NULL);
}

static int take_events(const char *text, size_t length, struct sample *s)
{
	int have = sample_parse_events(text, length, &s->events, NULL);

	s->have |= have > 0 ? (uint32_t)have : 0;
	return have;
}

static int take_local(const char *text, size_t length, struct sample *s)
{
	int have = sample_parse_events(text, length, &s->local, NULL);

	s->have |= have > 0 ? SAMPLE_HAS_LOCAL : 0;
	return have;
}

/* v1 counts each cgroup's events by themselves. */
static int take_oom_control(const char *text, size_t length, struct sample *s)
{
	int have = take_events(text, length, s);

	s->local.oom_kill = s->events.oom_kill;
	s->have |= have > 0 ? SAMPLE_HAS_LOCAL : 0;
	return have;
}

static int take_failcnt(const char *text, size_t length, struct sample *s)
{
	int r = sample_parse_number(text, length, &s->events.max, NULL);

	s->local.max = s->events.max;
	return r;
}

static int take_cpuacct(const char *text, size_t length, struct sample *s)
{
	uint64_t ns;
	int r = sample_parse_number(text, length, &ns, NULL);

	if (r == 0) {
		s->cpu_usage_us = ns / 1000;
		s->have |= SAMPLE_HAS_CPU;
	}
	return r;
}

static int take_cpu(const char *text, size_t length, struct sample *s)
{
	return sample_parse_cpu_stat(text, length, s, NULL);
}

static int take_io_1(const char *text, size_t length, struct sample *s)
{
	return sample_parse_io_stat(text, length, 1, s, NULL);
}

static int take_io_2(const char *text, size_t length, struct sample *s)
{
	return sample_parse_io_stat(text, length, 2, s, NULL);
}

static int take_pids_events(const char *text, size_t length, struct sample *s)
{
	return sample_parse_pids_events(text, length, s, NULL);
}

#define NUMBER(part, version, depth, file, field, have) {part, version, depth, file, offsetof(struct sample, field), have, NULL}
#define TAKE(part, version, depth, file, take)		{part, version, depth, file, 0, 0, take}

static const struct reading readings[] = {
	NUMBER(CGROUP_MEMORY, 2, USE, "memory.current", current_bytes, SAMPLE_HAS_CURRENT),
	NUMBER(CGROUP_MEMORY, 2, USE, "memory.peak", peak_bytes, SAMPLE_HAS_PEAK),
	NUMBER(CGROUP_MEMORY, 2, ALL, "memory.max", limit_bytes, SAMPLE_HAS_LIMIT),
	NUMBER(CGROUP_MEMORY, 2, ALL, "memory.swap.current", swap_bytes, 0),
	TAKE(CGROUP_MEMORY, 2, ALL, "memory.stat", take_stat_2),
	TAKE(CGROUP_MEMORY, 2, EVENTS, "memory.events", take_events),
	TAKE(CGROUP_MEMORY, 2, EVENTS, "memory.events.local", take_local),
	NUMBER(CGROUP_MEMORY, 1, USE, "memory.usage_in_bytes", current_bytes, SAMPLE_HAS_CURRENT),
	NUMBER(CGROUP_MEMORY, 1, USE, "memory.max_usage_in_bytes", peak_bytes, SAMPLE_HAS_PEAK),
	NUMBER(CGROUP_MEMORY, 1, ALL, "memory.limit_in_bytes", limit_bytes, SAMPLE_HAS_LIMIT),
	NUMBER(CGROUP_MEMORY, 1, ALL, "memory.kmem.usage_in_bytes", kernel_bytes, 0),
	NUMBER(CGROUP_MEMORY, 1, ALL, "memory.kmem.tcp.usage_in_bytes", sock_bytes, 0),
	TAKE(CGROUP_MEMORY, 1, ALL, "memory.stat", take_stat_1),
	TAKE(CGROUP_MEMORY, 1, EVENTS, "memory.failcnt", take_failcnt),
	TAKE(CGROUP_MEMORY, 1, EVENTS, "memory.oom_control", take_oom_control),
	TAKE(CGROUP_CPU, 0, ALL, "cpu.stat", take_cpu),
	TAKE(CGROUP_CPUACCT, 1, ALL, "cpuacct.usage", take_cpuacct),
	NUMBER(CGROUP_PIDS, 0, ALL, "pids.current", pids_current, SAMPLE_HAS_PIDS),
	TAKE(CGROUP_PIDS, 0, ALL, "pids.events", take_pids_events),
	TAKE(CGROUP_IO, 1, ALL, "blkio.throttle.io_service_bytes_recursive", take_io_1),
	TAKE(CGROUP_IO, 2, ALL, "io.stat", take_io_2),
};

static ssize_t read_text(int dir_fd, const char *file, char *text)
{
	scoped(fd_drop) int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd_read_all(fd, text, CGROUP_FILE_BYTES, NULL);
}

static void apply(const struct reading *reading, const char *text, size_t length, struct sample *s)
{
	if (reading->take)
		reading->take(text, length, s);
	else if (sample_parse_number(text, length, (uint64_t *)(void *)((char *)s + reading->number), NULL) == 0)
		s->have |= reading->have;
}

static void read_pressures(int dir_fd, char *text, struct sample *s)
{
	static const struct {
		const char *file;
		size_t offset;
	} files[] = {
		{"memory.pressure", offsetof(struct sample, memory)},
		{"io.pressure", offsetof(struct sample, io)},
		{"cpu.pressure", offsetof(struct sample, cpu)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		ssize_t n = read_text(dir_fd, files[i].file, text);
		if (n >= 0 && sample_parse_pressure(text, (size_t)n, (struct sample_pressure *)(void *)((char *)s + files[i].offset), NULL) == 0)
			s->have |= SAMPLE_HAS_PRESSURE;
	}
}

/* -errno of a file that cannot be read; 0 too where this cgroup has none such. */
static int read_file(const struct cgroup *cgroup, const struct reading *r, char *text, struct sample *s)
{
	const int fd = cgroup->fds[r->part];

	if (fd < 0 || (r->version && r->version != cgroup->versions[r->part]))
		return 0;
	ssize_t n = read_text(fd, r->file, text);
	if (n >= 0)
		apply(r, text, (size_t)n, s);
	return n < 0 ? (int)n : 0;
}

static int read_sample(const struct cgroup *cgroup, enum depth depth, struct sample *ret, struct err *e)
{
	struct sample s = {.time_us = clock_mono_us()};
	bool missing = false;
	scoped(scoped_free) char *text = malloc(CGROUP_FILE_BYTES);

	if (!text)
		return err_set(e, ENOMEM, "cannot read a cgroup");
	for (size_t i = 0; i < ARRAY_SIZE(readings); i++) {
		const int r = readings[i].depth > depth ? 0 : read_file(cgroup, &readings[i], text, &s);
		missing |= r == -ENOENT || r == -ENODEV;
	}
	if (depth == ALL && cgroup->pressure_fd >= 0)
		read_pressures(cgroup->pressure_fd, text, &s);
	/* what was read before it went is half a sample */
	if (missing && cgroup_is_gone(cgroup))
		return err_rule(e, ENODEV, "the cgroup is gone");
	*ret = s;
	return 0;
}

void cgroup_read_stalls(const struct cgroup *cgroup, struct sample *sample)
{
	scoped(scoped_free) char *text = malloc(CGROUP_FILE_BYTES);

	for (size_t i = 0; text && i < ARRAY_SIZE(readings); i++) {
		const struct reading *r = &readings[i];
		if (r->take && (r->part == CGROUP_CPU || r->part == CGROUP_PIDS))
			read_file(cgroup, r, text, sample);
	}
	if (text && cgroup->pressure_fd >= 0)
		read_pressures(cgroup->pressure_fd, text, sample);
}

int cgroup_read(const struct cgroup *cgroup, struct sample *ret, struct err *e)
{
	return read_sample(cgroup, ALL, ret, e);
}

int cgroup_read_events(const struct cgroup *cgroup, struct sample *ret, struct err *e)
{
	return read_sample(cgroup, EVENTS, ret, e);
}

int cgroup_read_use(const struct cgroup *cgroup, struct sample *ret, struct err *e)
{
	return read_sample(cgroup, USE, ret, e);
}
