#include "health/oom.h"

#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "base/scoped.h"
#include "base/str.h"
#include "health/oom_dump.h"

#define KB 1024ULL
/* Secondary kills are printed in one go. One that comes later is of another OOM, whose own dump was not printed. */
#define OOM_GROUP_GAP_US 250000ULL
/* "oom-kill:" and "Killed process" are written one after the other; a slow console may come between. */
#define OOM_TASK_GAP_US 2000000ULL

#define COMM_RAW_BYTES 15 /* TASK_COMM_LEN without NUL */

/* --- words --- */

bool oom_take_kb(const char **p, const char *key, uint64_t *ret_bytes)
{
	const char *at = *p;
	uint64_t n;

	if (!scan_word(&at, key) || !scan_number(&at, &n) || !scan_word(&at, "kB") || n > UINT64_MAX / KB)
		return false;
	*ret_bytes = n * KB;
	*p = at;
	return true;
}

/* What is too long is not cut: half a path would name another cgroup. */
static bool copy_span(char *destination, size_t size, const char *from, const char *to)
{
	size_t length = (size_t)(to - from);

	if (length >= size)
		return false;
	memcpy(destination, from, length);
	destination[length] = '\0';
	return true;
}

static bool copy_path(char path[EXECUTOR_CGROUP_BYTES], const char *from, const char *to)
{
	return from < to && *from == '/' && copy_span(path, EXECUTOR_CGROUP_BYTES, from, to);
}

/* /dev/kmsg writes a byte that is not printable as \xNN. */
static size_t raw_length(const char *from, const char *to)
{
	size_t n = 0;

	for (; from < to; n++)
		from += from[0] == '\\' && from[1] == 'x' && to - from >= 4 ? 4 : 1;
	return n;
}

/* --- the lines before the kill --- */

static void begin(struct oom_reader *reader)
{
	*reader = (struct oom_reader){.stage = OOM_STAGE_DUMP, .last_us = reader->last_us};
	reader->pending.uid = UINT32_MAX;
}

/* "COMM invoked oom-killer: gfp_mask=…, oom_score_adj=0", read from its end. */
static bool is_invoked(const char *text)
{
	const char *last = scan_last(text, " invoked oom-killer: gfp_mask=");

	return last && raw_length(text, last) <= COMM_RAW_BYTES;
}

/* "…,oom_memcg=/A,task_memcg=/B,task=COMM,pid=N,uid=N"; for a global one ",global_oom,task_memcg=". */
static void read_oom_kill(struct oom_reader *reader, const char *text, uint64_t time_us)
{
	struct oom_kill *kill = &reader->pending;
	const char *limit = strstr(text, ",oom_memcg="), *global = strstr(text, ",global_oom,");
	const char *where = strstr(text, ",task_memcg="), *task = where ? strstr(where, ",task=") : NULL;
	const char *uid = task ? scan_last(task, ",uid=") : NULL, *pid = NULL;
	uint64_t pid_number, uid_number;

	reader->has_task = false;
	reader->group = false;
	if (reader->stage == OOM_STAGE_NONE) /* its dump was lost: that of the one before is not its own */
		*kill = (struct oom_kill){0};
	if (!uid)
		return;
	for (const char *p = task; (p = strstr(p, ",pid=")) && p < uid; p++)
		pid = p;
	if (!pid || raw_length(task + 6, pid) > COMM_RAW_BYTES)
		return;
	const char *p = pid + 5, *u = uid + 5;
	if (!scan_number(&p, &pid_number) || p != uid || !scan_number(&u, &uid_number) || *u)
		return;
	/* Only what stands before task_memcg= is the kernel's alone. */
	limit = limit && limit < where ? limit : NULL;
	global = global && global < where ? global : NULL;
	*kill->task_memcg = *kill->oom_memcg = '\0';
	copy_path(kill->task_memcg, where + 12, task);
	if (limit)
		copy_path(kill->oom_memcg, limit + 11, where);
	kill->scope = limit && !global ? OOM_MEMCG : global && !limit ? OOM_GLOBAL : OOM_UNKNOWN;
	kill->pid = (uint32_t)pid_number;
	kill->uid = (uint32_t)uid_number;
	reader->has_task = true;
	reader->task_us = time_us;
}

/* 4.19: "Task in /A killed as a result of limit of /B"; printed in pieces, which another CPU may tear apart: then nothing is known. */
static void read_task_in(struct oom_reader *reader, const char *text, uint64_t time_us)
{
	static const char middle[] = " killed as a result of limit of ";
	struct oom_kill *kill = &reader->pending;
	const char *from = text + strlen("Task in "), *to = strstr(from, middle);

	if (!to || !copy_path(kill->task_memcg, from, to))
		return;
	from = to + sizeof(middle) - 1;
	reader->has_task = copy_path(kill->oom_memcg, from, from + strlen(from));
	kill->scope = OOM_MEMCG;
	kill->pid = 0; /* told by the next line but one */
	reader->task_us = time_us;
}

/* 4.19 to 5.1: "Memory cgroup out of memory: Kill process N (COMM) score S or sacrifice child": whose the "Task in" line is. */
static void read_chosen(struct oom_reader *reader, const char *text)
{
	const char *p = strstr(text, "Kill process ");
	uint64_t pid;

	p += strlen("Kill process ");
	if (reader->has_task && reader->pending.pid == 0 && scan_number(&p, &pid))
		reader->pending.pid = (uint32_t)pid;
}

/* "Tasks in /A are going to be killed due to memory.oom.group set": comes after the first victim's own line. */
static void read_group(struct oom_reader *reader, const char *text, uint64_t time_us)
{
	struct oom_kill *kill = &reader->pending;
	const char *from = text + strlen("Tasks in "), *to = strstr(from, " are going to be killed due to memory.oom.group set");

	if (reader->has_task || time_us - reader->last_us > OOM_GROUP_GAP_US)
		*kill = (struct oom_kill){.uid = UINT32_MAX};
	reader->group = true;
	reader->stage = OOM_STAGE_NONE;
	*kill->task_memcg = '\0';
	if (to)
		copy_path(kill->task_memcg, from, to);
}

/* --- the kill --- */

/* "N (COMM) total-vm:…kB, anon-rss:…kB, file-rss:…kB, shmem-rss:…kB[, UID:N pgtables:…kB oom_score_adj:N]" */
static bool read_victim(const char *text, struct oom_kill *kill)
{
	const char *p = text, *tail = scan_last(text, ") total-vm:");
	uint64_t pid, uid, ignored;

	if (!tail || !scan_number(&p, &pid) || pid > UINT32_MAX || !scan_word(&p, " (") || p > tail || raw_length(p, tail) > COMM_RAW_BYTES)
		return false;
	kill->pid = (uint32_t)pid;
	if (!copy_span(kill->comm, sizeof(kill->comm), p, tail))
		return false;
	p = tail + 2;
	if (!oom_take_kb(&p, "total-vm:", &ignored) || !oom_take_kb(&p, ", anon-rss:", &kill->anon_rss_bytes) || !oom_take_kb(&p, ", file-rss:", &kill->file_rss_bytes))
		return false;
	oom_take_kb(&p, ", shmem-rss:", &kill->shmem_rss_bytes);
	if (scan_word(&p, ", UID:") && scan_number(&p, &uid))
		kill->uid = (uint32_t)uid;
	const char *adj = scan_last(p, " oom_score_adj:");
	kill->oom_score_adj = adj ? (int32_t)strtol(adj + strlen(" oom_score_adj:"), NULL, 10) : 0;
	return true;
}

/* What the lines before say holds for this victim only if they name its pid. To 5.1 a child may be killed in the chosen one's
 * place, and two CPUs may write at once: then it is not known whose memory it was, and what waits goes on waiting for its own. */
static bool is_of_pending(const struct oom_reader *reader, uint32_t pid, uint64_t time_us)
{
	return reader->has_task && reader->pending.pid == pid && time_us - reader->task_us <= OOM_TASK_GAP_US;
}

static void settle(struct oom_kill *kill, const struct oom_kill *line, const struct kmsg_record *record)
{
	kill->pid = line->pid;
	kill->uid = line->uid;
	memcpy(kill->comm, line->comm, sizeof(kill->comm));
	kill->anon_rss_bytes = line->anon_rss_bytes;
	kill->file_rss_bytes = line->file_rss_bytes;
	kill->shmem_rss_bytes = line->shmem_rss_bytes;
	kill->oom_score_adj = line->oom_score_adj;
	kill->kernel_time_us = record->time_us;
	kill->sequence = record->sequence;
}

static bool finish(struct oom_reader *reader, const struct kmsg_record *record, const char *victim, uint32_t scope, struct oom_kill *ret)
{
	struct oom_kill kill = {0}, line = {.uid = UINT32_MAX};
	bool group = reader->group && record->time_us - reader->last_us <= OOM_GROUP_GAP_US;

	if (!read_victim(victim, &line))
		return false;
	if (group && line.pid == reader->pending.pid)
		return false; /* the first victim is named again with its group */
	scope = scope == OOM_UNKNOWN ? reader->chosen_scope : scope;
	reader->chosen_scope = OOM_UNKNOWN;
	reader->last_us = record->time_us;
	if (group) {
		kill = reader->pending;
		kill.secondary = 1;
	} else if (is_of_pending(reader, line.pid, record->time_us)) {
		line.uid = line.uid == UINT32_MAX ? reader->pending.uid : line.uid;
		kill = reader->pending;
		reader->has_task = false;
		reader->stage = OOM_STAGE_NONE;
	}
	kill.scope = scope != OOM_UNKNOWN ? scope : kill.scope;
	settle(&kill, &line, record);
	if (!group && !reader->has_task)
		reader->pending = kill; /* a group may follow */
	*ret = kill;
	return true;
}

/* What stands before "Killed process". */
static const struct {
	const char *words;
	uint32_t scope;
} kill_prefixes[] = {
	{"Memory cgroup out of memory: ", OOM_MEMCG},
	{"Out of memory: ", OOM_GLOBAL},
	{"Out of memory (oom_kill_allocating_task): ", OOM_GLOBAL},
	{"", OOM_UNKNOWN}, /* to 5.1: the line before has it */
};

bool oom_read(struct oom_reader *reader, const struct kmsg_record *record, struct oom_kill *ret)
{
	const char *text = record->text;

	if (record->facility != 0) /* user space may write any words, but not as the kernel */
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kill_prefixes); i++) {
		const char *p = text;
		if (!scan_word(&p, kill_prefixes[i].words))
			continue;
		if (scan_word(&p, "Killed process "))
			return finish(reader, record, p, kill_prefixes[i].scope, ret);
		if (str_starts(p, "Kill process ")) {
			read_chosen(reader, p);
			reader->chosen_scope = kill_prefixes[i].scope;
			return false;
		}
	}
	if (is_invoked(text))
		begin(reader);
	else if (str_starts(text, "oom-kill:constraint="))
		read_oom_kill(reader, text, record->time_us);
	else if (str_starts(text, "Task in "))
		read_task_in(reader, text, record->time_us);
	else if (str_starts(text, "Tasks in "))
		read_group(reader, text, record->time_us);
	else if (reader->stage != OOM_STAGE_NONE)
		oom_read_dump(reader, text);
	return false;
}
