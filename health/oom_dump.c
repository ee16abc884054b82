#include "health/oom_dump.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/scan.h"
#include "base/scoped.h"
#include "base/str.h"

struct stat_key {
	const char *name;
	size_t offset;
};

#define AT(member) offsetof(struct oom_kill, member)

/* v2, then v1 (hierarchical), in bytes. 4.19 v1 has "cache:0KB" of every cgroup beneath on lines of their own: not added up. */
static const struct stat_key stat_keys[] = {
	{"anon ", AT(anon_bytes)},
	{"file ", AT(file_bytes)},
	{"shmem ", AT(shmem_bytes)},
	{"kernel ", AT(kernel_bytes)},
	{"sock ", AT(sock_bytes)},
	{"total_rss ", AT(anon_bytes)},
	{"total_cache ", AT(file_bytes)},
	{"total_shmem ", AT(shmem_bytes)},
};

static void read_stat_key(struct oom_kill *kill, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(stat_keys); i++) {
		const char *p = text;
		uint64_t value;
		if (!scan_word(&p, stat_keys[i].name) || !scan_number(&p, &value))
			continue;
		memcpy((char *)kill + stat_keys[i].offset, &value, sizeof(value));
		kill->have |= OOM_HAS_STAT;
	}
}

/* One key a line, or (5.3 to 6.5) all in one record, which shows its newlines as \x0a. */
static void read_stat(struct oom_kill *kill, const char *text)
{
	for (const char *p = text; p; p = strstr(p, "\\x0a")) {
		p += p != text ? strlen("\\x0a") : 0;
		read_stat_key(kill, p);
	}
}

/* "memory: usage 30720kB, limit 30720kB, failcnt 19", "kmem: usage 60kB, …" on v1. */
static void read_usage(struct oom_kill *kill, const char *text)
{
	uint64_t usage, limit;

	if (scan_word(&text, "kmem: ")) {
		if (oom_take_kb(&text, "usage ", &usage))
			kill->kernel_bytes = usage;
	} else if (scan_word(&text, "memory: ") && oom_take_kb(&text, "usage ", &usage) && oom_take_kb(&text, ", limit ", &limit)) {
		kill->usage_bytes = usage;
		kill->limit_bytes = limit;
		kill->have |= OOM_HAS_USAGE;
	}
}

/* "[  pid  ]   uid  tgid total_vm      rss rss_anon … oom_score_adj name": how many numbers stand before the name. */
static uint32_t count_columns(const char *header)
{
	uint32_t n = 0;

	for (const char *p = strchr(header, ']'); p && *p;) {
		p += strcspn(p, " ");
		p += strspn(p, " ");
		n += *p != '\0';
	}
	return n > 0 ? n - 1 : 0;
}

static void count_task(struct oom_tasks *tasks, const char *name, uint64_t bytes)
{
	bool is_r = strcmp(name, "R") == 0 || strcmp(name, "Rscript") == 0;

	if (strcmp(name, "java") == 0) {
		tasks->jvm_bytes += bytes;
		tasks->jvm_count++;
	} else if (str_starts(name, "python") || str_starts(name, "pypy")) {
		tasks->python_bytes += bytes;
		tasks->python_count++;
	} else if (is_r) {
		tasks->r_bytes += bytes;
		tasks->r_count++;
	} else {
		tasks->other_bytes += bytes;
		tasks->other_count++;
	}
}

/* "[    895]     0   895     8266     7992 …  0 java": rss is the fourth number after the pid, in pages. */
static void read_task_row(struct oom_reader *reader, const char *text)
{
	const char *p = strchr(text, ']');
	uint64_t value, rss = 0, page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (strncmp(text, "[  pid  ]", 9) == 0 || strncmp(text, "[ pid ]", 7) == 0) {
		reader->task_columns = count_columns(text);
		return;
	}
	if (!p || reader->task_columns < 5)
		return;
	p++;
	for (uint32_t i = 0; i < reader->task_columns; i++) {
		p += strspn(p, " ");
		p += *p == '-'; /* oom_score_adj */
		if (!scan_number(&p, &value))
			return;
		rss = i == 3 ? value : rss;
	}
	if (*p != ' ' || rss > UINT64_MAX / page / 2)
		return;
	count_task(&reader->pending.tasks, p + 1, rss * page);
	reader->pending.have |= OOM_HAS_TASKS;
}

void oom_read_dump(struct oom_reader *reader, const char *text)
{
	if (str_starts(text, "Memory cgroup stats for "))
		reader->stage = OOM_STAGE_STAT;
	else if (str_starts(text, "Tasks state (memory values in pages)") || str_starts(text, "[ pid ]") || str_starts(text, "[  pid  ]"))
		reader->stage = OOM_STAGE_TASKS;
	if (reader->stage == OOM_STAGE_TASKS && *text == '[')
		read_task_row(reader, text);
	else if (reader->stage == OOM_STAGE_STAT)
		read_stat(&reader->pending, text);
	else if (reader->stage == OOM_STAGE_DUMP)
		read_usage(&reader->pending, text);
}
