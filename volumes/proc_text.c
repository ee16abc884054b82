#include "volumes/proc_text.h"

#include <string.h>

#include "base/str.h"

#define PF_KTHREAD 0x00200000U

/* --- numbers and words --- */

static bool number(struct proc_word *c, char behind, uint64_t *ret)
{
	uint64_t value = 0;
	const char *begin = c->at;

	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
		if (value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*c->at - '0');
	}
	if (c->at == begin || c->at == c->end || *c->at != behind)
		return false;
	c->at++;
	*ret = value;
	return true;
}

/* Up to the next blank, which is passed. */
static bool word(struct proc_word *c, struct proc_word *ret)
{
	const char *blank = c->at < c->end ? memchr(c->at, ' ', (size_t)(c->end - c->at)) : NULL;

	if (!blank)
		return false;
	*ret = (struct proc_word){c->at, blank};
	c->at = blank + 1;
	return true;
}

static bool is_octal(const char *p, const char *end)
{
	return end - p >= 4 && p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7';
}

bool proc_unescape(struct proc_word from, char *to, size_t size)
{
	size_t length = 0;

	while (from.at < from.end && length + 1 < size) {
		const bool octal = is_octal(from.at, from.end);
		const int value = octal ? (from.at[1] - '0') * 64 + (from.at[2] - '0') * 8 + (from.at[3] - '0') : *from.at;
		to[length++] = (char)value;
		from.at += octal ? 4 : 1;
	}
	to[length] = '\0';
	return from.at == from.end;
}

/* --- a process --- */

/* "PID (comm) S ppid pgrp session tty tpgid flags …": comm may hold brackets and blanks, so the fields begin behind the last one. */
bool proc_stat_parse(const char *text, size_t length, struct proc_stat *ret)
{
	const char *open = memchr(text, '(', length), *close = memrchr(text, ')', length);
	uint64_t flags = 0, start = 0;
	struct proc_word skipped;

	if (!open || !close || close < open || (size_t)(text + length - close) < 4)
		return false;
	struct proc_stat found = {.state = close[2]};
	struct proc_word c = {close + 4, text + length};
	for (int field = 4; field < 9; field++) /* some of them negative */
		if (!word(&c, &skipped))
			return false;
	if (!number(&c, ' ', &flags))
		return false;
	for (int field = 10; field < 22; field++)
		if (!word(&c, &skipped))
			return false;
	if (!number(&c, ' ', &start))
		return false;
	found.kernel_thread = (flags & PF_KTHREAD) != 0;
	found.start_ticks = start;
	size_t n = (size_t)(close - open - 1);
	memcpy(found.name, open + 1, n < sizeof(found.name) - 1 ? n : sizeof(found.name) - 1);
	*ret = found;
	return true;
}

bool proc_uids_parse(const char *text, size_t length, uint32_t ret[static 4])
{
	static const char key[] = "\nUid:\t";
	const char *at = memmem(text, length, key, sizeof(key) - 1);
	uint32_t uids[4];

	if (!at)
		return false;
	struct proc_word c = {at + sizeof(key) - 1, text + length};
	for (int i = 0; i < 4; i++) {
		uint64_t value = 0;
		if (!number(&c, i < 3 ? '\t' : '\n', &value) || value > UINT32_MAX)
			return false;
		uids[i] = (uint32_t)value;
	}
	memcpy(ret, uids, sizeof(uids));
	return true;
}

/* --- a mount --- */

bool proc_has_option(struct proc_word list, const char *wanted)
{
	const size_t length = strlen(wanted);

	while (list.at < list.end) {
		const char *comma = memchr(list.at, ',', (size_t)(list.end - list.at));
		const char *end = comma ? comma : list.end;
		if ((size_t)(end - list.at) == length && memcmp(list.at, wanted, length) == 0)
			return true;
		list.at = comma ? comma + 1 : list.end;
	}
	return false;
}

/* "ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS [TAG…] - TYPE SOURCE OPTIONS" */
bool proc_mount_split(const char *line, size_t length, struct proc_mount_words *ret)
{
	struct proc_word c = {line, line + length}, tag;
	uint64_t major = 0, minor = 0;

	if (length > 0 && line[length - 1] == '\n')
		c.end--;
	if (!number(&c, ' ', &ret->id) || !number(&c, ' ', &ret->parent) || !number(&c, ':', &major) || !number(&c, ' ', &minor) ||
	    major > UINT32_MAX || minor > UINT32_MAX || !word(&c, &ret->root) || !word(&c, &ret->mount_point) || !word(&c, &ret->options))
		return false;
	do
		if (!word(&c, &tag))
			return false;
	while (tag.end - tag.at != 1 || *tag.at != '-');
	if (!word(&c, &ret->type) || !word(&c, &ret->source))
		return false;
	ret->device_major = (uint32_t)major;
	ret->device_minor = (uint32_t)minor;
	ret->super_options = c;
	return true;
}

bool proc_mount_parse(const char *line, size_t length, struct proc_mount *ret)
{
	struct proc_mount_words w;

	if (!proc_mount_split(line, length, &w))
		return false;
	ret->id = w.id;
	ret->parent = w.parent;
	ret->device_major = w.device_major;
	ret->device_minor = w.device_minor;
	ret->cut = !proc_unescape(w.root, ret->root, sizeof(ret->root));
	ret->cut |= !proc_unescape(w.mount_point, ret->mount_point, sizeof(ret->mount_point));
	proc_unescape(w.type, ret->type, sizeof(ret->type));
	proc_unescape(w.source, ret->source, sizeof(ret->source));
	ret->read_only = proc_has_option(w.options, "ro");
	ret->options = w.super_options.at;
	ret->options_length = (size_t)(w.super_options.end - w.super_options.at);
	return true;
}

bool proc_mount_option(const struct proc_mount *mount, const char *name, char *ret, size_t size)
{
	struct proc_word list = {mount->options, mount->options + mount->options_length};
	const size_t length = strlen(name);

	while (list.at < list.end) {
		const char *comma = memchr(list.at, ',', (size_t)(list.end - list.at));
		const struct proc_word option = {list.at, comma ? comma : list.end};
		if ((size_t)(option.end - option.at) > length && memcmp(option.at, name, length) == 0 && option.at[length] == '=')
			return proc_unescape((struct proc_word){option.at + length + 1, option.end}, ret, size);
		list.at = comma ? comma + 1 : list.end;
	}
	return false;
}

bool proc_path_is_at_or_beneath(const char *path, const char *above)
{
	size_t length = strlen(above);

	while (length > 0 && above[length - 1] == '/')
		length--;
	return strncmp(path, above, length) == 0 && (path[length] == '\0' || path[length] == '/');
}
